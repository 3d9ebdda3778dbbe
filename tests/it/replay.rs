//! `logtrace limits replay`: what is proposed is tried on what there is.

use std::io::Write;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Address, Daemon, countries, wait_for, well_before_the_next_hour};

/// So many lines under a key.
fn lines(key: &str, count: usize) -> String {
    let line = |n| format!("<14>1 - h a - - [lt@1 key=\"{key}\"] line {n}\n");
    (0..count).map(line).collect()
}

/// What `logtrace limits replay` writes as JSON.
fn replay(daemon: &Daemon, options: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    command.args(["limits", "replay", "--json", "--server"]);
    command.arg(format!("http://{}", daemon.address("api"))).args(options);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn limits_and_lists_that_are_proposed_are_tried_on_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let scopes = ["write:logs"];
    let (loud_id, loud) = daemon.create_key(&json!({"name": "loud", "scopes": scopes}));
    let (_, quiet) = daemon.create_key(&json!({"name": "quiet", "scopes": scopes}));
    let began = Instant::now();
    daemon.send("keyed", lines(&loud, 1000).as_bytes());
    daemon.send("keyed", lines(&quiet, 5).as_bytes());
    daemon.settle("keyed", 1005);
    // What the rate gives back while they are read is not cut.
    let passed = 10 * (began.elapsed().as_secs() + 3);
    let answer = replay(&daemon, &["--events-per-second", "10", "--from", "-1h"]);
    let cut = answer["cut"].as_array().unwrap();
    assert_eq!(
        (cut.len(), &cut[0]["sender"], &cut[0]["events"]),
        (1, &json!(loud_id), &json!(1000))
    );
    let [least, most] = ["cut_at_least", "cut_at_most"].map(|name| cut[0][name].as_u64().unwrap());
    let fewest = 1000_u64.saturating_sub(passed);
    assert!((fewest..=990).contains(&least) && (least..=990).contains(&most), "{answer}");
    assert_eq!(
        replay(&daemon, &["--events-per-second", "2000", "--from", "-1h"])["cut"],
        json!([])
    );
    let answer =
        replay(&daemon, &["--events-per-second", "100", "--by", "project", "--from", "-1h"]);
    assert_eq!(answer["cut"][0]["events"], 1005);
    let list = folder.path().join("list");
    std::fs::write(&list, "# proposed\n192.0.2.0/24\n127.0.0.0/8 # ours\n").unwrap();
    let answer = replay(&daemon, &["--block-file", list.to_str().unwrap(), "--from", "-1h"]);
    let events: u64 =
        answer["cut"].as_array().unwrap().iter().map(|row| row["events"].as_u64().unwrap()).sum();
    assert_eq!((events, &answer["cut"][0]["rule"]), (1005, &json!("127.0.0.0/8")), "{answer}");
    assert_eq!(replay(&daemon, &["--block", "192.0.2.0/24", "--from", "-1h"])["cut"], json!([]));
}

#[test]
fn what_journals_tell_of_limits_and_lists_that_are_proposed() {
    well_before_the_next_hour();
    let stranger = Address::add("198.51.100.78");
    let folder = tempfile::tempdir().unwrap();
    let network = ([198, 51, 100, 0].into(), 24, "FR");
    std::fs::write(folder.path().join("test.mmdb"), countries(&[network])).unwrap();
    let daemon = Daemon::start(folder.path(), "[gate]\ncountries = \"FOLDER/test.mmdb\"\n");
    let scopes = ["write:logs"];
    let (_, loud) = daemon.create_key(&json!({"name": "loud", "scopes": scopes}));
    let mut first = daemon.connect("keyed");
    let mut second = daemon.connect("keyed");
    for round in 1..=2 {
        for connection in [&mut first, &mut second] {
            connection.write_all(lines(&loud, 100).as_bytes()).unwrap();
        }
        daemon.settle("keyed", 200 * round);
    }
    drop((first, second));
    for n in 0..5 {
        let body = json!({"logs": [{"message": format!("call {n} of a scanner")}]});
        assert_eq!(daemon.call("POST", "/v1/logs/ingest", Some(&loud), Some(&body)).0, 202);
    }
    let block = json!({"net": "198.51.100.0/24"});
    assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&block)).0, 201);
    assert_eq!(stranger.talk(daemon.address("tcp"), b"<13>1 - h a - - - refused\n"), "");
    daemon.find_in("blocked", "source.ip:198.51.100.78");
    wait_for("the calls in the journal", || {
        let (_, found) = daemon.call("GET", "/v1/access?status=202", None, None);
        (found["entries"].as_array().map(Vec::len) == Some(5)).then_some(())
    });
    let ask = |options: &[&str]| {
        let answer = replay(&daemon, &[options, &["--from", "-1h"]].concat());
        assert!(answer["notes"].as_array().is_some_and(|notes| !notes.is_empty()), "{answer}");
        answer["cut"].as_array().unwrap().clone()
    };
    let cut = ask(&["--bytes-per-second", "1000", "--by", "address"]);
    assert!(cut[0]["cut_at_most"].as_u64() > Some(1000) && cut[0]["first"].is_string(), "{cut:?}");
    assert_eq!(ask(&["--bytes-per-second", "100MiB"]), [] as [Value; 0]);
    let cut = ask(&["--requests-per-hour", "3"]);
    assert_eq!((cut.len(), &cut[0]["requests"], &cut[0]["cut_at_most"]), (1, &json!(5), &json!(2)));
    assert_eq!(ask(&["--requests-per-hour", "3", "--tier", "standard"]), cut);
    assert_eq!(ask(&["--requests-per-hour", "3", "--tier", "enterprise"]), [] as [Value; 0]);
    let cut = ask(&["--connections", "1"]);
    assert_eq!((&cut[0]["peak"], &cut[0]["cut_at_least"]), (&json!(2), &json!(1)), "{cut:?}");
    assert_eq!(ask(&["--connections", "2"]), [] as [Value; 0]);
    let cut = ask(&["--allow", "198.51.100.78"]);
    assert_eq!((&cut[0]["sender"], &cut[0]["let_in"]), (&json!("198.51.100.78"), &json!(1)));
    assert_eq!(ask(&["--allow", "203.0.113.0/24"]), [] as [Value; 0]);
    let cut = ask(&["--only-from", "203.0.113.0/24", "--filter", "message:scanner"]);
    assert_eq!((cut.len(), &cut[0]["events"]), (1, &json!(5)));
    assert_eq!(ask(&["--only-from", "127.0.0.0/8"]), [] as [Value; 0]);
    let cut = ask(&["--country", "unknown", "--filter", "message:scanner"]);
    assert_eq!((&cut[0]["events"], &cut[0]["sender"]), (&json!(5), &json!("127.0.0.1")));
    assert_eq!(ask(&["--country", "FR"]), [] as [Value; 0]);
    let cut = ask(&["--literal", "4 of a SCANNER"]);
    assert_eq!((cut.len(), &cut[0]["events"]), (1, &json!(1)), "{cut:?}");
    assert!(cut[0]["first"].is_string(), "{cut:?}");
    assert_eq!(ask(&["--literal", "SCANNER", "--case-sensitive"]), [] as [Value; 0]);
    assert_eq!(ask(&["--regex", "call [0-2] of"])[0]["events"], 3);
    let cut = ask(&["--user-agent", "UREQ", "--filter", "status:202"]);
    assert_eq!((&cut[0]["calls"], &cut[0]["events"]), (&json!(5), &json!(5)), "{cut:?}");
    assert_eq!(ask(&["--user-agent", "no such program"]), [] as [Value; 0]);
}
