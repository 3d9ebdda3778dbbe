//! A power cut at any moment loses nothing that was acknowledged.

use std::path::Path;

use crate::acknowledged::Acknowledged;
use crate::support::{Daemon, Image, LISTENERS, preload};

/// Sealed between two calls or in the middle of one, and never: both are cut.
const SEALED: &str = "[store]\nseal_after = \"100ms\"\n";
const STAGED: &str = "[store]\nseal_after = \"1h\"\n";

/// Logs in a call.
const LOGS: u64 = 100;

/// Calls, and with each a power cut.
const CUTS: usize = 6;

/// What is not there of `logs` when a daemon starts on the disk that was cut; all, where none can.
fn lost(disk: &Image, logs: &Acknowledged, config: &str) -> usize {
    match Daemon::try_start(disk.machine(), config, LISTENERS, &[]) {
        Ok(daemon) => logs.lost_from(&logs.stored(&daemon)).len(),
        Err(ended) => {
            println!(
                "{ended}: {}",
                std::fs::read_to_string(disk.machine().join("daemon.log")).unwrap()
            );
            logs.len()
        }
    }
}

fn cut_after_each_call(folder: &Path, config: &str) {
    let disk = Image::new(folder, "disk", 128);
    let logs = Acknowledged::new("fresh", 0);
    let daemon = Daemon::start(disk.machine(), config);
    for cut in 0..CUTS {
        assert!(logs.send(&daemon, LOGS));
        let other = disk.after_a_power_cut(folder, &format!("cut{cut}"));
        assert_eq!(lost(&other, &logs, config), 0, "after cut {cut}");
    }
    daemon.kill();
}

#[test]
fn st_03_a_power_cut_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    cut_after_each_call(folder.path(), STAGED);
}

#[test]
fn st_03_a_power_cut_while_segments_are_sealed_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    cut_after_each_call(folder.path(), SEALED);
}

/// The first start as well: what makes a folder a store is on the disk before the first
/// acknowledgement. And the same with nothing synced is seen, or these tests would prove nothing.
#[test]
fn st_03_without_sync_a_power_cut_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let library = preload::library(folder.path(), "no_sync", preload::NO_SYNC);
    let disk = Image::new(folder.path(), "disk", 128);
    let (before, after) = (Acknowledged::new("before", 0), Acknowledged::new("after", 0));
    let daemon = Daemon::start(disk.machine(), STAGED);
    assert!(before.send(&daemon, LOGS));
    assert!(daemon.stop().success());
    disk.sync();
    let variables = [("LD_PRELOAD", library.to_str().unwrap())];
    let daemon = Daemon::try_start(disk.machine(), STAGED, LISTENERS, &variables).unwrap();
    assert!(after.send(&daemon, LOGS));
    let other = disk.after_a_power_cut(folder.path(), "cut");
    assert_eq!(lost(&other, &after, STAGED), after.len(), "what was never synced is not there");
    // A kill alone does not show it.
    daemon.kill();
    assert_eq!(lost(&disk, &after, STAGED), 0);
    assert_eq!(lost(&disk, &before, STAGED), 0);
}
