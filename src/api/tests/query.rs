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
