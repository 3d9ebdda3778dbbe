//! `kill -9` at any moment loses nothing that was acknowledged, and doubles nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::Daemon;

/// Times that the daemon is killed. `LOGTRACE_KILLS` makes it more.
const KILLS: u64 = 15;

/// Senders at the same time.
const SENDERS: u64 = 3;

/// Logs in a call.
const LOGS: u64 = 200;

/// Sealed many times a second, so that kills meet a seal as well.
const CONFIG: &str = "[store]\nseal_bytes = \"1 MiB\"\nseal_after = \"100ms\"\n";

#[test]
fn st_01_acknowledged_is_stored_once_however_often_it_is_killed() {
    let kills = std::env::var("LOGTRACE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Mutex::new(BTreeSet::new());
    let mut moments = Moments(0x9e37_79b9_7f4a_7c15);
    for round in 0..kills {
        let daemon = Daemon::start(folder.path(), CONFIG);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (daemon, over, acknowledged) = (&daemon, &over, &acknowledged);
                scope.spawn(move || {
                    let url = format!("http://{}/v1/logs/ingest", daemon.address("api"));
                    send(&url, &format!("r{round}s{sender}"), over, acknowledged);
                });
            }
            thread::sleep(moments.next());
            rustix::process::kill_process(daemon.pid(), rustix::process::Signal::KILL).unwrap();
            over.store(true, Ordering::Relaxed);
        });
        daemon.kill();
    }
    let acknowledged = acknowledged.into_inner();
    assert!(acknowledged.len() as u64 > kills * LOGS, "only {} acknowledged", acknowledged.len());
    let daemon = Daemon::start(folder.path(), CONFIG);
    let stored = all_messages(&daemon);
    let once: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(once.len(), stored.len(), "an event is stored twice");
    let lost: Vec<_> = acknowledged.iter().filter(|text| !once.contains(text)).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(daemon.stop().success());
}

/// Sends call after call until one fails, and writes down what was acknowledged.
fn send(url: &str, name: &str, over: &AtomicBool, acknowledged: &Mutex<BTreeSet<String>>) {
    for call in 0_u64.. {
        let texts: Vec<String> = (0..LOGS).map(|n| format!("{name}c{call}n{n}")).collect();
        let logs: Vec<Value> = texts.iter().map(|text| json!({"message": text})).collect();
        match ureq::post(url).send_json(json!({"logs": logs})) {
            Ok(answer) if answer.status() == 202 => acknowledged.lock().extend(texts),
            Ok(answer) => panic!("expected 202, but found {}", answer.status()),
            Err(_) => return,
        }
        if over.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// The messages of everything that is stored, page by page.
fn all_messages(daemon: &Daemon) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let mut query =
            json!({"from": "-1d", "to": "now+1d", "limit": 10_000, "fields": ["message"]});
        if !cursor.is_null() {
            query["cursor"] = cursor;
        }
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["meta"]["partial"], false, "{}", answer["meta"]);
        let logs = answer["logs"].as_array().unwrap();
        found.extend(logs.iter().map(|log| log["message"].as_str().unwrap().to_owned()));
        cursor = answer["meta"]["next_cursor"].clone();
        if cursor.is_null() || logs.is_empty() {
            return found;
        }
    }
}

/// Moments to kill at, between 30 and 400 milliseconds after the start.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(30 + self.0 % 370)
    }
}
