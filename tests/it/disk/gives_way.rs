//! What is not a sender's own gives way on a full disk: backups, merges, the daemon's own notes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::faults::{ENOSPC, Faults};
use super::full::{CONFIG, push, wait_until_free, wait_until_held};
use super::health;
use super::sender::{Sender, WIRE, assert_stored_once};
use crate::support::{Daemon, SmallDisk, wait_for};

/// Makes a backup in `folder`; what it said, and whether it was made.
fn backup(daemon: &Daemon, folder: &Path) -> (bool, String) {
    let server = format!("http://{}", daemon.address("api"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    let output = command.arg("backup").arg(folder).args(["--json", "--server", &server]).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// The files that a folder of backups has, but for the one that says what it is.
fn files(folder: &Path) -> Vec<String> {
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let mut all = names(folder);
    all.retain(|name| name != "LOGTRACE-BACKUP" && name != "files");
    all.extend(names(&folder.join("files")));
    all.sort();
    all
}

#[test]
fn st_06_a_backup_that_finds_no_room_leaves_nothing_and_those_before_it_as_they_were() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), SmallDisk::new(16));
    let daemon = Daemon::start(folder.path(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let backups = disk.path().join("backups");
    let (is_made, said) = backup(&daemon, &backups);
    assert!(is_made, "{said}");
    let before = files(&backups);
    let filler = disk.fill(64 << 10);
    sender.more();
    let (is_made, said) = backup(&daemon, &backups);
    assert!(!is_made && said.contains("No space left on device"), "{said}");
    assert_eq!(files(&backups), before);
    // It was no affair of the daemon's.
    sender.more();
    assert_eq!(health(&daemon).0, 200);
    drop(filler);
    let (is_made, said) = backup(&daemon, &backups);
    assert!(is_made, "{said}");
    let acknowledged = sender.end();
    let (is_made, said) = backup(&daemon, &backups);
    assert!(is_made, "{said}");
    let restored = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    let command = command.arg("restore").arg(&backups).arg("--data");
    assert!(command.arg(restored.path().join("data")).status().unwrap().success());
    assert_stored_once(&Daemon::start(restored.path(), ""), &acknowledged);
}

#[test]
fn st_06_a_backup_on_the_disk_of_the_store_gives_way_when_that_is_full() {
    let disk = SmallDisk::new(96);
    let daemon = Daemon::start(disk.path(), CONFIG);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let begin = || daemon.call("POST", "/v1/backup", None, Some(&json!({})));
    let (status, made) = begin();
    assert_eq!(status, 201, "{made}");
    let held = format!("/v1/backup/{}", made["id"].as_str().unwrap());
    assert_eq!(daemon.call("POST", &held, None, Some(&json!({}))).0, 200);
    let filler = disk.fill(2 << 20);
    wait_until_held(&daemon);
    // What the store drops is to give back its room.
    let checkpoints = disk.path().join("data/checkpoints");
    wait_for("the backup to give way", || {
        (fs::read_dir(&checkpoints).unwrap().count() == 0).then_some(())
    });
    assert_eq!(daemon.call("POST", &held, None, Some(&json!({}))).0, 404);
    let (status, problem) = begin();
    assert_eq!((status, &problem["code"]), (503, &"no_room".into()), "{problem}");
    let (is_made, said) = backup(&daemon, &disk.path().join("backups"));
    assert!(!is_made && said.contains("no_room"), "{said}");
    drop(filler);
    wait_until_free(&daemon);
    sender.more();
    let (is_made, said) = backup(&daemon, &disk.path().join("backups"));
    assert!(is_made, "{said}");
    let acknowledged = sender.end();
    daemon.kill();
    assert_stored_once(&Daemon::start(disk.path(), CONFIG), &acknowledged);
}

/// How many were turned away, as the journals have it.
fn noted(daemon: &Daemon) -> u64 {
    let filter = "error.code:invalid_query";
    let query = json!({"filter": filter, "journal": "failed", "from": "-1h", "limit": 10_000});
    let logs = daemon.query_with(&query);
    logs.iter().map(|log| log["count"].as_u64().unwrap()).sum()
}

#[test]
fn st_06_notes_of_the_journals_wait_for_room_and_none_is_missing() {
    const CALLS: u64 = 300;
    let disk = SmallDisk::new(96);
    let daemon = Daemon::start(disk.path(), CONFIG);
    let wrong = json!({"filter": "a and ("});
    let call = || daemon.call("POST", "/v1/logs/query", None, Some(&wrong)).0;
    assert_eq!(call(), 400);
    wait_for("the first note", || (noted(&daemon) == 1).then_some(()));
    let filler = disk.fill(2 << 20);
    wait_until_held(&daemon);
    // What comes in has taken all the memory that is set aside for it, and the notes' own with it.
    let line = format!("<13>1 - h a - - - {WIRE}\n").into_bytes();
    let mut stream = daemon.connect("tcp");
    push(&mut stream, &line, 256 << 20);
    let before = daemon.metrics().get("logtrace_resident_memory_bytes");
    for _ in 0..CALLS {
        assert_eq!(call(), 400, "answered as ever");
    }
    // For a change there is still some.
    let settings = json!({"log_api_calls": false});
    let (status, said) = daemon.call("PUT", "/v1/settings/logging", None, Some(&settings));
    assert_eq!((status, &said["log_api_calls"]), (200, &false.into()), "{said}");
    assert_eq!(noted(&daemon), 1);
    let grown = daemon.metrics().get("logtrace_resident_memory_bytes").saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
    drop(filler);
    wait_until_free(&daemon);
    wait_for("the notes", || (noted(&daemon) > CALLS).then_some(()));
    assert_eq!(noted(&daemon), 1 + CALLS);
    daemon.kill();
    let daemon = Daemon::start(disk.path(), CONFIG);
    assert_eq!(noted(&daemon), 1 + CALLS);
    let (_, said) = daemon.call("GET", "/v1/settings/logging", None, None);
    assert_eq!(said["log_api_calls"], false);
}

#[test]
fn st_06_segments_that_find_no_room_are_written_once_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let config = "[store]\nseal_after = \"100ms\"\n[store.engine]\nwrite_buffer = \"1 MiB\"\n";
    let daemon = faults.start(folder.path(), config);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let segments = || daemon.metrics().get("logtrace_segments");
    wait_for("a segment", || (segments() > 0).then_some(()));
    // Seals, merges and flushes write these, and nothing else does.
    faults.set("write", ENOSPC, ".sst");
    let said = || health(&daemon).1.to_string();
    wait_for("a seal to fail", || {
        (said().contains("cannot be sealed") || said().contains("the disk is full")).then_some(())
    });
    assert_eq!(daemon.query("message:ac0n0").len(), 1, "searched meanwhile");
    let before = segments();
    faults.clear();
    wait_for("segments", || (segments() > before).then_some(()));
    wait_for("health", || (health(&daemon).0 == 200).then_some(()));
    sender.more();
    let acknowledged = sender.end();
    assert_stored_once(&daemon, &acknowledged);
    daemon.kill();
    assert_stored_once(&Daemon::start(folder.path(), config), &acknowledged);
}
