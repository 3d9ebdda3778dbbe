//! A disk without room, and then with room again.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use super::health;
use super::sender::{Sender, WIRE, assert_stored_once};
use crate::support::{Daemon, SmallDisk, wait_for};

/// A floor that a disk of 96 MiB can have.
pub(super) const CONFIG: &str =
    "[store.disk]\nmin_free = \"8 MiB\"\nmin_free_percent = 0\nballast = \"4 MiB\"\n";

#[track_caller]
pub(crate) fn wait_until_held(daemon: &Daemon) {
    wait_for("the disk to be full", || {
        (daemon.metrics().get("logtrace_disk_full") == 1).then_some(())
    });
}

#[track_caller]
pub(crate) fn wait_until_free(daemon: &Daemon) {
    wait_for("room", || (daemon.metrics().get("logtrace_disk_full") == 0).then_some(()));
}

/// Writes lines until the daemon takes no more, and says how many bytes it took.
pub(super) fn push(stream: &mut std::net::TcpStream, line: &[u8], max: usize) -> usize {
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let piece = line.repeat(1000);
    let mut sent = 0;
    while sent < max {
        match stream.write(&piece[sent % piece.len()..]) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

#[test]
fn st_04_a_disk_below_its_floor_stops_acknowledging_and_goes_on_by_itself() {
    let disk = SmallDisk::new(96);
    let daemon = Daemon::start(disk.path(), CONFIG);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let filler = disk.fill(2 << 20);
    wait_until_held(&daemon);
    sender.more_refused();
    let acknowledged = sender.acknowledged();
    sender.more_refused();
    assert_eq!(sender.acknowledged(), acknowledged, "acknowledged while the disk was full");

    // It says so, and it can be asked.
    let (status, said) = health(&daemon);
    assert_eq!((status, &said["disk"]["held"]), (503, &"the disk is nearly full".into()), "{said}");
    let (status, said) = daemon.call("GET", "/v1/health", None, None);
    assert_eq!((status, &said["status"]), (200, &"degraded".into()), "{said}");
    assert_eq!(daemon.query("message:ac0n0").len(), 1);

    // Streams are slowed down, and no more is taken than memory has been set aside for.
    let mut stream = daemon.connect("tcp");
    let line = format!("<13>1 - h a - - - {WIRE}\n").into_bytes();
    let sent = push(&mut stream, &line, 256 << 20);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    let resident = daemon.metrics().get("logtrace_resident_memory_bytes");
    assert!(resident < 300 << 20, "{resident} bytes of memory");

    drop(filler);
    wait_until_free(&daemon);
    sender.more();
    assert_eq!(health(&daemon).0, 200);
    // What was in the middle of a line goes on there.
    stream.write_all(&line[sent % line.len()..]).unwrap();
    drop(stream);
    daemon.settle(
        "tcp",
        sent.div_ceil(line.len()) as u64 + u64::from(sent.is_multiple_of(line.len())),
    );

    let acknowledged = sender.end();
    assert!(daemon.stop().success());
    let said = std::fs::read_to_string(disk.path().join("daemon.log")).unwrap();
    assert_eq!(said.matches("nothing is stored until").count(), 1, "{said}");
    assert_eq!(said.matches("storing goes on").count(), 1, "{said}");
    let daemon = Daemon::start(disk.path(), CONFIG);
    assert_eq!(health(&daemon).0, 200);
    assert_stored_once(&daemon, &acknowledged);
}

#[test]
fn st_07_a_disk_without_room_for_files_is_waited_for() {
    let disk = SmallDisk::with_files(96, 1000);
    // Logs are changed often, and each is a file.
    let config = format!("{CONFIG}[store.engine]\nwrite_buffer = \"1 MiB\"\n");
    let daemon = Daemon::start(disk.path(), &config);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let files = disk.use_up_files();
    wait_until_held(&daemon);
    sender.more_refused();
    let acknowledged = sender.acknowledged();
    sender.more_refused();
    assert_eq!(sender.acknowledged(), acknowledged, "acknowledged though nothing can be made");
    let (status, said) = health(&daemon);
    let held = "the disk has no room for more files";
    assert_eq!((status, &said["disk"]["held"]), (503, &held.into()), "{said}");
    assert_eq!(daemon.query("message:ac0n0").len(), 1, "searched meanwhile");
    drop(files);
    wait_until_free(&daemon);
    sender.more();
    let acknowledged = sender.end();
    daemon.kill();
    assert_stored_once(&Daemon::start(disk.path(), &config), &acknowledged);
}

#[test]
fn st_05_a_disk_without_any_room_is_opened_and_goes_on_by_itself() {
    let disk = SmallDisk::new(96);
    let daemon = Daemon::start(disk.path(), CONFIG);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let filler = disk.fill(0);
    wait_until_held(&daemon);
    let acknowledged = sender.end();
    daemon.kill();
    // Room that the killed one had taken and not used is the next one's.
    let filler = (filler, disk.fill(0));
    let daemon = Daemon::start(disk.path(), CONFIG);
    assert!(!disk.path().join("data/BALLAST").exists());
    // What it gives back on its way, as logs that it no longer needs, is taken as well.
    let mut fillers = vec![disk.fill(0)];
    wait_for("the disk to be full", || {
        fillers.push(disk.fill(0));
        (daemon.metrics().get("logtrace_disk_full") == 1).then_some(())
    });
    assert_stored_once(&daemon, &acknowledged);
    drop((filler, fillers));
    wait_until_free(&daemon);
    let sender = Sender::start(&daemon, "b");
    sender.more();
    let acknowledged = sender.end().union(&acknowledged).cloned().collect();
    daemon.kill();
    assert_stored_once(&Daemon::start(disk.path(), CONFIG), &acknowledged);
}

#[test]
fn st_06_what_is_past_its_retention_goes_from_a_full_disk() {
    let disk = SmallDisk::new(96);
    let config =
        format!("{CONFIG}[store]\nseal_after = \"100ms\"\n[store.retention]\ndefault = \"1d\"\n");
    let daemon = Daemon::start(disk.path(), &config);
    daemon.note_no_calls();
    let now = std::time::SystemTime::now();
    for (days, text) in [(4, "old"), (0, "new")] {
        let at = humantime::format_rfc3339_seconds(now - Duration::from_secs(days * 86_400));
        let log = serde_json::json!({"@timestamp": at.to_string(), "message": text});
        let logs = serde_json::json!({"logs": [log]});
        assert_eq!(daemon.call("POST", "/v1/logs/ingest", None, Some(&logs)).0, 202);
    }
    wait_for("two segments", || (daemon.metrics().get("logtrace_segments") == 2).then_some(()));
    assert_eq!(daemon.query("message:old").len(), 1);
    let _filler = disk.fill(0);
    wait_until_held(&daemon);
    wait_for("one segment", || (daemon.metrics().get("logtrace_segments") == 1).then_some(()));
    assert_eq!((daemon.query("message:old").len(), daemon.query("message:new").len()), (0, 1));
    daemon.kill();
    let daemon = Daemon::start(disk.path(), &config);
    assert_eq!((daemon.query("message:old").len(), daemon.query("message:new").len()), (0, 1));
}

#[test]
fn st_05_a_store_that_cannot_be_opened_to_write_can_be_read_until_it_can() {
    let disk = SmallDisk::new(96);
    let config = CONFIG.replace("4 MiB", "0 B");
    let daemon = Daemon::start(disk.path(), &config);
    let sender = Sender::start(&daemon, "a");
    sender.more();
    let acknowledged = sender.end();
    daemon.kill();
    // Logs that take no more room than they have bytes: none comes free when they are opened.
    for entry in std::fs::read_dir(disk.path().join("data/db")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    // Where it listens is said on another disk: there is no room here even for that.
    let elsewhere = tempfile::tempdir().unwrap();
    let draft = disk.path().join("data/listening.json.new");
    std::os::unix::fs::symlink(elsewhere.path().join("listening"), draft).unwrap();
    let filler = disk.fill(0);
    let daemon = Daemon::start(disk.path(), &config);
    wait_until_held(&daemon);
    assert_stored_once(&daemon, &acknowledged);
    let key = serde_json::json!({"name": "x", "scopes": ["write:logs"]});
    let (status, said) = daemon.call("POST", "/v1/keys", None, Some(&key));
    assert_eq!((status, &said["code"]), (503, &"no_room".into()), "{said}");
    drop(filler);
    wait_until_free(&daemon);
    assert!(daemon.metrics().get("logtrace_store_reopened") > 0, "{}", daemon.said());
    let sender = Sender::start(&daemon, "b");
    sender.more();
    let acknowledged = sender.end().union(&acknowledged).cloned().collect();
    daemon.kill();
    assert_stored_once(&Daemon::start(disk.path(), &config), &acknowledged);
}

#[test]
fn st_06_a_stop_on_a_full_disk_stores_what_had_been_taken() {
    let disk = SmallDisk::new(96);
    let config = format!("{CONFIG}[shutdown]\ngrace = \"1s\"\n");
    let daemon = Daemon::start(disk.path(), &config);
    let filler = disk.fill(0);
    wait_until_held(&daemon);
    let mut stream = daemon.connect("tcp");
    stream.write_all(format!("<13>1 - h a - - - {WIRE}\n").repeat(1000).as_bytes()).unwrap();
    wait_for("lines", || (daemon.metrics().ledger("tcp").in_flight == 1000).then_some(()));
    assert!(daemon.stop().success());
    drop(filler);
    let daemon = Daemon::start(disk.path(), &config);
    assert_eq!(daemon.query("message:wire").len(), 1000);
}

#[test]
fn st_06_what_is_deleted_goes_from_a_full_disk() {
    let disk = SmallDisk::new(96);
    let daemon = Daemon::start(disk.path(), CONFIG);
    let ingest = |daemon: &Daemon, text: &str| {
        let logs = serde_json::json!({"logs": [{"message": text}]});
        assert_eq!(daemon.call("POST", "/v1/logs/ingest", None, Some(&logs)).0, 202);
    };
    ingest(&daemon, "wanted");
    ingest(&daemon, "unwanted");
    let filler = disk.fill(0);
    wait_until_held(&daemon);
    assert!(disk.path().join("data/BALLAST").exists());
    // It is staged, too: it must be sealed to be deleted.
    let which = serde_json::json!({"filter": "message:unwanted", "from": "-1h", "to": "now+1h"});
    let (status, said) = daemon.call("POST", "/v1/logs/delete", None, Some(&which));
    assert_eq!((status, &said["deleted"]), (200, &1.into()), "{said}");
    assert!(!disk.path().join("data/BALLAST").exists(), "there was room all the same");
    let is_right = |daemon: &Daemon| {
        assert_eq!(daemon.query("message:wanted").len(), 1);
        assert_eq!(daemon.query("message:unwanted").len(), 0);
    };
    is_right(&daemon);
    daemon.kill();
    drop(filler);
    is_right(&Daemon::start(disk.path(), CONFIG));
}
