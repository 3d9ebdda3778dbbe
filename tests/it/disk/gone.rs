//! A disk that is slow, or that is taken away from under the daemon.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use super::faults::Faults;
use super::full::{push, wait_until_free, wait_until_held};
use super::health;
use super::sender::{Sender, WIRE, assert_stored_once};
use crate::support::{Beats, Daemon, Image, wait_for};

/// Takes the data folder away, puts `instead` in its place, and later puts it back.
#[track_caller]
fn taken_and_given_back(instead: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let (data, away) = (folder.path().join("data"), folder.path().join("away"));
    let daemon = Daemon::start(folder.path(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    fs::rename(&data, &away).unwrap();
    instead(&data);
    wait_until_held(&daemon);
    sender.more_refused();
    let acknowledged = sender.acknowledged();
    sender.more_refused();
    assert_eq!(sender.acknowledged(), acknowledged, "acknowledged though the folder was gone");
    let (status, said) = health(&daemon);
    assert_eq!((status, &said["disk"]["held"]), (503, &"the data folder is gone".into()), "{said}");

    let _put_there = fs::remove_dir_all(&data).is_ok();
    fs::rename(&away, &data).unwrap();
    wait_until_free(&daemon);
    sender.more();
    let acknowledged = sender.end();
    assert_stored_once(&daemon, &acknowledged);
    daemon.kill();
    assert_stored_once(&Daemon::start(folder.path(), ""), &acknowledged);
}

#[test]
fn st_19_a_data_folder_that_is_moved_away_is_waited_for() {
    taken_and_given_back(|_| {});
}

#[test]
fn st_19_an_empty_folder_in_its_place_is_not_the_store() {
    taken_and_given_back(|data| fs::create_dir(data).unwrap());
}

#[test]
fn st_19_a_removed_data_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    fs::remove_dir_all(folder.path().join("data")).unwrap();
    wait_until_held(&daemon);
    let logs = json!({"logs": [{"message": "nowhere to go"}]});
    let (status, said) = daemon.call("POST", "/v1/logs/ingest", None, Some(&logs));
    assert_eq!((status, &said["code"]), (503, &"no_room".into()), "{said}");
    assert_eq!(health(&daemon).0, 503);
}

/// What ext4 does with a disk that it finds damaged. Nothing but a repair helps, and for that the daemon
/// has to be stopped; until then it can be started again, too, and finds what it had acknowledged.
#[test]
fn st_19_a_disk_that_its_file_system_gave_up_is_told_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Image::new(folder.path(), "disk", 128);
    let daemon = Daemon::start(disk.machine(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let acknowledged = sender.end();
    // No sync is under way by then: one that failed in the midst would end the daemon, rightly.
    daemon.note_no_calls();
    // Nor can it be closed to others any longer.
    let key = disk.machine().join("data/webhooks.key");
    fs::set_permissions(key, Permissions::from_mode(0o644)).unwrap();
    disk.becomes_read_only();
    let refused = |daemon: &Daemon| {
        let sender = Sender::start(daemon, "b");
        sender.more_refused();
        wait_until_held(daemon);
        sender.more_refused();
        assert!(sender.end().is_empty(), "acknowledged though nothing can be written");
        let (status, said) = health(daemon);
        let why = &said["disk"]["held"];
        assert_eq!((status, why), (503, &"the disk cannot be written to".into()), "{said}");
        assert_stored_once(daemon, &acknowledged);
    };
    refused(&daemon);
    daemon.kill();
    let daemon = Daemon::start(disk.machine(), "");
    refused(&daemon);
    daemon.kill();
    let disk = disk.repaired();
    let daemon = Daemon::start(disk.machine(), "");
    assert_stored_once(&daemon, &acknowledged);
    let sender = Sender::start(&daemon, "c");
    sender.more();
    let acknowledged = sender.end().union(&acknowledged).cloned().collect();
    assert_stored_once(&daemon, &acknowledged);
}

#[test]
fn st_09_descriptors_that_ran_out_are_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    // Logs change often, and each takes a descriptor.
    let config = "[store]\nseal_after = \"1h\"\n[store.engine]\nwrite_buffer = \"1 MiB\"\n";
    let daemon = Daemon::start(folder.path(), config);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let used = fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).unwrap();
    let used = u64::try_from(used.count()).unwrap();
    let limit = |current| {
        let limit = Rlimit { current: Some(current), ..getrlimit(Resource::Nofile) };
        prlimit(Some(daemon.pid()), Resource::Nofile, limit).unwrap()
    };
    let mut stream = daemon.connect("tcp");
    stream.write_all(&noise(1)).unwrap();
    daemon.settle("tcp", LINES);
    let before = limit(used);
    // Enough for several logs. Connections that are there are all that can be used.
    let more = thread::spawn(move || {
        (0..8).for_each(|seed| stream.write_all(&noise(seed)).unwrap());
    });
    sender.more_refused();
    let acknowledged = sender.acknowledged();
    sender.more_refused();
    assert_eq!(sender.acknowledged(), acknowledged, "acknowledged though it was refused");
    limit(before.current.unwrap());
    more.join().unwrap();
    sender.more();
    assert!(daemon.metrics().get("logtrace_store_reopened") > 0, "{}", daemon.said());
    assert!(daemon.said().contains("no file descriptors left"), "{}", daemon.said());
    daemon.settle("tcp", 9 * LINES);
    let acknowledged = sender.end();
    let stored = daemon.metrics().ledger("tcp").stored;
    assert_eq!(stored, 9 * LINES);
    daemon.kill();
    assert_stored_once(&Daemon::start(folder.path(), config), &acknowledged);
}

/// Lines that do not become much smaller by compression: 512 KiB when they are.
fn noise(seed: u64) -> Vec<u8> {
    let line = |n: u64| {
        let noise = blake3::hash(&[seed.to_le_bytes(), n.to_le_bytes()].concat()).to_hex();
        format!("<13>1 - h a - - - {WIRE} {noise}\n").into_bytes()
    };
    (0..LINES).flat_map(line).collect()
}

/// Lines of [`noise`].
const LINES: u64 = 16_384;

#[test]
fn st_20_a_slow_disk_slows_senders_and_loses_nothing() {
    slow_disk(Duration::from_secs(2));
}

#[test]
#[ignore = "slow: make slow-tests"]
fn st_20_slow_syncs_of_ten_seconds_slow_senders_and_lose_nothing() {
    slow_disk(Duration::from_secs(10));
}

/// A disk that takes a megabyte a second: readers are slowed down to that, and what is held in
/// memory stays the same however much is on its way.
#[test]
fn st_20_a_disk_of_a_megabyte_a_second_slows_senders_and_loses_nothing() {
    const CHUNKS: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let config = "[store]\nseal_after = \"100ms\"\n";
    let daemon = faults.start(folder.path(), config);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    faults.pace(1_000_000, "/data/");
    let mut stream = daemon.connect("tcp");
    thread::scope(|scope| {
        scope.spawn(|| (0..CHUNKS).for_each(|seed| stream.write_all(&noise(seed)).unwrap()));
        // What is sent, and what was acknowledged of others meanwhile.
        for chunk in 1..=2 {
            wait_for("some of it", || {
                let metrics = daemon.metrics();
                let resident = metrics.get("logtrace_resident_memory_bytes");
                assert!(resident < 300 << 20, "{resident} bytes of memory");
                metrics.ledger("tcp").assert_adds_up();
                (metrics.ledger("tcp").stored >= chunk * LINES).then_some(())
            });
            sender.more();
        }
        assert_eq!(sender.refused(), 0, "slow is not full");
        assert_eq!(health(&daemon).1["disk"]["held"], serde_json::Value::Null);
        faults.clear();
    });
    daemon.settle("tcp", CHUNKS * LINES);
    let ledger = daemon.metrics().ledger("tcp");
    assert_eq!((ledger.stored, ledger.failed), (CHUNKS * LINES, 0));
    sender.more();
    let acknowledged = sender.end();
    daemon.kill();
    assert_stored_once(&Daemon::start(folder.path(), config), &acknowledged);
}

/// Every sync takes so long.
#[track_caller]
fn slow_disk(slow: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let daemon = faults.start(folder.path(), "");
    let sender = Sender::start(&daemon, "a");
    sender.more();
    faults.set("sync", -i32::try_from(slow.as_millis()).unwrap(), ".log");
    // Two calls, so that one began when it was slow already.
    let began = Instant::now();
    sender.more();
    assert!(began.elapsed() >= slow, "acknowledged before it was synced");
    assert_eq!(sender.refused(), 0, "slow is not full");
    // Who waits for an acknowledgement for long is told every five seconds that it goes on.
    let mut beats = Beats::connect(daemon.address("beats")).unwrap();
    let event = json!({"message": format!("{WIRE} of beats")}).to_string();
    beats.window(1, &[event]).unwrap();
    let (number, kept_alive) = beats.acknowledged().unwrap();
    assert_eq!(number, 1);
    assert!(kept_alive >= usize::from(slow >= Duration::from_secs(10)), "{kept_alive}");
    let mut stream = daemon.connect("tcp");
    let line = format!("<13>1 - h a - - - {WIRE}\n").into_bytes();
    let sent = push(&mut stream, &line, 256 << 20);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    let resident = daemon.metrics().get("logtrace_resident_memory_bytes");
    assert!(resident < 300 << 20, "{resident} bytes of memory");
    faults.clear();
    drop(stream);
    sender.more();
    wait_for("all lines", || (daemon.metrics().ledger("tcp").in_flight == 0).then_some(()));
    assert_eq!(daemon.metrics().ledger("tcp").failed, 0);
    let acknowledged = sender.end();
    daemon.kill();
    assert_stored_once(&Daemon::start(folder.path(), ""), &acknowledged);
}
