//! The record of changes: durable with each answer, and proven offline by what the command line
//! makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Daemon, wait_for};

/// Sealed and merged at once, so that segments come and go.
const CONFIG: &str = "[store]\nseal_bytes = \"1 MiB\"\nseal_after = \"100ms\"\n\
                      [audit]\ncheckpoint_entries = 7\ncheckpoint_interval = \"1s\"\n";

fn logtrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logtrace")).args(arguments).output().unwrap()
}

#[track_caller]
fn done(arguments: &[&str]) -> String {
    let output = logtrace(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = logtrace(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn verified(arguments: &[&str]) -> Value {
    serde_json::from_str(&done(&[&["verify", "--json"], arguments].concat())).unwrap()
}

fn ingest(daemon: &Daemon, text: &str) {
    let logs = json!({"logs": [{"message": text, "service": "a"}]});
    let (status, answer) = daemon.call("POST", "/v1/logs/ingest", None, Some(&logs));
    assert_eq!(status, 202, "{answer}");
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn kill_9_keeps_every_answered_change_and_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let data = path(folder.path(), "data");
    let answered = Mutex::new(BTreeSet::new());
    for round in 0..4_u8 {
        let daemon = Daemon::start(folder.path(), CONFIG);
        thread::scope(|scope| {
            for sender in 0..2_u8 {
                let (daemon, answered) = (&daemon, &answered);
                scope.spawn(move || {
                    for n in 0.. {
                        let net = format!("10.{round}.{sender}.{}", n % 256);
                        let body = json!({"net": net});
                        let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
                        let url = format!("http://{}/v1/blocklist", daemon.address("api"));
                        if agent.post(&url).send_json(&body).is_err() {
                            return;
                        }
                        answered.lock().insert(format!("{net}/32"));
                    }
                });
            }
            ingest(&daemon, "a");
            // In the middle of their work, however fast that is.
            let enough = answered.lock().len() + 10 + 5 * usize::from(round);
            wait_for("answers", || (answered.lock().len() >= enough).then_some(()));
            let _gone = kill_process(daemon.pid(), Signal::KILL).is_err();
        });
        daemon.kill();
    }
    let answered = answered.into_inner();
    assert!(answered.len() > 20, "only {}", answered.len());
    let proven = verified(&["--data", &data]);
    assert!(proven["to"].as_u64().unwrap() >= answered.len() as u64);
    let daemon = Daemon::start(folder.path(), CONFIG);
    let (mut recorded, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/v1/audit?event=blocklist.added&limit=1000{cursor}");
        let (_, page) = daemon.call("GET", &path, None, None);
        for entry in page["entries"].as_array().unwrap() {
            recorded.insert(entry["details"]["new"]["net"].as_str().unwrap().to_owned());
        }
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let (_, list) = daemon.call("GET", "/v1/blocklist", None, None);
    let listed: BTreeSet<_> = list["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["net"].as_str().unwrap().to_owned())
        .collect();
    assert!(answered.is_subset(&listed), "{:?}", answered.difference(&listed));
    assert_eq!(recorded, listed, "a change and its entry are there together");
    assert!(daemon.stop().success());
}

#[test]
fn a_log_is_listed_taken_away_and_proven_by_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let server = format!("http://{}", daemon.address("api"));
    let of_server = ["--server", &server];
    for n in 0..12 {
        ingest(&daemon, &format!("message {n}"));
        daemon.call("POST", "/v1/blocklist", None, Some(&json!({"net": format!("192.0.2.{n}")})));
        thread::sleep(Duration::from_millis(30));
    }
    let anchor = path(folder.path(), "old.ckpt");
    fs::write(&anchor, done(&[&["audit", "checkpoint"][..], &of_server].concat())).unwrap();
    let (status, _) = daemon.call(
        "POST",
        "/v1/logs/delete",
        None,
        Some(&json!({"filter": "message", "from": "-1h"})),
    );
    assert_eq!(status, 200);
    let table = done(&[&["audit", "--event", "logs.*,blocklist.*"][..], &of_server].concat());
    assert!(table.contains("logs.deleted") && table.contains("blocklist.added"), "{table}");
    let lines = done(&[&["audit", "--json", "--limit", "3"][..], &of_server].concat());
    assert_eq!(lines.lines().count(), 3);
    let csv = done(&[&["audit", "--csv", "--event", "blocklist.*"][..], &of_server].concat());
    assert_eq!(csv.lines().count(), 13, "{csv}");
    let key = done(&[&["audit", "key"][..], &of_server].concat());

    let bundle = path(folder.path(), "audit.tar");
    done(&[&["audit", "bundle", &bundle, "--from=-1h"][..], &of_server].concat());
    let proven = verified(&[&bundle, "--key", key.trim(), "--anchor", &anchor]);
    assert!(proven["checkpoints"].as_u64().unwrap() > 1, "{proven}");
    let said = done(&["verify", &bundle]);
    assert!(said.contains("nothing was changed, dropped or reordered"), "{said}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify/verify.py");
    let python = Command::new("python3").arg(script).args(["--anchor", &anchor, &bundle]).output();
    assert!(python.unwrap().status.success());
    let mut bytes = fs::read(&bundle).unwrap();
    let at = bytes.windows(9).rposition(|some| some == b"192.0.2.9").unwrap();
    bytes[at + 8] = b'8';
    let forged = path(folder.path(), "forged.tar");
    fs::write(&forged, bytes).unwrap();
    let said = refused(&["verify", &forged]);
    assert!(said.contains("entry ") && said.contains(" was changed"), "{said}");

    // What the log says of segments is what is there, once the daemon has let go of them.
    let segments = |event: &str| {
        let path = format!("/v1/audit?event=segment.{event}&limit=1000");
        daemon.call("GET", &path, None, None).1["entries"].as_array().unwrap().len()
    };
    wait_for("a seal", || (segments("sealed") > 0 && segments("rows_deleted") > 0).then_some(()));
    for n in 0..5 {
        ingest(&daemon, &format!("later {n}"));
        thread::sleep(Duration::from_millis(150));
    }
    let data = path(folder.path(), "data");
    assert_eq!(logtrace(&["verify", "--data", &data]).status.code(), Some(1), "it is held");
    assert!(daemon.stop().success());
    let proven = verified(&["--data", &data, "--anchor", &anchor, "--key", key.trim()]);
    assert!(proven["segments"].as_u64().unwrap() > 0, "{proven}");
    assert_eq!(proven["signed"], proven["to"], "the last checkpoint is signed at the end");
    done(&["keys", "create", "--name", "x", "--data", &data]);
    let by_hand = path(folder.path(), "by-hand.tar");
    done(&["audit", "bundle", &by_hand, "--data", &data]);
    let proven_again = verified(&[&by_hand, "--anchor", &anchor]);
    assert_eq!(proven_again["to"].as_u64(), proven["to"].as_u64().map(|to| to + 1));
}

#[test]
fn au_07_the_private_key_is_in_no_answer_log_or_backup() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let server = format!("http://{}", daemon.address("api"));
    let backups = path(folder.path(), "backups");
    done(&["backup", &backups, "--server", &server]);
    let bundle = path(folder.path(), "audit.tar");
    done(&["audit", "bundle", &bundle, "--server", &server]);
    let text = fs::read_to_string(folder.path().join("data/audit.key")).unwrap();
    let seed = text.trim().splitn(5, '+').last().unwrap().as_bytes().to_owned();
    let seed = &seed[2..]; // behind what tells the kind of key
    let has = |bytes: &[u8]| bytes.windows(seed.len()).any(|some| some == seed);
    assert!(has(text.as_bytes()));
    assert!(!has(daemon.said().as_bytes()) && !has(&fs::read(&bundle).unwrap()));
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_dir() {
                folders.push(file);
            } else if file.file_name().unwrap() != "audit.key" {
                assert!(!has(&fs::read(&file).unwrap_or_default()), "{}", file.display());
            }
        }
    }
    assert!(daemon.stop().success());
}
