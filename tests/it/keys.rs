//! Keys on every way in, while they change.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, ServerConnection, StreamOwned};

use crate::clock::Clock;
use crate::support::{Daemon, LISTENERS, finish, tls, wait_for};

const SCOPES: [&str; 5] =
    ["write:logs", "read:logs", "write:alerts", "read:audit", "admin:projects"];

fn start(folder: &Path) -> Daemon {
    Daemon::start(folder, "")
}

fn sender(daemon: &Daemon, name: &str) -> (String, String) {
    daemon.create_key(&json!({"name": name, "scopes": ["write:logs"]}))
}

fn rotate(daemon: &Daemon, id: &str, grace: &str) -> (u16, Value) {
    let body = json!({"id": id, "grace": grace});
    daemon.call("POST", "/v1/keys/rotate", None, Some(&body))
}

/// A log over a connection that stays open; the status of the answer.
fn post_on(stream: &mut TcpStream, key: &str, message: &str) -> u16 {
    let body = json!({"logs": [{"message": message}]}).to_string();
    let head = "POST /v1/logs/ingest HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
    let call = format!(
        "{head}\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(call.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut status, mut length, mut line) = (0, 0, String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status = rest.get(..3).unwrap().parse().unwrap();
        }
        if let Some(rest) = lower.strip_prefix("content-length: ") {
            length = rest.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    status
}

#[test]
fn au_03_a_revoked_key_is_refused_on_every_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let (id, key) = sender(&daemon, "agent");
    let line = |text: &str| format!("<13>1 - h a - - [lt@1 key=\"{key}\"] {text}\n");
    let mut plain = daemon.connect("keyed");
    let mut secure = tls(folder.path(), daemon.connect("tls"), None);
    let mut http = daemon.connect("api");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(daemon.address("udp")).unwrap();
    plain.write_all(line("plain before").as_bytes()).unwrap();
    secure.write_all(line("secure before").as_bytes()).unwrap();
    secure.flush().unwrap();
    udp.send(line("udp before").as_bytes()).unwrap();
    assert_eq!(post_on(&mut http, &key, "http before"), 202);
    for way in ["plain", "secure", "udp", "http"] {
        daemon.find(&format!("message:\"{way} before\""));
    }
    let (status, _) = daemon.call("DELETE", &format!("/v1/keys/{id}"), None, None);
    assert_eq!(status, 200);
    // From the answer on, not only within a second.
    plain.write_all(line("plain after").as_bytes()).unwrap();
    secure.write_all(line("secure after").as_bytes()).unwrap();
    secure.flush().unwrap();
    udp.send(line("udp after").as_bytes()).unwrap();
    assert_eq!(post_on(&mut http, &key, "http after"), 401);
    for listener in ["keyed", "tls", "udp", "/v1/logs/ingest"] {
        daemon.find_in("blocked", &format!("reason:API_KEY_REVOKED and endpoint:\"{listener}\""));
    }
    assert!(daemon.query("message:after").is_empty());
    assert_eq!(daemon.query("message:before").len(), 4, "what was acknowledged stays");
}

#[test]
fn au_06_a_rotation_holds_on_open_connections() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let (id, old) = sender(&daemon, "agent");
    let mut stream = daemon.connect("keyed");
    let line = |key: &str, text: &str| format!("<13>1 - h a - - [lt@1 key=\"{key}\"] {text}\n");
    stream.write_all(line(&old, "before").as_bytes()).unwrap();
    let (status, rotated) = rotate(&daemon, &id, "1h");
    assert_eq!(status, 200, "{rotated}");
    let new = rotated["secret"].as_str().unwrap();
    stream.write_all(line(&old, "in the grace").as_bytes()).unwrap();
    stream.write_all(line(new, "with the new one").as_bytes()).unwrap();
    for text in ["before", "in the grace", "with the new one"] {
        assert_eq!(daemon.find(&format!("message:\"{text}\""))["key"], id.as_str());
    }
    assert!(daemon.stop().success());
    // The grace outlives the daemon.
    let daemon = start(folder.path());
    daemon.send("keyed", line(&old, "after a restart").as_bytes());
    daemon.find("message:\"after a restart\"");
    let body = json!({"id": id, "grace": "0s", "force": true});
    assert_eq!(daemon.call("POST", "/v1/keys/rotate", None, Some(&body)).0, 200);
    daemon.send("keyed", line(new, "after the grace").as_bytes());
    daemon.find_in("blocked", "reason:API_KEY_EXPIRED and rule:\"key:rotated\"");
    daemon.send("keyed", line(&old, "long after the grace").as_bytes());
    daemon.find_in("blocked", "reason:INVALID_API_KEY");
    assert!(daemon.query("message:\"after the grace\"").is_empty());
}

#[test]
fn au_06_of_many_rotations_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let (id, _) = sender(&daemon, "agent");
    let mut answers = thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| rotate(&daemon, &id, "1h").0)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    answers.sort_unstable();
    assert_eq!(answers, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[test]
fn au_08_the_first_key_of_a_message_counts_and_each_line_is_under_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let ((one, key_one), (two, key_two)) = (sender(&daemon, "one"), sender(&daemon, "two"));
    let lines = [
        // Structured data comes before the prefix.
        format!("{key_two} <13>1 - h a - - [lt@1 key=\"{key_one}\"] line 0\n"),
        format!("<13>1 - h a - - [lt@1 key=\"{key_two}\"] line 1\n"),
        format!("<13>1 - h a - - [lt@1 key=\"{key_one}\"] line 2\n"),
        format!("{key_two} <13>1 - h a - - - line 3\n"),
    ];
    daemon.send("keyed", format!("AUTH {key_two}\n{}", lines.concat()).as_bytes());
    let wanted = [
        (&one, "structured_data"),
        (&two, "structured_data"),
        (&one, "structured_data"),
        (&two, "prefix"),
    ];
    for (number, (id, method)) in wanted.iter().enumerate() {
        let event = daemon.find(&format!("message:\"line {number}\""));
        assert_eq!((&event["key"], &event["auth.method"]), (&json!(id), &json!(method)), "{event}");
        assert!(!event.to_string().contains(&key_one) && !event.to_string().contains(&key_two));
    }
}

#[test]
fn au_09_only_a_key_that_may_write_logs_writes_some() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    for scope in SCOPES {
        let (_, key) = daemon.create_key(&json!({"name": "x", "scopes": [scope]}));
        let body = json!({"logs": [{"message": scope}]});
        let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(&key), Some(&body));
        assert_eq!(status, if scope == "write:logs" { 202 } else { 403 }, "{scope}");
    }
}

#[test]
fn au_05_a_key_of_another_environment_than_the_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = "[[listener]]\nname = \"live\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
                     listen = \"127.0.0.1:0\"\nenvironment = \"production\"\n";
    let daemon = Daemon::with_listeners(folder.path(), "", listeners);
    let key = |environment: &str| {
        let new = json!({"name": "x", "scopes": ["write:logs"], "environment": environment});
        daemon.create_key(&new).1
    };
    for (environment, prefix, passes) in [
        ("production", "lt_live_", true),
        ("staging", "lt_test_", false),
        ("development", "lt_test_", false),
    ] {
        let key = key(environment);
        assert!(key.starts_with(prefix));
        let line = format!("<13>1 - h a - - [lt@1 key=\"{key}\"] of {environment}\n");
        daemon.send("live", line.as_bytes());
        if passes {
            daemon.find(&format!("message:\"of {environment}\""));
        } else {
            let masked = format!("{}*", key.get(..12).unwrap());
            let filter = format!("reason:ENVIRONMENT_MISMATCH and api_key:{masked}");
            wait_for("the refusal", || Some(daemon.find_in("blocked", &filter)));
            assert!(daemon.query(&format!("message:\"of {environment}\"")).is_empty());
        }
    }
}

#[test]
fn usage_is_exact_over_every_way_in_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let (id, key) = sender(&daemon, "agent");
    let lines: String =
        (0..100).map(|n| format!("<13>1 - h a - - [lt@1 key=\"{key}\"] {n}\n")).collect();
    daemon.send("keyed", lines.as_bytes());
    daemon.settle("keyed", 100);
    let log = json!({"logs": [{"message": "a"}, {"message": "b"}]});
    for _ in 0..3 {
        let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(&key), Some(&log));
        assert_eq!(status, 202);
    }
    assert_eq!(daemon.call("POST", "/v1/logs/query", Some(&key), Some(&json!({}))).0, 403);
    let usage = |daemon: &Daemon| {
        let (status, usage) = daemon.call("GET", &format!("/v1/keys/{id}/usage"), None, None);
        assert_eq!(status, 200, "{usage}");
        usage
    };
    let before = usage(&daemon);
    let all = &before["since_it_was_made"];
    assert_eq!((&all["events"], &all["requests"]), (&json!(106), &json!(3)), "{all}");
    assert_eq!(all["refused"], json!({"SCOPE_MISSING": 1}));
    let events = before["hours"].as_array().unwrap().iter().map(|hour| hour["events"].as_u64());
    assert_eq!(events.flatten().sum::<u64>(), 106);
    let (_, shown) = daemon.call("GET", &format!("/v1/keys/{id}"), None, None);
    assert!(shown["first_used"].is_string() && shown["last_used"].is_string(), "{shown}");
    assert!(daemon.stop().success());
    let daemon = start(folder.path());
    let after = usage(&daemon);
    assert_eq!(after["since_it_was_made"], before["since_it_was_made"]);
    assert_eq!(after["hours"], before["hours"]);
    let (status, _) = daemon.call("GET", "/v1/keys/key_none/usage", None, None);
    assert_eq!(status, 404);
    let wrong = format!("/v1/keys/{id}/usage?from=soon");
    assert_eq!(daemon.call("GET", &wrong, None, None).0, 400);
}

/// A connection from another address of this machine.
fn connect_from(daemon: &Daemon, address: [u8; 4]) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    let to: SocketAddr = daemon.address("keyed").parse().unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// Memory that the daemon has, in KiB.
fn resident(daemon: &Daemon) -> u64 {
    let pid = daemon.pid().as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Fewer keys than FAULTS says, and as many as come; the addresses are the first 250.
#[test]
fn au_01_unknown_keys_from_many_addresses_leave_nothing_behind() {
    const ADDRESSES: u64 = 250;
    const KEYS: u64 = 80;
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let (id, good) = sender(&daemon, "good");
    let before = resident(&daemon);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = daemon.connect("keyed");
            stream.write_all(format!("AUTH {good}\n").as_bytes()).unwrap();
            for n in 0..1000 {
                stream.write_all(format!("<13>1 - h a - - - good {n}\n").as_bytes()).unwrap();
            }
        });
        for address in 0..ADDRESSES {
            let last = u8::try_from(address + 1).unwrap();
            let mut stream = connect_from(&daemon, [127, 1, 0, last]);
            let line =
                |n| format!("<13>1 - h a - - [lt@1 key=\"lt_live_{address:016x}{n:016x}\"] x\n");
            stream.write_all((0..KEYS).map(line).collect::<String>().as_bytes()).unwrap();
        }
    });
    daemon.settle("keyed", ADDRESSES * KEYS + 1000);
    let ledger = daemon.metrics().ledger("keyed");
    assert_eq!((ledger.stored, ledger.blocked), (1000, ADDRESSES * KEYS));
    let grown = resident(&daemon).saturating_sub(before);
    assert!(grown < 96 * 1024, "{grown} KiB more");
    // No account, no usage, no series of a key that there is not.
    let (_, usage) = daemon.call("GET", &format!("/v1/keys/{id}/usage"), None, None);
    assert_eq!(usage["since_it_was_made"]["refused"], json!({}));
    let metrics = daemon.metrics();
    let of_keys = metrics.names().filter(|name| name.starts_with("logtrace_key_received_total{"));
    assert_eq!(of_keys.count(), 1, "the good one alone");
    // The journal has each of them, and the sums are exact.
    let query = json!({
        "filter": "reason:INVALID_API_KEY", "journal": "blocked", "from": "-1h",
        "aggregates": ["sum(count)"], "by": [],
    });
    wait_for("the sum of the journal", || {
        let (status, answer) = daemon.call("POST", "/v1/logs/stats", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        answer.to_string().contains(&(ADDRESSES * KEYS).to_string()).then_some(())
    });
}

/// Keys that may not write, and why.
fn refused_keys(daemon: &Daemon) -> Vec<(&'static str, String)> {
    let key = |more: Value| {
        let mut new = json!({"name": "x", "scopes": ["write:logs"]});
        for (name, value) in more.as_object().unwrap() {
            new[name] = value.clone();
        }
        daemon.create_key(&new)
    };
    let (revoked_id, revoked) = key(json!({}));
    assert_eq!(daemon.call("DELETE", &format!("/v1/keys/{revoked_id}"), None, None).0, 200);
    let (_, expired) = key(json!({"lifetime": "1s"}));
    let log = json!({"logs": [{"message": "before it expired"}]});
    wait_for("its end", || {
        let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(&expired), Some(&log));
        (status == 401).then_some(())
    });
    vec![
        ("INVALID_API_KEY", format!("lt_live_{}", "0".repeat(32))),
        ("API_KEY_REVOKED", revoked),
        ("API_KEY_EXPIRED", expired),
        ("ENVIRONMENT_MISMATCH", key(json!({"environment": "staging"})).1),
        ("SCOPE_MISSING", key(json!({"scopes": ["read:logs"]})).1),
        ("IP_NOT_ALLOWED", key(json!({"allow": ["192.0.2.0/24"]})).1),
    ]
}

#[test]
fn au_11_every_check_of_a_key_is_made_on_every_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let listen = "listen = \"127.0.0.1:0\"";
    let listeners = LISTENERS.replace(listen, &format!("{listen}\nenvironment = \"production\""));
    let api = "api.environment = \"production\"\n";
    let daemon = Daemon::with_listeners(folder.path(), api, &listeners);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let keys = refused_keys(&daemon);
    let mut answers = Vec::new();
    for (reason, key) in &keys {
        let syslog = format!("<13>1 - h a - - [lt@1 key=\"{key}\"] never {reason}\n");
        let json = format!("{{\"api_key\":\"{key}\",\"message\":\"never {reason}\"}}\n");
        for (listener, text) in [("tcp", &syslog), ("json", &json)] {
            let mut stream = daemon.connect(listener);
            stream.write_all(text.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.is_empty(), "the client is told nothing");
        }
        let mut secure = tls(folder.path(), daemon.connect("tls"), None);
        secure.write_all(syslog.as_bytes()).unwrap();
        finish(secure).unwrap();
        udp.send_to(syslog.as_bytes(), daemon.address("udp")).unwrap();
        udp.send_to(json.as_bytes(), daemon.address("json-udp")).unwrap();
        let log = json!({"logs": [{"message": format!("never {reason}")}]});
        let (status, answer) = daemon.call("POST", "/v1/logs/ingest", Some(key), Some(&log));
        let known = matches!(*reason, "ENVIRONMENT_MISMATCH" | "SCOPE_MISSING" | "IP_NOT_ALLOWED");
        assert_eq!(status, if known { 403 } else { 401 }, "{reason}: {answer}");
        assert!(!answer.to_string().contains(reason), "{answer}");
        answers.push((status, answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 2, "one answer for each status");
    for (reason, key) in &keys {
        for endpoint in ["tcp", "json", "tls", "udp", "json-udp", "/v1/logs/ingest"] {
            let filter = format!("reason:{reason} and endpoint:\"{endpoint}\"");
            let entry = daemon.find_in("blocked", &filter);
            let masked = format!("{}…{}", key.get(..12).unwrap(), key.get(36..).unwrap());
            assert_eq!(
                (&entry["api_key"], &entry["source.ip"]),
                (&json!(masked), &json!("127.0.0.1"))
            );
        }
    }
    assert!(daemon.query("message:never").is_empty());
}

/// Takes one call over TLS, answers it with `status`, and returns what came.
fn take_call(folder: &Path, socket: &TcpListener, status: &str) -> String {
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = StreamOwned::new(connection, socket.accept().unwrap().0);
    let mut came = String::new();
    let mut chunk = [0; 4096];
    while !came.contains("\r\n\r\n{") || !came.ends_with('}') {
        let len = stream.read(&mut chunk).unwrap();
        assert!(len > 0, "the call ended early: {came}");
        came.push_str(std::str::from_utf8(chunk.get(..len).unwrap()).unwrap());
    }
    let answer = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    came
}

#[test]
fn a_key_that_ends_gets_a_new_secret_which_its_webhook_alone_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[ship]\nallow_networks = [\"127.0.0.0/8\"]\nca = \"FOLDER/ca.pem\"\n";
    let clock = Clock::new(folder.path());
    let daemon = clock.start_with(folder.path(), config, 0);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/keys", socket.local_addr().unwrap().port());
    let hook = json!({"url": url, "events": ["api_key.nothing"]});
    let (status, hook) = daemon.call("POST", "/v1/webhooks", None, Some(&hook));
    assert_eq!(status, 201, "{hook}");
    let new = json!({
        "name": "agent", "scopes": ["write:logs"], "lifetime": "10d", "auto_rotate": hook["id"],
    });
    let (id, old) = daemon.create_key(&new);
    assert!(daemon.stop().success());
    // More than half of its days are over.
    let daemon = clock.start_with(folder.path(), config, 6);
    let call = take_call(folder.path(), &socket, "204");
    let (head, body) = call.split_once("\r\n\r\n").unwrap();
    assert!(head.to_ascii_lowercase().contains("webhook-signature: v1,"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["type"], &body["data"]["id"]), (&json!("api_key.secret"), &json!(id)));
    let secret = body["data"]["secret"].as_str().unwrap();
    for key in [&*old, secret] {
        let log = json!({"logs": [{"message": "by either"}]});
        assert_eq!(daemon.call("POST", "/v1/logs/ingest", Some(key), Some(&log)).0, 202);
    }
    let shown = wait_for("the end of it", || {
        let (_, shown) = daemon.call("GET", &format!("/v1/keys/{id}"), None, None);
        (shown["handing_over"] == false).then_some(shown)
    });
    assert!(!shown.to_string().contains(secret) && shown["rotated_at"].is_string(), "{shown}");
    assert!(!daemon.said().contains(secret.strip_prefix("lt_live_").unwrap()));
}

/// Whatever was acknowledged was counted: its usage is in the same commit.
#[test]
fn the_usage_of_what_was_acknowledged_outlives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (id, key) = daemon.create_key(&json!({"name": "k", "scopes": ["write:logs"]}));
    let logs = json!({"logs": [{"message": "one"}, {"message": "two"}]});
    let mut events = 0;
    let mut daemon = daemon;
    for _ in 0..3 {
        for _ in 0..4 {
            let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(&key), Some(&logs));
            assert_eq!(status, 202);
            events += 2;
        }
        daemon.kill();
        daemon = Daemon::start(folder.path(), "");
        let (_, usage) = daemon.call("GET", &format!("/v1/keys/{id}/usage"), None, None);
        assert_eq!(usage["since_it_was_made"]["events"], events, "{usage}");
        let hours = usage["hours"].as_array().unwrap();
        let sum: u64 = hours.iter().map(|hour| hour["events"].as_u64().unwrap()).sum();
        assert_eq!(sum, events, "{usage}");
    }
}
