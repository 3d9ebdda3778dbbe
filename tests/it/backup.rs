//! Backups of a daemon that goes on, and restoring them elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Daemon, LISTENERS, wait_for};

/// Sealed many times a second, so that files come and go while they are copied.
const CONFIG: &str = "[store]\nseal_bytes = \"1 MiB\"\nseal_after = \"100ms\"\n";

fn logtrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logtrace")).args(arguments).output().unwrap()
}

/// What a command that was done wrote, as JSON.
#[track_caller]
fn done(arguments: &[&str]) -> Value {
    let output = logtrace(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that failed said.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = logtrace(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ingest(daemon: &Daemon, messages: &[String]) {
    let logs: Vec<Value> = messages.iter().map(|text| json!({"message": text})).collect();
    let (status, answer) =
        daemon.call("POST", "/v1/logs/ingest", None, Some(&json!({"logs": logs})));
    assert_eq!(status, 202, "{answer}");
}

fn messages(daemon: &Daemon) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut cursor = Value::Null;
    loop {
        let mut query = json!({"from": "-1d", "limit": 10_000, "fields": ["message"]});
        if !cursor.is_null() {
            query["cursor"] = cursor;
        }
        let (_, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(answer["meta"]["partial"], false, "{}", answer["meta"]);
        for log in answer["logs"].as_array().unwrap() {
            assert!(found.insert(log["message"].as_str().unwrap().to_owned()), "twice: {log}");
        }
        cursor = answer["meta"]["next_cursor"].clone();
        if cursor.is_null() {
            return found;
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn st_26_a_backup_under_load_holds_all_that_was_acknowledged_before() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(folder.path(), CONFIG);
    let server = format!("http://{}", daemon.address("api"));
    let backups = folder.path().join("backups");
    let backup = ["backup", text(&backups), "--server", &server, "--json"];
    let (over, acknowledged) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    let mut before = Vec::new();
    thread::scope(|scope| {
        for sender in 0..2 {
            let (daemon, over, acknowledged) = (&daemon, &over, &acknowledged);
            scope.spawn(move || {
                for call in 0_u32.. {
                    let texts: Vec<_> = (0..500).map(|n| format!("s{sender}c{call}n{n}")).collect();
                    ingest(daemon, &texts);
                    acknowledged.lock().extend(texts);
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        for round in 0..3_usize {
            wait_for("events to back up", || {
                (acknowledged.lock().len() > (round + 1) * 10_000).then_some(())
            });
            before.push(acknowledged.lock().clone());
            let made = done(&backup);
            let new = made["copied_files"].as_u64().unwrap();
            assert_eq!(new < made["files"].as_u64().unwrap(), round > 0, "{made}");
        }
        over.store(true, Ordering::Relaxed);
    });
    let left = fs::read_dir(folder.path().join("data/checkpoints")).unwrap().count();
    assert_eq!(left, 0, "checkpoints are taken away");
    let sent = acknowledged.into_inner();
    let listed = done(&["backup", text(&backups), "--list", "--json"]);
    for (backup, before) in listed["backups"].as_array().unwrap().iter().zip(&before) {
        let id = backup["id"].as_str().unwrap();
        let data = elsewhere.path().join(id).join("data");
        fs::create_dir(elsewhere.path().join(id)).unwrap();
        done(&["restore", text(&backups), "--backup", id, "--data", text(&data), "--json"]);
        let restored = Daemon::start(&elsewhere.path().join(id), CONFIG);
        let found = messages(&restored);
        assert!(found.is_superset(before), "{} of {}", found.len(), before.len());
        assert!(found.is_subset(&sent), "nothing that was not sent");
        ingest(&restored, &["it goes on".to_owned()]);
        assert!(messages(&restored).contains("it goes on"));
        assert!(restored.stop().success());
    }
}

#[test]
fn st_26_keys_are_as_they_were_and_secrets_are_nowhere() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(folder.path(), "");
    let server = format!("http://{}", daemon.address("api"));
    let (_, secret) =
        daemon.create_key(&json!({"name": "x", "scopes": ["read:logs", "write:logs"]}));
    let backups = folder.path().join("backups");
    let said = refused(&["backup", text(&backups), "--server", &server, "--key", &secret]);
    assert!(said.contains("(403 forbidden)"), "{said}");
    done(&["backup", text(&backups), "--server", &server, "--json"]);
    for entry in fs::read_dir(backups.join("files")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let secret = secret.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    let data = elsewhere.path().join("data");
    done(&["restore", text(&backups), "--data", text(&data), "--json"]);
    let restored = Daemon::start(elsewhere.path(), "");
    let (status, _) = restored.call("POST", "/v1/logs/query", Some(&secret), Some(&json!({})));
    assert_eq!(status, 200);
}

#[test]
fn st_26_a_data_folder_is_backed_up_when_no_daemon_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    ingest(&daemon, &["one".to_owned()]);
    let (data, backups) = (folder.path().join("data"), folder.path().join("backups"));
    let backup = ["backup", text(&backups), "--data", text(&data), "--json"];
    let said = refused(&backup);
    assert!(said.contains("held by process"), "{said}");
    assert!(daemon.stop().success());
    done(&backup);
    assert!(!data.join("checkpoints").exists());
    let said = refused(&["restore", text(&backups), "--data", text(&data)]);
    assert!(said.contains("expected an empty folder or none"), "{said}");
    done(&["restore", text(&backups), "--check", "--json"]);
    let there = folder.path().join("there");
    let file = fs::read_dir(backups.join("files")).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, "other").unwrap();
    let said = refused(&["restore", text(&backups), "--data", text(&there)]);
    assert!(said.contains(text(&file)) && !there.exists(), "{said}");
}

/// Only what a copy of the folder of backups holds: by another name, of another owner's time, on a
/// machine that is called otherwise, and the first one is gone.
#[test]
fn st_26_a_backup_is_restored_on_another_machine() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(first.path(), CONFIG);
    let texts: Vec<String> = (0..500).map(|n| format!("n{n}")).collect();
    ingest(&daemon, &texts);
    let key = json!({"name": "x", "scopes": ["read:logs", "write:logs"]});
    let (_, secret) = daemon.create_key(&key);
    let (backups, copied) = (first.path().join("backups"), second.path().join("of the first"));
    let server = format!("http://{}", daemon.address("api"));
    done(&["backup", text(&backups), "--server", &server, "--json"]);
    daemon.kill();
    let copy = Command::new("cp").arg("-r").args([&backups, &copied]).status().unwrap();
    assert!(copy.success());
    drop(first);

    let data = second.path().join("data");
    done(&["restore", text(&copied), "--data", text(&data), "--json"]);
    let by = ["unshare", "--uts", "sh", "-c", "hostname elsewhere && exec \"$0\" \"$@\""];
    let started = Daemon::try_start_by(second.path(), CONFIG, LISTENERS, &[], &by);
    let daemon = started.unwrap_or_else(|ended| panic!("{ended}"));
    assert_eq!(messages(&daemon), texts.into_iter().collect());
    let query = daemon.call("POST", "/v1/logs/query", Some(&secret), Some(&json!({})));
    assert_eq!(query.0, 200);
    ingest(&daemon, &["it goes on".to_owned()]);
    // The chain of the audit goes on as well, and so do the backups.
    let key = json!({"name": "y", "scopes": ["read:logs"]});
    daemon.create_key(&key);
    let server = format!("http://{}", daemon.address("api"));
    let made = done(&["backup", text(&copied), "--server", &server, "--json"]);
    assert!(made["copied_files"].as_u64() < made["files"].as_u64(), "{made}");
    assert!(daemon.stop().success());
    let verified = logtrace(&["verify", "--data", text(&data)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
