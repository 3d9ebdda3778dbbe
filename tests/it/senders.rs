//! Senders that go quiet and come back.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;

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
    ] {
        assert_eq!(overdue[0][name], want, "{name}: {overdue:?}");
    }
    // Or longer, where this machine made long pauses in what it was learned from.
    assert!(overdue[0]["overdue_after_seconds"].as_f64() >= Some(3.0), "{overdue:?}");
    let overdue = || daemon.metrics().get("logtrace_senders_overdue");
    wait_for("the count", || (overdue() == 1).then_some(()));
    let metrics = daemon.metrics();
    assert_eq!(metrics.get(&format!("logtrace_key_senders_overdue{{key=\"{id}\"}}")), 1);
    assert!(
        metrics.get(&format!("logtrace_key_last_seen_timestamp_seconds{{key=\"{id}\"}}"))
            > 1_000_000_000
    );
    stream.write_all(b"<13>1 - web1 a - - - two\n").unwrap();
    let entry = daemon.find_in("advisory", "kind:sender_heard");
    assert_eq!(entry["level"], "INFO", "{entry}");
    // Who says nothing more is overdue again after three seconds.
    wait_for("nobody overdue", || {
        stream.write_all(b"<13>1 - web1 a - - - more\n").unwrap();
        (senders(&daemon, "state=overdue").is_empty() && overdue() == 0).then_some(())
    });
    let told = json!({"filter": "kind:sender_*", "journal": "advisory", "from": "-1h"});
    let told = daemon.query_with(&told);
    let mut kinds: Vec<_> = told.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    let each = kinds.len();
    kinds.dedup();
    assert_eq!((kinds.last(), kinds.len()), (Some(&"sender_overdue"), each), "once each time");
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
    let told = json!({"filter": "kind:sender_overdue", "journal": "advisory", "from": "-1h"});
    let before = daemon.query_with(&told).len();
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
    assert_eq!(daemon.query_with(&told).len(), before);
}

#[test]
fn all_of_many_that_come_at_once_are_put_down_though_the_connection_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let mut stream = daemon.connect("tcp");
    let line = |n: u32| format!("<13>1 - web{} a - - - {}\n", n % 50, "x".repeat(200));
    let lines: String = (0..5000).map(line).collect();
    stream.write_all(lines.as_bytes()).unwrap();
    wait_for("all of them", || {
        let known = senders(&daemon, "limit=100");
        let each = |sender: &Value| sender["events"] == 100;
        (known.len() == 50 && known.iter().all(each)).then_some(())
    });
}

#[test]
fn all_that_a_call_has_brought_is_put_down_while_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let entry = |n: u32| {
        format!("__REALTIME_TIMESTAMP={}\n_HOSTNAME=web1\nMESSAGE={}\n\n", 1 + n, "x".repeat(200))
    };
    let entries: String = (0..5000).map(entry).collect();
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(entries.as_bytes()).unwrap();
    packed.flush().unwrap(); // not its end: more may follow
    let packed = packed.get_ref();
    let mut stream = TcpStream::connect(daemon.address("api")).unwrap();
    let head = "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\n\
                Content-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{head}{:x}\r\n", packed.len());
    stream.write_all(&[chunk.as_bytes(), packed, b"\r\n"].concat()).unwrap();
    wait_for("all of them", || {
        let known = senders(&daemon, "host=web1");
        known.first().is_some_and(|sender| sender["events"] == 5000).then_some(())
    });
}

#[test]
fn numbers_that_are_missing_are_counted_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let gaps = "logtrace_sequence_gaps_total{listener=\"udp\"}";
    assert_eq!(daemon.metrics().get(gaps), 0, "it is there from the start");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |line: String| {
        socket.send_to(line.as_bytes(), daemon.address("udp")).unwrap();
    };
    for n in [29, 30, 33, 34] {
        send(format!("<189>{n}: rtr1: *Sep 20 12:15:58.1: %SYS-5-CONFIG_I: Configured"));
    }
    for n in [1, 2, 4, 3, 5] {
        send(format!("<13>1 - fw1 a - - [meta sequenceId=\"{n}\"] x"));
    }
    daemon.settle("udp", 9);
    wait_for("a gap", || (daemon.metrics().get(gaps) == 1).then_some(()));
    let missing = "logtrace_sequence_missing_total{listener=\"udp\"}";
    assert_eq!(daemon.metrics().get(missing), 2);
    let shown = |host: &str| senders(&daemon, &format!("host={host}"))[0]["numbers"].clone();
    let want =
        json!({"numbered": 4, "gaps": 1, "missing": 2, "late": 0, "repeated": 0, "restarts": 0});
    assert_eq!(shown("rtr1"), want);
    let want =
        json!({"numbered": 5, "gaps": 0, "missing": 0, "late": 1, "repeated": 0, "restarts": 0});
    assert_eq!(shown("fw1"), want);
}

#[test]
fn the_doctor_says_what_is_odd_and_how_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.send("tcp", b"<13>Nov 20 12:15:58 vm app via a relay\n");
    daemon.settle("tcp", 1);
    let (status, said) =
        daemon.call("GET", "/v1/doctor?host=vm&target=logs.example:6000", None, None);
    assert_eq!(status, 200, "{said}");
    let sender = &said["senders"][0];
    for (name, want) in [("form", "rfc3164"), ("framing", "lines"), ("protocol", "syslog/tcp")] {
        assert_eq!(sender[name], want, "{sender}");
    }
    let kinds: Vec<_> = sender["odd"].as_array().unwrap().iter().map(|odd| &odd["kind"]).collect();
    assert_eq!(kinds, ["old_time", "structured_data_lost"], "{sender}");
    assert!(said["mends"]["structured_data_lost"].as_str().unwrap().contains("RFC 5424"));
    let configuration = said["configuration"].as_object().unwrap();
    assert_eq!(configuration.keys().collect::<Vec<_>>(), ["rsyslog"], "who else writes such tags?");
    assert!(
        configuration["rsyslog"]
            .as_str()
            .unwrap()
            .contains("target=\"logs.example\" port=\"6000\"")
    );
    let (_, said) = daemon.call("GET", "/v1/doctor?host=vm&shipper=syslog-ng", None, None);
    assert!(
        said["configuration"]["syslog-ng"].as_str().unwrap().contains("destination d_logtrace")
    );
    for wrong in ["shipper=nxlog", "target=a%20b"] {
        let (status, said) = daemon.call("GET", &format!("/v1/doctor?host=vm&{wrong}"), None, None);
        assert_eq!((status, &said["code"]), (400, &json!("invalid_parameter")), "{wrong}");
    }
    let (_, said) = daemon.call("GET", "/v1/doctor?host=nobody", None, None);
    assert_eq!(said["senders"], json!([]));
}

/// `logtrace doctor`; its exit code, and what it wrote.
fn doctor(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    let server = format!("http://{}", daemon.address("api"));
    command.arg("doctor").args(arguments).args(["--server", &server]).env_remove("LOGTRACE_KEY");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_doctor_looks_at_all_senders_when_nobody_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.send("tcp", format!("<13>1 {} fine app - - - x\n", iso_now()).as_bytes());
    daemon.settle("tcp", 1);
    assert_eq!(doctor(&daemon, &[]), (Some(0), "something is odd of 0 of 1 senders\n".to_owned()));
    daemon.send("tcp", b"<13>Nov 20 12:15:58 vm app via a relay\n");
    daemon.settle("tcp", 2);
    let (code, said) = doctor(&daemon, &[]);
    assert_eq!(code, Some(3), "{said}");
    let want = "vm at tcp: old_time, structured_data_lost; more: logtrace doctor --host vm\n\
                something is odd of 1 of 2 senders\n";
    assert_eq!(said, want);
    // As it says.
    let (code, said) = doctor(&daemon, &["--host", "vm"]);
    assert!(code == Some(0) && said.contains("RFC 5424"), "{said}");
    let (code, said) = doctor(&daemon, &["--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &said["looked_at"], &said["senders"][0]["host"]),
        (Some(3), &json!(2), &json!("vm"))
    );
    assert_eq!(doctor(&daemon, &["--target", "logs.example"]).0, Some(2));
}

/// The time as senders write it.
fn iso_now() -> String {
    humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string()
}

#[test]
fn the_doctor_finds_keys_in_clear_and_frames_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let proxied = "[[listener]]\nname = \"proxied\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
                   listen = \"127.0.0.1:0\"\nproxy = { trusted = [\"127.0.0.1\"] }\n";
    let daemon = Daemon::with_listeners(folder.path(), "", &format!("{LISTENERS}{proxied}"));
    let (_, key) = daemon.create_key(&json!({"name": "web", "scopes": ["write:logs"]}));
    // From another machine; on this one nobody reads along.
    let line = |host: &str| format!("<13>1 {} {host} app - - [lt@1 key=\"{key}\"] x\n", iso_now());
    let header = "PROXY TCP4 192.0.2.7 192.0.2.1 40000 514\r\n";
    daemon.send("proxied", format!("{header}{}", line("far")).as_bytes());
    daemon.send("tcp", line("near").as_bytes());
    // A count that is wrong, and a message behind it.
    let short = format!("<13>1 {} torn app - - - x", iso_now());
    daemon
        .send("counted", format!("{} {short}{} {short}", short.len() + 5, short.len()).as_bytes());
    let odd = |host: &str| {
        wait_for(host, || {
            let (_, said) = daemon.call("GET", &format!("/v1/doctor?host={host}"), None, None);
            let sender = said["senders"].get(0)?;
            let odd = sender["odd"].as_array().unwrap().iter();
            let kinds: Vec<_> = odd.map(|odd| odd["kind"].as_str().unwrap().to_owned()).collect();
            Some((kinds, said["mends"].clone()))
        })
    };
    let (kinds, mends) = odd("far");
    assert_eq!(kinds, ["key_in_clear"]);
    assert!(mends["key_in_clear"].as_str().unwrap().contains("rotate the key"));
    assert!(odd("near").0.is_empty());
    let (kinds, mends) = odd("torn");
    assert_eq!(kinds, ["framing"]);
    assert!(mends["framing"].as_str().unwrap().contains("count octets"));
}
