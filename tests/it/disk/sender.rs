//! A client that writes down what was acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Daemon, wait_for};

/// Sends calls of logs, one after the other, until it is told to end.
pub(super) struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// Calls that were answered with 503.
    refused: AtomicU64,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Sender {
    /// Begins; `name` tells its logs from those of others.
    pub(super) fn start(daemon: &Daemon, name: &'static str) -> Self {
        let shared = Arc::<Shared>::default();
        let url = format!("http://{}/v1/logs/ingest", daemon.address("api"));
        let own = Arc::clone(&shared);
        let thread = Some(thread::spawn(move || own.send(&url, name)));
        Self { shared, thread }
    }

    /// How many logs were acknowledged so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.lock().len()
    }

    /// Calls that were refused for the time being.
    pub(super) fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Waits until more was acknowledged.
    #[track_caller]
    pub(super) fn more(&self) {
        let before = self.acknowledged();
        wait_for("more acknowledged", || (self.acknowledged() > before + LOGS).then_some(()));
    }

    /// Waits until two more calls were refused.
    #[track_caller]
    pub(super) fn more_refused(&self) {
        let before = self.refused();
        wait_for("a refused call", || (self.refused() > before + 1).then_some(()));
    }

    /// Ends, and says what was acknowledged.
    pub(super) fn end(mut self) -> BTreeSet<String> {
        self.shared.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut self.shared.acknowledged.lock())
    }
}

impl Shared {
    fn send(&self, url: &str, name: &str) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        for call in 0_u64.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let texts: Vec<String> = (0..LOGS).map(|n| text(name, call, n)).collect();
            let logs: Vec<Value> = texts.iter().map(|text| json!({"message": text})).collect();
            let answer = agent.post(url).send_json(json!({"logs": logs}));
            // A connection is used again once its answer was read.
            match answer.and_then(|mut answer| answer.body_mut().read_to_vec().map(|_| answer)) {
                Ok(answer) if answer.status() == 202 => {
                    self.acknowledged.lock().extend(texts);
                }
                Ok(answer) => {
                    assert_eq!(answer.status(), 503);
                    let after = answer.headers().get("retry-after").unwrap().to_str().unwrap();
                    assert!(after.parse::<u64>().unwrap() > 0, "{after}");
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => return, // the daemon ended
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A text of its own that does not become much smaller by compression.
fn text(name: &str, call: u64, n: usize) -> String {
    let name = format!("{name}c{call}n{n}");
    let noise = blake3::hash(name.as_bytes()).to_hex();
    format!("{name} {noise}")
}

/// Fails unless everything in `acknowledged` is stored, and nothing is stored twice.
#[track_caller]
pub(super) fn assert_stored_once(daemon: &Daemon, acknowledged: &BTreeSet<String>) {
    let stored: Vec<_> =
        messages(daemon).into_iter().filter(|text| !text.starts_with(WIRE)).collect();
    let once: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(once.len(), stored.len(), "an event is stored twice");
    let lost: Vec<_> = acknowledged.iter().filter(|text| !once.contains(text)).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?} of {}", acknowledged.len());
}

/// The messages of everything that is stored, page by page.
#[track_caller]
pub(super) fn messages(daemon: &Daemon) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let mut query =
            json!({"from": "-30d", "to": "now+1d", "limit": 10_000, "fields": ["message"]});
        if !cursor.is_null() {
            query["cursor"] = cursor;
        }
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        let logs = answer["logs"].as_array().unwrap();
        found.extend(logs.iter().map(|log| log["message"].as_str().unwrap().to_owned()));
        cursor = answer["meta"]["next_cursor"].clone();
        if cursor.is_null() || logs.is_empty() {
            return found;
        }
    }
}

/// A message that tests write over other ways in, more than once.
pub(super) const WIRE: &str = "over the wire";

/// Logs in a call.
const LOGS: usize = 50;
