//! Datagrams: more than there is room for, and errors of the system.

use std::fs;
use std::net::UdpSocket;
use std::thread;

use rustix::process::{Signal, setpriority_process};
use rustix::thread::gettid;

use crate::support::{Daemon, preload, wait_for};

/// With a buffer that holds a few hundred datagrams.
const UDP: &str = r#"
[[listener]]
name = "udp"
protocol = "syslog"
transport = "udp"
listen = "127.0.0.1:0"
receive_buffer = "256 KiB"
"#;

fn sender(daemon: &Daemon) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(daemon.address("udp")).unwrap();
    socket
}

#[test]
fn ud_02_what_the_buffer_does_not_hold_is_counted() {
    const SENT: u64 = 5000;
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", UDP);
    let dropped = || daemon.metrics().get("logtrace_kernel_dropped_total{listener=\"udp\"}");
    assert_eq!(dropped(), 0);
    let granted = daemon.metrics().get("logtrace_receive_buffer_bytes{listener=\"udp\"}");
    assert!((256 << 10..=512 << 10).contains(&granted), "{granted}");
    let socket = sender(&daemon);
    let mut received = 0;
    for round in 1..=2 {
        // Nobody reads while it stands still.
        daemon.signal(Signal::STOP);
        for number in 0..SENT {
            let text = format!("<13>1 - h a - - - r{round}n{number} {}", "x".repeat(500));
            socket.send(text.as_bytes()).unwrap();
        }
        daemon.signal(Signal::CONT);
        wait_for("all of them, here or there", || {
            received = daemon.metrics().ledger("udp").received;
            assert!(received + dropped() <= round * SENT);
            (received + dropped() == round * SENT).then_some(())
        });
    }
    assert!(dropped() > SENT && received > 100, "{} dropped, {received} received", dropped());
    daemon.settle("udp", received);
    assert_eq!(daemon.metrics().ledger("udp").stored, received);
    assert_eq!(daemon.query("message:x*").len() as u64, received);
}

/// The nice value of a thread of the daemon (`proc_pid_stat(5)`), once it has one of that name.
fn nice_of(daemon: &Daemon, name: &str) -> i32 {
    let threads = format!("/proc/{}/task", daemon.pid().as_raw_pid());
    let stat = wait_for("the thread", || {
        let stats = fs::read_dir(&threads).unwrap().flatten().map(|thread| thread.path());
        let mut stats = stats.filter_map(|thread| fs::read_to_string(thread.join("stat")).ok());
        stats.find(|stat| stat.contains(&format!(" ({name}) ")))
    });
    let (_, after) = stat.rsplit_once(") ").unwrap();
    after.split(' ').nth(16).unwrap().parse().unwrap()
}

/// Ahead, where whoever runs the test may have it so.
#[test]
fn datagrams_are_received_ahead_of_other_work() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", UDP);
    let ours = thread::spawn(|| setpriority_process(Some(gettid()), -10).is_ok());
    let expected = if ours.join().unwrap() { -10 } else { 0 };
    wait_for("its place", || (nice_of(&daemon, "udp") == expected).then_some(()));
    assert_eq!(nice_of(&daemon, "tokio-rt-worker"), 0);
    sender(&daemon).send(b"<13>1 - h a - - - hello").unwrap();
    daemon.settle("udp", 1);
}

/// Has every third call that receives datagrams fail, each time for another reason.
const ERRORS: &str = "
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static const int errors[] = {ENOBUFS, ECONNREFUSED, ENOMEM, EHOSTUNREACH, EINTR, ENETDOWN, EIO};
static int calls;
static int fails(int fd) {
    int type = 0, call;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_DGRAM) return 0;
    call = __sync_fetch_and_add(&calls, 1);
    if (call % 3) return 0;
    errno = errors[call / 3 % 7];
    return 1;
}
int recvmmsg(int fd, struct mmsghdr *to, unsigned len, int flags, struct timespec *wait) {
    return fails(fd) ? -1 : syscall(SYS_recvmmsg, fd, to, len, flags, wait);
}
ssize_t recvmsg(int fd, struct msghdr *to, int flags) {
    return fails(fd) ? -1 : syscall(SYS_recvmsg, fd, to, flags);
}
";

#[test]
fn ud_05_errors_of_the_system_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let library = preload::library(folder.path(), "errors", ERRORS);
    let variables = [("LD_PRELOAD", library.to_str().unwrap())];
    let mut daemon = Daemon::try_start(folder.path(), "", UDP, &variables).unwrap();
    let mut sent = 0;
    let mut send = |daemon: &Daemon| {
        let socket = sender(daemon);
        for _ in 0..60 {
            sent += 1;
            socket.send(format!("<13>1 - h a - - - n{sent}").as_bytes()).unwrap();
            daemon.settle("udp", sent);
        }
    };
    send(&daemon);
    let said = daemon.said();
    for error in ["Connection refused", "No buffer space", "Cannot allocate memory"] {
        assert!(said.contains(error), "{error} in {said}");
    }
    // Its socket is closed, and opened again.
    Daemon::configure(folder.path(), "", "");
    assert_eq!(daemon.reload().0, 200);
    Daemon::configure(folder.path(), "", UDP);
    assert_eq!(daemon.reload().0, 200);
    send(&daemon);
    assert!(daemon.stop().success());
}

/// Also what was received just now, which is written a while later where there is no stop.
#[test]
fn a_stop_stores_the_datagrams_that_have_arrived() {
    const MANY: usize = 9000;
    let folder = tempfile::tempdir().unwrap();
    let listener = UDP.replace("256 KiB", "32 MiB");
    let daemon = Daemon::with_listeners(folder.path(), "", &listener);
    let socket = sender(&daemon);
    for number in 0..MANY {
        socket.send(format!("<13>1 - h a - - - number {number}").as_bytes()).unwrap();
    }
    assert!(daemon.stop().success());
    let daemon = Daemon::with_listeners(folder.path(), "", &listener);
    assert_eq!(daemon.query("message:number").len(), MANY);
}
