//! Limits of keys, addresses and projects, on every way in.

use std::io::Write;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Daemon, LISTENERS, wait_for, well_before_the_next_hour};

/// So many lines under a key, each severe or plain as `severe` says.
fn lines(key: &str, count: usize, severe: impl Fn(usize) -> bool) -> String {
    let line = |n| {
        let priority = if severe(n) { 11 } else { 14 };
        format!("<{priority}>1 - h a - - [lt@1 key=\"{key}\"] line {n}\n")
    };
    (0..count).map(line).collect()
}

fn limited(daemon: &Daemon, policy: &str, limits: Value) -> (String, String) {
    let key = json!({"name": policy, "scopes": ["write:logs"], "policy": policy, "limits": limits});
    daemon.create_key(&key)
}

/// How many events were over a limit, and became this.
fn over(daemon: &Daemon, limit: &str, action: &str) -> u64 {
    daemon
        .metrics()
        .get(&format!("logtrace_limited_total{{action=\"{action}\",limit=\"limit:{limit}\"}}"))
}

#[test]
fn rl_09_a_queue_that_is_full_says_so_and_the_next_policy_applies() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    // Twenty at once, and two seconds of what would come in: forty more.
    let limits = json!({"events_per_second": 20, "queue": "2s"});
    let (id, key) = limited(&daemon, "queue", limits);
    let began = Instant::now();
    daemon.send("keyed", lines(&key, 1000, |_| false).as_bytes());
    daemon.settle("keyed", 1000);
    let (queued, dropped) =
        (over(&daemon, "key:events", "queue"), over(&daemon, "key:queue", "drop"));
    let ledger = daemon.metrics().ledger("keyed");
    // And what the rate gives back meanwhile.
    let more = 20 * (began.elapsed().as_secs() + 1);
    assert!((40..=40 + more).contains(&queued), "{queued}");
    assert_eq!((ledger.blocked, ledger.stored), (dropped, 1000 - dropped));
    assert!((60..=60 + more).contains(&ledger.stored), "{ledger:?}");
    assert_eq!(daemon.query("tags:queued").len() as u64, queued);
    let entry = daemon.find_in("blocked", "rule:\"limit:key:queue\"");
    assert_eq!(entry["reason"], "RATE_LIMIT_EXCEEDED");
    let series = format!("logtrace_key_stored_total{{key=\"{id}\"}}");
    assert_eq!(daemon.metrics().get(&series), ledger.stored);
}

#[test]
fn sampled_events_say_of_how_many_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, key) = limited(&daemon, "sample", json!({"events_per_second": 1, "sample_one_in": 20}));
    daemon.send("keyed", lines(&key, 2000, |_| false).as_bytes());
    daemon.settle("keyed", 2000);
    let (sampled, dropped) =
        (over(&daemon, "key:events", "sample"), over(&daemon, "key:events", "drop"));
    let ledger = daemon.metrics().ledger("keyed");
    assert_eq!((ledger.blocked, ledger.stored), (dropped, 2000 - dropped));
    assert_eq!(sampled, (sampled + dropped).div_ceil(20));
    let found = daemon.query("tags:sampled and event.sample_rate:20");
    assert_eq!(found.len() as u64, sampled);
}

#[test]
fn errors_are_the_last_to_be_shed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let limits = json!({"events_per_second": 1, "burst": "100s", "severe_reserve": 50});
    let (_, key) = limited(&daemon, "drop", limits);
    daemon.send("keyed", lines(&key, 1000, |n| n % 20 == 19).as_bytes());
    daemon.settle("keyed", 1000);
    assert_eq!(daemon.query("level:ERROR").len(), 50, "every one of them");
    assert!(daemon.metrics().ledger("keyed").blocked > 500);
}

#[test]
fn a_limit_in_shadow_mode_lets_all_pass_and_says_what_it_would_have_done() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, key) =
        limited(&daemon, "drop", json!({"events_per_second": 1, "burst": "100s", "shadow": true}));
    daemon.send("keyed", lines(&key, 1000, |_| false).as_bytes());
    daemon.settle("keyed", 1000);
    let ledger = daemon.metrics().ledger("keyed");
    assert_eq!((ledger.stored, ledger.blocked), (1000, 0));
    let would = over(&daemon, "key:events", "would");
    assert!((500..=900).contains(&would), "{would}");
    let entry = daemon.find_in("blocked", "dry_run:true and rule:\"limit:key:events\"");
    assert_eq!(entry["reason"], "RATE_LIMIT_EXCEEDED");
}

#[test]
fn projects_and_addresses_have_limits_whatever_the_key_and_the_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[gate.limits.projects.shop]\nevents_per_second = 1\nburst = \"100s\"\n\
                  [gate.limits.address]\nevents_per_second = 1\nburst = \"300s\"\n";
    let daemon = Daemon::start(folder.path(), config);
    let key = |name: &str| {
        daemon.create_key(&json!({"name": name, "project": "shop", "scopes": ["write:logs"]})).1
    };
    for key in [key("one"), key("two")] {
        daemon.send("keyed", lines(&key, 150, |_| false).as_bytes());
    }
    daemon.settle("keyed", 300);
    assert!(over(&daemon, "project:events", "drop") > 50);
    daemon.send("tcp", "<14>1 - h a - - - x\n".repeat(1000).as_bytes());
    daemon.settle("tcp", 1000);
    assert!(over(&daemon, "address:events", "drop") > 500);
    // Datagrams have a bucket of their own: anyone can write their address.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..10 {
        socket.send_to(b"<14>1 - h a - - - x", daemon.address("udp")).unwrap();
    }
    daemon.settle("udp", 10);
    assert_eq!(daemon.metrics().ledger("udp").stored, 10);
}

#[test]
fn rl_08_paced_senders_lose_nothing_and_their_end_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, key) = limited(&daemon, "pace", json!({"events_per_second": 200}));
    let log = |n: usize| json!({"message": format!("paced {n}")});
    let mut stream = daemon.connect("keyed");
    for _ in 0..3 {
        stream.write_all(lines(&key, 200, |_| false).as_bytes()).unwrap();
    }
    let logs: Vec<_> = (0..200).map(log).collect();
    let (status, answer) =
        daemon.call("POST", "/v1/logs/ingest", Some(&key), Some(&json!({"logs": logs})));
    assert_eq!((status, &answer["accepted"]), (202, &json!(200)), "{answer}");
    stream.write_all(b"<14>1 - h a - - - no key of its own\n").unwrap();
    drop(stream);
    daemon.settle("keyed", 601);
    daemon.settle("http", 200);
    assert_eq!(daemon.metrics().ledger("keyed").stored, 600);
    assert!(over(&daemon, "key:events", "pace") > 0);
    wait_for("the end of the paced one", || {
        let open = daemon.metrics().get("logtrace_connections{listener=\"keyed\"}");
        (open == 0).then_some(())
    });
}

#[test]
fn rl_07_series_of_keys_are_bounded_and_the_rest_is_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "metrics.max_keys = 3\n");
    for n in 0..10 {
        let (_, key) =
            daemon.create_key(&json!({"name": format!("k{n}"), "scopes": ["write:logs"]}));
        daemon.send("keyed", lines(&key, 5, |_| false).as_bytes());
        daemon.settle("keyed", 5 * (n + 1));
    }
    assert_eq!(daemon.metrics().get("logtrace_key_stored_total{key=\"other\"}"), 7 * 5);
}

/// Calls the API and returns status, the head of the answer as `name: value`, and the body.
fn answer(daemon: &Daemon, path: &str, key: &str, body: &Value) -> (u16, Vec<String>) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(format!("http://{}{path}", daemon.address("api")));
    let request = request.header("Authorization", format!("Bearer {key}"));
    let answer = request.send_json(body).unwrap();
    let head = answer.headers().iter();
    let head = head.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    (answer.status().as_u16(), head.collect())
}

/// The number in a header.
#[track_caller]
fn header(head: &[String], name: &str) -> u64 {
    let found = head.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    found.unwrap_or_else(|| panic!("no {name} in {head:?}")).parse().unwrap()
}

const REQUESTS: &str = "[gate.requests]\nstandard = { ingest = 5, query = 3 }\n\
                        enterprise = { ingest = 2, query = 100 }\nqueued = 4\n";

/// Makes calls until one is refused; how many were not.
fn spend(daemon: &Daemon, path: &str, key: &str, body: &Value) -> usize {
    (0..50).take_while(|_| answer(daemon, path, key, body).0 < 400).count()
}

#[test]
fn requests_an_hour_are_counted_by_tier_and_told_in_headers() {
    well_before_the_next_hour();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), REQUESTS);
    let key = |tier: &str| {
        let scopes = ["write:logs", "read:logs"];
        daemon.create_key(&json!({"name": tier, "scopes": scopes, "tier": tier})).1
    };
    let (standard, enterprise) = (key("standard"), key("enterprise"));
    let logs = json!({"logs": [{"message": "one"}]});
    let (status, head) = answer(&daemon, "/v1/logs/ingest", &standard, &logs);
    let told = ["ratelimit-limit", "ratelimit-remaining"].map(|name| header(&head, name));
    assert_eq!((status, told), (202, [5, 4]));
    assert!((1..=3600).contains(&header(&head, "ratelimit-reset")));
    assert_eq!(spend(&daemon, "/v1/logs/ingest", &standard, &logs), 4);
    let (status, head) = answer(&daemon, "/v1/logs/ingest", &standard, &logs);
    assert_eq!((status, header(&head, "ratelimit-remaining")), (429, 0));
    assert!(header(&head, "retry-after").abs_diff(header(&head, "ratelimit-reset")) <= 1);
    let query = json!({"filter": "*"});
    assert_eq!(spend(&daemon, "/v1/logs/query", &standard, &query), 3);
    let (status, head) = answer(&daemon, "/v1/logs/query", &standard, &query);
    assert_eq!((status, header(&head, "ratelimit-limit")), (429, 3));
    // What an enterprise key sends over it is queued, up to a bound.
    assert_eq!(spend(&daemon, "/v1/logs/ingest", &enterprise, &logs), 2 + 4);
    assert_eq!(daemon.query("tags:queued").len(), 4);
    daemon.find_in("blocked", "rule:\"limit:key:ingest_requests\" and count >= 1");
    assert_eq!(over(&daemon, "key:ingest_requests", "queue"), 4);
    assert_eq!(over(&daemon, "key:query_requests", "drop"), 2);
}

/// A key that comes with the logs is one as any other: the call counts for it, once.
#[test]
fn requests_count_for_keys_that_only_the_logs_name() {
    well_before_the_next_hour();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), REQUESTS);
    let key = |name: &str, tier: &str| {
        let new = json!({"name": name, "scopes": ["write:logs"], "tier": tier});
        daemon.create_key(&new).1
    };
    let (head, within) = (key("head", "standard"), key("within", "standard"));
    let enterprise = key("enterprise", "enterprise");
    let logs = |keys: &[&str]| -> Value {
        let log = |key: &&str| match *key {
            "" => json!({"message": "plain"}),
            key => json!({"message": "named", "api_key": key}),
        };
        json!({"logs": keys.iter().map(log).collect::<Vec<_>>()})
    };
    let post =
        |key: Option<&str>, body: &Value| daemon.call("POST", "/v1/logs/ingest", key, Some(body));
    for n in 0..5 {
        let (status, answer) = post(None, &logs(&[&within, &within, ""]));
        assert_eq!((status, &answer["accepted"]), (202, &json!(3)), "{n}");
    }
    // Its logs are refused now, those of others are not.
    let (status, answer) = post(None, &logs(&["", &within, &within]));
    assert_eq!(
        (status, &answer["accepted"], &answer["rejected"][1]["index"]),
        (202, &json!(1), &json!(2))
    );
    let (status, _) = post(None, &logs(&[&within]));
    assert_eq!(status, 429);
    // Named twice, in the head and in a log, it counts once; and a call may count for two.
    for _ in 0..5 {
        assert_eq!(post(Some(&head), &logs(&[&head, ""])).0, 202);
    }
    assert_eq!(post(Some(&head), &logs(&[""])).0, 429);
    // What is over the limit of an enterprise key is queued.
    for _ in 0..6 {
        assert_eq!(post(None, &logs(&[&enterprise])).0, 202);
    }
    assert_eq!(post(None, &logs(&[&enterprise])).0, 429);
    assert_eq!(daemon.query("tags:queued").len(), 4);
    daemon.settle("http", 5 * 3 + 3 + 1 + 10 + 1 + 6 + 1);
    // What was acknowledged was counted in the same batch.
    daemon.kill();
    let daemon = Daemon::start(folder.path(), REQUESTS);
    for key in [&within, &enterprise] {
        assert_eq!(daemon.call("POST", "/v1/logs/ingest", None, Some(&logs(&[key]))).0, 429);
    }
}

#[test]
fn rl_04_neither_a_crash_nor_a_restart_forgives_the_hour() {
    well_before_the_next_hour();
    let folder = tempfile::tempdir().unwrap();
    let config = "[gate.requests]\nstandard = { ingest = 30, query = 300 }\n";
    let daemon = Daemon::start(folder.path(), config);
    let scopes = json!({"name": "k", "scopes": ["write:logs", "read:logs"]});
    let (_, key) = daemon.create_key(&scopes);
    let logs = json!({"logs": [{"message": "one"}]});
    let query = json!({"filter": "*", "limit": 1});
    let left = |daemon: &Daemon, path: &str, body: &Value| {
        header(&answer(daemon, path, &key, body).1, "ratelimit-remaining")
    };
    for n in 1..=7 {
        assert_eq!(left(&daemon, "/v1/logs/ingest", &logs), 30 - n);
        assert_eq!(left(&daemon, "/v1/logs/query", &query), 300 - n);
    }
    // What was acknowledged was counted in the same batch; what reads was reserved before.
    daemon.kill();
    let daemon = Daemon::start(folder.path(), config);
    assert_eq!(left(&daemon, "/v1/logs/ingest", &logs), 30 - 8);
    let after = left(&daemon, "/v1/logs/query", &query);
    assert!((300 - 8 - 4..=300 - 8).contains(&after), "{after}");
    // A stop in peace knows both exactly.
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), config);
    assert_eq!(left(&daemon, "/v1/logs/ingest", &logs), 30 - 9);
    assert_eq!(left(&daemon, "/v1/logs/query", &query), after - 1);
}

#[test]
fn rl_04_nor_does_a_reload() {
    well_before_the_next_hour();
    let folder = tempfile::tempdir().unwrap();
    let requests = |ingest: u64, more: &str| {
        format!("{more}[gate.requests]\nstandard = {{ ingest = {ingest}, query = 300 }}\n")
    };
    let mut daemon = Daemon::start(folder.path(), &requests(30, ""));
    let scopes = json!({"name": "k", "scopes": ["write:logs", "read:logs"]});
    let (_, key) = daemon.create_key(&scopes);
    let logs = json!({"logs": [{"message": "one"}]});
    let left = |daemon: &Daemon| {
        header(&answer(daemon, "/v1/logs/ingest", &key, &logs).1, "ratelimit-remaining")
    };
    for n in 1..=7 {
        assert_eq!(left(&daemon), 30 - n);
    }
    // Of something else, and of the quota itself: what was spent stays spent.
    let steps = [(30, "log.level = \"debug\"\n"), (40, ""), (10, ""), (30, "")];
    for (spent, (quota, more)) in (8..).zip(steps) {
        Daemon::configure(folder.path(), &requests(quota, more), LISTENERS);
        assert_eq!(daemon.reload().0, 200);
        assert_eq!(left(&daemon), quota - spent.min(quota), "{quota}");
        daemon.signal(rustix::process::Signal::HUP);
    }
    // And in a crash right behind a reload.
    daemon.kill();
    let daemon = Daemon::start(folder.path(), &requests(30, ""));
    assert_eq!(left(&daemon), 30 - 12);
}

/// How long so many calls of another key take, each: the slowest but the slowest tenth, which a machine
/// has that does much else.
fn p90(daemon: &Daemon, key: &str, calls: usize) -> Duration {
    let logs = json!({"logs": [{"message": "quiet"}]});
    let mut took: Vec<_> = (0..calls)
        .map(|_| {
            let began = Instant::now();
            let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(key), Some(&logs));
            assert_eq!(status, 202);
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[calls - 1 - calls / 10]
}

#[test]
fn rl_01_a_key_that_floods_slows_no_other() {
    const CALLS: usize = 100;
    const RATE: usize = 1000;
    for policy in ["drop", "sample", "queue", "pace"] {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(folder.path(), "");
        let limits = json!({"events_per_second": RATE, "queue": "1s"});
        let (loud_id, loud) = limited(&daemon, policy, limits);
        let quiet = json!({"name": "quiet", "scopes": ["write:logs"]});
        let (quiet_id, quiet) = daemon.create_key(&quiet);
        let alone = p90(&daemon, &quiet, CALLS);
        let mut measured = 2;
        // Ten times its limit, a tenth of a second's worth at a time, over a listener that both use.
        let (done, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        let flooded = std::thread::scope(|scope| {
            let (daemon, done, sent, loud) = (&daemon, &done, &sent, &loud);
            scope.spawn(move || {
                let (mut stream, text) = (daemon.connect("keyed"), lines(loud, RATE, |_| false));
                // A sender that is read more slowly must not hold up the test.
                stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
                while !done.load(Ordering::Relaxed) && stream.write_all(text.as_bytes()).is_ok() {
                    sent.fetch_add(RATE as u64, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
            let mut stream = daemon.connect("keyed");
            stream.write_all(lines(&quiet, 500, |_| false).as_bytes()).unwrap();
            // One that waits for another's pause, or its lock, would wait a thousand times as long. A
            // machine that has much else to do may hold up anyone, but not each time.
            let is_slow = |flooded| flooded >= 25 * alone.max(Duration::from_millis(4));
            let mut flooded = p90(daemon, &quiet, CALLS);
            for _ in 0..10 {
                if !is_slow(flooded) {
                    break;
                }
                flooded = p90(daemon, &quiet, CALLS);
                measured += 1;
            }
            done.store(true, Ordering::Relaxed);
            flooded
        });
        assert!(
            flooded < 25 * alone.max(Duration::from_millis(4)),
            "{policy}: {flooded:?}, alone {alone:?}"
        );
        let key = |id: &str, what: &str| {
            daemon.metrics().get(&format!("logtrace_key_{what}_total{{key=\"{id}\"}}"))
        };
        daemon.settle("http", measured * CALLS as u64);
        wait_for("all of the quiet one", || {
            (key(&quiet_id, "stored") == measured * CALLS as u64 + 500).then_some(())
        });
        if policy == "pace" {
            continue; // what was read of it in the end is its own affair
        }
        let sent = sent.into_inner();
        daemon.settle("keyed", 500 + sent);
        let shed = over(&daemon, "key:events", "drop") + over(&daemon, "key:queue", "drop");
        assert_eq!((key(&loud_id, "received"), key(&loud_id, "stored")), (sent, sent - shed));
    }
}
