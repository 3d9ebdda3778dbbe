//! What the daemon notes about itself: switches, entries, their counts, and what is exported.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::support::{Daemon, wait_for};

const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

/// Expects each of `fields` in `entry`.
#[track_caller]
fn has(entry: &Value, fields: &Value) {
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name}: {entry}");
    }
}

fn set(daemon: &Daemon, settings: &Value) {
    let (status, answer) = daemon.call("PUT", "/v1/settings/logging", None, Some(settings));
    assert_eq!(status, 200, "{answer}");
}

/// Entries of a journal that a filter finds.
fn noted(daemon: &Daemon, journal: &str, filter: &str) -> Vec<Value> {
    daemon
        .query_with(&json!({"filter": filter, "journal": journal, "from": "-1h", "limit": 10_000}))
}

#[test]
fn what_was_done_is_noted_with_every_field_on_every_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (id, key) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    let masked = format!("{}…{}", key.get(..12).unwrap(), key.get(key.len() - 4..).unwrap());
    let lines = "<13>1 - h a - - - one\n<13>1 - h a - - - two\n";
    daemon.send("keyed", format!("AUTH {key}\n{lines}").as_bytes());
    daemon.send("tcp", lines.as_bytes());
    daemon.send("json", b"{\"message\":\"one\"}\n");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        sender.send_to(b"<13>1 - h a - - - one", daemon.address("udp")).unwrap();
    }
    let logs = json!({"logs": [{"message": "one"}, {"message": "two"}, 7]});
    let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(&key), Some(&logs));
    assert_eq!(status, 202);
    for (listener, fields) in [
        ("keyed", json!({"method": "syslog/tcp", "events_accepted": 2, "api_key": masked})),
        ("tcp", json!({"method": "syslog/tcp", "events_accepted": 2, "request_bytes": 42})),
        ("json", json!({"method": "logstash/tcp", "events_accepted": 1})),
    ] {
        let entry = daemon.find_in("access", &format!("endpoint:\"{listener}\""));
        has(&entry, &fields);
        has(
            &entry,
            &json!({"status": "closed", "source.ip": "127.0.0.1", "project": "default",
                    "response_bytes": 0, "count": 1}),
        );
        assert!(entry["duration_us"].is_number() && entry["@timestamp"].is_string(), "{entry}");
    }
    let entry = daemon.find_in("access", "endpoint:\"/v1/logs/ingest\"");
    has(
        &entry,
        &json!({
            "method": "POST",
            "status": 202,
            "api_key": masked,
            "source.ip": "127.0.0.1",
            "events_accepted": 2,
            "request_bytes": logs.to_string().len(),
            "project": "default",
        }),
    );
    assert!(entry["response_bytes"].as_u64() > Some(10), "{entry}");
    // A part of a call that failed is noted as well.
    has(&daemon.find_in("failed", "error.code:invalid_logs"), &json!({"events_accepted": 2}));
    // Calls that administer and ask are calls too.
    daemon.find_in("access", "endpoint:\"/v1/keys\" and method:POST and status:201");
    daemon.find_in("access", "endpoint:\"/v1/logs/query\" and status:200");
    // What one brought that sends datagrams is noted once a minute, and at the end.
    daemon.settle("udp", 3);
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), "");
    let entry = daemon.find_in("access", "endpoint:udp");
    has(
        &entry,
        &json!({"method": "syslog/udp", "status": "open", "events_accepted": 3,
                "source.ip": "127.0.0.1", "request_bytes": 63}),
    );
    let (_, found) = daemon.call("GET", &format!("/v1/access?key={id}&event=POST"), None, None);
    assert_eq!(found["entries"].as_array().unwrap().len(), 1, "{found}");
}

#[test]
fn switches_hold_at_once_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), "");
    let bad = json!({"limit": 0});
    for is_on in [false, true] {
        set(&daemon, &json!({"log_api_calls": is_on, "log_failed_api_calls": is_on}));
        set(&daemon, &json!({"log_blocklisted_api_calls": is_on, "sample_rate": 1.0}));
        // What is switched stays so: the daemon is another one.
        assert!(daemon.stop().success());
        daemon = Daemon::start(folder.path(), "");
        let (status, settings) = daemon.call("GET", "/api/v1/settings/logging", None, None);
        assert_eq!(status, 200);
        has(
            &settings,
            &json!({"log_api_calls": is_on, "log_failed_api_calls": is_on,
                    "log_blocklisted_api_calls": is_on, "log_dashboard_activities": true}),
        );
        daemon.send("tcp", b"<13>1 - h a - - - hello\n<999>broken\n");
        daemon.send("keyed", b"<13>1 - h a - - - hello\n");
        daemon.call("POST", "/v1/logs/query", None, Some(&bad));
        daemon.call("GET", "/v1/keys", Some(UNKNOWN), None);
        daemon.settle("tcp", 2);
        daemon.settle("keyed", 1);
        let filters = [
            ("access", "endpoint:tcp"),
            ("failed", "endpoint:tcp"),
            ("failed", "error.code:invalid_parameter"),
            ("blocked", "rule:\"key:required\" and endpoint:keyed"),
            ("blocked", "rule:\"key:unknown\" and endpoint:\"/v1/keys\""),
        ];
        if is_on {
            filters.iter().for_each(|(journal, filter)| drop(daemon.find_in(journal, filter)));
        } else {
            // All that was noted is stored at the end.
            assert!(daemon.stop().success());
            daemon = Daemon::start(folder.path(), "");
            for (journal, filter) in filters {
                assert_eq!(noted(&daemon, journal, filter), [json!(null); 0], "{journal} {filter}");
            }
        }
    }
}

#[test]
fn a_part_of_the_calls_is_kept_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    set(&daemon, &json!({"sample_rate": 0.25}));
    for _ in 0..400 {
        assert_eq!(daemon.call("GET", "/v1/health", None, None).0, 200);
    }
    set(&daemon, &json!({"sample_rate": 1}));
    daemon.call("GET", "/v1/allowlist", None, None);
    daemon.find_in("access", "endpoint:\"/v1/allowlist\"");
    let kept = noted(&daemon, "access", "endpoint:\"/v1/health\"");
    assert!((60..=140).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().all(|entry| entry["sample_rate"] == json!(0.25)), "{}", kept[0]);
}

#[test]
fn what_is_exported_is_read_back_by_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, secret) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    let samples = ["=1+1", "a \"quoted\", part", "+cmd|' /C calc'!A0", "@x", "plain", "-2"];
    for sample in samples {
        daemon.send("tcp", format!("<999>{sample} {secret}\n").as_bytes());
    }
    // What did not parse is what the journal shows a sample of; here is one that is all of it.
    daemon.send("json", b"=HYPERLINK(\"http://x\")\n");
    daemon.settle("tcp", samples.len() as u64);
    daemon.settle("json", 1);
    daemon.find_in("failed", "endpoint:json");
    let (status, entries) = daemon.call("GET", "/v1/failed?limit=1000", None, None);
    assert_eq!(status, 200);
    let (status, text) = daemon.call("GET", "/v1/failed?format=csv", None, None);
    assert_eq!(status, 200);
    let text = text.as_str().unwrap();
    assert!(!text.contains(secret.strip_prefix("lt_live_").unwrap()));
    let mut python = Command::new("python3")
        .args([
            "-c",
            "import csv,json,sys; json.dump(list(csv.DictReader(open(0,newline=''))),sys.stdout)",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let read: Vec<Value> =
        serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(read.len(), entries.len());
    for (row, entry) in read.iter().zip(entries) {
        for (name, cell) in row.as_object().unwrap() {
            let name = if name == "timestamp" { "@timestamp" } else { name };
            let want = match &entry[name] {
                Value::Null => String::new(),
                Value::String(text) if text.starts_with(['=', '+', '-', '@']) => format!("'{text}"),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // JSON is written by each as it likes; what it holds is the same.
            let is_same = match serde_json::from_str::<Value>(cell.as_str().unwrap()) {
                Ok(value @ (Value::Array(_) | Value::Object(_))) => value == entry[name],
                _ => cell == &json!(want),
            };
            assert!(is_same, "{name}: {cell} of {entry}");
        }
    }
    let formula = read.iter().find(|row| row["endpoint"] == "json").unwrap();
    assert!(formula["sample"].as_str().unwrap().starts_with("'=HYPERLINK"), "{formula}");
}

/// Addresses that a flood comes from.
const ADDRESSES: u16 = 1000;

/// Refused messages of each.
const REFUSED: usize = 200;

/// The flood is a second of what the journal is to stand a minute of, in 20 MB.
const MAX_GROWTH: u64 = 20_000_000 / 60;

#[test]
fn bl_08_a_flood_of_refusals_is_folded_and_counted_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let daemon =
        Daemon::start(folder.path(), "[store]\nseal_after = \"1s\"\nmerge_rate = \"0 B\"\n");
    let address: SocketAddr = daemon.address("keyed").parse().unwrap();
    let lines = |n: u32| {
        let line = format!("<13>1 - h a - - [lt@1 key=\"{UNKNOWN}\"] never stored {n}\n");
        line.repeat(REFUSED / 10)
    };
    let addresses: Vec<u16> = (0..ADDRESSES).collect();
    let mut good = daemon.connect("tcp");
    thread::scope(|scope| {
        for addresses in addresses.chunks(usize::from(ADDRESSES) / 4) {
            scope.spawn(move || {
                // Not all at once: a process may have so many descriptors, and no more.
                for addresses in addresses.chunks(50) {
                    let open = addresses.iter().map(|number| connect_from(*number, address));
                    let mut open: Vec<TcpStream> = open.collect();
                    for round in 0..10 {
                        let lines = lines(round);
                        open.iter_mut().for_each(|one| one.write_all(lines.as_bytes()).unwrap());
                    }
                }
            });
        }
        // Who sends well is not held up.
        for n in 0..100 {
            good.write_all(format!("<13>1 - h a - - - good {n}\n").as_bytes()).unwrap();
        }
    });
    let sent = u64::from(ADDRESSES) * REFUSED as u64;
    daemon.settle("keyed", sent);
    assert_eq!(daemon.metrics().ledger("keyed").blocked, sent);
    daemon.settle("tcp", 100);
    let entries = wait_for("all refusals in the journal", || {
        let entries = noted(&daemon, "blocked", "rule:\"key:unknown\"");
        let sum: u64 = entries.iter().map(|entry| entry["count"].as_u64().unwrap()).sum();
        assert!(sum <= sent, "{sum} of {sent}");
        (sum == sent).then_some(entries)
    });
    // At most one of each address in each second that it took.
    let second = |entry: &Value| entry["last_seen"].as_str().unwrap().get(..19).unwrap().to_owned();
    let mut seconds: Vec<_> = entries.iter().map(second).collect();
    seconds.sort_unstable();
    seconds.dedup();
    assert!(entries.len() <= usize::from(ADDRESSES) * (seconds.len() + 1), "{}", entries.len());
    wait_for("all of it to be sealed", || {
        (daemon.metrics().get("logtrace_staged_events") == 0).then_some(())
    });
    let grown = daemon.metrics().get("logtrace_segment_bytes");
    let bound = MAX_GROWTH * seconds.len() as u64;
    println!("{} entries in {} s, {grown} bytes, of {bound}", entries.len(), seconds.len());
    assert!(grown < bound, "{grown} bytes in {} s", seconds.len());
}

/// A connection from one of many addresses of the loopback.
fn connect_from(number: u16, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let [high, low] = number.to_be_bytes();
    let own = SocketAddr::from(([127, 9, high, low], 0));
    socket.bind(&own.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

#[test]
fn a_clock_that_is_off_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    for n in 0..3 {
        daemon.send("tcp", format!("<13>1 1999-01-01T00:00:00Z h a - - - {n}\n").as_bytes());
    }
    daemon.settle("tcp", 3);
    let entry = daemon.find_in("advisory", "kind:clock_off");
    has(&entry, &json!({"subject": "127.0.0.1 at tcp", "project": "default", "level": "WARN"}));
    assert!(entry["advice"].as_str().unwrap().contains("clock"), "{entry}");
    let (_, again) = daemon.call("GET", "/v1/advisory?kind=clock_off", None, None);
    assert_eq!(again["entries"].as_array().unwrap().len(), 1, "{again}");
    assert_eq!(again["entries"][0]["count"], 1);
}
