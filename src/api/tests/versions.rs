//! Changes of what may be another by now, and what is said of every call.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::support::{Call, House, delete, get, post};

fn put(path: &str, body: &str) -> Call {
    Call::new(Method::PUT, path).body(body)
}

/// The tag of what is there.
async fn tag(house: &House, path: &str) -> String {
    let answer = house.answer(get(path)).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.headers()[header::ETAG].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn ht_12_of_two_who_saw_the_same_one_wins() {
    let house = House::open();
    let path = "/v1/settings/logging";
    for round in 0..10 {
        let seen = tag(&house, path).await;
        let change = |rate: f64| {
            let body = json!({"sample_rate": rate}).to_string();
            put(path, &body).header("if-match", &seen)
        };
        let (one, other) = (0.25 + f64::from(round) / 100.0, 0.75 + f64::from(round) / 100.0);
        let (a, b) = tokio::join!(house.send(change(one)), house.send(change(other)));
        let mut statuses = [a.0.as_u16(), b.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{a:?} {b:?}");
        let (won, lost) = if a.0 == StatusCode::OK { (one, b.1) } else { (other, a.1) };
        assert_eq!(lost["code"], "precondition_failed");
        assert_eq!(house.send(get(path)).await.1["sample_rate"], won);
        assert_ne!(tag(&house, path).await, seen);
    }
    // Both are in the record: the one that won, and the one that lost.
    let (_, audit) = house.send(get("/v1/audit?limit=100")).await;
    let entries = audit["entries"].as_array().unwrap();
    let of = |event: &str| entries.iter().filter(|entry| entry["event"] == event).count();
    assert_eq!((of("settings.changed"), of("change.refused")), (10, 10), "{audit}");
}

#[tokio::test]
async fn ht_12_whatever_has_a_tag_is_changed_as_it_was_seen() {
    let house = House::open();
    let (id, key) = house.key(r#""read:logs""#, "default");
    house.send(post("/v1/projects", r#"{"name":"shop"}"#)).await;
    house.send(post("/v1/rules", r#"{"id":"r","kind":"literal","pattern":"evil"}"#)).await;
    let hook = r#"{"url":"https://93.184.216.34/x","events":["api_key.*"]}"#;
    let (_, hook) = house.send(post("/v1/webhooks", hook)).await;
    let hook = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
    let key_path = format!("/v1/keys/{id}");
    for path in [&*key_path, "/v1/projects/shop", "/v1/rules/r", &hook] {
        let seen = tag(&house, path).await;
        // How often it is used is nobody's change.
        house.send(post("/v1/logs/query", "{}").key(&key)).await;
        assert_eq!(tag(&house, path).await, seen, "{path}");
        for wrong in ["\"other\"", "W/\"x\"", ""] {
            let (status, answer) = house.send(delete(path).header("if-match", wrong)).await;
            assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{path} {wrong}: {answer}");
        }
        let (status, answer) = house.send(delete(path).header("if-match", &seen)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        if path != key_path {
            let (status, _) = house.send(delete(path).header("if-match", "*")).await;
            assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{path} is gone");
        }
    }
    // Without it, the change is made of whatever is there.
    let (status, _) = house.send(put("/v1/settings/retention", r#"{"default":"7d"}"#)).await;
    assert_eq!(status, StatusCode::OK);
    // A tag tells nothing of what the caller may not see.
    let (_, other) = house.key(r#""admin:projects""#, "shop2");
    let call = delete(&key_path).key(&other).header("if-match", "*");
    assert_eq!(house.send(call).await.0, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn ht_08_what_a_caller_says_of_its_address_is_not_believed() {
    let house = House::open();
    let (_, key) = house.key(r#""read:audit""#, "default");
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-client-ip", "::1"),
        ("x-scope-orgid", "default"),
        ("x-forwarded-host", "localhost"),
    ] {
        let call = get("/v1/keys").peer("192.0.2.9").header(name, value);
        assert_eq!(house.send(call).await.0, StatusCode::UNAUTHORIZED, "{name}");
        // Nor is a method that is not the one of the call.
        let call = get("/v1/keys").header("x-http-method-override", "DELETE").header(name, value);
        assert_eq!(house.send(call).await.0, StatusCode::OK, "{name}");
    }
    let (_, noted) = house.send(get("/v1/blocked?address=192.0.2.9").key(&key)).await;
    let _flushed = house.noted("blocked").await;
    let (_, later) = house.send(get("/v1/blocked?address=192.0.2.9").key(&key)).await;
    let sources = later["entries"].as_array().unwrap();
    assert!(!sources.is_empty(), "{noted} {later}");
    assert!(sources.iter().all(|entry| entry["source.ip"] == "192.0.2.9"), "{later}");
}

#[tokio::test]
async fn the_document_is_served_to_anyone() {
    let house = House::open();
    let (status, document) = house.send(get("/v1/openapi.json").peer("192.0.2.1")).await;
    assert_eq!((status, &document["openapi"]), (StatusCode::OK, &json!("3.1.0")));
    assert!(document["paths"]["/v1/logs/query"]["post"]["summary"].is_string());
    assert_ne!(document["paths"]["/v1/logs/ingest"], Value::Null);
}
