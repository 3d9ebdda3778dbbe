//! Much at once, and much that is there: memory stays bounded, and a start is quick.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::acknowledged::Acknowledged;
use crate::support::{Daemon, wait_for};

/// Messages that are stored before the start.
const MESSAGES: u64 = 100_000;

/// The same in the slow test, which takes some ten minutes and 8 GiB of disk. `LOGTRACE_MESSAGES`
/// is another number.
const MANY_MESSAGES: u64 = 200_000_000;

/// Connections, and bytes of a message that each begins and does not end.
const CONNECTIONS: usize = 1000;
const BEGUN: usize = 100 * 1024;

/// Resident memory of the daemon out of the box, in MiB.
const CEILING: u64 = 256;

/// As much again for queries: four at once, each with up to 10,000 events to show. There is no one
/// ceiling over connections and queries; what holds each of them is in the configuration.
const QUERIES: u64 = 256;

/// The most memory that the daemon has had so far, in MiB (proc(5), `VmHWM`).
fn peak(daemon: &Daemon) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

/// "Within seconds", on a machine that does much else meanwhile.
const START: Duration = Duration::from_secs(30);

/// A line of the usual length.
fn line(number: u64) -> String {
    let (id, took) = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number % 997);
    format!(
        "<165>1 - web-{:02} api-{} 4711 ID47 - payment {id:016x} of {took}.25 EUR by \
         10.1.{}.{} accepted in {took} ms after {} attempts\n",
        number % 20,
        number % 7,
        number / 251 % 256,
        number % 251,
        number % 4,
    )
}

#[test]
fn st_27_a_start_is_quick_however_much_is_stored() {
    store_and_start(MESSAGES);
}

#[test]
#[ignore = "slow: make slow-tests"]
fn st_27_slow_a_start_is_quick_with_200_million_messages() {
    let messages = std::env::var("LOGTRACE_MESSAGES").ok().and_then(|n| n.parse().ok());
    store_and_start(messages.unwrap_or(MANY_MESSAGES));
}

#[track_caller]
fn store_and_start(messages: u64) {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut stream = daemon.connect("tcp");
    for chunk in 0..messages.div_ceil(1000) {
        let lines = chunk * 1000..messages.min((chunk + 1) * 1000);
        stream.write_all(lines.map(line).collect::<String>().as_bytes()).unwrap();
    }
    // However long it takes to store them: only that it goes on.
    let mut stored = 0;
    while stored < messages {
        stored = wait_for("more of them to be stored", || {
            let now = daemon.metrics().ledger("tcp").stored;
            (now > stored).then_some(now)
        });
    }
    println!("{messages} messages, stored in {} MiB of memory", peak(&daemon));
    assert!(peak(&daemon) < CEILING, "{} MiB while storing", peak(&daemon));
    // Killed, so that what is staged is read again from the log.
    daemon.kill();
    let began = Instant::now();
    let daemon = Daemon::start(folder.path(), "");
    let took = began.elapsed();
    println!("started in {took:?} and {} MiB of memory", peak(&daemon));
    assert!(took < START, "started in {took:?}");
    assert!(peak(&daemon) < CEILING, "{} MiB to start", peak(&daemon));
    let (_, health) = daemon.call("GET", "/v1/health", None, None);
    let store = &health["store"];
    let there =
        store["staged_events"].as_u64().unwrap() + store["segment_events"].as_u64().unwrap();
    assert!(there >= messages, "{store}");
    let found = daemon.query_with(&json!({"from": "-1d", "limit": 10, "filter": "payment"}));
    assert_eq!(found.len(), 10);
}

#[test]
fn st_21_memory_is_bounded_whatever_comes_at_once() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = &Daemon::start(folder.path(), "");
    let begin = format!("<13>1 - h a - - - {}", "x".repeat(BEGUN));
    let mut open: Vec<_> = (0..CONNECTIONS).map(|_| daemon.connect("tcp")).collect();
    for stream in &mut open {
        stream.write_all(begin.as_bytes()).unwrap();
    }
    let (over, logs) = (&AtomicBool::new(false), &Acknowledged::new("fresh", 0));
    thread::scope(|scope| {
        scope.spawn(|| while !over.load(Ordering::Relaxed) && logs.send(daemon, 1000) {});
        for _ in 0..2 {
            scope.spawn(|| {
                let mut stream = daemon.connect("tcp");
                let lines: String = (0..1000).map(line).collect();
                while !over.load(Ordering::Relaxed) && stream.write_all(lines.as_bytes()).is_ok() {}
            });
        }
        for _ in 0..16 {
            scope.spawn(|| {
                let everything =
                    json!({"filter": "payment or not *x*", "from": "-1d", "limit": 10_000});
                while !over.load(Ordering::Relaxed) {
                    let asked = daemon.call("POST", "/v1/logs/query", None, Some(&everything));
                    assert!(matches!(asked.0, 200 | 503), "{asked:?}");
                }
            });
        }
        thread::sleep(PRESSURE);
        over.store(true, Ordering::Relaxed);
    });
    let held = (CONNECTIONS * BEGUN) as u64 / 1024 / 1024;
    println!("{} MiB, {held} of them held by connections", peak(daemon));
    assert!(peak(daemon) < CEILING + QUERIES + 2 * held, "{} MiB", peak(daemon));
    // A sender who comes now is served, and those who began may end.
    for mut stream in open.drain(..) {
        stream.write_all(b" done\n").unwrap();
    }
    let ended =
        json!({"filter": "message:done", "from": "-1h", "limit": 10_000, "fields": ["_id"]});
    wait_for("what was begun", || (daemon.query_with(&ended).len() == CONNECTIONS).then_some(()));
    logs.assert_stored_once(daemon);
    daemon.metrics().ledger("tcp").assert_adds_up();
}

/// How long all of it comes.
const PRESSURE: Duration = Duration::from_secs(3);
