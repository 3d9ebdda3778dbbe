//! What is sent again because nobody answered, after something else has happened in between.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::disk::{wait_until_free, wait_until_held};
use crate::support::{Beats, Daemon, LISTENERS, SmallDisk, free_address, wait_for};

/// Messages of a window.
const COUNT: u32 = 30;

fn texts(more: &serde_json::Value) -> Vec<String> {
    let text = |n: u32| {
        let mut event = json!({"@timestamp": now(), "message": format!("copied {n}")});
        event.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        event.to_string()
    };
    (0..COUNT).map(text).collect()
}

fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// Sends a window, and is gone before it is answered.
fn leave(daemon: &Daemon, texts: &[String]) {
    Beats::connect(daemon.address("beats")).unwrap().window(1, texts).unwrap();
    let stored = || daemon.metrics().ledger("beats").stored == u64::from(COUNT);
    wait_for("it to be stored", || stored().then_some(()));
}

/// Sends it again; it is answered, as it was stored.
fn resend(daemon: &Daemon, listener: &str, texts: &[String]) {
    let mut beats = Beats::connect(daemon.address(listener)).unwrap();
    beats.window(1, texts).unwrap();
    assert_eq!(beats.acknowledged().unwrap().0, COUNT);
}

fn stored(daemon: &Daemon) -> usize {
    daemon.query("message:copied").len()
}

#[test]
fn what_was_deleted_stays_deleted() {
    for (is_sealed, is_killed) in [(false, false), (true, false), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let after = if is_sealed { "100ms" } else { "1h" };
        let config = format!("[store]\nseal_after = \"{after}\"\n");
        let mut daemon = Daemon::start(folder.path(), &config);
        let texts = texts(&json!({}));
        leave(&daemon, &texts);
        if is_sealed {
            let sealed = || daemon.metrics().get("logtrace_segment_events") >= u64::from(COUNT);
            wait_for("it to be sealed", || sealed().then_some(()));
        }
        let filter = json!({"filter": "message:copied"});
        let (status, said) = daemon.call("POST", "/v1/logs/delete", None, Some(&filter));
        assert_eq!((status, stored(&daemon)), (200, 0), "{said}");
        if is_killed {
            daemon.kill();
            daemon = Daemon::start(folder.path(), &config);
        }
        for _ in 0..2 {
            // The second time it is said anew: all was answered.
            resend(&daemon, "beats", &texts);
            if stored(&daemon) > 0 {
                break;
            }
            assert_eq!(daemon.metrics().ledger("beats").failed, u64::from(COUNT));
        }
        assert_eq!(stored(&daemon), COUNT as usize, "sealed {is_sealed}, killed {is_killed}");
    }
}

#[test]
fn a_restored_backup_knows_what_it_holds() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(folder.path(), "");
    let texts = texts(&json!({}));
    leave(&daemon, &texts);
    assert!(daemon.stop().success());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (data, backups) = (text(&folder.path().join("data")), text(&folder.path().join("backups")));
    let restored = text(&elsewhere.path().join("data"));
    for arguments in
        [["backup", &backups, "--data", &data], ["restore", &backups, "--data", &restored]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
        assert!(command.args(arguments).output().unwrap().status.success(), "{arguments:?}");
    }
    let daemon = Daemon::start(elsewhere.path(), "");
    resend(&daemon, "beats", &texts);
    assert_eq!(stored(&daemon), COUNT as usize);
}

#[test]
fn a_full_disk_between_doubles_nothing() {
    let disk = SmallDisk::new(96);
    let config = "[store.disk]\nmin_free = \"8 MiB\"\nmin_free_percent = 0\nballast = \"4 MiB\"\n";
    let daemon = Daemon::start(disk.path(), config);
    let filler = disk.fill(2 << 20);
    wait_until_held(&daemon);
    let texts = texts(&json!({}));
    // Who is gone before there is room, and comes again before there is; each has all of it.
    let mut last: Option<Beats> = None;
    for round in 1..=3 {
        drop(last.take());
        let mut beats = Beats::connect(daemon.address("beats")).unwrap();
        beats.window(1, &texts).unwrap();
        last = Some(beats);
        if round == 1 {
            let came = || daemon.metrics().ledger("beats").received >= u64::from(COUNT);
            wait_for("it to be read", || came().then_some(()));
        }
    }
    drop(filler);
    wait_until_free(&daemon);
    assert_eq!(last.unwrap().acknowledged().unwrap().0, COUNT);
    assert_eq!(stored(&daemon), COUNT as usize);
}

#[test]
fn a_key_that_was_revoked_between_brings_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (id, key) = daemon.create_key(&json!({"name": "web", "scopes": ["write:logs"]}));
    let texts = texts(&json!({"token": key}));
    leave(&daemon, &texts);
    assert_eq!(daemon.call("DELETE", &format!("/v1/keys/{id}"), None, None).0, 200);
    resend(&daemon, "beats", &texts);
    let ledger = daemon.metrics().ledger("beats");
    assert_eq!((ledger.stored, ledger.blocked), (u64::from(COUNT), u64::from(COUNT)));
    assert_eq!(stored(&daemon), COUNT as usize);
}

#[test]
fn a_listener_that_was_renamed_or_moved_between_knows_its_senders() {
    let folder = tempfile::tempdir().unwrap();
    let config = |name: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nprotocol = \"beats\"\ntransport = \"tcp\"\n\
             listen = \"{}\"\n",
            free_address()
        )
    };
    let listeners = LISTENERS.replace("name = \"beats\"", "name = \"other\"");
    let mut daemon =
        Daemon::with_listeners(folder.path(), "", &(listeners.clone() + &config("beats")));
    let texts = texts(&json!({}));
    leave(&daemon, &texts);
    Daemon::configure(folder.path(), "", &(listeners + &config("renamed")));
    assert_eq!(daemon.reload().0, 200);
    resend(&daemon, "renamed", &texts);
    assert_eq!(stored(&daemon), COUNT as usize);
}
