//! Beats: windows in, answers out, and what becomes of events, senders and streams that are odd.

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::disk::wait_until_held;
use crate::support::{
    Beats, Daemon, LISTENERS, SmallDisk, acknowledgement, event, finish, pairs, tls, window,
    yesterday, zlib,
};

fn connect(daemon: &Daemon, listener: &str) -> Beats {
    Beats::connect(daemon.address(listener)).unwrap()
}

#[test]
fn windows_of_both_versions_compressed_or_not_are_stored_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut beats = connect(&daemon, "beats");
    let time = format!("{}T11:59:58.123Z", yesterday());
    let text = json!({
        "@timestamp": time,
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "9.2.0"},
        "message": "from filebeat",
        "host": {"name": "web-1", "os": {"family": "debian"}},
        "log": {"offset": 17, "file": {"path": "/var/log/syslog"}},
        "agent": {"type": "filebeat"},
        "fields": {"env": "prod"},
        "tags": ["edge"],
    });
    beats.send(&[window(b'2', 1), event(1, &text.to_string())].concat());
    assert_eq!(beats.answer().unwrap(), (b'2', 1));
    let found = daemon.find("message:\"from filebeat\"");
    for (name, want) in [
        ("@timestamp", json!(time)),
        ("host.name", json!("web-1")),
        ("host.os.family", json!("debian")),
        ("log.offset", json!(17)),
        ("fields.env", json!("prod")),
        ("tags", json!(["edge"])),
        ("peer.ip", json!("127.0.0.1")),
        ("@version", json!("1")),
    ] {
        assert_eq!(found[name], want, "{name} in {found:#}");
    }
    assert!(!found.to_string().contains("metadata"), "{found:#}");

    let old = [("line", "from a forwarder"), ("host", "web-2"), ("file", "/var/log/x")];
    beats.send(&[window(b'1', 1), pairs(9, &old)].concat());
    assert_eq!(beats.answer().unwrap(), (b'1', 9));
    let found = daemon.find("message:\"from a forwarder\"");
    assert_eq!((&found["host.name"], &found["file"]), (&json!("web-2"), &json!("/var/log/x")));

    let events: Vec<u8> =
        (10..15).flat_map(|n| event(n, &format!("{{\"message\":\"packed {n}\"}}"))).collect();
    beats.send(&[window(b'2', 5), zlib(&events)].concat());
    assert_eq!(beats.answer().unwrap(), (b'2', 14));
    assert_eq!(daemon.query("message:packed").len(), 5);

    // Windows that did not wait for answers are answered in order.
    let many = |first: u32| [window(b'2', 1), event(first, "{\"message\":\"row\"}")].concat();
    beats.send(&(20..60).flat_map(many).collect::<Vec<u8>>());
    for number in 20..60 {
        assert_eq!(beats.answer().unwrap(), (b'2', number));
    }
    daemon.settle("beats", 47);
    assert!(daemon.stop().success());
}

#[test]
fn over_tls_as_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut beats = Beats(tls(folder.path(), daemon.connect("beats-tls"), None));
    beats.send(&[window(b'2', 1), event(1, "{\"message\":\"in private\"}")].concat());
    assert_eq!(beats.answer().unwrap(), (b'2', 1));
    finish(beats.0).unwrap();
    daemon.find("message:\"in private\"");
}

#[test]
fn lb_01_windows_of_none_and_never_filled() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut beats = connect(&daemon, "beats");
    beats.send(&window(b'2', 0));
    assert_eq!(beats.answer().unwrap(), (b'2', 0));
    beats.send(&[window(b'2', 9), event(4, "{\"message\":\"a\"}"), window(b'2', 1)].concat());
    assert_eq!(beats.answer().unwrap(), (b'2', 4));
    beats.send(&window(b'2', usize::try_from(u32::MAX).unwrap()));
    assert_eq!(beats.rest(), b"");
    let failed = daemon.find_in("failed", "endpoint:beats");
    let want = "expected a window of at most 65536 events, but found one of 4294967295";
    assert_eq!(failed["message"], want, "{failed:#}");
    assert!(daemon.stop().success());
}

#[test]
fn lb_04_garbage_is_noted_once_and_answered_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut beats = connect(&daemon, "beats");
    let good = [window(b'2', 2), event(1, "{\"message\":\"before garbage\"}")].concat();
    beats.send(&[&good[..], b"GET / HTTP/1.1\r\n\r\n"].concat());
    assert_eq!(beats.rest(), b"");
    daemon.find("message:\"before garbage\"");
    let failed = daemon.find_in("failed", "endpoint:beats");
    assert_eq!(failed["error.code"], "MALFORMED_REQUEST", "{failed:#}");
    daemon.settle("beats", 2);
    assert_eq!(daemon.metrics().ledger("beats").blocked, 1);
}

#[test]
fn lb_05_numbers_go_on_or_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut beats = connect(&daemon, "beats");
    let texts: Vec<String> = (0..3).map(|n| format!("{{\"message\":\"m{n}\"}}")).collect();
    for first in [1, 4, 7, 1, 1] {
        beats.window(first, &texts).unwrap();
        assert_eq!(beats.answer().unwrap(), (b'2', first + 2));
    }
    // Nothing more was said: the answer to a window of none is the next.
    beats.send(&window(b'2', 0));
    assert_eq!(beats.answer().unwrap(), (b'2', 0));
    assert_eq!(acknowledgement(b'2', 3).len(), 6);
}

/// A listener that has every sender show a key, and what it does with those that do not.
fn keyed(on_refused: &str) -> String {
    format!(
        "[[listener]]\nname = \"beats\"\nprotocol = \"beats\"\ntransport = \"tcp\"\n\
         listen = \"127.0.0.1:0\"\nrequire_key = true\non_refused = \"{on_refused}\"\n"
    )
}

#[test]
fn lb_08_events_of_a_key_that_is_refused_are_acknowledged_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", &keyed("acknowledge"));
    let (_, secret) = daemon.create_key(&json!({"name": "b", "scopes": ["write:logs"]}));
    let text = |token: &str, n: u32| {
        json!({"message": format!("number {n}"), "fields": {"token": token}}).to_string()
    };
    let unknown = "lt_live_00000000000000000000000000000000";
    let mut beats = connect(&daemon, "beats");
    // Compressed, so that no secret shows in what was read.
    let events = [event(1, &text(unknown, 1)), event(2, &text(&secret, 2)), event(3, "{}")];
    beats.send(&[window(b'2', 3), zlib(&events.concat())].concat());
    assert_eq!(beats.answer().unwrap(), (b'2', 3));
    let found = daemon.find("message:number");
    assert_eq!(
        (&found["message"], &found["auth.method"]),
        (&json!("number 2"), &json!("json_field"))
    );
    assert!(!found.to_string().contains(&secret), "{found:#}");
    daemon.find_in("blocked", "reason:INVALID_API_KEY and endpoint:beats");
    daemon.settle("beats", 3);
    assert_eq!(daemon.metrics().ledger("beats").blocked, 2);
}

#[test]
fn lb_08_or_the_connection_is_closed_without_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", &keyed("close"));
    let (_, secret) = daemon.create_key(&json!({"name": "b", "scopes": ["write:logs"]}));
    let mut beats = connect(&daemon, "beats");
    let good = json!({"message": "with a key", "token": secret}).to_string();
    beats.send(&[window(b'2', 1), event(1, &good)].concat());
    assert_eq!(beats.answer().unwrap(), (b'2', 1));
    beats.send(&[window(b'2', 1), event(2, "{\"message\":\"without\"}")].concat());
    assert_eq!(beats.rest(), b"");
    daemon.find_in("blocked", "reason:INVALID_API_KEY and endpoint:beats");
    assert_eq!(daemon.query("message:without").len(), 0);
    daemon.find("message:\"with a key\"");
}

#[test]
fn lb_06_while_the_disk_is_full_the_sender_is_kept_alive_and_told_nothing() {
    let disk = SmallDisk::new(96);
    let config = "[store.disk]\nmin_free = \"8 MiB\"\nmin_free_percent = 0\nballast = \"4 MiB\"\n";
    let daemon = Daemon::start(disk.path(), config);
    let filler = disk.fill(2 << 20);
    wait_until_held(&daemon);
    let mut beats = connect(&daemon, "beats");
    beats.send(&[window(b'2', 1), event(7, "{\"message\":\"held back\"}")].concat());
    for _ in 0..3 {
        assert_eq!(beats.answer().unwrap(), (b'2', 0), "acknowledged though nothing is stored");
    }
    assert_eq!(daemon.metrics().ledger("beats").in_flight, 1);
    drop(filler);
    let (number, _) = beats.acknowledged().unwrap();
    assert_eq!(number, 7);
    // The connection is the same, and the event is there once.
    beats.send(&window(b'2', 0));
    assert_eq!(beats.answer().unwrap(), (b'2', 0));
    daemon.find("message:\"held back\"");
}

#[test]
fn lb_07_killed_between_sync_and_answer_nothing_is_lost_and_nothing_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let texts = |window: u32| -> Vec<String> {
        (0..20).map(|n| json!({"message": format!("lb07 w{window}n{n}")}).to_string()).collect()
    };
    // At the place itself, once some windows were answered, and then at any moment.
    let places = [Some("stage-committed:9"), None, Some("stage-committed:5"), None];
    let mut next = 0;
    for place in places {
        let variables: Vec<_> = place.iter().map(|at| ("LOGTRACE_FAILPOINT", *at)).collect();
        let started = Daemon::try_start(folder.path(), "", LISTENERS, &variables);
        let daemon = started.expect("it lives until it has stored something");
        let mut beats = connect(&daemon, "beats");
        let pid = daemon.pid();
        for sent in 0.. {
            if place.is_none() && sent == 12 {
                kill_process(pid, Signal::KILL).unwrap();
            }
            // A sender goes on with the next window once it was told of this one, not before.
            if beats.window(1 + next * 20, &texts(next)).is_err() {
                break;
            }
            match beats.acknowledged() {
                Ok((number, _)) => assert_eq!(number, (next + 1) * 20),
                Err(_) => break,
            }
            next += 1;
        }
        daemon.kill();
    }
    let daemon = Daemon::start(folder.path(), "");
    let mut beats = connect(&daemon, "beats");
    beats.window(1, &texts(next)).unwrap();
    assert_eq!(beats.acknowledged().unwrap().0, 20);
    assert!(next > 10, "only {next} windows were acknowledged");
    let stored: Vec<String> = daemon
        .query("message:lb07")
        .iter()
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect();
    for window in 0..=next {
        for n in 0..20 {
            let text = format!("lb07 w{window}n{n}");
            let times = stored.iter().filter(|other| **other == text).count();
            assert_eq!(times, 1, "{text}");
        }
    }
}
