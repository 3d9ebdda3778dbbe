//! A store whose files are not as they were left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::health;
use super::sender::{Sender, assert_stored_once, messages};
use crate::support::{Daemon, LISTENERS, wait_for};

/// Everything stays in the log.
const STAGED: &str = "[store]\nseal_after = \"1h\"\n";

/// Everything is sealed soon.
const SEALED: &str = "[store]\nseal_after = \"100ms\"\n";

/// Logs change often, and nothing is sealed that would make old ones needless.
const MANY_LOGS: &str = "[store]\nseal_after = \"1h\"\n[store.engine]\nwrite_buffer = \"1 MiB\"\n";

/// A store in `folder` that was killed with batches in its log, and what was acknowledged.
fn killed(folder: &Path) -> BTreeSet<String> {
    let daemon = Daemon::start(folder, STAGED);
    // What ends the log is to be what was acknowledged, and not an entry about that.
    daemon.note_no_calls();
    let sender = Sender::start(&daemon, "a");
    wait_for("a log of some length", || (sender.acknowledged() > 3000).then_some(()));
    let acknowledged = sender.end();
    // How far it got is written down once a second.
    let batches = daemon.metrics().get("logtrace_commits_total");
    wait_for("the mark", || {
        let text = fs::read_to_string(folder.join("data/SYNCED")).ok()?;
        let next: u64 = text.lines().last()?.strip_prefix("next batch ")?.parse().ok()?;
        (next >= batches).then_some(())
    });
    daemon.kill();
    acknowledged
}

/// The files of the store whose names end so, in order.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("data/db")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    files.sort();
    files
}

fn cut(file: &Path, bytes: u64) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Whether answers are partial, and why.
fn partial(daemon: &Daemon) -> (bool, Value) {
    let query = json!({"from": "-1d", "limit": 1});
    let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
    assert_eq!(status, 200, "{answer}");
    (answer["meta"]["partial"].as_bool().unwrap(), answer["meta"]["partial_reasons"].clone())
}

/// The daemon starts, names what is missing, has the rest, and goes on.
#[track_caller]
fn assert_missing_is_named(folder: &Path, acknowledged: &BTreeSet<String>) {
    let daemon = Daemon::start(folder, STAGED);
    let missing = daemon.metrics().get("logtrace_store_missing_batches");
    assert!(missing > 0, "{}", daemon.said());
    let (status, said) = health(&daemon);
    assert_eq!((status, &said["status"]), (200, &"degraded".into()), "{said}");
    assert!(said["problems"][0].as_str().unwrap().contains("acknowledged and are not there"));
    let (is_partial, reasons) = partial(&daemon);
    assert!(is_partial && reasons[0].as_str().unwrap().starts_with("batches "), "{reasons}");
    let stored: BTreeSet<String> = messages(&daemon).into_iter().collect();
    assert!(stored.len() < acknowledged.len(), "nothing was missing");
    assert!(stored.is_subset(acknowledged));

    let sender = Sender::start(&daemon, "b");
    sender.more();
    let more = sender.end();
    daemon.kill();
    let daemon = Daemon::start(folder, STAGED);
    assert_eq!(daemon.metrics().get("logtrace_store_missing_batches"), missing);
    assert!(partial(&daemon).0, "forgotten");
    let all = more.union(&stored).cloned().collect();
    assert_stored_once(&daemon, &all);
    // The operator gives them up.
    fs::remove_file(folder.join("data/MISSING")).unwrap();
    wait_for("an answer that is whole", || (!partial(&daemon).0).then_some(()));
}

#[test]
fn st_10_damage_in_the_middle_of_the_log_is_salvaged_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = killed(folder.path());
    let log = files(folder.path(), ".log").pop().unwrap();
    let before = fs::read(&log).unwrap();
    let end = before.iter().rposition(|byte| *byte != 0).unwrap();
    flip(&log, end / 2);
    assert_missing_is_named(folder.path(), &acknowledged);
    let kept = folder.path().join("data/salvage/logs-1").join(log.file_name().unwrap());
    assert_eq!(fs::metadata(kept).unwrap().len(), before.len() as u64, "kept as it was found");
}

#[test]
fn st_10_zeros_in_the_middle_of_the_log_are_salvaged_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = killed(folder.path());
    let log = files(folder.path(), ".log").pop().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 2;
    bytes[at..at + 4096].fill(0);
    fs::write(&log, bytes).unwrap();
    assert_missing_is_named(folder.path(), &acknowledged);
}

#[test]
fn st_11_a_log_that_lost_its_end_is_noticed() {
    // What is counted for limits and webhooks is written behind the last batch, and is short.
    for bytes in [2_000, 5_000, 20_000] {
        let folder = tempfile::tempdir().unwrap();
        let acknowledged = killed(folder.path());
        cut(&files(folder.path(), ".log").pop().unwrap(), bytes);
        assert_missing_is_named(folder.path(), &acknowledged);
    }
}

/// However little it lost: what is not there is named, and what is named is not there.
#[test]
fn st_11_a_log_that_lost_its_end_is_whole_or_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = killed(folder.path());
    let log = files(folder.path(), ".log").pop().unwrap();
    let len = fs::metadata(&log).unwrap().len();
    let mut named = 0;
    for bytes in [1, 100, 500, 1000, 40_000, len] {
        let other = tempfile::tempdir().unwrap();
        copy(&folder.path().join("data"), &other.path().join("data"));
        cut(&files(other.path(), ".log").pop().unwrap(), bytes.min(len));
        let daemon = Daemon::start(other.path(), STAGED);
        let stored: BTreeSet<String> = messages(&daemon).into_iter().collect();
        let missing = daemon.metrics().get("logtrace_store_missing_batches");
        let is_whole = stored.is_superset(&acknowledged);
        assert_eq!(is_whole, missing == 0, "{bytes} bytes: {}", daemon.said());
        assert_eq!(partial(&daemon).0, !is_whole, "{bytes} bytes");
        named += usize::from(!is_whole);
    }
    assert!(named >= 2, "{named}");
}

/// What lies only in a log that is not the last: here, a key. Nothing is silently shorter.
#[test]
fn st_12_an_older_log_that_is_gone_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), MANY_LOGS);
    let key = json!({"name": "of the first log", "scopes": ["write:logs"]});
    assert_eq!(daemon.call("POST", "/v1/keys", None, Some(&key)).0, 201);
    let sender = Sender::start(&daemon, "a");
    let logs = || files(folder.path(), ".log");
    wait_for("another log", || (logs().len() > 1).then_some(()));
    sender.more();
    let acknowledged = sender.end();
    daemon.kill();
    assert!(logs().len() > 1, "the first is still of use");
    for is_deleted in [true, false] {
        let other = tempfile::tempdir().unwrap();
        copy(&folder.path().join("data"), &other.path().join("data"));
        let oldest = files(other.path(), ".log").remove(0);
        match is_deleted {
            true => fs::remove_file(&oldest).unwrap(),
            false => fs::write(&oldest, "").unwrap(),
        }
        match Daemon::try_start(other.path(), MANY_LOGS, LISTENERS, &[]) {
            Ok(daemon) => {
                let (_, keys) = daemon.call("GET", "/v1/keys", None, None);
                let stored: BTreeSet<String> = messages(&daemon).into_iter().collect();
                let is_whole = stored.is_superset(&acknowledged)
                    && keys.to_string().contains("of the first log");
                let (status, said) = health(&daemon);
                assert_eq!(
                    (status, &said["status"]),
                    (200, &"degraded".into()),
                    "{is_whole} {said}"
                );
                daemon.kill();
                // It was not left in a state that is refused.
                let daemon = Daemon::start(other.path(), MANY_LOGS);
                assert_eq!(messages(&daemon).len(), stored.len());
            }
            Err(ended) => {
                let said = fs::read_to_string(other.path().join("daemon.log")).unwrap();
                panic!("{ended}: {said}");
            }
        }
    }
}

#[test]
fn st_12_a_log_that_is_gone_or_empty_is_noticed() {
    for is_deleted in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let acknowledged = killed(folder.path());
        for log in files(folder.path(), ".log") {
            if is_deleted { fs::remove_file(log).unwrap() } else { fs::write(log, "").unwrap() }
        }
        assert_missing_is_named(folder.path(), &acknowledged);
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// What the daemon says when it does not start, with its exit code.
fn refusal(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_logtrace"))
        .arg("serve")
        .arg("--data")
        .arg(folder.join("data"))
        .args(["--set", "api.listen=127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0"])
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn st_13_a_damaged_list_of_files_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = killed(folder.path());
    let (backups, restored) = (folder.path().join("backups"), folder.path().join("restored"));
    run(&["backup", text(&backups), "--data", text(&folder.path().join("data"))]);
    let pristine = folder.path().join("pristine");
    let db = folder.path().join("data/db");
    copy(&db, &pristine);
    let manifest = || {
        let entries = fs::read_dir(&db).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        entries.into_iter().find(|path| name(path).starts_with("MANIFEST")).unwrap()
    };
    let remove_logs =
        || files(folder.path(), ".log").iter().for_each(|log| fs::remove_file(log).unwrap());
    let damages: [(&str, &dyn Fn()); 8] = [
        ("MANIFEST-", &|| {
            let manifest = manifest();
            let len = fs::metadata(&manifest).unwrap().len();
            flip(&manifest, usize::try_from(len / 2).unwrap());
        }),
        ("MANIFEST-", &|| fs::remove_file(manifest()).unwrap()),
        ("CURRENT", &|| fs::remove_file(db.join("CURRENT")).unwrap()),
        ("CURRENT", &|| fs::write(db.join("CURRENT"), "x").unwrap()),
        ("MANIFEST-", &|| fs::write(manifest(), "").unwrap()),
        ("CURRENT", &|| fs::write(db.join("CURRENT"), "").unwrap()),
        // With nothing left that names them, the engine would remove the files of segments.
        ("CURRENT", &|| {
            fs::remove_file(db.join("CURRENT")).unwrap();
            remove_logs();
        }),
        ("CURRENT", &|| {
            fs::remove_file(db.join("CURRENT")).unwrap();
            fs::remove_file(manifest()).unwrap();
            remove_logs();
        }),
    ];
    for (name, damage) in damages {
        damage();
        let before: BTreeSet<_> = fs::read_dir(&db).unwrap().map(|e| e.unwrap().path()).collect();
        let (code, said) = refusal(folder.path(), &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(name) && said.contains("logtrace restore"), "{said}");
        let after: BTreeSet<_> = fs::read_dir(&db).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(before.is_subset(&after), "refusing removed files");
        fs::remove_dir_all(&db).unwrap();
        copy(&pristine, &db);
    }
    // With its files restored, it is as it was.
    Daemon::start(folder.path(), STAGED).kill();
    // And what it says to run brings back what was backed up.
    run(&["restore", text(&backups), "--data", text(&restored.join("data"))]);
    assert_stored_once(&Daemon::start(&restored, STAGED), &acknowledged);
}

/// Runs a command that is to succeed.
#[track_caller]
fn run(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_logtrace")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn st_16_one_damaged_file_does_not_keep_the_store_from_opening() {
    type Damage = fn(&Path);
    let damages: [Damage; 4] = [
        |file| fs::remove_file(file).unwrap(),
        |file| fs::write(file, "").unwrap(),
        |file| cut(file, 100),
        |file| flip(file, usize::try_from(fs::metadata(file).unwrap().len()).unwrap() - 20),
    ];
    for damage in damages {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(folder.path(), SEALED);
        daemon.note_no_calls();
        for n in 1..=3 {
            let logs = json!({"logs": [{"message": format!("number {n}")}]});
            assert_eq!(daemon.call("POST", "/v1/logs/ingest", None, Some(&logs)).0, 202);
            let sealed = || (daemon.metrics().get("logtrace_segments") == n).then_some(());
            wait_for("a segment", sealed);
        }
        daemon.kill();
        damage(&files(folder.path(), ".sst")[1]);
        let daemon = Daemon::start(folder.path(), STAGED);
        assert_eq!(daemon.metrics().get("logtrace_quarantined_segments"), 1, "{}", daemon.said());
        let (status, said) = health(&daemon);
        assert_eq!((status, &said["status"]), (200, &"degraded".into()), "{said}");
        let query = json!({"filter": "number", "from": "-1d"});
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!((status, &answer["meta"]["partial"]), (200, &true.into()), "{answer}");
        assert_eq!(answer["logs"].as_array().unwrap().len(), 2, "{answer}");
        let sender = Sender::start(&daemon, "a");
        sender.more();
        let acknowledged = sender.end();
        daemon.kill();
        let daemon = Daemon::start(folder.path(), SEALED);
        let stored = messages(&daemon);
        assert!(acknowledged.iter().all(|text| stored.contains(text)));
    }
}

/// Files of all families: logs, the catalog, keys, the audit chain. One of them is damaged, of each
/// in turn: the daemon starts, or says which it is and what to do.
#[test]
fn st_16_a_damaged_file_of_any_kind_costs_itself_or_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), SEALED);
    let key = json!({"name": "k", "scopes": ["write:logs"]});
    assert_eq!(daemon.call("POST", "/v1/keys", None, Some(&key)).0, 201);
    let entry = json!({"net": "192.0.2.1"});
    assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&entry)).0, 201);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let acknowledged = sender.end();
    assert!(daemon.stop().success());
    // A backup writes out what is in the log alone.
    let (backups, restored) = (folder.path().join("backups"), folder.path().join("restored"));
    run(&["backup", text(&backups), "--data", text(&folder.path().join("data"))]);
    run(&["restore", text(&backups), "--data", text(&restored.join("data"))]);
    let tables = files(&restored, ".sst");
    assert!(tables.len() > 3, "{tables:?}");
    for table in tables {
        let other = tempfile::tempdir().unwrap();
        copy(&restored.join("data"), &other.path().join("data"));
        let table = other.path().join("data/db").join(table.file_name().unwrap());
        flip(&table, 30);
        match Daemon::try_start(other.path(), STAGED, LISTENERS, &[]) {
            Ok(daemon) => {
                let stored: BTreeSet<String> = messages(&daemon).into_iter().collect();
                let is_whole = stored.is_superset(&acknowledged);
                assert!(is_whole || partial(&daemon).0, "{}: {}", table.display(), daemon.said());
                let sender = Sender::start(&daemon, "b");
                sender.more();
                sender.end();
            }
            Err(ended) => {
                let said = fs::read_to_string(other.path().join("daemon.log")).unwrap();
                let name = table.file_name().unwrap().to_str().unwrap();
                assert_eq!(ended.code(), Some(1), "{said}");
                assert!(said.contains(name) && said.contains("logtrace restore"), "{said}");
            }
        }
    }
}

#[test]
fn st_14_a_folder_that_is_not_mounted_is_no_new_store() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    assert_eq!(health(&daemon).1["store"]["is_new"], true);
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), "[store]\ncreate = false\n");
    assert_eq!(health(&daemon).1["store"]["is_new"], false);
    assert!(daemon.stop().success());

    // The marker is there and the store is not: refused in any case.
    fs::rename(folder.path().join("data/db"), folder.path().join("away")).unwrap();
    let (code, said) = refusal(folder.path(), &[]);
    assert!(code == Some(1) && said.contains("data/db/CURRENT"), "{said}");
    // Nothing at all is there: refused where a store is expected.
    fs::rename(folder.path().join("data"), folder.path().join("mount")).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let (code, said) = refusal(folder.path(), &["--set", "store.create=false"]);
    assert!(code == Some(1) && said.contains("is it mounted?"), "{said}");
    assert!(!folder.path().join("data/db").exists(), "made a new store");
}
