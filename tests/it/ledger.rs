//! `received = stored + blocked + failed + in flight`, to the message.

use std::io::Write;
use std::net::UdpSocket;
use std::thread;

use serde_json::json;

use crate::support::{Daemon, finish, tls, wait_for};

/// Messages that each flood sends.
const MESSAGES: u64 = 20_000;

/// Of these, every one in so many carries a key that there is not.
const BLOCKED: u64 = 10;

/// And every one in so many is no message of its protocol. It is stored as text.
const MALFORMED: u64 = 7;

/// A key that has the form of one and is none.
const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

/// Writes the message of a number.
type Render = fn(u64) -> String;

fn syslog(n: u64) -> String {
    match n {
        n if n % BLOCKED == 0 => {
            format!("<13>1 - h app - - [lt@32473 key=\"{UNKNOWN}\"] {n}\n")
        }
        n if n % MALFORMED == 0 => format!("<999>broken {n}\n"),
        n => format!("<13>1 - h app - - - number {n}\n"),
    }
}

fn counted(n: u64) -> String {
    let line = syslog(n);
    let line = line.trim_end();
    format!("{} {line}", line.len())
}

fn json_line(n: u64) -> String {
    match n {
        n if n % BLOCKED == 0 => format!("{{\"api_key\":\"{UNKNOWN}\",\"message\":\"{n}\"}}\n"),
        n if n % MALFORMED == 0 => format!("{{\"message\":\"{n}\n"),
        n => format!("{{\"message\":\"number {n}\"}}\n"),
    }
}

fn blocked_of(messages: u64) -> u64 {
    (0..messages).filter(|n| n % BLOCKED == 0).count() as u64
}

fn flood(mut stream: impl Write, render: Render) {
    for first in (0..MESSAGES).step_by(500) {
        let text: String = (first..first + 500).map(render).collect();
        stream.write_all(text.as_bytes()).unwrap();
    }
}

#[track_caller]
fn check(daemon: &Daemon, listener: &str, messages: u64) {
    daemon.settle(listener, messages);
    let ledger = daemon.metrics().ledger(listener);
    assert_eq!(ledger.blocked, blocked_of(messages), "{listener}: {ledger:?}");
    assert_eq!(ledger.stored, messages - ledger.blocked, "{listener}: {ledger:?}");
    assert_eq!(ledger.failed, 0, "{listener}: {ledger:?}");
}

#[test]
fn floods_of_every_stream_add_up_to_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let floods: [(&str, Render); 3] = [("tcp", syslog), ("counted", counted), ("json", json_line)];
    thread::scope(|scope| {
        for (listener, render) in floods {
            let stream = daemon.connect(listener);
            scope.spawn(move || flood(stream, render));
        }
        let mut stream = tls(folder.path(), daemon.connect("tls"), None);
        scope.spawn(move || {
            flood(&mut stream, syslog);
            finish(stream).unwrap();
        });
    });
    for listener in floods.map(|(listener, _)| listener).into_iter().chain(["tls"]) {
        check(&daemon, listener, MESSAGES);
    }
    // What is stored is found, and what is refused is in the journal with exact counts.
    assert!(!daemon.query("message:\"number 19998\"").is_empty());
    let query = json!({"filter": "reason:INVALID_API_KEY", "journal": "blocked", "from": "-1h", "limit": 1000});
    let want = blocked_of(MESSAGES) * (floods.len() as u64 + 1);
    wait_for("all refusals in the journal", || {
        let entries = daemon.query_with(&query);
        let sum: u64 = entries.iter().map(|entry| entry["count"].as_u64().unwrap()).sum();
        assert!(sum <= want, "{sum} of {want}");
        (sum == want).then_some(())
    });
    assert!(daemon.stop().success());
}

#[test]
fn floods_of_datagrams_add_up_with_what_the_kernel_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let floods: [(&str, Render); 2] = [("udp", syslog), ("json-udp", json_line)];
    for (listener, render) in floods {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(daemon.address(listener)).unwrap();
        for n in 0..MESSAGES {
            socket.send(render(n).as_bytes()).unwrap();
        }
        socket.send(b"").unwrap();
        let sent = MESSAGES + 1;
        let ledger = wait_for("all datagrams", || {
            let metrics = daemon.metrics();
            let ledger = metrics.ledger(listener);
            ledger.assert_adds_up();
            let series = format!("logtrace_kernel_dropped_total{{listener=\"{listener}\"}}");
            let all = ledger.received + metrics.get(&series) == sent && ledger.in_flight == 0;
            all.then_some((ledger, metrics.get(&series)))
        });
        if let (ledger, 0) = ledger {
            assert_eq!((ledger.failed, ledger.blocked), (1, blocked_of(MESSAGES)), "{ledger:?}");
        }
    }
}

#[test]
fn calls_over_http_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let logs = |from: u64, to: u64| -> Vec<_> {
        let log = |n: u64| match n % BLOCKED {
            0 => json!({"api_key": UNKNOWN, "message": "blocked"}),
            1 => json!("no object"),
            _ => json!({"message": format!("number {n}"), "level": "info"}),
        };
        (from..to).map(log).collect()
    };
    let (status, answer) =
        daemon.call("POST", "/v1/logs/ingest", None, Some(&json!({"logs": logs(0, 1000)})));
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["accepted"], 800);
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), 200);
    assert_eq!((&rejected[0]["index"], &rejected[1]["index"]), (&json!(0), &json!(1)));
    // Two calls that are refused as a whole count as one message each.
    let (status, _) =
        daemon.call("POST", "/v1/logs/ingest", Some(UNKNOWN), Some(&json!({"logs": logs(0, 5)})));
    assert_eq!(status, 401);
    let (status, _) =
        daemon.call("POST", "/v1/logs/ingest", None, Some(&json!({"logs": logs(0, 5001)})));
    assert_eq!(status, 413);
    daemon.settle("http", 1002);
    let ledger = daemon.metrics().ledger("http");
    assert_eq!((ledger.stored, ledger.blocked, ledger.failed), (800, 101, 101), "{ledger:?}");
}
