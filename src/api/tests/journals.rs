//! What the journals hold of calls, field by field (SPEC §4).

use serde_json::json;

use super::support::{Call, House, delete, get, post};
use crate::gate::{ListKind, NewListEntry};
use crate::ingest::now;

/// What makes a call fail: the call, its code, the field that was wrong, and what was expected of it.
fn failing() -> Vec<(Call, &'static str, &'static str, &'static str)> {
    let query = |body| post("/v1/logs/query", body);
    let list = |body| post("/v1/blocklist", body);
    vec![
        (query(r#"{"filter":"a:("}"#), "invalid_query", "filter", "expected"),
        (query(r#"{"limit":"x"}"#), "invalid_body", "limit", "expected a whole number"),
        (query(r#"{"limit":0}"#), "invalid_parameter", "limit", "expected a limit of 1 to"),
        (query(r#"{"limitt":0}"#), "invalid_body", "limitt", "expected one of `filter`, `syntax`"),
        (query(r#"{"from":"soon"}"#), "invalid_time", "from", "expected"),
        (query(r#"{"to":[]}"#), "invalid_time", "to", "expected"),
        (query(r#"{"cursor":"x"}"#), "invalid_cursor", "cursor", "expected"),
        (query(r#"{"from":"now","to":"-1h"}"#), "invalid_parameter", "from", "no later than"),
        (query(r#"{"filter":"a"} {}"#), "invalid_body", "body", "trailing"),
        (query("7"), "invalid_body", "body", "expected an object"),
        (get("/v1/failed?limit=x"), "invalid_parameter", "limit", "expected a whole number"),
        (get("/v1/failed?lines=1"), "invalid_parameter", "lines", "expected one of"),
        (post("/v1/keys", "{}"), "invalid_parameter", "name", "expected"),
        (post("/v1/keys", r#"{"limits":{"burst":7}}"#), "invalid_body", "limits.burst", "expected"),
        (list(r#"{"net":"x"}"#), "invalid_parameter", "net", "expected"),
        (
            list(r#"{"net":"192.0.2.1","expires_at":"soon"}"#),
            "invalid_time",
            "expires_at",
            "expected an RFC 3339 time",
        ),
        (delete("/v1/blocklist"), "invalid_parameter", "net", "missing field"),
        (
            query("{}").header("content-type", "text/plain"),
            "unsupported_media_type",
            "content-type",
            "expected",
        ),
    ]
}

#[tokio::test]
async fn a_failed_call_names_the_field_and_what_was_expected_of_it() {
    let house = House::open();
    let mut problems = Vec::new();
    // Each from an address of its own, so that none is folded into another.
    for (number, (call, ..)) in (1..).zip(failing()) {
        let (status, problem) = house.send(call.peer(&format!("127.0.0.{number}"))).await;
        assert!(status.is_client_error(), "call {number}: {problem}");
        problems.push(problem);
    }
    let entries = house.noted_at_least(problems.len(), "failed").await;
    for ((number, (call, code, field, expected)), problem) in (1..).zip(failing()).zip(problems) {
        let (what, peer) = (format!("{call:?}"), format!("127.0.0.{number}"));
        let entry = entries.iter().find(|entry| entry["source.ip"] == *peer).unwrap();
        assert_eq!(entry["error.code"], code, "{what}: {entry}");
        let errors = entry["field_errors"].as_array().unwrap_or_else(|| panic!("{what}: {entry}"));
        assert_eq!(errors.len(), 1, "{what}: {entry}");
        assert_eq!(errors[0]["field"], field, "{what}: {entry}");
        assert!(errors[0]["error"].as_str().unwrap().contains(expected), "{what}: {entry}");
        assert_eq!(entry["message"], problem["detail"]);
    }
}

#[tokio::test]
async fn a_failed_call_is_all_in_its_entry() {
    let house = House::open();
    let (_, key) = house.key(r#""read:logs""#, "default");
    let body = format!(r#"{{"filter":"{key}","limit":0}}"#);
    let call = || post("/v1/logs/query", &body).key(&key).header("user-agent", "probe/1");
    for _ in 0..3 {
        house.send(call()).await;
    }
    let answer = house.answer(call()).await;
    let length = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap().len();
    let entry = house.noted("failed").await.remove(0);
    let masked = format!("{}…{}", key.get(..12).unwrap(), key.get(key.len() - 4..).unwrap());
    let want = json!({
        "endpoint": "/v1/logs/query",
        "method": "POST",
        "status": 400,
        "source.ip": "127.0.0.1",
        "api_key": masked,
        "request_bytes": body.len(),
        "response_bytes": length,
        "user_agent.original": "probe/1",
        "events_accepted": 0,
        "error.code": "invalid_parameter",
        "message": "expected a limit of 1 to 10000, but found 0",
        "field_errors": [{"field": "limit", "error": "expected a limit of 1 to 10000, but found 0"}],
        "count": 4,
        "retry_count": 3,
        "sample": body.replace(&key, &masked),
    });
    for (name, value) in want.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name}: {entry}");
    }
    assert!(entry["@timestamp"].is_string() && entry["duration_us"].is_number(), "{entry}");
    // Parameters are a sample as well; and what is named is found.
    house.send(get("/v1/failed?filter=a:(")).await;
    let found = house.noted("failed?filter=field_errors.field:filter").await;
    assert_eq!(found[0]["sample"], "filter=a:(");
}

#[tokio::test]
async fn a_blocked_call_is_all_in_its_entry() {
    let house = House::open();
    let net = "192.0.2.0/24".parse().unwrap();
    house.api.gate.add_entry(ListKind::Block, net, NewListEntry::default(), now()).unwrap();
    let unknown = format!("lt_live_{}", "0".repeat(32));
    let call = || {
        let call = get("/v1/keys").peer("192.0.2.1").key(&unknown);
        call.header("user-agent", "probe/1")
    };
    for _ in 0..4 {
        house.send(call()).await;
    }
    let entry = house.noted("blocked").await.remove(0);
    let want = json!({
        "reason": "IP_BLOCKLISTED",
        "rule": "blocklist:192.0.2.0/24",
        "source.ip": "192.0.2.1",
        "endpoint": "/v1/keys",
        "method": "GET",
        "api_key": "lt_live_0000…0000",
        "user_agent.original": "probe/1",
        "country": "unknown",
        // Three were repetitions: twice a doubling.
        "threat_score": 76,
        "count": 4,
    });
    for (name, value) in want.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name}: {entry}");
    }
    assert_eq!(entry["fingerprint"].as_str().unwrap().len(), 16);
    // They come again, and so does another: both are known by their fingerprint.
    for _ in 0..4 {
        house.send(call()).await;
    }
    house.send(call().peer("192.0.2.9")).await;
    let entries = house.noted_at_least(3, "blocked").await;
    let scores: Vec<_> = entries.iter().map(|entry| &entry["threat_score"]).collect();
    // The newest first: one source more, and seven repetitions, three doublings.
    assert_eq!(scores, [76, 79, 76]);
}
