//! Senders of datagrams that never pause, for as long as anyone looks.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use crate::support::{Daemon, preload, wait_for};

/// A system in which, after the first, there is always another datagram.
const ENDLESS: &str = "
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static const char line[] = \"<13>1 - h a - - - more\";
static int udp, unixgram;
static void another(struct msghdr *to) {
    memcpy(to->msg_iov[0].iov_base, line, sizeof line - 1);
    to->msg_controllen = to->msg_flags = 0;
}
int recvmmsg(int fd, struct mmsghdr *to, unsigned len, int flags, struct timespec *wait) {
    int count = syscall(SYS_recvmmsg, fd, to, len, flags, wait);
    unsigned at;
    udp |= count > 0;
    if (!udp) return count;
    for (at = 0; at < len; at++) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        memcpy(to[at].msg_hdr.msg_name, &from, sizeof from);
        to[at].msg_hdr.msg_namelen = sizeof from;
        another(&to[at].msg_hdr);
        to[at].msg_len = sizeof line - 1;
    }
    return len;
}
ssize_t recvmsg(int fd, struct msghdr *to, int flags) {
    ssize_t count = syscall(SYS_recvmsg, fd, to, flags);
    int type = 0, domain = 0;
    socklen_t len = sizeof type;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    if (type != SOCK_DGRAM || domain != AF_UNIX) return count;
    unixgram |= count > 0;
    if (!unixgram) return count;
    to->msg_namelen = 0;
    another(to);
    return sizeof line - 1;
}
";

const LISTENERS: &str = r#"
[[listener]]
name = "udp"
protocol = "syslog"
transport = "udp"
listen = "127.0.0.1:0"

[[listener]]
name = "log"
protocol = "syslog"
transport = "unixgram"
listen = "FOLDER/log"
"#;

/// Orders are heard, long before the grace of a stop is over.
#[test]
fn a_reload_and_a_stop_while_datagrams_never_end() {
    let folder = tempfile::tempdir().unwrap();
    let library = preload::library(folder.path(), "endless", ENDLESS);
    let variables = [("LD_PRELOAD", library.to_str().unwrap())];
    let config = "[shutdown]\ngrace = \"10min\"\n";
    let mut daemon = Daemon::try_start(folder.path(), config, LISTENERS, &variables).unwrap();
    let many = |daemon: &Daemon| {
        let first = b"<13>1 - h a - - - first";
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(first, daemon.address("udp")).unwrap();
        UnixDatagram::unbound().unwrap().send_to(first, daemon.address("log")).unwrap();
        for listener in ["udp", "log"] {
            let stored = || daemon.metrics().ledger(listener).stored;
            let wanted = stored() + 10_000;
            wait_for("many of them", || (stored() >= wanted).then_some(()));
        }
    };
    many(&daemon);
    let changed = LISTENERS.replace("transport", "max_message = \"8 KiB\"\ntransport");
    Daemon::configure(folder.path(), config, &changed);
    assert_eq!(daemon.reload().0, 200);
    many(&daemon);
    assert!(daemon.stop().success());
    let said = std::fs::read_to_string(folder.path().join("daemon.log")).unwrap();
    assert!(!said.contains("were cut"), "{said}");
}
