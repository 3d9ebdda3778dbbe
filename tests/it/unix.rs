//! Unix sockets: who sends is known, and their files come and go with the daemon.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Daemon;

const UNIX: &str = r#"
[[listener]]
name = "stream"
protocol = "syslog"
transport = "unix"
listen = "FOLDER/stream.sock"

[[listener]]
name = "log"
protocol = "syslog"
transport = "unixgram"
listen = "FOLDER/log"

[[listener]]
name = "json"
protocol = "logstash"
transport = "unixgram"
listen = "FOLDER/json.sock"
socket = { mode = "0600" }

[[listener]]
name = "keyed"
protocol = "syslog"
transport = "unix"
listen = "FOLDER/keyed.sock"
require_key = true

[[listener]]
name = "proxied"
protocol = "syslog"
transport = "unix"
listen = "FOLDER/proxied.sock"
proxy = { trusted = ["127.0.0.1"] }
"#;

/// Sends a datagram.
fn datagram(daemon: &Daemon, listener: &str, bytes: &[u8]) {
    UnixDatagram::unbound().unwrap().send_to(bytes, daemon.address(listener)).unwrap();
}

fn stream(daemon: &Daemon, listener: &str, bytes: &[u8]) {
    UnixStream::connect(daemon.address(listener)).unwrap().write_all(bytes).unwrap();
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// The fields that say who sent an event.
fn sender(event: &Value) -> [Value; 4] {
    ["peer.pid", "peer.uid", "peer.gid", "peer.ip"].map(|name| event[name].clone())
}

/// Ourselves.
fn us() -> [Value; 4] {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    [json!(std::process::id()), json!(uid), json!(gid), Value::Null]
}

#[test]
fn the_process_that_sends_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    // As syslog(3) writes, over datagrams and, with a NUL behind each, over a stream.
    datagram(&daemon, "log", b"<13>Nov 20 12:15:58 app[77]: by datagram");
    stream(
        &daemon,
        "stream",
        b"<13>Nov 20 12:15:58 app[77]: first\0<13>Nov 20 12:15:58 app: last\0",
    );
    for text in ["by datagram", "first", "last"] {
        let event = daemon.find(&format!("message:\"{text}\""));
        assert_eq!(sender(&event), us(), "{event:#}");
        assert_eq!(event["host.name"], host());
        assert_eq!((&event["service"], &event["tags"]), (&json!("app"), &json!([])));
        assert_eq!(event["auth.method"], "anonymous");
    }
    // One that names a host is that host's; and the fields are numbers that can be asked for.
    datagram(&daemon, "log", b"<13>1 - elsewhere app - - - relayed");
    assert_eq!(daemon.find("message:relayed")["host.name"], "elsewhere");
    let filter = format!("peer.pid:{} and peer.uid >= 0", std::process::id());
    assert_eq!(daemon.query(&filter).len(), 4);
    datagram(&daemon, "log", b"");
    daemon.settle("log", 3);
    assert_eq!(daemon.metrics().ledger("log").failed, 1);
}

#[test]
fn sy_12_a_sender_cannot_forge_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    let forged = br#"{"message":"forged","peer":{"pid":1,"uid":0},"peer.gid":0,"host":"h"}"#;
    datagram(&daemon, "json", forged);
    let event = daemon.find("message:forged");
    assert_eq!(sender(&event), us(), "{event:#}");
    assert_eq!((&event["sender.peer.pid"], &event["sender.peer.gid"]), (&json!(1), &json!(0)));
    assert_eq!(event["tags"], json!(["reserved_field"]));
    assert_eq!(event["host.name"], "h");
}

#[test]
fn a_key_may_be_required_and_a_proxy_may_speak_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    let (_, secret) = daemon.create_key(&json!({"name": "local", "scopes": ["write:logs"]}));
    stream(&daemon, "keyed", b"<13>1 - h a - - - without\n");
    stream(&daemon, "keyed", format!("{secret} <13>1 - h a - - - with\n").as_bytes());
    assert_eq!(daemon.find("message:with")["auth.method"], "prefix");
    daemon.find_in("blocked", "reason:INVALID_API_KEY and endpoint:keyed");
    assert_eq!(daemon.query("message:without"), [Value::Null; 0]);
    let header = "PROXY TCP4 198.51.100.7 192.0.2.1 50000 514\r\n";
    let line = "<13>Nov 20 12:15:58 app: from afar\n";
    stream(&daemon, "proxied", format!("{header}{line}").as_bytes());
    let event = daemon.find("message:\"from afar\"");
    assert_eq!(sender(&event), [json!(null), json!(null), json!(null), json!("198.51.100.7")]);
    assert_eq!(event["host.name"], "198.51.100.7");
}

#[test]
fn the_files_come_and_go_with_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        let found = fs::symlink_metadata(folder.path().join(name)).unwrap();
        assert!(found.file_type().is_socket());
        found.permissions().mode() & 0o777
    };
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    assert_eq!((mode("log"), mode("stream.sock"), mode("json.sock")), (0o666, 0o666, 0o600));
    assert_eq!(Path::new(daemon.address("log")), folder.path().join("log"));
    // While it listens, nobody else can take its place.
    let other = tempfile::tempdir().unwrap();
    let theirs = UNIX.replace("FOLDER", folder.path().to_str().unwrap());
    let refused = Daemon::try_start(other.path(), "", &theirs, &[]);
    assert!(refused.is_err_and(|ended| !ended.success()));
    let said = fs::read_to_string(other.path().join("daemon.log")).unwrap();
    assert!(said.contains("somebody listens there already"), "{said}");
    // What a killed one leaves is in nobody's way.
    daemon.kill();
    assert_eq!(mode("log"), 0o666);
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    datagram(&daemon, "log", b"<13>1 - h a - - - after the kill");
    daemon.find("message:\"after the kill\"");
    assert!(daemon.stop().success());
    for name in ["log", "stream.sock", "json.sock", "keyed.sock"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_stop_takes_what_was_sent_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    let socket = UnixDatagram::unbound().unwrap();
    for number in 0..500 {
        let line = format!("<13>1 - h a - - - number {number}");
        socket.send_to(line.as_bytes(), daemon.address("log")).unwrap();
    }
    assert!(daemon.stop().success());
    let daemon = Daemon::with_listeners(folder.path(), "", UNIX);
    assert_eq!(daemon.query("message:number").len(), 500);
}

#[test]
fn ud_01_a_datagram_over_the_limit_is_cut_once() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = UNIX.replace("name = \"log\"", "name = \"log\"\nmax_message = \"1 KiB\"");
    let daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    let mut long = b"<13>1 - h a - - - long ".to_vec();
    long.resize(150_000, b'x');
    datagram(&daemon, "log", &long);
    let event = daemon.find("message:long");
    assert_eq!(event["tags"], json!(["truncated"]));
    assert_eq!(event["event.original_length"], 150_000);
}
