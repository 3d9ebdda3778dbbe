//! `logger` of util-linux, in all its modes.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{installed, run, run_with};

fn logger(daemon: &Daemon, listener: &str, arguments: &[&str]) -> Command {
    let mut command = installed("logger");
    command.args(["--server", "127.0.0.1", "--port", daemon.port(listener)]).args(arguments);
    command
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

#[test]
fn rfc5424_is_what_it_sends_when_not_told_otherwise() {
    let daemon = Daemon::start();
    for (listener, transport) in [("udp", "--udp"), ("tcp", "--tcp")] {
        run(logger(&daemon, listener, &[transport, "--tag", "app", "plain"]));
        daemon.find_at(listener, "plain").is_whole().has(json!({
            "message": "plain",
            "log.syslog.priority": 13,
            "log.syslog.facility.code": 1,
            "log.syslog.facility.name": "user",
            "log.syslog.severity.code": 5,
            "log.syslog.severity.name": "Notice",
            "log.syslog.appname": "app",
            "log.syslog.hostname": hostname(),
            "log.syslog.procid": null,
            "log.syslog.msgid": null,
            "log.syslog.structured_data": {"timeQuality": {"tzKnown": "1"}},
            "host.name": hostname(),
            "service": "app",
            "level": "INFO",
        }));
    }
}

#[test]
fn rfc3164() {
    let daemon = Daemon::start();
    for (listener, transport) in [("udp", "--udp"), ("tcp", "--tcp")] {
        let arguments = ["--rfc3164", "--tag", "bsd", "--priority", "local3.err", "no id"];
        run(logger(&daemon, listener, &[&[transport], &arguments[..]].concat()));
        daemon.find_at(listener, "no id").is_whole().has(json!({
            "message": "no id",
            "log.syslog.priority": 155,
            "log.syslog.facility.name": "local3",
            "log.syslog.severity.name": "Error",
            "log.syslog.appname": "bsd",
            "log.syslog.hostname": hostname(),
            "log.syslog.procid": null,
            "log.syslog.structured_data": null,
            "service": "bsd",
            "level": "ERROR",
        }));
        let arguments = ["--rfc3164", "--id=4711", "--tag", "bsd", "with id"];
        run(logger(&daemon, listener, &[&[transport], &arguments[..]].concat()));
        daemon.find_at(listener, "with id").is_whole().has(json!({
            "message": "with id",
            "log.syslog.appname": "bsd",
            "log.syslog.procid": "4711",
        }));
    }
}

#[test]
fn rfc5424_without_time_time_quality_and_host() {
    let daemon = Daemon::start();
    let arguments = ["--tcp", "--rfc5424=notime,notq,nohost", "--tag", "bare", "next to nothing"];
    run(logger(&daemon, "tcp", &arguments));
    let event = daemon.find("next to nothing");
    event.is_whole().has(json!({
        "message": "next to nothing",
        "log.syslog.appname": "bare",
        "log.syslog.hostname": null,
        "log.syslog.structured_data": null,
        // Who sent it is all that is known.
        "host.name": "127.0.0.1",
    }));
    assert_eq!(event.text("@timestamp"), event.text("received_at"));
}

#[test]
fn every_field_of_rfc5424() {
    let daemon = Daemon::start();
    let arguments = [
        "--tcp",
        "--tag",
        "shop",
        "--id=123",
        "--msgid",
        "ID47",
        "--priority",
        "auth.crit",
        "--sd-id",
        "zoo@32473",
        "--sd-param",
        r#"tiger="hungry""#,
        "--sd-param",
        r#"zebra="a \"b\" \\ [c\]""#,
        "--sd-id",
        "manager@32473",
        "--sd-param",
        r#"onMeeting="yes""#,
        "all of it",
    ];
    run(logger(&daemon, "tcp", &arguments));
    daemon.find("all of it").is_whole().has(json!({
        "message": "all of it",
        "log.syslog.priority": 34,
        "log.syslog.facility.name": "auth",
        "log.syslog.severity.name": "Critical",
        "log.syslog.appname": "shop",
        "log.syslog.procid": "123",
        "log.syslog.msgid": "ID47",
        "log.syslog.structured_data": {
            "timeQuality": {"tzKnown": "1"},
            "zoo@32473": {"tiger": "hungry", "zebra": r#"a "b" \ [c]"#},
            "manager@32473": {"onMeeting": "yes"},
        },
        "level": "FATAL",
    }));
}

#[test]
fn octet_counting_glues_messages_together() {
    let daemon = Daemon::start();
    for listener in ["tcp", "counted"] {
        let command = logger(&daemon, listener, &["--tcp", "--octet-count", "--tag", "glued"]);
        run_with(command, b"first of three\nsecond of three\n3 of three\n");
        for message in ["first of three", "second of three", "3 of three"] {
            let wanted = json!({"message": message, "log.syslog.appname": "glued"});
            daemon.find_at(listener, message).is_whole().has(wanted);
        }
    }
    // A count in a datagram is of no use, but sent.
    run(logger(&daemon, "udp", &["--udp", "--octet-count", "--tag", "counted", "one datagram"]));
    let wanted = json!({"message": "one datagram", "log.syslog.appname": "counted"});
    daemon.find("one datagram").is_whole().has(wanted);
}

#[test]
fn lines_with_a_priority_of_their_own() {
    let daemon = Daemon::start();
    let arguments = ["--tcp", "--prio-prefix", "--skip-empty", "--tag", "many"];
    run_with(logger(&daemon, "tcp", &arguments), b"<11>it broke\n\n<31>in detail\nas ever\n");
    // logger gives a line that has none that of the line before.
    let table = [("it broke", 11, "ERROR"), ("in detail", 31, "DEBUG"), ("as ever", 31, "DEBUG")];
    for (message, priority, level) in table {
        daemon.find(message).is_whole().has(json!({
            "message": message, "log.syslog.priority": priority, "level": level,
        }));
    }
    daemon.expect_count("service:many", 3);
}

#[test]
fn a_long_line_of_a_file() {
    let daemon = Daemon::start();
    let line = format!("long {}", "x".repeat(60_000));
    fs::write(daemon.folder().join("long"), format!("{line}\nshort\n")).unwrap();
    let file = daemon.file("long");
    run(logger(&daemon, "tcp", &["--tcp", "--size", "64KiB", "--tag", "file", "--file", &file]));
    daemon.find("short").is_whole().has(json!({"message": "short"}));
    daemon.find("long").is_whole().has(json!({"message": line}));
}

#[test]
fn a_key_in_structured_data_is_recognised_and_not_kept() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let parameter = format!("key=\"{}\"", key.secret);
    for (listener, transport) in [("tcp", "--tcp"), ("udp", "--udp")] {
        let arguments =
            [transport, "--tag", "app", "--sd-id", "lt@32473", "--sd-param", &parameter];
        run(logger(&daemon, listener, &[&arguments[..], &["with a key"]].concat()));
        let event = daemon.find_at(listener, "with a key");
        event.is_whole_by("structured_data").has(json!({
            "message": "with a key",
            "key": key.id,
            "log.syslog.appname": "app",
            "log.syslog.structured_data": {"timeQuality": {"tzKnown": "1"}, "lt@32473": null},
        }));
        assert!(!event.0.to_string().contains(&key.secret), "{:#}", event.0);
    }
}
