//! Senders that go quiet and come back.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Daemon, LISTENERS, wait_for};

/// Short times, so that a test need not wait for long.
const CONFIG: &str = "[senders]\nlearn_for = \"0s\"\nmin_heard = 3\noverdue_min = \"3s\"\n\
                      startup_grace = \"0s\"\n";

/// Those of the daemon whom a filter lets pass.
fn senders(daemon: &Daemon, filter: &str) -> Vec<Value> {
    let (status, answer) = daemon.call("GET", &format!("/v1/senders?{filter}"), None, None);
    assert_eq!(status, 200, "{answer}");
    answer["senders"].as_array().unwrap().clone()
}

/// A sender speaks until its daemon knows how often it does.
fn learn(daemon: &Daemon, stream: &mut TcpStream, line: &str) {
    wait_for("a sender to be known", || {
        stream.write_all(line.as_bytes()).unwrap();
        let host = line.split(' ').nth(2).unwrap();
        let known = senders(daemon, &format!("host={host}&state=fine"));
        (!known.is_empty()).then_some(())
    });
}

#[test]
fn one_that_goes_quiet_is_told_of_and_once_more_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let (id, key) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    let (_, reader) = daemon.create_key(&json!({"name": "r", "scopes": ["read:logs"]}));
    let mut stream = daemon.connect("keyed");
    stream.write_all(format!("AUTH {key}\n").as_bytes()).unwrap();
    learn(&daemon, &mut stream, "<13>1 - web1 a - - - one\n");
    let entry = daemon.find_in("advisory", "kind:sender_overdue");
    assert!(entry["subject"].as_str().unwrap().starts_with("web1 with key lt_live_"), "{entry}");
    assert!(entry["advice"].as_str().unwrap().contains("reaches keyed"), "{entry}");
    assert_eq!((&entry["level"], &entry["project"]), (&json!("WARN"), &json!("default")));
    let overdue = senders(&daemon, &format!("state=overdue&key={id}"));
    assert_eq!(overdue.len(), 1, "{overdue:?}");
    for (name, want) in [
        ("host", json!("web1")),
        ("listener", json!("keyed")),
        ("protocol", json!("syslog/tcp")),
        ("address", json!("127.0.0.1")),
        ("key", json!(id)),
        ("overdue_after_seconds", json!(3.0)),
    ] {
        assert_eq!(overdue[0][name], want, "{name}: {overdue:?}");
    }
    let metrics = daemon.metrics();
    assert_eq!(metrics.get("logtrace_senders_overdue"), 1);
    assert_eq!(metrics.get(&format!("logtrace_key_senders_overdue{{key=\"{id}\"}}")), 1);
    assert!(
        metrics.get(&format!("logtrace_key_last_seen_timestamp_seconds{{key=\"{id}\"}}"))
            > 1_000_000_000
    );
    stream.write_all(b"<13>1 - web1 a - - - two\n").unwrap();
    let entry = daemon.find_in("advisory", "kind:sender_heard");
    assert_eq!(entry["level"], "INFO", "{entry}");
    wait_for("nobody overdue", || senders(&daemon, "state=overdue").is_empty().then_some(()));
    assert_eq!(daemon.metrics().get("logtrace_senders_overdue"), 0);
    let told = json!({"filter": "kind:sender_*", "journal": "advisory", "from": "-1h"});
    assert_eq!(daemon.query_with(&told).len(), 2, "no more than that");
    // Whose affair it is not sees nothing, and who may not ask is refused.
    let (status, _) = daemon.call("GET", "/v1/senders", Some(&reader), None);
    assert_eq!(status, 403);
    let (status, answer) = daemon.call("GET", "/v1/senders?state=lost", None, None);
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_parameter")), "{answer}");
}

#[test]
fn who_was_overdue_is_so_after_a_restart_and_is_not_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let mut stream = daemon.connect("tcp");
    learn(&daemon, &mut stream, "<13>1 - db1 a - - - one\n");
    drop(stream);
    let _told = daemon.find_in("advisory", "kind:sender_overdue");
    daemon.kill(); // what is told is on disk before that
    let daemon = Daemon::with_listeners(folder.path(), CONFIG, LISTENERS);
    let overdue = senders(&daemon, "state=overdue");
    assert_eq!(overdue.len(), 1, "{overdue:?}");
    let id = overdue[0]["id"].as_str().unwrap();
    let (status, gone) = daemon.call("DELETE", &format!("/v1/senders/{id}"), None, None);
    assert_eq!((status, &gone["host"]), (200, &json!("db1")));
    assert_eq!(senders(&daemon, ""), [] as [Value; 0]);
    let (status, _) = daemon.call("DELETE", &format!("/v1/senders/{id}"), None, None);
    assert_eq!(status, 404);
    let (_, recorded) = daemon.call("GET", "/v1/audit?event=sender.*", None, None);
    assert_eq!(recorded["entries"][0]["event"], "sender.forgotten", "{recorded}");
    let told = json!({"filter": "kind:sender_overdue", "journal": "advisory", "from": "-1h"});
    assert_eq!(daemon.query_with(&told).len(), 1);
}
