//! A disk that refuses: writes, syncs, new files.

use super::faults::{EACCES, EDQUOT, EIO, ENOSPC, EROFS, Faults};
use super::full::{wait_until_free, wait_until_held};
use super::health;
use super::sender::{Sender, assert_stored_once};
use crate::support::{Daemon, wait_for};

/// Refuses all that `call` does until senders have been refused, then no longer: the daemon must go
/// on without a restart, and have everything that it acknowledged.
#[track_caller]
fn refused_and_forgiven(call: &str, error: i32, said: &str) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let daemon = faults.start(folder.path(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    faults.set(call, error, "/data/");
    wait_until_held(&daemon);
    sender.more_refused();
    let acknowledged = sender.acknowledged();
    sender.more_refused();
    assert_eq!(sender.acknowledged(), acknowledged, "acknowledged though it was refused");
    let (status, health) = health(&daemon);
    assert_eq!((status, &health["disk"]["held"]), (503, &said.into()), "{health}");
    assert_eq!(daemon.query("message:ac0n0").len(), 1, "searched meanwhile");

    faults.clear();
    wait_until_free(&daemon);
    sender.more();
    assert!(daemon.metrics().get("logtrace_store_reopened") > 0);
    let acknowledged = sender.end();
    let http = daemon.metrics().ledger("http");
    http.assert_adds_up();
    assert_stored_once(&daemon, &acknowledged);
    daemon.kill();
    assert_stored_once(&Daemon::start(folder.path(), ""), &acknowledged);
}

#[test]
fn st_04_a_write_that_found_no_room_is_stored_once_there_is() {
    refused_and_forgiven("write", ENOSPC, "the disk is full");
}

#[test]
fn st_04_a_sync_that_found_no_room_is_stored_once_there_is() {
    refused_and_forgiven("sync", ENOSPC, "the disk is full");
}

#[test]
fn st_07_a_quota_that_is_used_up_is_waited_for() {
    refused_and_forgiven("write", EDQUOT, "the disk is full");
}

#[test]
fn st_07_a_disk_that_became_read_only_is_waited_for() {
    refused_and_forgiven("write", EROFS, "the disk cannot be written to");
}

/// As a server of files says it that lets nobody write any longer.
#[test]
fn st_07_a_permission_that_was_lost_is_waited_for() {
    refused_and_forgiven("write", EACCES, "the disk cannot be written to");
}

/// A key that could not be made, and a network that could not be listed, are not there: neither
/// when the store goes on, nor after a restart, though they had reached the log before the sync
/// failed.
#[test]
fn st_07_a_change_that_was_refused_is_absent() {
    for is_killed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::new(folder.path());
        let daemon = faults.start(folder.path(), "");
        let key = |name: &str| serde_json::json!({"name": name, "scopes": ["write:logs"]});
        assert_eq!(daemon.call("POST", "/v1/keys", None, Some(&key("there"))).0, 201);
        faults.set("sync", ENOSPC, ".log");
        let (status, said) = daemon.call("POST", "/v1/keys", None, Some(&key("absent")));
        assert_eq!((status, &said["code"]), (503, &"no_room".into()), "{said}");
        let names = |daemon: &Daemon| {
            let (status, said) = daemon.call("GET", "/v1/keys", None, None);
            assert_eq!(status, 200, "{said}");
            (said.to_string().contains("there"), said.to_string().contains("absent"))
        };
        assert_eq!(names(&daemon), (true, false));
        if is_killed {
            daemon.kill();
            faults.clear();
        } else {
            wait_until_held(&daemon);
            faults.clear();
            wait_until_free(&daemon);
            assert_eq!(names(&daemon), (true, false));
            daemon.kill();
        }
        let daemon = Daemon::start(folder.path(), "");
        assert_eq!(names(&daemon), (true, false), "killed: {is_killed}");
    }
}

#[test]
fn st_08_a_failed_sync_ends_the_daemon_and_acknowledges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let daemon = faults.start(folder.path(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    faults.once("sync", EIO, ".log");
    wait_for("the fault", || faults.is_over().then_some(()));
    let status = daemon.ended();
    assert_eq!(status.code(), Some(1));
    let acknowledged = sender.end();
    let said = std::fs::read_to_string(folder.path().join("daemon.log")).unwrap();
    assert!(said.contains("must be started again"), "{said}");
    assert_stored_once(&Daemon::start(folder.path(), ""), &acknowledged);
}

/// A disk that is full is waited for; the sync of the logs with which the engine is opened anew says
/// more than that.
#[test]
fn st_08_a_sync_that_fails_while_the_store_is_opened_anew_ends_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let daemon = faults.start(folder.path(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    faults.set("write", ENOSPC, "/data/");
    wait_until_held(&daemon);
    let acknowledged = sender.acknowledged();
    // Of each attempt to open it: the only sync of a log while nothing is written.
    faults.once("sync", EIO, ".log");
    assert_eq!(daemon.ended().code(), Some(1));
    assert!(faults.is_over());
    let said = std::fs::read_to_string(folder.path().join("daemon.log")).unwrap();
    assert!(said.contains("the store cannot be opened anew error="), "{said}");
    assert!(said.contains("must be started again"), "{said}");
    let stored = sender.end();
    assert_eq!(stored.len(), acknowledged, "acknowledged though nothing was written");
    assert_stored_once(&Daemon::start(folder.path(), ""), &stored);
}
