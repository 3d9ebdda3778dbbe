//! What was acknowledged, to be compared with what is stored.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use logtrace::ingest::now;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::Daemon;

/// Logs that were sent, each with a message of its own; shared by senders.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// What their messages begin with.
    name: &'static str,
    /// How many days ago they say they are.
    days_ago: i64,
    messages: Mutex<BTreeSet<String>>,
    calls: AtomicU64,
}

impl Acknowledged {
    /// None as yet. The messages of all sets begin differently.
    pub(crate) fn new(name: &'static str, days_ago: i64) -> Self {
        Self { name, days_ago, messages: Mutex::default(), calls: AtomicU64::new(0) }
    }

    /// So many messages that no other call has.
    pub(crate) fn more(&self, logs: u64) -> Vec<String> {
        let (name, call) = (self.name, self.calls.fetch_add(1, Ordering::Relaxed));
        (0..logs).map(|log| format!("{name} c{call}n{log}")).collect()
    }

    /// Notes messages that were acknowledged by other ways than [`send`](Self::send).
    pub(crate) fn note(&self, messages: Vec<String>) {
        self.messages.lock().extend(messages);
    }

    /// Sends one call with so many logs; says whether it was acknowledged, and notes it if so.
    pub(crate) fn send(&self, daemon: &Daemon, logs: u64) -> bool {
        let messages = self.more(logs);
        let time = now().plus(-self.days_ago * logtrace::time::DAY).to_string();
        let logs = messages.iter().map(|message| json!({"message": message, "timestamp": time}));
        let body = json!({"logs": logs.collect::<Vec<_>>()});
        let url = format!("http://{}/v1/logs/ingest", daemon.address("api"));
        match ureq::post(url).send_json(body) {
            Ok(answer) if answer.status() == 202 => {
                self.messages.lock().extend(messages);
                true
            }
            Ok(answer) => panic!("expected 202, but found {}", answer.status()),
            Err(_) => false,
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.messages.lock().len()
    }

    /// Expects each of them to be stored, and none twice. Logs that were sent and never acknowledged
    /// may be there.
    #[track_caller]
    pub(crate) fn assert_stored_once(&self, daemon: &Daemon) {
        let stored = self.stored(daemon);
        let lost = self.lost_from(&stored);
        assert!(lost.is_empty(), "{} acknowledged and lost: {:?}", lost.len(), lost.first());
    }

    /// Those that are not there, if none is there twice.
    #[track_caller]
    pub(crate) fn lost_from(&self, stored: &[String]) -> Vec<String> {
        let once: BTreeSet<&String> = stored.iter().collect();
        assert_eq!(once.len(), stored.len(), "an event is stored twice");
        let messages = self.messages.lock();
        messages.iter().filter(|message| !once.contains(message)).cloned().collect()
    }

    /// The messages of those that are stored, page by page.
    #[track_caller]
    pub(crate) fn stored(&self, daemon: &Daemon) -> Vec<String> {
        let mut query = json!({
            "filter": format!("message:{}", self.name),
            "from": "1900-01-01",
            "to": "2900-01-01",
            "limit": 10_000,
            "fields": ["message"],
        });
        let mut found = Vec::new();
        loop {
            let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
            assert_eq!(status, 200, "{answer}");
            assert_eq!(answer["meta"]["partial"], false, "{}", answer["meta"]);
            let logs = answer["logs"].as_array().unwrap();
            found.extend(logs.iter().map(|log| log["message"].as_str().unwrap().to_owned()));
            query["cursor"] = answer["meta"]["next_cursor"].clone();
            if query["cursor"] == Value::Null || logs.is_empty() {
                return found;
            }
        }
    }
}
