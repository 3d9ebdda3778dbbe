//! What others push over HTTP: OTLP, Splunk's collector, Loki and systemd-journal-upload; also when
//! the daemon is killed meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{node_of, output_of, python_of, run, run_with, start, unpacked};
use crate::support::{Valve, wait_for};
use crate::yard::{COUNT, Yard};

#[test]
fn otlp_exporter() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let mut command = python_of("python-push", "otlp_client.py");
    command.args([&daemon.api("/v1/logs"), &key.secret]);
    run(command);
    daemon.find("order 7 failed").is_whole_by("http").has(json!({
        "message": "order 7 failed",
        "service": "shop",
        "host.name": "till-3",
        "level": "ERROR",
        "event.severity": 17,
        "order": 7,
        "items": ["a", "b"],
        "scope.name": "orders",
        "telemetry.sdk.language": "python",
        "key": key.id,
    }));
    let wanted = json!({"message": "naïve — ünïcode\nin two lines", "level": "WARN"});
    daemon.find("in two lines").is_whole_by("http").has(wanted);
}

#[test]
fn splunk_handler() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let mut command = python_of("python-push", "splunk_client.py");
    command.args([daemon.port("api"), &key.secret]);
    run(command);
    daemon.find("order 7 failed").is_whole_by("http").has(json!({
        "message": "order 7 failed",
        "service": "shop",
        "host.name": "till-3",
        "source": "shop",
        "sourcetype": "text",
        "index": "main",
        "key": key.id,
    }));
    let wanted = json!({"message": "naïve — ünïcode\nin two lines"});
    daemon.find("in two lines").is_whole_by("http").has(wanted);
}

#[test]
fn winston_loki() {
    let daemon = Daemon::start();
    let key = daemon.key();
    for form in ["json", "protobuf"] {
        let mut command = node_of("npm-push", "winston_loki.js");
        command.args([&daemon.api(""), &key.secret, form]);
        run(command);
        let failed = daemon.find(&format!("order 7 failed as {form}"));
        failed.is_whole_by("http").has(json!({
            "service": "shop",
            "app": "shop",
            "form": form,
            "region": "eu",
            "level": "ERROR",
            "key": key.id,
        }));
        let message = format!("naïve — ünïcode\nin two lines as {form}");
        let wanted = json!({"message": message, "level": "WARN"});
        daemon.find(&format!("in two lines as {form}")).is_whole_by("http").has(wanted);
    }
}

#[test]
fn journal_upload() {
    let daemon = Daemon::start();
    let key = daemon.key();
    journal(daemon.folder(), 30);
    let address = daemon.address("api");
    run(upload(daemon.folder(), &format!("http://upload:{}@{address}", key.secret)));
    daemon.expect_count("log.syslog.appname:till", 30);
    daemon.find("number 000020 of journal").is_whole_by("http").has(json!({
        "message": "number 000020 of journal\nin two lines",
        "service": "till",
        "level": "WARN",
        "host.name": "till-3",
        "log.syslog.procid": "77",
        "process.pid": 77,
        "systemd.unit": "till.service",
        "key": key.id,
    }));
    // Who may not write is told so, and keeps its place.
    journal(daemon.folder(), 31);
    let refused = format!("http://upload:lt_live_00000000000000000000000000000000@{address}");
    fs::remove_file(daemon.folder().join("upload.state")).unwrap();
    assert!(!output_of(upload(daemon.folder(), &refused), b"").status.success());
    assert!(!daemon.folder().join("upload.state").exists());
}

/// What a client was told is stored is stored, though the daemon was killed meanwhile; and a client
/// that comes again brings all of it.
#[test]
fn otlp_exporter_over_a_kill() {
    let yard = Yard::new("http");
    let daemon = yard.start();
    let (_, secret) = daemon.create_key(&json!({"name": "otlp", "scopes": ["write:logs"]}));
    let mut command = python_of("python-push", "otlp_client.py");
    let valve = Valve::new(yard.at, 30_000);
    let url = format!("http://{}/v1/logs", valve.address());
    command.args([&url, &secret, &COUNT.to_string()]);
    let client = start(command, yard.folder(), "otlp");
    let told = || client.said().lines().filter(|line| line.starts_with("number")).count();
    wait_for("the first of the records", || (told() > 10).then_some(()));
    daemon.kill();
    let daemon = yard.start();
    valve.open();
    wait_for("all of the records", || (told() == 150).then_some(()));
    let stored = yard.stored(&daemon, "otlp");
    let said = client.said();
    let told = said.lines().filter(|line| line.starts_with("number")).map(str::to_owned);
    let told: BTreeSet<_> = told.collect();
    assert_eq!(told.difference(&stored).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(stored.len(), 150);
    assert!(daemon.stop().success());
}

#[test]
fn splunk_handler_over_a_kill() {
    let yard = Yard::new("http");
    let daemon = yard.start();
    let (_, secret) = daemon.create_key(&json!({"name": "hec", "scopes": ["write:logs"]}));
    let mut command = python_of("python-push", "splunk_client.py");
    let valve = Valve::new(yard.at, 5_000);
    command.args([&valve.address().port().to_string(), &secret, &COUNT.to_string()]);
    let mut client = start(command, yard.folder(), "splunk");
    wait_for("the first of the events", || {
        (!daemon.query("message:\"of splunk\"").is_empty()).then_some(())
    });
    daemon.kill();
    let daemon = yard.start();
    valve.open();
    assert!(client.child.wait().unwrap().success());
    assert_eq!(yard.stored(&daemon, "splunk").len(), 150);
    assert!(daemon.stop().success());
}

#[test]
fn journal_upload_over_a_kill() {
    let yard = Yard::new("http");
    let daemon = yard.start();
    let (_, secret) = daemon.create_key(&json!({"name": "till", "scopes": ["write:logs"]}));
    journal(yard.folder(), 10_000);
    let url = |at: SocketAddr| format!("http://upload:{secret}@{at}");
    let valve = Valve::new(yard.at, 1 << 20);
    let mut client = start(upload(yard.folder(), &url(valve.address())), yard.folder(), "upload");
    wait_for("the first of the entries", || {
        (!daemon.query("message:\"of journal\"").is_empty()).then_some(())
    });
    daemon.kill();
    let ended = client.child.wait().unwrap();
    let daemon = yard.start();
    // Nothing was acknowledged, so it begins again where it began.
    assert!(!ended.success(), "{}", client.said());
    assert!(!yard.folder().join("upload.state").exists());
    run(upload(yard.folder(), &url(yard.at)));
    // What was stored came again, and is there once.
    assert_eq!(yard.stored(&daemon, "journal").len(), 10_000);
    assert_eq!(yard.all_stored(&daemon, "journal").len(), 10_000);
    assert!(daemon.metrics().ledger("push").failed > 0, "nothing came again");
    // And once more, from its beginning.
    fs::remove_file(yard.folder().join("upload.state")).unwrap();
    run(upload(yard.folder(), &url(yard.at)));
    assert_eq!(yard.all_stored(&daemon, "journal").len(), 10_000);
    assert!(daemon.stop().success());
}

/// Writes a journal of so many entries.
fn journal(folder: &Path, count: u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let micros = u64::try_from(now.as_micros()).unwrap() - count;
    let mut export = Vec::new();
    for number in 0..count {
        let head = format!(
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={number}\n\
             _BOOT_ID=0123456789abcdef0123456789abcdef\nPRIORITY=4\nSYSLOG_IDENTIFIER=till\n\
             _PID=77\n_HOSTNAME=till-3\n_SYSTEMD_UNIT=till.service\n",
            micros + number
        );
        export.extend_from_slice(head.as_bytes());
        let message = format!("number {number:06} of journal");
        if number % 10 == 0 {
            let message = format!("{message}\nin two lines");
            export.extend_from_slice(b"MESSAGE\n");
            export.extend_from_slice(&(message.len() as u64).to_le_bytes());
            export.extend_from_slice(message.as_bytes());
        } else {
            export.extend_from_slice(format!("MESSAGE={message}").as_bytes());
        }
        export.extend_from_slice(b"\n\n");
    }
    let journal = folder.join("till.journal");
    if journal.exists() {
        fs::remove_file(&journal).unwrap();
    }
    let mut command = unpacked("lib/systemd/systemd-journal-remote");
    command.arg("--output").arg(&journal).arg("-");
    run_with(command, &export);
}

/// Uploads that journal from where the last upload came to.
fn upload(folder: &Path, url: &str) -> Command {
    let mut command = unpacked("lib/systemd/systemd-journal-upload");
    command.arg("--url").arg(url).arg("--follow=no");
    command.arg("--file").arg(folder.join("till.journal"));
    let state = folder.join("upload.state");
    command.arg(format!("--save-state={}", state.display()));
    command
}
