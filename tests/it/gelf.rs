//! GELF over TCP and UDP: messages whole, in chunks and compressed, and what cannot be read.

use std::io::Write;
use std::net::UdpSocket;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use crate::support::{Daemon, wait_for};

const GELF: &str = r#"
[[listener]]
name = "tcp"
protocol = "gelf"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "udp"
protocol = "gelf"
transport = "udp"
listen = "127.0.0.1:0"
"#;

fn message(text: &str) -> Vec<u8> {
    format!(
        "{{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"{text}\",\"level\":3,\"_a\":1}}"
    )
    .into_bytes()
}

fn chunk(id: u64, number: u8, count: u8, part: &[u8]) -> Vec<u8> {
    [&[0x1e, 0x0f][..], &id.to_be_bytes(), &[number, count], part].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn sender(daemon: &Daemon) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(daemon.address("udp")).unwrap();
    socket
}

#[test]
fn over_tcp_a_message_ends_with_nul_or_lf() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", GELF);
    let stream = [
        &message("one")[..],
        b"\0",
        &message("two"),
        b"\n",
        &message("three"),
        b"\0\n{\n \"short_message\":\n \"over lines\"}\0",
        b"{\"short_message\":\"left open\0",
        &message("four"),
        b"\0no json at all\0",
        &message("last"),
    ];
    daemon.send("tcp", &stream.concat());
    daemon.settle("tcp", 8);
    for text in ["one", "two", "three", "four", "last"] {
        let event = daemon.find(&format!("message:{text}"));
        let got = ["message", "host.name", "level", "a", "version"].map(|name| event[name].clone());
        assert_eq!(got, [json!(text), json!("h"), json!("ERROR"), json!(1), json!(null)]);
        assert_eq!((&event["tags"], &event["peer.ip"]), (&json!([]), &json!("127.0.0.1")));
    }
    daemon.find("message:\"over lines\"");
    assert_eq!(daemon.query("tags:_jsonparsefailure").len(), 2);
}

#[test]
fn ud_07_over_udp_a_message_is_whole_compressed_or_in_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", GELF);
    let socket = sender(&daemon);
    socket.send(&message("plain")).unwrap();
    socket.send(&zlib(&message("zlib"))).unwrap();
    socket.send(&gzip(&message("gzip"))).unwrap();
    let long = message(&format!("chunked {}", "x".repeat(100_000)));
    let mut chunks: Vec<_> =
        (0..).zip(long.chunks(1420)).map(|(n, part)| chunk(1, n, 71, part)).collect();
    assert_eq!(chunks.len(), 71);
    chunks.reverse();
    for chunk in &chunks {
        socket.send(chunk).unwrap();
    }
    let packed = zlib(&message("both"));
    let (first, rest) = packed.split_at(9);
    socket.send(&chunk(2, 1, 2, rest)).unwrap();
    socket.send(&chunk(2, 0, 2, first)).unwrap();
    daemon.settle("udp", 5);
    for text in ["plain", "zlib", "gzip", "chunked", "both"] {
        assert_eq!(daemon.find(&format!("message:{text}"))["tags"], json!([]), "{text}");
    }
    let found = daemon.find("message:chunked");
    assert_eq!(found["message"].as_str().unwrap().len(), 100_008);
    // What no sender should send is refused and said; others are unharmed.
    socket.send(&chunk(3, 0, 129, b"x")).unwrap();
    socket.send(&chunk(3, 2, 2, b"x")).unwrap();
    socket.send(b"").unwrap();
    socket.send(&message("after")).unwrap();
    daemon.settle("udp", 9);
    daemon.find("message:after");
    let ledger = daemon.metrics().ledger("udp");
    assert_eq!((ledger.stored, ledger.failed), (6, 3));
    daemon.find_in("failed", "error.code:GELF_UNREADABLE and message:129 or message:count");
}

#[test]
fn ud_06_chunks_without_their_rest_are_counted_and_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", GELF);
    let socket = sender(&daemon);
    for id in 0..600 {
        socket.send(&chunk(id, 0, 2, b"{\"short_message\":\"half\"")).unwrap();
    }
    // More than one sender may have: the oldest are given up at once.
    wait_for("the first ones", || (daemon.metrics().ledger("udp").failed >= 88).then_some(()));
    let entry = daemon.find_in("failed", "error.code:GELF_INCOMPLETE");
    assert_eq!(entry["endpoint"], "udp");
    // The rest is when its time is over, and nobody else's message is missing.
    socket.send(&message("whole")).unwrap();
    wait_for("all of them", || (daemon.metrics().ledger("udp").failed == 600).then_some(()));
    daemon.find("message:whole");
    assert_eq!(daemon.query("message:half").len(), 0);
    let metrics = daemon.metrics();
    assert_eq!(metrics.sum("logtrace_failed_total", "reason=\"INCOMPLETE\""), 600);
    metrics.ledger("udp").assert_adds_up();
}

#[test]
fn ud_08_a_bomb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", GELF);
    let socket = sender(&daemon);
    let bomb = gzip(&vec![b' '; 16 << 20]);
    assert!(bomb.len() < 65_507);
    socket.send(&bomb).unwrap();
    for (number, part) in (0..).zip(bomb.chunks(bomb.len().div_ceil(100))) {
        socket.send(&chunk(1, number, 100, part)).unwrap();
    }
    socket.send(&zlib(&vec![b' '; 16 << 20])).unwrap();
    socket.send(&zlib(&message("cut short"))[..20]).unwrap();
    socket.send(&message("after")).unwrap();
    daemon.settle("udp", 5);
    daemon.find("message:after");
    let metrics = daemon.metrics();
    assert_eq!(metrics.sum("logtrace_failed_total", "reason=\"TOO_LARGE\""), 3);
    assert_eq!(metrics.sum("logtrace_failed_total", "reason=\"MALFORMED\""), 1);
    daemon.find_in("failed", "error.code:GELF_UNREADABLE and message:262144");
}

#[test]
fn a_key_comes_in_an_additional_field() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = GELF.replace("transport = \"udp\"", "transport = \"udp\"\nrequire_key = true");
    let daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    let (id, secret) = daemon.create_key(&json!({"name": "gelf", "scopes": ["write:logs"]}));
    let keyed = |name: &str| {
        format!("{{\"short_message\":\"by {name}\",\"{name}\":\"{secret}\"}}").into_bytes()
    };
    let socket = sender(&daemon);
    socket.send(&message("without")).unwrap();
    socket.send(&keyed("_token")).unwrap();
    socket.send(&zlib(&keyed("_api_key"))).unwrap();
    for name in ["_token", "_api_key"] {
        let event = daemon.find(&format!("message:\"by {name}\""));
        assert_eq!((&event["key"], &event["auth.method"]), (&json!(id), &json!("json_field")));
        assert!(!event.to_string().contains(&secret));
    }
    daemon.find_in("blocked", "reason:INVALID_API_KEY and endpoint:udp");
}
