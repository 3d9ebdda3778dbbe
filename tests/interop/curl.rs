//! curl: a shell script's way to send, and to ask.

use std::process::Command;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::program::{installed, output_of, run_with};
use crate::support::yesterday;

fn curl(url: &str, arguments: &[&str]) -> Command {
    let mut command = installed("curl");
    command.args(["--silent", "--show-error", "--max-time", "240"]).args(arguments).arg(url);
    command
}

/// Posts JSON to the ingest call: the status, and the body of the answer.
#[track_caller]
fn ingest(daemon: &Daemon, body: &[u8], arguments: &[&str]) -> (u16, Value) {
    let json = ["--header", "Content-Type: application/json", "--data-binary", "@-"];
    let status = ["--write-out", "\n%{http_code}"];
    let arguments = [&json[..], &status, arguments].concat();
    let answer = run_with(curl(&daemon.api("/v1/logs/ingest"), &arguments), body);
    let (body, status) = answer.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn ingests_json() {
    let daemon = Daemon::start();
    let day = yesterday();
    let body = json!({"logs": [
        {"timestamp": format!("{day}T12:00:00.123456Z"), "level": "error", "message": "by curl",
         "service": "payment-gateway", "amount": {"eur": 12.5}, "retries": 3, "paid": false},
        {"level": "INFO", "message": "without a time", "service": "payment-gateway"},
    ]});
    let (status, answer) = ingest(&daemon, body.to_string().as_bytes(), &[]);
    assert_eq!((status, &answer["accepted"]), (202, &json!(2)), "{answer}");
    daemon.find("without a time").is_whole().has(json!({"service": "payment-gateway"}));
    // Its own time is before that of its receipt, so it is looked for there.
    let asked = json!({"filter": "message:\"by curl\"", "from": format!("{day}T00:00:00Z"),
        "to": format!("{day}T23:59:59Z")});
    let arguments = ["--header", "Content-Type: application/json", "--data-binary", "@-"];
    let query = curl(&daemon.api("/v1/logs/query"), &arguments);
    let answer: Value =
        serde_json::from_str(&run_with(query, asked.to_string().as_bytes())).unwrap();
    assert_eq!(answer["logs"].as_array().map(Vec::len), Some(1), "{answer}");
    crate::event::Event(answer["logs"][0].clone()).has(json!({
        "@timestamp": format!("{day}T12:00:00.123456Z"),
        "message": "by curl",
        "level": "ERROR",
        "service": "payment-gateway",
        "amount.eur": 12.5,
        "retries": 3,
        "paid": false,
        "host.name": "127.0.0.1",
    }));
}

#[test]
fn ingests_gzip_and_with_a_key() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let body = br#"{"logs":[{"message":"squeezed","level":"WARN","service":"cron"}]}"#;
    let squeezed = output_of(installed("gzip"), body).stdout;
    let authorization = format!("Authorization: Bearer {}", key.secret);
    let arguments = ["--header", "Content-Encoding: gzip", "--header", &authorization];
    let (status, answer) = ingest(&daemon, &squeezed, &arguments);
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    let event = daemon.find("squeezed");
    event.is_whole_by("http").has(json!({"level": "WARN", "service": "cron", "key": key.id}));
}

#[test]
fn is_told_what_is_wrong() {
    let daemon = Daemon::start();
    let (status, answer) = ingest(&daemon, br#"{"logs":[{"message":"never ends""#, &[]);
    assert_eq!(status, 400, "{answer}");
    assert!(answer["code"].is_string(), "{answer}");
    let unknown = "Authorization: Bearer lt_live_00000000000000000000000000000000";
    let (status, answer) =
        ingest(&daemon, br#"{"logs":[{"message":"x"}]}"#, &["--header", unknown]);
    assert_eq!(status, 401, "{answer}");
}
