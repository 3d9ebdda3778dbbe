//! What the journals hold of calls that bring logs, field by field (SPEC §4).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::{House, request, with};

const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

/// Expects each of `fields` in `entry`; `null` stands for one that is not there.
#[track_caller]
fn has(entry: &Value, fields: &Value) {
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name}: {entry}");
    }
}

#[tokio::test]
async fn rejected_logs_are_named_by_their_index() {
    let house = House::open().write();
    let body = r#"{"logs":[{"message":"a"},7,{"message":"b"},{},"x"]}"#;
    let (status, answer) = house.send(with(request(body), "user-agent", "probe/1")).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::ACCEPTED, &json!(2)));
    house.noted().await;
    let [entry] = &house.events("_failed")[..] else { panic!("expected one entry") };
    has(
        entry,
        &json!({
            "endpoint": "/v1/logs/ingest",
            "method": "POST",
            "status": 202,
            "source.ip": "192.0.2.7",
            "user_agent.original": "probe/1",
            "request_bytes": body.len(),
            "response_bytes": answer.to_string().len(),
            "events_accepted": 2,
            "error.code": "invalid_logs",
            "message": answer["rejected"][0]["error"],
            "field_errors": [
                {"field": "logs[1]", "error": answer["rejected"][0]["error"]},
                {"field": "logs[3]", "error": answer["rejected"][1]["error"]},
                {"field": "logs[4]", "error": answer["rejected"][2]["error"]},
            ],
            "count": 3,
            "retry_count": 2,
            "sample": body,
            "api_key": null,
        }),
    );
    assert!(entry["duration_us"].is_number());
}

#[tokio::test]
async fn an_entry_names_no_more_fields_than_it_has_room_for() {
    let mut house = House::open().write();
    house.config.max_events = 1000;
    let body = format!("[{}]", vec!["7"; 1000].join(","));
    assert_eq!(house.post(&body).await.0, StatusCode::BAD_REQUEST);
    house.noted().await;
    let entry = &house.events("_failed")[0];
    has(entry, &json!({"count": 1000, "status": 400, "events_accepted": 0}));
    assert_eq!(entry["field_errors"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_call_that_fails_as_a_whole_names_what_was_wrong() {
    let house = House::open().write();
    let plain = with(request("[]"), "content-encoding", "br");
    let calls = [
        (request("nope"), "invalid_body", "logs"),
        (request("[1,2,3,4,5,6]"), "too_many_events", "logs"),
        (plain, "unsupported_encoding", "content-encoding"),
        (with(request("x"), "content-length", "99999"), "too_large", "body"),
        (with(request("x"), "content-encoding", "gzip"), "invalid_encoding", "body"),
    ];
    let mut expected = Vec::new();
    for (call, code, field) in calls {
        let (_, problem) = house.send(call).await;
        assert_eq!(problem["code"], code);
        expected.push((code, json!([{"field": field, "error": problem["detail"]}])));
    }
    house.noted_at_least(expected.len()).await;
    let entries = house.events("_failed");
    assert_eq!(entries.len(), expected.len());
    for (code, fields) in expected {
        let entry = entries.iter().find(|entry| entry["error.code"] == code);
        has(entry.unwrap_or_else(|| panic!("{entries:?}")), &json!({"field_errors": fields}));
    }
}

#[tokio::test]
async fn refused_calls_are_noted_with_the_key_that_was_shown() {
    let house = House::new("{}", true).write();
    let in_a_log = format!(r#"[{{"message":"a","api_key":"{UNKNOWN}"}}]"#);
    let in_the_head = with(request("[]"), "authorization", &format!("Bearer {UNKNOWN}"));
    for call in [request(in_a_log), in_the_head] {
        let (status, _) = house.send(with(call, "user-agent", "probe/1")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    house.noted().await;
    let [entry] = &house.events("_blocked")[..] else { panic!("expected one entry") };
    has(
        entry,
        &json!({
            "reason": "INVALID_API_KEY",
            "rule": "key:unknown",
            "endpoint": "/v1/logs/ingest",
            "method": "POST",
            "source.ip": "192.0.2.7",
            "api_key": "lt_live_0000…0000",
            "user_agent.original": "probe/1",
            "country": "unknown",
            "threat_score": 43,
            "count": 2,
        }),
    );
    assert_eq!(entry["fingerprint"].as_str().unwrap().len(), 16);
}
