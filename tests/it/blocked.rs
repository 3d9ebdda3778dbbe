//! An address on the blocklist, from outside.
//!
//! Loopback can never be blocked, so that nobody locks themselves out of the machine; and whoever
//! connects to loopback comes from there as well. So the sender gets an address of its own, on the
//! loopback device and out of those that are kept for examples (RFC 5737). That takes the rights of
//! an administrator, as tests that mount do.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::support::{Daemon, wait_for};

/// An address of this machine, until it is dropped.
struct Address(&'static str);

impl Address {
    fn add(address: &'static str) -> Self {
        // One that a test left which was killed is as good.
        let status = ip("replace", address);
        assert!(status, "cannot add an address: run as root, or with CAP_NET_ADMIN");
        Self(address)
    }

    /// A connection from it.
    fn connect(&self, to: &str) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let own: SocketAddr = format!("{}:0", self.0).parse().unwrap();
        socket.bind(&own.into()).unwrap();
        socket.connect(&to.parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.into()
    }

    /// Sends `bytes` over a connection of their own and returns what is answered.
    fn talk(&self, to: &str, bytes: &[u8]) -> String {
        let mut stream = self.connect(to);
        let mut answer = Vec::new();
        // Who is refused at once may be so before all is written, and the answer be a reset.
        let _written = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let _read = stream.read_to_end(&mut answer).is_ok();
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let _gone = ip("del", self.0);
    }
}

fn ip(what: &str, address: &str) -> bool {
    let net = format!("{address}/32");
    Command::new("ip").args(["addr", what, &net, "dev", "lo"]).status().unwrap().success()
}

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
    // AU-03: what was open is refused as well, at its next message.
    open.write_all(b"<13>1 - h a - - - after the block\n").unwrap();
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
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
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
