//! Much that is there: memory stays bounded, and a start is quick.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Daemon, wait_for};

/// Messages that are stored before the start.
const MESSAGES: u64 = 100_000;

/// The same in the slow test, which takes some ten minutes and 8 GiB of disk. `LOGTRACE_MESSAGES`
/// is another number.
const MANY_MESSAGES: u64 = 200_000_000;

/// Resident memory of the daemon out of the box, in MiB.
const CEILING: u64 = 256;

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
