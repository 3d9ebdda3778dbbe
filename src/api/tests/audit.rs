//! What is recorded of changes.

use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::support::{House, delete, get, post};
use crate::audit::{SignedNote, verify};

/// The entries that there are, the newest first.
async fn entries(house: &House, query: &str) -> Vec<Value> {
    let (status, answer) = house.send(get(&format!("/v1/audit{query}"))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn keys_and_lists_say_who_changed_what() {
    let house = House::open();
    let (id, admin) = house.key(r#""admin:projects","write:logs""#, "default");
    let body = r#"{"name":"agent","scopes":["write:logs"]}"#;
    let (_, made) = house.send(post("/v1/keys", body).key(&admin).peer("192.0.2.7")).await;
    let key = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    house.send(delete(&key)).await;
    house.send(delete(&key)).await; // no change any more
    house.send(post("/v1/blocklist", r#"{"net":"198.51.100.0/24","note":"scan"}"#)).await;
    house.send(delete("/v1/blocklist?net=198.51.100.0/24")).await;

    let found = entries(&house, "").await;
    let said: Vec<_> = found.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let want = [
        "blocklist.removed",
        "blocklist.added",
        "api_key.revoked",
        "api_key.created",
        "audit.began",
    ];
    assert_eq!(said, want);
    let created = &found[3];
    assert_eq!(created["operator"], json!(id));
    assert!(created["actor"].as_str().unwrap().starts_with("lt_live_"));
    assert_eq!(created["address"], "192.0.2.7");
    assert_eq!(created["resource"], json!(format!("key/{}", made["id"].as_str().unwrap())));
    assert_eq!(created["details"]["new"]["key"]["name"], "agent");
    assert_eq!(created["details"]["new"]["hash"], "…");
    let revoked = &found[2];
    assert_eq!((&revoked["actor"], &revoked["address"]), (&json!("local"), &json!("127.0.0.1")));
    assert_eq!(revoked["details"]["old"]["key"]["revoked_at"], Value::Null);
    assert!(revoked["details"]["new"]["key"]["revoked_at"].is_string());
    assert_eq!(found[0]["details"]["old"]["note"], "scan");
    let text = json!(found).to_string();
    for secret in [&admin, made["secret"].as_str().unwrap()] {
        assert!(!text.contains(secret));
    }

    assert_eq!(entries(&house, "?event=api_key.*").await.len(), 2);
    assert_eq!(entries(&house, "?event=api_key.*,blocklist.added").await.len(), 3);
    assert_eq!(entries(&house, &format!("?actor={id}")).await.len(), 1);
    assert_eq!(entries(&house, "?address=192.0.2.0/24").await.len(), 1);
    assert_eq!(entries(&house, "?resource=list*&from=-1h&to=now").await.len(), 2);
    let (_, page) = house.send(get("/v1/audit?limit=2")).await;
    let next = page["meta"]["next_cursor"].as_str().unwrap();
    assert_eq!(entries(&house, &format!("?cursor={next}")).await, found[2..]);
    for bad in ["limit=0", "limit=9999", "cursor=x", "address=x", "from=soon", "what=ever"] {
        let (status, problem) = house.send(get(&format!("/v1/audit?{bad}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}: {problem}");
    }
    let (status, shown) = house.send(get("/v1/audit/key")).await;
    assert_eq!((status, &shown["keys"][0]), (StatusCode::OK, &shown["key"]));
}

#[tokio::test]
async fn what_is_taken_away_is_whole_and_is_recorded() {
    let house = House::open();
    for n in 0..3 {
        let body = format!(r#"{{"net":"192.0.2.{n}","note":"=1+1"}}"#);
        house.send(post("/v1/blocklist", &body)).await;
    }
    let bytes = async |path: &str| {
        let answer = house.answer(get(path)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.into_body().collect().await.unwrap().to_bytes()
    };
    let csv = bytes("/v1/audit?format=csv&event=blocklist.*").await;
    let csv = String::from_utf8(csv.to_vec()).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(lines[0].starts_with("index,time,actor") && lines[1].contains("192.0.2.2"), "{csv}");
    assert_eq!(entries(&house, "").await[0]["event"], "audit.exported");
    let (status, _) = house.send(get("/v1/audit?format=csv&limit=1")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let anchor = bytes("/v1/audit/checkpoint").await;
    let anchor = SignedNote::read(std::str::from_utf8(&anchor).unwrap());
    let bundle = bytes("/v1/audit/bundle").await;
    let trust = verify::Trust { keys: vec![house.api.audit.public_key()], anchor };
    let done = verify::bundle(&*bundle, &trust, |_| {}).unwrap();
    assert_eq!((done.from, done.to, done.signed), (0, 6, 6));
    let (status, _) = house.send(get("/v1/audit/bundle?anchor=1000")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
