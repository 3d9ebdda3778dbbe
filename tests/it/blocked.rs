//! An address on the blocklist, from outside.

use std::io::Write;
use std::net::UdpSocket;

use serde_json::json;

use crate::support::{Address, Daemon, wait_for};

const LINE: &[u8] = b"<13>1 - h a - - - from a stranger\n";

#[test]
fn a_blocked_address_is_turned_away_at_every_door() {
    let stranger = Address::add("198.51.100.77");
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    assert_eq!(stranger.talk(daemon.address("tcp"), LINE), "");
    assert_eq!(daemon.find("message:stranger")["peer.ip"], "198.51.100.77");
    let mut open = stranger.connect(daemon.address("tcp"));
    open.write_all(b"<13>1 - h a - - - before the block\n").unwrap();
    daemon.find("message:\"before the block\"");

    let block = json!({"net": "198.51.100.0/24", "note": "test"});
    assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&block)).0, 201);
    // AU-03: what was open is refused as well, if it was not cut before.
    let _cut = open.write_all(b"<13>1 - h a - - - after the block\n").is_err();
    let blocked = |endpoint: &str| {
        let filter = format!("reason:IP_BLOCKLISTED and endpoint:\"{endpoint}\"");
        let entry = daemon.find_in("blocked", &filter);
        assert_eq!(entry["source.ip"], "198.51.100.77");
        assert_eq!(entry["rule"], "blocklist:198.51.100.0/24");
        assert!(entry["threat_score"].as_u64() >= Some(70), "{entry}");
        entry
    };
    blocked("tcp");
    for listener in ["tcp", "json", "keyed", "tls"] {
        assert_eq!(stranger.talk(daemon.address(listener), LINE), "", "{listener}");
        blocked(listener);
    }
    let datagrams = UdpSocket::bind("198.51.100.77:0").unwrap();
    datagrams.send_to(LINE, daemon.address("udp")).unwrap();
    blocked("udp");
    for path in ["/v1/logs/ingest", "/v1/logs/query"] {
        let body = r#"{"logs":[{"message":"from a stranger"}]}"#;
        let head = "Host: x\r\nContent-Type: application/json\r\nUser-Agent: probe/1\r\n";
        let end = format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let call = format!("POST {path} HTTP/1.1\r\n{head}{end}");
        // The answer to a call that was not read to its end may be lost to the reset behind it.
        let ask = || Some(stranger.talk(daemon.address("api"), call.as_bytes()));
        let answer = wait_for("an answer", || ask().filter(|answer| !answer.is_empty()));
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(!answer.contains("BLOCK") && !answer.contains("block"), "{answer}");
        assert_eq!(blocked(path)["user_agent.original"], "probe/1");
    }
    // Nothing of it is stored, all of it is counted, and others do not notice.
    assert_eq!(daemon.query("message:stranger").len(), 1);
    assert!(daemon.query("message:\"after the block\"").is_empty());
    for listener in ["tcp", "json", "keyed", "tls", "udp"] {
        daemon.metrics().ledger(listener).assert_adds_up();
    }
    daemon.send("tcp", b"<13>1 - h a - - - from a friend\n");
    daemon.find("message:friend");

    let path = "/v1/blocklist?net=198.51.100.0/24";
    assert_eq!(daemon.call("DELETE", path, None, None).0, 200);
    wait_for("the stranger to be let in again", || {
        stranger.talk(daemon.address("tcp"), b"<13>1 - h a - - - forgiven\n");
        Some(()).filter(|()| !daemon.query("message:forgiven").is_empty())
    });
}
