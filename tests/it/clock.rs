//! Clocks that are wrong: the daemon's own, and those of senders.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logtrace::db::{self, Db};
use logtrace::ingest::now;
use logtrace::store::{self, Store};
use logtrace::time::DAY;
use serde_json::{Value, json};

use crate::acknowledged::Acknowledged;
use crate::support::{Beats, Daemon, LISTENERS, preload, wait_for, well_before_the_next_hour};

const CONFIG: &str = "[store]\nseal_after = \"100ms\"\nretention.default = \"1d\"\n";

/// A clock that is ahead by the seconds that a file says.
pub(crate) struct Clock {
    library: PathBuf,
    ahead: PathBuf,
}

impl Clock {
    pub(crate) fn new(folder: &Path) -> Self {
        let ahead = folder.join("ahead");
        let library = preload::library(folder, "clock", preload::CLOCK);
        Self { library, ahead }
    }

    fn start(&self, folder: &Path, ahead_days: i64) -> Daemon {
        self.start_with(folder, CONFIG, ahead_days)
    }

    /// Starts a daemon that sees it, ahead by so many days.
    pub(crate) fn start_with(&self, folder: &Path, config: &str, ahead_days: i64) -> Daemon {
        self.set(ahead_days);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (library, ahead) = (text(&self.library), text(&self.ahead));
        let variables = [("LD_PRELOAD", &*library), ("CLOCK_AHEAD", &*ahead)];
        Daemon::try_start(folder, config, LISTENERS, &variables).unwrap()
    }

    /// Lets it jump, also under a daemon that runs.
    fn set(&self, ahead_days: i64) {
        let seconds = (ahead_days * 86_400).to_le_bytes();
        // In place: the daemon has this file in its memory, and cut short it would be gone from there.
        let mut file = File::options();
        let file = file.write(true).create(true).truncate(false).open(&self.ahead).unwrap();
        file.write_all_at(&seconds, 0).unwrap();
    }
}

/// Waits until a daemon has had a look at what is past its retention: the first it does.
fn retained(daemon: &Daemon, logs: &Acknowledged) {
    let sealed = || {
        let (_, health) = daemon.call("GET", "/v1/health", None, None);
        (health["store"]["staged_events"] == 0).then_some(())
    };
    logs.assert_stored_once(daemon);
    daemon.send("tcp", b"<13>1 - h a - - - one to seal\n");
    wait_for("the sealer", sealed);
}

#[test]
fn st_22_a_clock_that_jumps_deletes_nothing_and_ids_stay_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new(folder.path());
    let logs = Acknowledged::new("fresh", 0);
    // Before the network has told the time; a year ahead, at the start and in between; and back.
    for (starts_at, jumps_to) in [(-12_000, 0), (0, 365), (365, 365), (730, 0), (0, 0)] {
        let daemon = clock.start(folder.path(), starts_at);
        assert!(logs.send(&daemon, 20));
        clock.set(jumps_to);
        assert!(logs.send(&daemon, 20));
        retained(&daemon, &logs);
        assert!(daemon.stop().success());
    }
    let daemon = clock.start(folder.path(), 0);
    logs.assert_stored_once(&daemon);
    let query =
        json!({"filter": "message:fresh", "from": "1970-01-01", "to": "2100-01-01", "limit": 1000});
    let mut found = daemon.query_with(&query);
    let text = |log: &Value, name: &str| log[name].as_str().unwrap().to_owned();
    found.sort_by_key(|log| text(log, "_id"));
    let number = |log: &Value| {
        let message = text(log, "message");
        let (call, log) = message.strip_prefix("fresh c").unwrap().split_once('n').unwrap();
        (call.parse::<u64>().unwrap(), log.parse::<u64>().unwrap())
    };
    let numbers: Vec<_> = found.iter().map(number).collect();
    assert_eq!(numbers.len(), 200);
    assert!(numbers.is_sorted(), "ids are not in the order of arrival: {numbers:?}");
    found.dedup_by_key(|log| text(log, "_id"));
    assert_eq!(found.len(), 200, "ids are not unique");
}

#[test]
fn st_22_a_clock_that_jumps_and_a_restart_forget_no_block() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new(folder.path());
    let daemon = clock.start(folder.path(), 0);
    let block = |net: &str| {
        let entry = json!({"net": net, "expires_in": "1h"});
        assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&entry)).0, 201);
    };
    let listed = |daemon: &Daemon| {
        let (_, list) = daemon.call("GET", "/v1/blocklist", None, None);
        list["entries"].as_array().unwrap().len()
    };
    block("192.0.2.1");
    clock.set(365);
    block("192.0.2.2");
    assert_eq!(listed(&daemon), 2, "a year ahead");
    // What is done every second has been done.
    daemon.send("tcp", b"<13>1 - h a - - - one\n");
    daemon.find("message:one");
    clock.set(-30);
    block("192.0.2.3");
    assert_eq!(listed(&daemon), 3, "a month back");
    clock.set(0);
    assert_eq!(listed(&daemon), 3);
    assert!(daemon.stop().success());
    let daemon = clock.start(folder.path(), 0);
    assert_eq!(listed(&daemon), 3, "after a restart");
}

#[test]
fn st_23_events_of_other_times_are_kept_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[store]\nseal_after = \"100ms\"\nretention.default = \"36500d\"\n";
    let daemon = Daemon::start(folder.path(), config);
    // As many days as a sender likes, one event of each; and some that no clock shows.
    let days = |days: i64| now().plus(days * DAY).to_string();
    let mut times: Vec<String> = (-350..-150).map(days).collect();
    times.extend([days(0), now().plus(DAY / 2).to_string()]);
    let kept = times.len();
    times.extend(
        ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z"].map(Into::into),
    );
    let log = |(n, time)| json!({"message": format!("event {n}"), "timestamp": time});
    let logs: Vec<_> = times.iter().enumerate().map(log).collect();
    let (status, answer) =
        daemon.call("POST", "/v1/logs/ingest", None, Some(&json!({"logs": logs})));
    assert_eq!(status, 202, "{answer}");
    let mut found = daemon.query("message:event");
    found.sort_by_key(|log| log["_id"].as_str().map(str::to_owned));
    assert_eq!(found.len(), times.len());
    for (number, (log, time)) in found.iter().zip(&times).enumerate() {
        let is_skewed =
            log["tags"].as_array().is_some_and(|tags| tags.contains(&json!("clock_skew")));
        assert_eq!(is_skewed, number >= kept, "{log}");
        if number >= kept {
            assert_eq!(log["@timestamp"], log["received_at"], "{log}");
            let created = log["event.created"].as_str().unwrap();
            assert!(created.starts_with(time.get(..19).unwrap()), "{log}");
        }
    }
    // No segment for each of the days.
    let store = wait_for("the seal", || {
        let (_, health) = daemon.call("GET", "/v1/health", None, None);
        Some(health["store"].clone()).filter(|store| store["staged_events"] == 0)
    });
    assert!(store["segments"].as_u64() < Some(20), "{store}");
}

#[test]
fn rl_03_st_22_a_clock_that_jumps_does_not_forgive_the_hour() {
    well_before_the_next_hour();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new(folder.path());
    let daemon = clock.start(folder.path(), 0);
    let (_, key) = daemon.create_key(&json!({"name": "k", "scopes": ["read:logs"]}));
    let left = |daemon: &Daemon| {
        let url = format!("http://{}/v1/logs/query", daemon.address("api"));
        let call = ureq::post(url).header("Authorization", format!("Bearer {key}"));
        let answer = call.send_json(json!({"filter": "*", "limit": 1})).unwrap();
        let left = answer.headers().get("ratelimit-remaining").unwrap();
        left.to_str().unwrap().parse::<u64>().unwrap()
    };
    let first = left(&daemon);
    for (n, days) in [1, -1, 30, 0].into_iter().enumerate() {
        clock.set(days);
        assert_eq!(left(&daemon), first - 1 - n as u64, "{days} days ahead");
    }
    assert!(daemon.stop().success());
    // It is the same start of the machine: a clock that jumped meanwhile is not believed.
    let daemon = clock.start(folder.path(), 2);
    assert_eq!(left(&daemon), first - 5);
}

/// What the store has of messages that may come again, in a folder that no daemon holds.
fn receipts(folder: &Path) -> usize {
    let db = Db::open(&folder.join("data"), &db::Options::default()).unwrap();
    let store = Store::open(Arc::new(db), store::Config::default()).unwrap();
    store.receipts().unwrap().len()
}

/// A window that nobody heard the answer to is known again for a week, over restarts; then nothing
/// is kept of it, and who sends it again has it stored.
#[test]
fn rp_05_what_comes_again_after_a_week_is_stored_and_nothing_is_kept_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new(folder.path());
    let texts: Vec<_> = (0..20)
        .map(|n| json!({"@timestamp": "2026-06-15T11:59:58.123Z", "message": format!("again {n}")}))
        .map(|text| text.to_string())
        .collect();
    let send = |daemon: &Daemon, came: u64| {
        let mut beats = Beats::connect(daemon.address("beats")).unwrap();
        beats.window(1, &texts).unwrap();
        drop(beats); // before the answer
        daemon.settle("beats", came);
        wait_for("its end", || {
            (daemon.metrics().get("logtrace_connections{listener=\"beats\"}") == 0).then_some(())
        });
    };
    for (day, times) in [(0, 1), (6, 1), (20, 2), (26, 2)] {
        let daemon = clock.start_with(folder.path(), "", day);
        send(&daemon, 20);
        wait_for("the window", || {
            (daemon.query("message:again").len() == 20 * times).then_some(())
        });
        assert!(daemon.stop().success());
        assert_eq!(receipts(folder.path()), 1, "of the last connection, on day {day}");
    }
    // It need not come again to be forgotten.
    let daemon = clock.start_with(folder.path(), "", 40);
    daemon.send("tcp", b"<13>1 - h a - - - a batch\n");
    daemon.find("message:\"a batch\"");
    assert!(daemon.stop().success());
    assert_eq!(receipts(folder.path()), 0);
}
