//! One port for all: what a connection is of is told by its first bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Daemon, finish, tls};

const AUTO: &str = r#"
[[listener]]
name = "any"
protocol = "auto"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "hasty"
protocol = "auto"
transport = "tcp"
listen = "127.0.0.1:0"
handshake_timeout = "300ms"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "sealed"
protocol = "auto"
transport = "tcp"
listen = "127.0.0.1:0"
require_tls = true
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "plain"
protocol = "auto"
transport = "unix"
listen = "FOLDER/any.sock"

[[listener]]
name = "proxied"
protocol = "auto"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"], required = false }
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }
"#;

/// What is sent, and the fields that its event has; `TEXT` is another in each.
const SENT: [(&str, &str); 8] = [
    ("<13>1 - h a - - - TEXT\n", "host.name"),
    ("LEN <13>1 - h a - - - TEXT", "host.name"),
    ("<13>TEXT\0", "log.syslog.priority"),
    ("just TEXT\n", "message"),
    ("{\"message\":\"TEXT\",\"a\":1}\n", "a"),
    ("{\n \"message\": \"TEXT\",\n \"a\": 1 }\n", "a"),
    ("{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"TEXT\",\"_a\":1}\0", "a"),
    ("{\"short_message\":\"TEXT\",\"timestamp\":1.5,\"_a\":1}", "a"),
];

/// All of [`SENT`], each by a connection of its own.
fn all(prefix: &str) -> impl Iterator<Item = (String, String, &'static str)> {
    (0_u8..).zip(SENT).map(move |(number, (bytes, field))| {
        let text = format!("{prefix}{}", char::from(b'a' + number));
        let len = "<13>1 - h a - - - ".len() + text.len();
        (bytes.replace("TEXT", &text).replace("LEN", &len.to_string()), text, field)
    })
}

#[track_caller]
fn find(daemon: &Daemon, text: &str, field: &str) -> Value {
    let event = daemon.find(&format!("message:{text}"));
    assert!(!event[field].is_null(), "{field} of {event:#}");
    assert!(event.get("short_message").is_none(), "{event:#}");
    event
}

#[test]
fn protocols_are_told_by_their_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    for (bytes, text, field) in all("tcp") {
        daemon.send("any", bytes.as_bytes());
        assert_eq!(find(&daemon, &text, field)["listener"], "any");
    }
    // One byte at a time, and behind TLS.
    for (bytes, text, field) in all("slow") {
        let mut socket = daemon.connect("any");
        socket.set_nodelay(true).unwrap();
        for byte in bytes.bytes() {
            socket.write_all(&[byte]).unwrap();
        }
        drop(socket);
        find(&daemon, &text, field);
    }
    for listener in ["any", "sealed"] {
        for (bytes, text, field) in all(listener) {
            let mut stream = tls(folder.path(), daemon.connect(listener), None);
            stream.write_all(bytes.as_bytes()).unwrap();
            finish(stream).unwrap();
            find(&daemon, &text, field);
        }
    }
    for (bytes, text, field) in all("local") {
        let path = daemon.address("plain");
        let mut socket = UnixStream::connect(path).unwrap();
        socket.write_all(bytes.as_bytes()).unwrap();
        drop(socket);
        assert_eq!(find(&daemon, &text, field)["peer.pid"], std::process::id());
    }
    daemon.metrics().ledger("any").assert_adds_up();
}

fn call(mut socket: impl Read + Write) -> String {
    write_call(&mut socket);
    read_answer(socket)
}

fn write_call(socket: &mut impl Write) {
    let body = r#"{"logs":[{"message":"by call"}]}"#;
    let len = body.len();
    write!(
        socket,
        "POST /v1/logs/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
}

fn read_answer(mut socket: impl Read) -> String {
    let mut answer = Vec::new();
    let _end = socket.read_to_end(&mut answer).is_ok();
    String::from_utf8(answer).unwrap()
}

#[test]
fn those_who_answer_do() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    let answer = call(daemon.connect("any"));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let answer = call(tls(folder.path(), daemon.connect("sealed"), None));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let mut socket = daemon.connect("any");
    socket.write_all(b"1 open 30 relp_version=0\ncommands=syslog\n").unwrap();
    let relp = |socket: &mut TcpStream| {
        let mut answer = [0; 2048];
        let len = socket.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..len]).into_owned()
    };
    let answer = relp(&mut socket);
    assert!(answer.starts_with("1 rsp "), "{answer}");
    socket.write_all(b"2 syslog 11 <13>by relp\n").unwrap();
    assert_eq!(relp(&mut socket), "2 rsp 6 200 OK\n");
    drop(socket);
    daemon.find("message:\"by relp\"");
}

#[test]
fn fr_18_tl_09_what_is_not_wanted_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    for (bytes, name) in [
        ("<13>in the clear\n", "syslog or other text"),
        ("{\"message\":\"in the clear\"}\n", "JSON"),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP"),
        ("1 open 30 relp_version=0\ncommands=syslog\n", "RELP"),
    ] {
        let mut socket = daemon.connect("sealed");
        socket.write_all(bytes.as_bytes()).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _reset = socket.read_to_end(&mut answer).is_err();
        assert!(answer.is_empty(), "nothing answers");
        let filter = format!("error.code:TLS_REQUIRED and message:\"but found {name}\"");
        assert_eq!(daemon.find_in("failed", &filter)["endpoint"], "sealed");
    }
    assert_eq!(daemon.query("message:clear"), [Value::Null; 0]);
    // TLS where there is no certificate.
    let path = daemon.address("plain");
    let mut socket = UnixStream::connect(path).unwrap();
    socket.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]).unwrap();
    let mut answer = Vec::new();
    let _reset = socket.read_to_end(&mut answer).is_err();
    assert!(answer.is_empty());
    daemon.find_in("failed", "error.code:TLS_ON_PLAIN_PORT and endpoint:plain");
}

/// A stop takes those who wait to be accepted, for what they are.
#[test]
fn up_05_those_who_wait_at_a_stop_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    // While it stands still, all of them come before the order.
    daemon.signal(Signal::STOP);
    for (bytes, ..) in all("waits") {
        daemon.connect("any").write_all(bytes.as_bytes()).unwrap();
    }
    let mut clear = daemon.connect("sealed");
    clear.write_all(b"<13>in the clear\n").unwrap();
    let mut hello = UnixStream::connect(daemon.address("plain")).unwrap();
    hello.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]).unwrap();
    let mut caller = daemon.connect("any");
    write_call(&mut caller);
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::CONT);
    let answer = read_answer(caller);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(daemon.ended().success());

    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    for (_, text, field) in all("waits") {
        find(&daemon, &text, field);
    }
    daemon.find("message:\"by call\"");
    daemon.find_in("failed", "error.code:TLS_REQUIRED and endpoint:sealed");
    daemon.find_in("failed", "error.code:TLS_ON_PLAIN_PORT and endpoint:plain");
    assert_eq!(daemon.query("message:clear"), [Value::Null; 0]);
}

#[test]
fn a_sender_that_says_too_little_to_tell_is_text_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    // A deadline decides, not the end: it goes on as what it was taken for.
    let say = |bytes| daemon.send_within("hasty", Duration::from_millis(200), bytes).0;
    let mut socket = say(b"GET of what there");
    let mut idle = daemon.connect("hasty");
    let mut other = say(b"{\"a\":");
    // Whoever was begun after them, and has passed its deadline, was begun after theirs.
    let _tls = say(&[0x16, 0x03, 0x01, 0x02, 0x00]);
    daemon.find_in("failed", "error.code:TLS_HANDSHAKE and endpoint:hasty");
    socket.write_all(b" is\n<13>second\n").unwrap();
    other.write_all(b"7,\"message\":\"json after all\"}\n").unwrap();
    idle.write_all(b"<13>late and welcome\n").unwrap();
    drop((socket, other, idle));
    assert_eq!(daemon.find("message:\"GET of what there is\"")["listener"], "hasty");
    assert_eq!(daemon.find("message:second")["log.syslog.priority"], 13);
    assert_eq!(daemon.find("message:\"json after all\"")["a"], 7);
    daemon.find("message:\"late and welcome\"");
}

#[test]
fn tl_09_a_header_of_a_proxy_comes_before_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", AUTO);
    let header = b"PROXY TCP4 198.51.100.7 192.0.2.1 50000 514\r\n";
    for (bytes, text, field) in all("proxied") {
        daemon.send("proxied", &[header, bytes.as_bytes()].concat());
        assert_eq!(find(&daemon, &text, field)["peer.ip"], "198.51.100.7");
    }
    let mut socket = daemon.connect("proxied");
    socket.write_all(header).unwrap();
    let mut stream = tls(folder.path(), socket, None);
    stream.write_all(b"<13>behind both\n").unwrap();
    finish(stream).unwrap();
    assert_eq!(daemon.find("message:\"behind both\"")["peer.ip"], "198.51.100.7");
    // From anyone else it is text.
    daemon.send("any", &[&header[..], b"<13>claimed\n"].concat());
    assert_eq!(daemon.find("message:claimed")["peer.ip"], json!("127.0.0.1"));
}
