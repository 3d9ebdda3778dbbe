//! Connections through a proxy: the client who counts is the one that a trusted proxy names.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, StreamOwned,
};

use crate::support::{Daemon, wait_for};

/// Blocks the clients of 203.0.113.0/24.
const GATE: &str = "[gate]\nblock = [\"203.0.113.0/24\"]\n";

/// The loopback is where tests connect from; 192.0.2.0/24 is nobody.
const PROXIED: &str = r#"
[[listener]]
name = "proxied"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.0/8"] }

[[listener]]
name = "either"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"], required = false }

[[listener]]
name = "hasty"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"] }
handshake_timeout = "200ms"

[[listener]]
name = "hasty-either"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"], required = false }
handshake_timeout = "200ms"

[[listener]]
name = "elsewhere"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["192.0.2.0/24"] }

[[listener]]
name = "tcp"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "tls"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"], required = false }
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }
"#;

/// A header of version 2 for 198.51.100.7, with `rest` after the addresses.
fn version_2(rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(12 + rest.len()).unwrap().to_be_bytes();
    let addresses = [198, 51, 100, 7, 192, 0, 2, 1, 0xc3, 0x50, 2, 2];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11"[..], &len, &addresses, rest].concat()
}

fn line(text: &str) -> Vec<u8> {
    format!("<13>1 - h a - - - {text}\n").into_bytes()
}

/// How many headers were refused, and what else failed as a whole.
fn noted(daemon: &Daemon) -> u64 {
    daemon.metrics().sum("logtrace_journal_noted_total", "journal=\"failed\"")
}

#[test]
fn fr_19_a_trusted_proxy_names_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    let table: [(&[u8], &str); 7] = [
        (b"PROXY TCP4 198.51.100.7 192.0.2.1 50000 514\r\n", "198.51.100.7"),
        (b"PROXY TCP4 198.51.100.8 192.0.2.1 50000 514\n", "198.51.100.8"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 514\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:198.51.100.9 ::1 50000 514\r\n", "198.51.100.9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (&version_2(b""), "198.51.100.7"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0", "127.0.0.1"),
    ];
    for listener in ["proxied", "either"] {
        for (number, (header, client)) in table.iter().enumerate() {
            let text = format!("{listener}{number}");
            daemon.send(listener, &[header, &line(&text)[..]].concat());
            let event = daemon.find(&format!("message:\"{text}\""));
            assert_eq!((&event["peer.ip"], &event["message"]), (&json!(client), &json!(text)));
        }
        // Not one of the bytes behind it is lost, wherever reads end.
        let text = format!("{listener} bytewise");
        let mut stream = daemon.connect(listener);
        stream.set_nodelay(true).unwrap();
        for byte in [version_2(b"\x03\0\x04abcd"), line(&text)].concat() {
            stream.write_all(&[byte]).unwrap();
        }
        drop(stream);
        assert_eq!(daemon.find(&format!("message:\"{text}\""))["peer.ip"], "198.51.100.7");
    }
    assert_eq!(daemon.metrics().ledger("proxied").stored, 8);
}

#[test]
fn fr_19_the_gate_sees_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    let header = b"PROXY TCP4 203.0.113.9 192.0.2.1 50000 514\r\n";
    let mut stream = daemon.connect("proxied");
    stream.write_all(&[header, &line("blocked")[..]].concat()).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "closed, and told nothing");
    let entry = daemon.find_in("blocked", "reason:IP_BLOCKLISTED");
    assert_eq!(
        (&entry["source.ip"], &entry["endpoint"]),
        (&json!("203.0.113.9"), &json!("proxied"))
    );
    assert_eq!(daemon.query("message:blocked"), [Value::Null; 0]);
}

#[test]
fn fr_19_a_header_from_anyone_else_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    for listener in ["elsewhere", "tcp"] {
        // Neither a client that is blocked nor one that is not can be claimed.
        for client in ["203.0.113.9", "198.51.100.7"] {
            let header = format!("PROXY TCP4 {client} 192.0.2.1 50000 514\r\n");
            let text = format!("{listener} {client}");
            daemon.send(listener, &[header.as_bytes(), &line(&text)].concat());
            let event = daemon.find(&format!("message:\"{text}\""));
            assert_eq!(event["peer.ip"], "127.0.0.1");
        }
        daemon.settle(listener, 4);
        let filter = format!("listener:{listener} and message:\"PROXY TCP4\"");
        let found = daemon.query(&filter);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|event| event["peer.ip"] == "127.0.0.1"), "{found:?}");
    }
}

#[test]
fn fr_19_a_trusted_proxy_without_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    // Where none is required, the socket's address counts; so for those who are silent at first.
    daemon.send("either", &line("no header"));
    assert_eq!(daemon.find("message:\"no header\"")["peer.ip"], "127.0.0.1");
    daemon.send("either", b"PRO");
    assert_eq!(daemon.find("message:PRO")["peer.ip"], "127.0.0.1");
    let mut stream = daemon.connect("hasty-either");
    stream.write_all(b"PR").unwrap();
    // That the daemon has lost patience shows in another connection, opened later, that it refused.
    let _refused = daemon.connect("hasty");
    daemon.find_in("failed", "error.code:PROXY_HEADER and endpoint:hasty");
    stream.write_all(b"OXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n").unwrap();
    drop(stream);
    let event = daemon.find("listener:\"hasty-either\"");
    assert_eq!(event["peer.ip"], "127.0.0.1");
    // Where one is required, it is refused.
    daemon.send("proxied", &line("refused"));
    let entry = daemon.find_in("failed", "error.code:PROXY_HEADER and endpoint:proxied");
    assert_eq!(entry["message"], "expected a PROXY header, but found none");
    assert_eq!(entry["source.ip"], "127.0.0.1");
    assert_eq!(daemon.query("message:refused"), [Value::Null; 0]);
}

#[test]
fn fr_20_headers_that_are_long_cut_or_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    let longest = version_2(&[0xea; 65_535 - 12]);
    daemon.send("proxied", &[longest, line("longest")].concat());
    assert_eq!(daemon.find("message:longest")["peer.ip"], "198.51.100.7");
    let cut = version_2(&[0xea; 1000]);
    let table: [&[u8]; 5] = [
        b"PROXY TCP4 1.2.3.4 ",
        &cut[..20],
        &cut[..500],
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 x\r\n",
        &[b"PROXY UNKNOWN ", &[b'f'; 100][..]].concat(),
    ];
    // The peer ends, or goes on in silence: refused either way, and nothing of it is a message.
    let mut noted = 0;
    for (listener, ends) in [("proxied", true), ("either", true), ("hasty", false)] {
        let received = daemon.metrics().ledger(listener).received;
        for bytes in table {
            let (mut stream, late) =
                daemon.send_within(listener, Duration::from_millis(150), bytes);
            if ends {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            let mut answer = Vec::new();
            let _reset = stream.read_to_end(&mut answer).is_err();
            assert!(answer.is_empty());
            noted += 1 + late;
            wait_for("a note", || (self::noted(&daemon) == noted).then_some(()));
        }
        assert_eq!(daemon.metrics().ledger(listener).received, received);
        let filter = format!("error.code:PROXY_HEADER and endpoint:{listener}");
        let message = "expected all of a PROXY header in time, but found only a part of it";
        daemon.find_in("failed", &format!("{filter} and message:\"{message}\""));
    }
}

#[test]
fn a_health_check_of_a_proxy_is_nothing_to_note() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    drop(daemon.connect("proxied"));
    daemon.send("proxied", b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0");
    // What is refused after them is noted after them, and alone.
    daemon.send("proxied", &line("refused"));
    daemon.find_in("failed", "error.code:PROXY_HEADER");
    assert_eq!(noted(&daemon), 1);
    assert_eq!(daemon.metrics().ledger("proxied").received, 0);
}

#[test]
fn tl_09_a_header_comes_before_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), GATE, PROXIED);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Arc::new(client);
    let headers: [(&[u8], &str); 3] = [
        (b"PROXY TCP4 198.51.100.8 192.0.2.1 50000 6514\n", "198.51.100.8"),
        (&version_2(&[0xea; 5000]), "198.51.100.7"),
        (b"", "127.0.0.1"),
    ];
    for (number, (header, peer)) in headers.into_iter().enumerate() {
        let mut socket = daemon.connect("tls");
        socket.write_all(header).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::clone(&client), name).unwrap();
        let mut stream = StreamOwned::new(tls, socket);
        stream.write_all(&line(&format!("sealed{number}"))).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        assert_eq!(daemon.find(&format!("message:sealed{number}"))["peer.ip"], peer);
    }
    let mut socket = daemon.connect("tls");
    socket.write_all(&line("a line of plain text before the handshake")).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let _alert = socket.read_to_end(&mut Vec::new()).is_ok();
    let entry = daemon.find_in("failed", "error.code:TLS_HANDSHAKE");
    assert!(entry["message"].as_str().unwrap().contains("plain text"), "{entry}");
}

/// One that calls are made to through proxies, and one that is not.
const FORWARDED: &str = r#"
[[listener]]
name = "forwarded"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]

[[listener]]
name = "auto"
protocol = "auto"
transport = "tcp"
listen = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
forwarded_header = "forwarded"
require_key = false
allow_anonymous = true

[[listener]]
name = "direct"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
"#;

#[test]
fn ht_08_a_trusted_proxy_says_who_calls_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("api.trusted_proxies = [\"127.0.0.1\"]\n{GATE}");
    let daemon = Daemon::with_listeners(folder.path(), &config, FORWARDED);
    let post = |listener: &str, text: &str, headers: &[(&str, &str)]| {
        let url = format!("http://{}/v1/logs/ingest", daemon.address(listener));
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let call = ureq::http::Request::builder().method("POST").uri(url);
        let call = headers.iter().fold(call, |call, (name, value)| call.header(*name, *value));
        let call = call.header("Content-Type", "application/json");
        let body = json!({"logs": [{"message": text}]}).to_string();
        agent.run(call.body(body).unwrap()).unwrap().status().as_u16()
    };
    let (id, key) = {
        let key = json!({"name": "far", "scopes": ["write:logs"], "allow": ["198.51.100.0/24"]});
        daemon.create_key(&key)
    };
    let bearer = format!("Bearer {key}");
    let far = ("Authorization", bearer.as_str());
    for listener in ["forwarded", "api"] {
        // The client is the first from the right that is no proxy, and has rights of its own.
        let found = |text: &str| daemon.find(&format!("message:\"{text}\""));
        let text = format!("{listener} by a proxy");
        let through = ("X-Forwarded-For", "127.0.0.1, 198.51.100.9, 127.0.0.1");
        assert_eq!(post(listener, &text, &[through, far]), 202);
        let event = found(&text);
        assert_eq!((&event["peer.ip"], &event["key"]), (&json!("198.51.100.9"), &json!(id)));
        let other = ("X-Forwarded-For", "198.51.100.9, 192.0.2.7");
        assert_eq!(post(listener, "not from there", &[other, far]), 403);
        let entry = daemon.find_in("blocked", "reason:IP_NOT_ALLOWED and source.ip:192.0.2.7");
        assert_eq!(entry["endpoint"], "/v1/logs/ingest");
        // Nor is one let in who is on the blocklist, or as if they were on this machine.
        let blocked = ("X-Forwarded-For", "198.51.100.9, 203.0.113.4");
        assert_eq!(post(listener, "blocked", &[blocked, far]), 401);
        daemon.find_in("blocked", "reason:IP_BLOCKLISTED and source.ip:203.0.113.4");
        for header in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
            assert_eq!(post(listener, "no key", &[(header, "127.0.0.1")]), 401, "{header}");
        }
        // Headers that the proxy does not write are the client's own.
        let forged = [("Forwarded", "for=198.51.100.9"), ("X-Real-IP", "198.51.100.9"), far];
        assert_eq!(post(listener, "forged", &forged), 403);
    }
    let told = ("Forwarded", "for=127.0.0.1, for=\"192.0.2.8:4711\";proto=https");
    assert_eq!(post("auto", "by another header", &[told, ("X-Forwarded-For", "::1")]), 202);
    assert_eq!(daemon.find("message:\"by another header\"")["peer.ip"], "192.0.2.8");
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        assert_eq!(post("direct", "by nobody", &[(header, "203.0.113.4")]), 202);
    }
    let events = daemon.query("message:\"by nobody\"");
    assert!(events.len() == 3 && events.iter().all(|event| event["peer.ip"] == "127.0.0.1"));
    // The API lets in who is on this machine, and nobody whom a proxy brings from there.
    assert_eq!(daemon.call("GET", "/v1/keys", None, None).0, 200);
    let url = format!("http://{}/v1/keys", daemon.address("api"));
    let call = ureq::get(url).header("X-Forwarded-For", "127.0.0.1").call();
    assert!(matches!(call, Err(ureq::Error::StatusCode(401))), "{call:?}");
}
