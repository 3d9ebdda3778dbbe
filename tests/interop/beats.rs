//! Beats, by clients of Python: pylogbeat, which numbers its events on and on, and python-logstash-async
//! over it.

use std::collections::BTreeSet;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{python, run, start};
use crate::support::{self, wait_for};

/// `pylogbeat_client.py`, with so many windows of so many events.
fn pylogbeat(port: &str, windows: u32, events: u32) -> std::process::Command {
    let mut command = python("pylogbeat_client.py");
    command.args([port, &windows.to_string(), &events.to_string()]);
    command
}

#[test]
fn pylogbeat_has_all_its_windows_acknowledged() {
    let daemon = Daemon::start();
    // It waits for the number of the last event of each window, which go on from the one before.
    let said = run(pylogbeat(daemon.port("beats"), 3, 50));
    assert_eq!(said, "0\n1\n2\n");
    daemon.expect_count("message:pylogbeat", 150);
    daemon.find("w1n7 by pylogbeat").has(json!({
        "@timestamp": format!("{}T12:00:00.000Z", support::yesterday()),
        "host.name": "web-1",
        "extra.window": 1,
    }));
}

#[test]
fn logstash_async_over_beats() {
    let daemon = Daemon::start();
    let mut command = python("logstash_async_client.py");
    command.args([daemon.port("beats"), "Beats"]);
    run(command);
    let event = daemon.find("order 7 failed");
    event.is_whole().has(json!({
        "level": "ERROR",
        "type": "python-logstash",
        "extra.items": ["a", "b"],
        "extra.sum.eur": 1.5,
    }));
    daemon.find("ünïcode").has(json!({"message": "naïve — ünïcode", "level": "DEBUG"}));
}

#[test]
fn what_pylogbeat_was_told_is_stored_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = support::Daemon::start(folder.path(), "");
    let (_, port) = daemon.address("beats").rsplit_once(':').unwrap();
    let client = start(pylogbeat(port, 100_000, 20), folder.path(), "pylogbeat");
    let windows = || client.said().lines().filter_map(|line| line.parse().ok()).collect();
    let some: BTreeSet<u32> = wait_for("acknowledged windows", || {
        Some(windows()).filter(|windows: &BTreeSet<u32>| windows.len() > 20)
    });
    daemon.kill();
    let acknowledged: BTreeSet<u32> = windows();
    assert!(acknowledged.is_superset(&some));
    drop(client);
    let daemon = support::Daemon::start(folder.path(), "");
    for window in acknowledged {
        let found = daemon.query(&format!("message:pylogbeat and extra.window:{window}"));
        assert_eq!(found.len(), 20, "window {window} was acknowledged");
    }
}
