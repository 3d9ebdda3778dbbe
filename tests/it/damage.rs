//! A disk that does not keep what was written, and events that are to be gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, LISTENERS, wait_for};

const CONFIG: &str = "[store]\nseal_after = \"100ms\"\n";

fn ingest(daemon: &Daemon, texts: impl Iterator<Item = String>) {
    let logs: Vec<Value> = texts.map(|text| json!({"message": text})).collect();
    let body = json!({"logs": logs});
    let (status, answer) = daemon.call("POST", "/v1/logs/ingest", None, Some(&body));
    assert_eq!(status, 202, "{answer}");
}

fn sealed(daemon: &Daemon, segments: u64) {
    wait_for("segments", || (daemon.metrics().get("logtrace_segments") >= segments).then_some(()));
}

fn logtrace(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_logtrace")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The largest file of the engine: that of the segment with most in it.
fn largest(data: &Path) -> PathBuf {
    let files = fs::read_dir(data.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "sst"));
    files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn st_28_damage_that_nobody_asked_for_is_found_and_intake_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    // Texts that no compression makes small, so that their chunk is most of the file.
    let text = |n: u64| format!("cold {:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    ingest(&daemon, (0..3000).map(text));
    sealed(&daemon, 1);
    ingest(&daemon, ["warm".to_owned()].into_iter());
    sealed(&daemon, 2);
    assert!(daemon.stop().success());
    let file = largest(&folder.path().join("data"));
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();

    let daemon = Daemon::start(folder.path(), CONFIG);
    wait_for("the scrubber", || {
        let metrics = daemon.metrics();
        assert!(metrics.get("logtrace_quarantined_segments") <= 1);
        (metrics.get("logtrace_scrubbed_timestamp_seconds") > 0).then_some(())
    });
    assert_eq!(daemon.metrics().get("logtrace_quarantined_segments"), 1);
    assert!(daemon.metrics().get("logtrace_scrubbed_bytes_total") > 100);
    assert_eq!(daemon.said().matches("in quarantine, and answers are partial").count(), 1);
    let told = daemon.find_in("advisory", "kind:damage_found");
    assert_eq!((&told["subject"], &told["level"]), (&json!("store"), &json!("WARN")), "{told}");
    assert!(told["advice"].as_str().unwrap().contains("logtrace quarantine list"), "{told}");
    ingest(&daemon, ["after".to_owned()].into_iter());
    let body = json!({"from": "-1h"});
    let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&body));
    assert_eq!((status, &answer["meta"]["partial"]), (200, &json!(true)));
    let reason = answer["meta"]["partial_reasons"][0].as_str().unwrap();
    assert!(reason.contains("in quarantine"), "{reason}");
    assert_eq!(answer["meta"]["count"], 2, "all but the damaged block");
    let (_, health) = daemon.call("GET", "/v1/health", None, None);
    assert_eq!(
        (&health["status"], &health["store"]["quarantined_segments"]),
        (&json!("degraded"), &json!(1))
    );
    let ready = ureq::get(format!("http://{}/readyz", daemon.address("admin"))).call().unwrap();
    assert_eq!(ready.status(), 200, "old damage does not turn new work away");
    let server = format!("http://{}", daemon.address("api"));
    let listed = logtrace(&["quarantine", "list", "--server", &server, "--json"]);
    let marks = listed["quarantine"].as_array().unwrap();
    assert_eq!((marks.len(), &marks[0]["project"]), (1, &json!("default")));
    assert!(daemon.stop().success());
}

#[test]
fn st_24_what_was_deleted_stays_deleted_over_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    ingest(&daemon, (0..100).map(|n| format!("{} n{n}", if n % 2 == 0 { "even" } else { "odd" })));
    let server = format!("http://{}", daemon.address("api"));
    let delete = ["delete", "even", "--server", &server, "--json"];
    let counted = logtrace(&[&delete[..], &["--dry-run"]].concat());
    assert_eq!((&counted["matched"], &counted["deleted"]), (&json!(50), &json!(0)));
    assert_eq!(logtrace(&delete)["deleted"], 50);
    daemon.kill();
    let daemon = Daemon::start(folder.path(), CONFIG);
    assert_eq!((daemon.query("even").len(), daemon.query("*").len()), (0, 50));
    // And some of its own journals.
    assert!((50..100).contains(&daemon.metrics().get("logtrace_segment_events")));
}

#[test]
fn st_24_killed_before_and_after_a_deletion_is_committed() {
    for (place, left) in [("delete-begun", 100), ("delete-committed", 50)] {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("LOGTRACE_FAILPOINT", place)];
        let started = Daemon::try_start(folder.path(), CONFIG, LISTENERS, &variables);
        let daemon = started.unwrap_or_else(|ended| panic!("{ended}"));
        let text = |n| format!("{} n{n}", if n % 2 == 0 { "even" } else { "odd" });
        ingest(&daemon, (0..100).map(text));
        let url = format!("http://{}/v1/logs/delete", daemon.address("api"));
        assert!(ureq::post(url).send_json(json!({"filter": "even"})).is_err(), "no answer");
        daemon.ended();
        // Never half of it.
        for _ in 0..2 {
            let daemon = Daemon::start(folder.path(), CONFIG);
            assert_eq!(daemon.query("*").len(), left, "{place}");
            assert!(daemon.stop().success());
        }
    }
}
