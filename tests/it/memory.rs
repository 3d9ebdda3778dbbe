//! One ceiling of memory, whatever comes at once: who waits, who is refused, and who goes on.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::acknowledged::Acknowledged;
use crate::support::{Beats, Daemon, wait_for};

/// The ceiling, and little of it for what is fixed; segments come often, and so do merges.
pub(crate) const CONFIG: &str = r#"
memory.limit = "320 MiB"
store = { seal_bytes = "4 MiB", seal_after = "200ms", column_cache = "8 MiB" }
api.query_memory = "64 MiB"
"#;

/// The same, in bytes.
pub(crate) const LIMIT: u64 = 320 << 20;

/// Connections, and bytes of a message that each begins and does not end: nearly as long as one may
/// be. Together three times as much as there is for them.
const CONNECTIONS: usize = 1000;
const BEGUN: usize = 250 * 1024;

/// Those who ask meanwhile, each for as much as there may be in an answer.
const QUERIES: usize = 16;

/// Calls and windows that are acknowledged while there is no room.
pub(crate) const SERVED: usize = 20;

/// The most memory that the daemon has had so far, in bytes (proc(5), `VmHWM`).
fn peak(daemon: &Daemon) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[track_caller]
pub(crate) fn assert_below_the_ceiling(daemon: &Daemon) {
    assert_peak(daemon, LIMIT);
}

/// It has never had more memory than this.
#[track_caller]
pub(crate) fn assert_peak(daemon: &Daemon, limit: u64) {
    let mib = peak(daemon) >> 20;
    println!("{mib} of {} MiB", limit >> 20);
    assert!(peak(daemon) <= limit, "{mib} MiB");
}

pub(crate) fn many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// Ends what goes on beside a test, also where it fails.
struct Ended<'o>(&'o AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often something of messages, bodies or queries happened.
pub(crate) fn of(daemon: &Daemon, what: &str, by: &str) -> u64 {
    daemon.metrics().get(&format!("logtrace_memory_{what}_total{{by=\"{by}\"}}"))
}

/// Connects so often, and sends each time these bytes as far as they are taken: the beginning of a
/// message.
pub(crate) fn begin(daemon: &Daemon, listener: &str, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = daemon.connect(listener);
        // Who is told to go in the midst of it is one of them as well.
        let _all_sent = stream.write_all(bytes).is_ok();
        stream
    };
    thread::scope(|scope| {
        let parts: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| (0..count / 10).map(connect).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

/// Sends windows over Beats until it is over, one after the other; counts those that are answered.
fn windows(daemon: &Daemon, over: &AtomicBool, served: &AtomicUsize, texts: &mut Vec<String>) {
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut beats) = Beats::connect(daemon.address("beats")) else { continue };
        let message = format!("window w{number}");
        let text = json!({"message": message}).to_string();
        if beats.window(1, &[text]).is_ok() && beats.acknowledged().is_ok_and(|(n, _)| n == 1) {
            texts.push(message);
            served.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits until a question is answered whole.
#[track_caller]
fn answered_again(daemon: &Daemon) {
    let asked = json!({"filter": "payment", "from": "-1d", "limit": 100});
    wait_for("an answer", || {
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&asked));
        assert!(matches!(status, 200 | 503), "{answer}");
        (status == 200 && answer["meta"]["count"] == 100).then_some(())
    });
}

/// Waits until nothing is reserved by messages, bodies or queries.
#[track_caller]
pub(crate) fn given_back(daemon: &Daemon, by: &str) {
    let reserved = format!("logtrace_memory_reserved_bytes{{by=\"{by}\"}}");
    wait_for("room", || (daemon.metrics().get(&reserved) == 0).then_some(()));
}

#[test]
fn st_21_memory_stays_below_its_ceiling_and_nothing_acknowledged_is_lost() {
    many_descriptors();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let logs = Acknowledged::new("fresh", 0);
    let (over, served, mut heard) = (AtomicBool::new(false), AtomicUsize::new(0), Vec::new());
    let open = thread::scope(|scope| {
        let (daemon, over, logs, served, heard) = (&daemon, &over, &logs, &served, &mut heard);
        let ended = Ended(over);
        for _ in 0..2 {
            scope.spawn(|| {
                let lines = "<13>1 - web api 1 - - payment of 5 EUR accepted\n".repeat(1000);
                while !over.load(Ordering::Relaxed) {
                    let mut stream = daemon.connect("tcp");
                    while !over.load(Ordering::Relaxed)
                        && stream.write_all(lines.as_bytes()).is_ok()
                    {}
                }
            });
        }
        let begun = format!("<13>1 - h a - - - begun {}", "x".repeat(BEGUN));
        let open = begin(daemon, "tcp", CONNECTIONS, begun.as_bytes());
        wait_for("readers to wait", || (of(daemon, "waits", "messages") > 0).then_some(()));
        let before = logs.len();
        scope.spawn(move || windows(daemon, over, served, heard));
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                logs.send(daemon, 100);
            }
        });
        for _ in 0..QUERIES {
            scope.spawn(|| {
                let everything =
                    json!({"filter": "payment or not *y*", "from": "-1d", "limit": 10_000});
                while !over.load(Ordering::Relaxed) {
                    let asked = daemon.call("POST", "/v1/logs/query", None, Some(&everything));
                    assert!(matches!(asked.0, 200 | 503), "{asked:?}");
                }
            });
        }
        wait_for("all of it", || {
            let calls = (logs.len() - before) / 100;
            let is_served = calls >= SERVED && served.load(Ordering::Relaxed) >= SERVED;
            let is_relieved = of(daemon, "closed", "messages") > 0;
            let is_refused = of(daemon, "refused", "queries") > 0;
            (is_served && is_relieved && is_refused).then_some(())
        });
        assert_below_the_ceiling(daemon);
        drop(ended);
        open
    });
    // Those who are left may end, and who comes now is served.
    for mut stream in open {
        let _is_left = stream.write_all(b" done\n").is_ok();
    }
    given_back(&daemon, "messages");
    answered_again(&daemon);
    // Who had to go is in the journal.
    daemon.find_in("failed", "error.code:MEMORY_EXHAUSTED");
    // What it had sent is stored, and says that it is not all.
    wait_for("what was begun", || {
        daemon
            .query_with(
                &json!({"filter": "message:begun AND tags:truncated", "from": "-1d", "limit": 1}),
            )
            .pop()
    });
    daemon.metrics().ledger("tcp").assert_adds_up();
    assert_below_the_ceiling(&daemon);
    daemon.kill();
    let daemon = Daemon::start(folder.path(), CONFIG);
    logs.assert_stored_once(&daemon);
    for window in heard {
        assert_eq!(daemon.query(&format!("message:\"{window}\"")).len(), 1, "{window}");
    }
}

#[test]
fn st_21_bodies_that_are_sent_slowly_leave_room_for_others() {
    many_descriptors();
    let folder = tempfile::tempdir().unwrap();
    let config = format!("{CONFIG}\napi.body_timeout = \"10min\"");
    let daemon = Daemon::start(folder.path(), &config);
    let head = "POST /v1/logs/ingest HTTP/1.1\r\nhost: 127.0.0.1\r\n\
                content-type: application/json\r\ncontent-length: 8388608\r\n\r\n";
    // Together many times as much as there is.
    let begun = [head.as_bytes(), &vec![b' '; 4 << 20]].concat();
    let slow = begin(&daemon, "api", 200, &begun);
    let logs = Acknowledged::new("fresh", 0);
    wait_for("calls to be served", || {
        logs.send(&daemon, 1000);
        (logs.len() >= SERVED * 1000).then_some(())
    });
    assert!(of(&daemon, "closed", "bodies") > 0);
    assert_below_the_ceiling(&daemon);
    drop(slow);
    given_back(&daemon, "bodies");
    logs.assert_stored_once(&daemon);
    daemon.metrics().ledger("http").assert_adds_up();
}

#[test]
fn st_21_exports_and_answers_that_nobody_reads_take_no_more_than_their_share() {
    many_descriptors();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let line = format!("<13>1 - web api 1 - - payment {}\n", "of 5 EUR ".repeat(200));
    daemon.send("tcp", line.repeat(20_000).as_bytes());
    daemon.settle("tcp", 20_000);
    let body = json!({"filter": "payment", "from": "-1d", "limit": 5_000}).to_string();
    let len = body.len();
    let query = format!(
        "POST /v1/logs/query HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         content-length: {len}\r\n\r\n{body}"
    );
    let export = "GET /v1/logs/export?from=-1d HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".to_owned();
    let mut unread = Vec::new();
    let logs = Acknowledged::new("fresh", 0);
    for number in 0..200 {
        let mut stream = daemon.connect("api");
        let call = if number % 2 == 0 { &export } else { &query };
        stream.write_all(call.as_bytes()).unwrap();
        unread.push(stream);
        logs.send(&daemon, 10);
    }
    wait_for("no room for more of them", || (of(&daemon, "refused", "queries") > 0).then_some(()));
    let before = logs.len();
    wait_for("calls to be served", || {
        logs.send(&daemon, 1000);
        (logs.len() >= before + SERVED * 1000).then_some(())
    });
    assert_below_the_ceiling(&daemon);
    drop(unread);
    given_back(&daemon, "queries");
    answered_again(&daemon);
    logs.assert_stored_once(&daemon);
    assert_below_the_ceiling(&daemon);
}
