//! Queries over what was stored.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::{House, post};

async fn messages(house: &House, body: &str) -> (Vec<String>, Value) {
    let (status, answer) = house.send(post("/v1/logs/query", body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let logs = answer["logs"].as_array().unwrap();
    let message = |log: &Value| log["message"].as_str().unwrap().to_owned();
    (logs.iter().map(message).collect(), answer["meta"].clone())
}

const LOGS: &str = r#"[
    {"@timestamp":"2026-06-15T10:00:00Z","message":"one","level":"error","service":"pay"},
    {"@timestamp":"2026-06-15T11:00:00Z","message":"two","level":"info","service":"pay"},
    {"@timestamp":"2026-06-16T10:00:00Z","message":"three","level":"error","service":"shop"}
]"#;

#[tokio::test]
async fn logs_are_found_newest_first() {
    let house = House::open();
    house.store(None, LOGS).await;
    let table = [
        ("{}", vec!["three", "two", "one"]),
        (r#"{"sort":"asc"}"#, vec!["one", "two", "three"]),
        (r#"{"filter":"service:pay AND level:ERROR"}"#, vec!["one"]),
        (r#"{"from":"2026-06-15","to":"2026-06-15"}"#, vec!["two", "one"]),
        (r#"{"from":1781517600,"to":"2026-06-15T10:30:00Z"}"#, vec!["one"]),
        (r#"{"from":"-1h"}"#, vec![]),
        (r#"{"limit":1}"#, vec!["three"]),
        (r#"{"project":"default"}"#, vec!["three", "two", "one"]),
    ];
    for (body, want) in table {
        let (found, meta) = messages(&house, body).await;
        assert_eq!(found, want, "{body}");
        assert_eq!((&meta["count"], &meta["partial"]), (&json!(want.len()), &json!(false)));
    }
    let body = r#"{"fields":["message","level"],"limit":1}"#;
    let (_, answer) = house.send(post("/v1/logs/query", body)).await;
    let log = answer["logs"][0].as_object().unwrap();
    assert_eq!((log["message"].as_str(), log["level"].as_str()), (Some("three"), Some("ERROR")));
    assert!(!log.contains_key("service"));
}

#[tokio::test]
async fn ht_10_a_cursor_goes_on_and_is_good_for_its_query_alone() {
    let house = House::open();
    house.store(None, LOGS).await;
    let (found, meta) = messages(&house, r#"{"limit":2}"#).await;
    assert_eq!(found, ["three", "two"]);
    let cursor = meta["next_cursor"].as_str().unwrap();
    let rest = messages(&house, &json!({"limit": 2, "cursor": cursor}).to_string()).await;
    assert_eq!(rest.0, ["one"]);
    let cut: String = cursor.chars().skip(1).collect();
    let forged = cursor.replace(|c: char| c.is_ascii_digit(), "A");
    let (_, key) = house.key(r#""read:logs""#, "default");
    let bodies = [
        (json!({"cursor": cut}), None),
        (json!({"cursor": forged}), None),
        (json!({"cursor": cursor, "filter": "level:error"}), None),
        (json!({"cursor": cursor}), Some(&key)),
    ];
    for (body, key) in bodies {
        let call = post("/v1/logs/query", &body.to_string());
        let call = if let Some(key) = key { call.key(key) } else { call };
        let (status, problem) = house.send(call).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_cursor")));
    }
}

#[tokio::test]
async fn qy_04_limits_and_times_are_answered_or_what_is_allowed_is_said() {
    let house = House::open();
    house.store(None, LOGS).await;
    let table = [
        (json!({"limit": 0}), "expected a limit of 1 to 10000, but found 0"),
        (json!({"limit": -1}), "invalid value: integer `-1`"),
        (json!({"limit": 1_000_000_000}), "expected a limit of 1 to 10000, but found 1000000000"),
        (json!({"limit": 1.5}), "expected a whole number"),
        (
            json!({"from": "2026-06-16", "to": "2026-06-15"}),
            "expected `from` to be no later than `to`",
        ),
        (json!({"from": "2026-03-29T02:30:00[Europe/Berlin]"}), "expected"),
        (json!({"from": "2026-03-29T02:30:00 CEST"}), "expected"),
        (json!({"to": "2026-02-30"}), "expected"),
        (json!({"from": "-0001-01-01"}), "expected"),
        (json!({"from": "10000-01-01"}), "expected"),
        (json!({"from": "now-1fortnight"}), "expected"),
        (json!({"from": true}), "expected from to be text or a number"),
    ];
    for (body, want) in table {
        let (status, problem) = house.send(post("/v1/logs/query", &body.to_string())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(want), "{body}: {detail}");
    }
    // Any stretch of the calendar is one, and what is beyond it ends with it.
    let all = ["three", "two", "one"].map(str::to_owned).to_vec();
    for body in [
        json!({"from": "0000-01-01"}),
        json!({"from": "1026-01-01", "to": "9999-12-31"}),
        json!({"from": "now-99999999d", "to": "now+99999999d"}),
        // An hour that a clock shows twice, or never, is told apart by its offset.
        json!({"from": "2026-03-29T02:30:00+01:00", "to": "2026-10-25T02:30:00+02:00"}),
    ] {
        assert_eq!(messages(&house, &body.to_string()).await.0, all, "{body}");
    }
}
