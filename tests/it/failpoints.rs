//! The daemon is killed between two steps of something, by name (`src/failpoint.rs`).

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use logtrace::db::{Db, Family, Options};
use rustix::process::Signal;

use crate::acknowledged::Acknowledged;
use crate::support::{Daemon, LISTENERS, wait_for};

/// Every place at which a daemon that takes logs and seals them may be killed.
pub(crate) const PLACES: &[&str] = &[
    "stage-committed",
    "segment-written",
    "segment-ingested",
    "seal-ingested",
    "seal-committed",
    "expire-begun",
    "expire-committed",
    "expire-dropped",
    "merge-ingested",
    "merge-committed",
];

const CONFIG: &str = "[store]\nseal_after = \"100ms\"\n";

/// The same, with what is some days old past its retention.
const SHORT: &str = "[store]\nseal_after = \"100ms\"\nretention.default = \"1d\"\n";

/// Starts a daemon that is killed at `place`, and sends it logs until it is.
fn until_killed(folder: &Path, config: &str, place: &str, logs: Option<&Acknowledged>) {
    let variables = [("LOGTRACE_FAILPOINT", place)];
    let ended = match Daemon::try_start(folder, config, LISTENERS, &variables) {
        Err(ended) => ended,
        Ok(daemon) => {
            while logs.is_some_and(|logs| logs.send(&daemon, 50)) {}
            daemon.ended()
        }
    };
    let killed = |ended: ExitStatus| ended.signal() == Some(Signal::ABORT.as_raw());
    assert!(killed(ended), "{place}: {ended}");
}

/// The segments whose files are there, whether the catalog knows them or not.
fn segments(folder: &Path) -> Vec<u64> {
    let db = Db::open(&folder.join("data"), &Options::default()).unwrap();
    let (mut from, mut found) = (0_u64, Vec::new());
    while let Some(key) = db.first_key(Family::Segments, &from.to_be_bytes()).unwrap() {
        let id = u64::from_be_bytes(*key.first_chunk().unwrap());
        found.push(id);
        from = id + 1;
    }
    found
}

/// Starts the daemon once more, unharmed; how many segments it says it has.
#[track_caller]
fn settled(folder: &Path, config: &str, stored: &Acknowledged, gone: Option<&Acknowledged>) -> u64 {
    // Without merges, which would change how many there are while they are counted.
    let config = &format!("{config}merge_rate = \"0 B\"\n");
    let daemon = Daemon::start(folder, config);
    daemon.note_no_calls();
    stored.assert_stored_once(&daemon);
    if let Some(gone) = gone {
        wait_for("retention", || gone.stored(&daemon).is_empty().then_some(()));
        stored.assert_stored_once(&daemon);
    }
    assert!(daemon.stop().success());
    let made = fs::read_dir(folder.join("data/tmp")).unwrap().count();
    assert_eq!(made, 0, "files that were never brought in");
    let daemon = Daemon::start(folder, config);
    let (_, health) = daemon.call("GET", "/v1/health", None, None);
    stored.assert_stored_once(&daemon);
    daemon.kill();
    health["store"]["segments"].as_u64().unwrap()
}

/// Kills at `place` twice in a row while logs come, and expects each acknowledged one once.
fn st_02_killed_at(place: &str) {
    let folder = tempfile::tempdir().unwrap();
    let logs = Acknowledged::new("fresh", 0);
    let daemon = Daemon::start(folder.path(), CONFIG);
    assert!(logs.send(&daemon, 500));
    daemon.kill();
    for _ in 0..2 {
        until_killed(folder.path(), CONFIG, place, Some(&logs));
    }
    let known = settled(folder.path(), CONFIG, &logs, None);
    assert_eq!(segments(folder.path()).len() as u64, known, "{place}: orphans");
}

#[test]
fn st_02_killed_after_a_batch_is_committed() {
    st_02_killed_at("stage-committed:4");
}

#[test]
fn st_02_killed_before_a_segment_is_ingested() {
    st_02_killed_at("segment-written");
}

#[test]
fn st_02_killed_after_a_segment_is_ingested() {
    st_02_killed_at("segment-ingested");
}

#[test]
fn st_02_killed_between_ingestion_and_commit() {
    st_02_killed_at("seal-ingested");
}

#[test]
fn st_02_killed_after_the_commit_of_a_seal() {
    st_02_killed_at("seal-committed");
}

/// Kills at `place` of a merge, twice in a row: small segments are made one after the other, then
/// nothing comes, and there is time for it.
fn st_02_killed_in_a_merge_at(place: &str) {
    let folder = tempfile::tempdir().unwrap();
    let logs = Acknowledged::new("fresh", 0);
    for _ in 0..2 {
        let variables = [("LOGTRACE_FAILPOINT", place)];
        let ended = match Daemon::try_start(folder.path(), CONFIG, LISTENERS, &variables) {
            Err(ended) => ended,
            Ok(daemon) => {
                for _ in 0..SEGMENTS {
                    if !logs.send(&daemon, 20) {
                        break;
                    }
                    wait_for("the seal", || (staged(&daemon).unwrap_or(0) == 0).then_some(()));
                }
                daemon.ended()
            }
        };
        assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()), "{place}: {ended}");
    }
    let known = settled(folder.path(), CONFIG, &logs, None);
    assert_eq!(segments(folder.path()).len() as u64, known, "{place}: orphans");
}

/// Events that are not sealed yet, if the daemon is still there to say so.
fn staged(daemon: &Daemon) -> Option<u64> {
    let answer = ureq::get(format!("http://{}/v1/health", daemon.address("api"))).call();
    let health: serde_json::Value = answer.ok()?.body_mut().read_json().ok()?;
    health["store"]["staged_events"].as_u64()
}

/// More than are merged at once when there is time.
const SEGMENTS: usize = 6;

#[test]
fn st_02_killed_after_a_merged_segment_is_ingested() {
    st_02_killed_in_a_merge_at("merge-ingested");
}

#[test]
fn st_02_killed_after_a_merge_is_committed() {
    st_02_killed_in_a_merge_at("merge-committed");
}

/// Kills at `place` of retention, twice in a row, with something to drop each time.
fn st_24_killed_at(place: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (fresh, old) = (Acknowledged::new("fresh", 0), Acknowledged::new("old", 5));
    for _ in 0..2 {
        let daemon = Daemon::start(folder.path(), CONFIG);
        assert!(fresh.send(&daemon, 100) && old.send(&daemon, 100));
        // A stop seals.
        assert!(daemon.stop().success());
        until_killed(folder.path(), SHORT, place, None);
    }
    let known = settled(folder.path(), SHORT, &fresh, Some(&old));
    assert_eq!(segments(folder.path()).len() as u64, known, "{place}: orphans");
}

#[test]
fn st_24_killed_before_retention_is_committed() {
    st_24_killed_at("expire-begun");
}

#[test]
fn st_24_killed_after_retention_is_committed() {
    st_24_killed_at("expire-committed");
}

#[test]
fn st_24_killed_after_a_segment_is_dropped() {
    st_24_killed_at("expire-dropped");
}
