//! Queries that take long: such as nobody waits for, and many of them at once.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Daemon, wait_for};

/// How long the query is to take on this machine.
const LONG: Duration = Duration::from_secs(3);

/// Conditions of the filter: as many as fit in the head of a call.
const CONDITIONS: usize = 2_500;

/// Events that are sent at a time: they are staged in batches of their own.
const BATCH: usize = 500;

/// Nothing is sealed, so that blocks are as small as what came at a time, also where that has to be much
/// before a query takes long; and a query ends by itself, or when nobody waits.
const PATIENT: &str =
    "api.query_timeout = \"10min\"\n[store]\nseal_after = \"1h\"\nseal_bytes = \"256 MiB\"\n";

/// Conditions that no event meets, and that no index knows.
fn heavy() -> String {
    let mut filter = "message:(".to_owned();
    for n in 0..CONDITIONS {
        let or = if n == 0 { "" } else { " or " };
        write!(filter, "{or}*q{n}*x*").unwrap();
    }
    filter + ")"
}

/// One of them is marked. Each has a text of its own, of letters that the conditions ask for: what is
/// equal, or has none of them, is soon looked through.
fn batch(first: usize) -> String {
    let line = |n: usize| {
        let mark = if n == first { "marked" } else { "quiet" };
        let hash = blake3::hash(&n.to_le_bytes());
        let word = |n: &[u8]| format!("qz{}qx{}qy{}x{}", n[0], n[1], n[2], n[3]);
        let words: Vec<_> = hash.as_bytes().chunks(4).map(word).collect();
        format!("<14>1 - h heavy - - - {mark} request {n} {}\n", words.join(" "))
    };
    (first..first + BATCH).map(line).collect()
}

/// Seconds that queries ran so far.
fn seconds(daemon: &Daemon) -> f64 {
    daemon.metrics().number("logtrace_query_seconds_total")
}

fn running(daemon: &Daemon) -> u64 {
    daemon.metrics().get("logtrace_queries_running")
}

/// A daemon with as many events as make the heavy filter take long, and how many they are, and how
/// many seconds it takes.
fn calibrated(folder: &Path) -> (Daemon, usize, f64) {
    let daemon = Daemon::start(folder, PATIENT);
    let query = json!({"filter": heavy(), "from": "-1h", "limit": 1});
    let mut events = 0;
    loop {
        for _ in 0..(events / BATCH).max(4) {
            daemon.send("tcp", batch(events).as_bytes());
            events += BATCH;
            daemon.settle("tcp", events as u64);
        }
        let before = seconds(&daemon);
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!((status, &answer["meta"]["count"]), (200, &json!(0)), "{answer}");
        let took = seconds(&daemon) - before;
        if took > LONG.as_secs_f64() {
            return (daemon, events, took);
        }
    }
}

/// A call of which nobody reads the answer.
fn begun(daemon: &Daemon, head: &str, body: &str) -> TcpStream {
    let address = daemon.address("api");
    let mut stream = TcpStream::connect(address).unwrap();
    let len = body.len();
    let call = format!(
        "{head} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\
         last-event-id: 0000000000000000\r\n\r\n{body}"
    );
    stream.write_all(call.as_bytes()).unwrap();
    stream
}

/// Seconds that are spent on a call whose client goes away once it is worked on.
fn spent(daemon: &Daemon, head: &str, body: &str) -> f64 {
    let before = seconds(daemon);
    let stream = begun(daemon, head, body);
    wait_for("the work to begin", || (running(daemon) == 1).then_some(()));
    drop(stream);
    wait_for("the work to end", || (running(daemon) == 0).then_some(()));
    seconds(daemon) - before
}

/// How often a client goes away before its work counts as one that goes on.
const TRIES: usize = 5;

#[test]
fn qy_07_work_ends_when_its_client_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, _, took) = calibrated(folder.path());
    let filter = heavy();
    let in_a_path = filter.replace(' ', "+");
    let body = json!({"filter": filter, "from": "-1h"}).to_string();
    let dry_run = json!({"filter": filter, "from": "-1h", "dry_run": true}).to_string();
    let calls = [
        ("POST /v1/logs/query".to_owned(), &*body),
        ("POST /v1/logs/stats".to_owned(), &*body),
        ("POST /v1/logs/patterns".to_owned(), &*body),
        (format!("GET /v1/logs/export?filter={in_a_path}"), ""),
        (format!("GET /v1/logs/tail?filter={in_a_path}"), ""),
        ("POST /v1/logs/delete".to_owned(), &*dry_run),
    ];
    for (head, body) in calls {
        let name = head.split('?').next().unwrap_or_default();
        // To its end it would take what the first one took, each time; a machine that stood still for
        // a moment does not do so each time.
        let least = (0..TRIES).map(|_| spent(&daemon, &head, body)).find(|s| *s < took / 2.0);
        assert!(least.is_some(), "{name}: more than half of {took} s, {TRIES} times");
    }
    assert_eq!(daemon.metrics().get("logtrace_queries_refused_total"), 0);
    assert!(daemon.stop().success());
}

#[test]
fn qy_06_many_heavy_queries_harm_no_sender() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, events, took) = calibrated(folder.path());
    daemon.kill(); // batches stay as they are
    let half = Duration::from_secs_f64(took / 2.0).as_millis();
    let config = format!(
        "api.max_concurrent_queries = 2\napi.query_timeout = \"{half}ms\"\n\
         [store]\nseal_after = \"1h\"\n"
    );
    let daemon = Daemon::start(folder.path(), &config);
    // What time was enough for is found, and it is said that there may be more.
    let filter = heavy().replace(')', " or *ma*ked*)");
    let query = json!({"filter": filter, "from": "-1h", "limit": 10_000, "fields": ["message"]});
    let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
    let found = answer["logs"].as_array().unwrap().len();
    assert_eq!((status, &answer["meta"]["partial"]), (200, &json!(true)));
    let marked = events / BATCH;
    assert!((1..marked).contains(&found), "{found} of {marked}: {}", answer["meta"]);
    assert!(answer["meta"]["partial_reasons"][0].as_str().unwrap().contains("in time"));

    let refused = || daemon.metrics().get("logtrace_queries_refused_total");
    let before = refused();
    let (mut sent, mut rounds) = (0, 0);
    let answers: Vec<(u16, Value)> = thread::scope(|scope| {
        let ask = || daemon.call("POST", "/v1/logs/query", None, Some(&query));
        let asking: Vec<_> = (0..QUERIES).map(|_| scope.spawn(ask)).collect();
        wait_for("the first of them", || (running(&daemon) == 2).then_some(()));
        // Each batch is stored while they run.
        while asking.iter().any(|asking| !asking.is_finished()) {
            daemon.send("tcp", batch(events + sent).as_bytes());
            sent += BATCH;
            daemon.settle("tcp", sent as u64);
            rounds += u32::from(running(&daemon) > 0);
        }
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert!(rounds >= 3, "only {rounds} batches were stored while queries ran");
    let served = answers.iter().filter(|(status, _)| *status == 200);
    assert!(served.clone().count() >= 2);
    assert!(served.into_iter().all(|(_, answer)| answer["meta"]["partial"] == true));
    let busy = answers.iter().filter(|(status, answer)| *status == 503 && answer["code"] == "busy");
    let busy = busy.count() as u64;
    // Two ran and eight waited, at the most, when the last of them came.
    assert!(busy >= 50, "{busy}");
    assert_eq!(refused() - before, busy);
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 503)));
    let ledger = daemon.metrics().ledger("tcp");
    assert_eq!((ledger.stored, ledger.failed), (sent as u64, 0));
    assert!(daemon.stop().success());
}

/// Queries at once.
const QUERIES: usize = 100;

/// The most memory that the daemon has had so far, in MiB (proc(5), `VmHWM`).
fn peak(daemon: &Daemon) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

/// Takes some minutes; `LOGTRACE_MESSAGES` is another number of values.
#[test]
#[ignore = "slow: make slow-tests"]
fn qy_05_slow_ten_million_values_are_counted_in_bounded_memory() {
    let values = std::env::var("LOGTRACE_MESSAGES").ok().and_then(|n| n.parse().ok());
    let values: u64 = values.unwrap_or(VALUES).min(VALUES);
    let folder = tempfile::tempdir().unwrap();
    // Merges take memory of their own meanwhile.
    let config = "api.query_timeout = \"10min\"\nstore.merge_rate = 0\n";
    let daemon = Daemon::start(folder.path(), config);
    let mut stream = daemon.connect("tcp");
    for chunk in 0..values.div_ceil(1000) {
        let line = |n| format!("<14>1 - h a - - [x@1 id=\"id {n}\"] one of many\n");
        let lines: String = (chunk * 1000..values.min((chunk + 1) * 1000)).map(line).collect();
        stream.write_all(lines.as_bytes()).unwrap();
    }
    let mut stored = 0;
    while stored < values {
        stored = wait_for("more of them to be stored", || {
            let now = daemon.metrics().ledger("tcp").stored;
            (now > stored).then_some(now)
        });
    }
    let before = peak(&daemon);
    let field = "log.syslog.structured_data.x@1.id";
    let asked = |path: &str, mut body: Value| {
        (body["from"], body["filter"]) = (json!("-1d"), json!("service:a"));
        let answer = daemon.call("POST", &format!("/v1/logs/{path}"), None, Some(&body));
        println!("{path}: {} MiB, {}", peak(&daemon), answer.1["meta"]);
        answer
    };
    let aggregates = json!([format!("distinct({field})"), "count"]);
    let (status, all) = asked("stats", json!({"aggregates": aggregates}));
    assert_eq!((status, &all["groups"][0]["count"]), (200, &json!(values)));
    let distinct = all["groups"][0][format!("distinct({field})")].as_f64().unwrap();
    assert!((distinct / values as f64 - 1.0).abs() < 0.1, "{distinct} of {values}");
    // More groups than there is room for: the answer says so, and counts the others together.
    let (status, groups) = asked("stats", json!({"by": [field]}));
    assert_eq!((status, &groups["meta"]["partial"]), (200, &json!(true)));
    let shown = groups["groups"].as_array().unwrap();
    assert!(shown.len() <= 10_000, "{}", shown.len());
    let count = |group: &Value| group["count"].as_u64().unwrap();
    assert_eq!(shown.iter().map(count).sum::<u64>() + count(&groups["other"]), values);
    let (status, facets) = asked("facets", json!({"field": field}));
    let facet = &facets["facets"][0];
    let shown = facet["values"].as_array().unwrap();
    let others = facet["other"].as_u64().unwrap() + facet["missing"].as_u64().unwrap();
    assert_eq!((status, shown.iter().map(count).sum::<u64>() + others), (200, values));
    let (status, over_time) = asked("histogram", json!({"interval": "1h", "by": field}));
    assert_eq!((status, &over_time["meta"]["count"]), (200, &json!(values)));
    let year = json!({"interval": "1ms", "from": "-365d", "to": "now"});
    let (status, problem) = daemon.call("POST", "/v1/logs/histogram", None, Some(&year));
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_parameter")), "{problem}");
    // The memory for answers, and what is read for them and kept: columns alone 64 MiB.
    let grown = peak(&daemon) - before;
    assert!(grown < 200, "{grown} MiB for queries");
}

/// Values of a field, each in one event.
const VALUES: u64 = 10_000_000;
