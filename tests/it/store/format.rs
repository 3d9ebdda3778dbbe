//! UP-01: a store that was written once opens for ever.
//!
//! `tests/fixtures/store-N` holds the data folder of a daemon that was killed, as the first version
//! that wrote format N left it: sealed segments of logs and journals, staged batches in the log of
//! the engine, a key, a list entry; and what was answered then. A new format gets a new folder:
//!
//! ```text
//! rm -r tests/fixtures/store-N    # only where no release has written it
//! cargo nextest run --release --locked --test it --run-ignored only make_the_store
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::disk::health;
use crate::support::{Daemon, wait_for};

/// The format that this version writes. Since 2, large batches are staged with each column compressed.
const FORMAT: u32 = 2;

/// Nothing that was written once is past its retention.
const CONFIG: &str = "[store]\nseal_after = \"100ms\"\nretention.default = \"36500d\"\n";

/// What is staged stays staged.
const STAGED: &str = "[store]\nseal_after = \"1h\"\nretention.default = \"36500d\"\n";

/// What senders sent: each way to say something, parsed and not.
const SYSLOG: &[u8] = b"<165>1 2026-06-15T12:00:00.123456Z web-01 api 4711 ID47 \
[x@32473 a=\"1\" b=\"two \\\"quoted\\\"\"] payment 8f3a of 12.50 EUR accepted in 17 ms\n\
<165>1 2026-06-15T12:00:01Z web-01 api 4711 ID47 - payment 9b01 of 7.25 EUR accepted in 9 ms\n\
<11>1 2026-06-15T12:00:02Z web-02 api 815 ID48 - connection to 192.0.2.17:5432 refused\n\
<86>Jun 15 12:00:03 gate sshd[77]: Accepted publickey for root from 2001:db8::7 port 50022\n\
<999>not what it seems \xff\xfe\n\
just a line, \xd0\xb3\xd1\x80\xd1\x83\xd0\xb7\xd0\xb8\xd1\x82\xd1\x8c\n";

const JSON: &[u8] = br#"{"message":"flat","level":"warn","service":"cron","retries":3,"paid":false}
{"message":"nested","user":{"id":18446744073709551615,"name":"x","tags":[1,"two",{"n":3}]},"none":null}
{"@timestamp":"1970-01-01T00:00:00Z","message":"long ago","ratio":0.1e-3,"tags":["own"]}
{broken
"#;

/// As much as is staged in the form that blocks have: lines of a few kinds, and one in fifty that is like
/// no other.
fn large() -> Value {
    let line = |n: usize| {
        let id = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let text = if n % 50 == 7 {
            let letter = |at: u64| char::from(b'a' + (id >> (at * 4) & 15) as u8);
            (0..16).map(|at| format!("{}{} ", letter(at), letter(at + 5))).collect()
        } else {
            let path = ["items", "orders", "people"][n % 3];
            format!(
                "GET /v1/{path}/{id:016x} of worker {} in {} ms: {}",
                n % 7,
                id % 97,
                "x".repeat(120)
            )
        };
        json!({"timestamp": format!("1965-01-01T00:{:02}:{:02}Z", n / 60 % 60, n % 60),
               "message": text, "service": (["api", "cron"][n % 2]), "took": id % 97})
    };
    json!({"logs": (0..LARGE).map(line).collect::<Vec<_>>()})
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// All that a daemon answers about what it has stored.
fn answers(daemon: &Daemon) -> Value {
    let query = |question: Value| {
        let mut all = json!({"from": "1960-01-01", "to": "2100-01-01", "limit": 60});
        all.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        json!(daemon.query_with(&all))
    };
    let found = |filter: &str| query(json!({"filter": filter, "fields": ["message"]}));
    let listed = |path: &str| daemon.call("GET", path, None, None).1;
    let groups = json!({"from": "1960-01-01", "to": "2100-01-01", "by": ["service"],
                         "aggregates": ["count", "sum(took)"]});
    let counted = daemon.call("POST", "/v1/logs/stats", None, Some(&groups)).1["groups"].clone();
    json!({
        "logs": query(json!({})),
        "words": found("refused or payment"),
        "variable": found("9b01"),
        "number": found("retries > 2"),
        "nested": found("user.tags.n:3"),
        "damaged": found("tags:_syslogparsefailure or tags:_jsonparsefailure"),
        "many": found("orders and took < 5"),
        "unlike": found("not GET and took >= 0"),
        "counted": counted,
        "failed": query(json!({"journal": "failed"})),
        "keys": listed("/v1/keys"),
        "blocklist": listed("/v1/blocklist"),
    })
}

/// Sends what is staged as one batch.
fn stage_large(daemon: &Daemon) {
    let (status, answer) = daemon.call("POST", "/v1/logs/ingest", None, Some(&large()));
    assert_eq!(status, 202, "{answer}");
}

/// Lines of the large batch: more than 512 KiB.
const LARGE: usize = 4000;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if is_of_the_format(&entry.path()) {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Not what the engine says of itself and of this machine, nor what is of one process.
fn is_of_the_format(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    let passing = ["LOG", "LOCK", "OPTIONS-", "logtrace.pid", "listening.json"];
    !passing.iter().any(|begin| name.starts_with(begin)) || name == "LOGTRACE"
}

/// The folders of all formats.
fn formats() -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

#[test]
fn up_01_a_store_of_every_format_opens_and_answers_as_it_did() {
    let formats = formats();
    let newest = fixtures().join(format!("store-{FORMAT}"));
    assert!(formats.contains(&newest), "{} is missing", newest.display());
    for format in formats {
        let folder = tempfile::tempdir().unwrap();
        copy(&format.join("data"), &folder.path().join("data"));
        let expected: Value =
            serde_json::from_slice(&fs::read(format.join("answers.json")).unwrap()).unwrap();
        // Its keys end some months after they were made: it is that day again.
        let clock = Clock::new(folder.path());
        let ago = days_since(&expected["answers"]["keys"]["keys"]);
        // Staged as it lies there, then sealed, then opened by who finds it so.
        for config in [STAGED, CONFIG, CONFIG] {
            let daemon = clock.start_with(folder.path(), config, -ago);
            let found = answers(&daemon);
            for (name, expected) in expected["answers"].as_object().unwrap() {
                let found = only_what_was_there(&found[name], expected);
                assert_eq!(&found, expected, "{}: {name}", format.display());
            }
            let (key, one) = (expected["secret"].as_str(), json!({"limit": 1}));
            assert_eq!(daemon.call("POST", "/v1/logs/query", key, Some(&one)).0, 200);
            assert!(daemon.stop().success());
        }
    }
}

/// Whole days since the first of these keys was made.
fn days_since(keys: &Value) -> i64 {
    let made = keys.as_array().unwrap().iter().map(|key| key["created_at"].as_str().unwrap());
    let made = humantime::parse_rfc3339(made.min().unwrap()).unwrap();
    let ago = std::time::SystemTime::now().duration_since(made).unwrap();
    i64::try_from(ago.as_secs() / 86_400).unwrap()
}

/// `found` without the fields that later versions added.
fn only_what_was_there(found: &Value, expected: &Value) -> Value {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => found
            .iter()
            .filter_map(|(name, value)| {
                let expected = expected.get(name)?;
                Some((name.clone(), only_what_was_there(value, expected)))
            })
            .collect(),
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            found.iter().zip(expected).map(|(a, b)| only_what_was_there(a, b)).collect()
        }
        _ => found.clone(),
    }
}

#[test]
#[ignore = "writes into tests/fixtures: run by hand when the format is a new one"]
fn make_the_store() {
    let made = fixtures().join(format!("store-{FORMAT}"));
    assert!(!made.exists(), "{}: what was released does not change", made.display());
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let key = json!({"name": "fixture", "scopes": ["read:logs"], "environment": "staging"});
    let (_, secret) = daemon.create_key(&key);
    let block =
        json!({"net": "192.0.2.0/24", "note": "fixture", "expires_at": "2100-01-01T00:00:00Z"});
    assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&block)).0, 201);
    daemon.call("POST", "/v1/logs/ingest", None, Some(&json!({"logs": [7]})));
    let staged = || {
        let (_, health) = daemon.call("GET", "/v1/health", None, None);
        health["store"]["staged_events"].as_u64().unwrap()
    };
    for _ in 0..2 {
        stage_large(&daemon);
        daemon.send("tcp", SYSLOG);
        daemon.send("json", JSON);
        daemon.find_in("failed", "error.code:invalid_logs");
        wait_for("the seal", || (staged() == 0).then_some(()));
    }
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), STAGED);
    stage_large(&daemon);
    assert_eq!(health(&daemon).1["store"]["staged_batches"], 1);
    daemon.send("tcp", SYSLOG);
    daemon.settle("tcp", 6);
    daemon.send("json", JSON);
    daemon.settle("json", 4);
    // The journals are stored by the second.
    let failures = json!({"journal": "failed", "from": "-1h"});
    wait_for("the journal", || (daemon.query_with(&failures).len() >= 7).then_some(()));
    let mut answers = answers(&daemon);
    for key in answers["keys"]["keys"].as_array_mut().unwrap() {
        // Later ones, as the test uses it.
        key.as_object_mut().unwrap().retain(|name, _| !name.ends_with("_used"));
    }
    let expected = json!({"secret": secret, "answers": answers});
    daemon.kill();
    copy(&folder.path().join("data"), &made.join("data"));
    fs::remove_file(made.join("data/BALLAST")).unwrap(); // only takes room
    fs::write(made.join("answers.json"), format!("{expected:#}\n")).unwrap();
}
