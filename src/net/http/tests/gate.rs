//! Who may send.

use axum::http::{StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::support::{House, request, with};
use crate::gate::{ListKind, NewListEntry};
use crate::ingest::now;

const LOGS: &str = r#"[{"message":"a"}]"#;

#[tokio::test]
async fn a_key_comes_in_any_header_that_people_use() {
    let house = House::new("{}", true).write();
    let key = house.key(r#"{"scopes":["write:logs"],"project":"shop"}"#);
    let key = key.reveal();
    let headers = [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("ApiKey {key}")),
        ("authorization", format!("Splunk {key}")),
        ("authorization", format!("Basic {}", STANDARD.encode(format!("{key}:")))),
        ("authorization", format!("Basic {}", STANDARD.encode(format!("user:{key}")))),
        ("x-api-key", key.to_owned()),
    ];
    for (name, value) in &headers {
        let (status, answer) = house.send(with(request(LOGS), name, value)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{name} {answer}");
    }
    // Or in the logs themselves.
    let (status, _) = house.post(&format!(r#"[{{"message":"a","api_key":"{key}"}}]"#)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(house.stored("shop", "message").len(), headers.len() + 1);
    assert_eq!(house.stored("shop", "auth.method").iter().filter(|m| **m == "http").count(), 6);
    let secret: String = key.chars().skip(12).take(20).collect();
    assert!(!format!("{:?}", house.stored("shop", "message")).contains(&secret));
}

#[tokio::test]
async fn bl_09_refusals_of_a_status_are_alike_and_in_the_ledger() {
    let house = House::new("{}", true).write();
    let revoked = house.key(r#"{"scopes":["write:logs"]}"#);
    let id = house.gate.keys()[0].id.clone();
    house.gate.revoke_key(&id, now()).unwrap();
    let reader = house.key(r#"{"scopes":["read:logs"]}"#);
    let elsewhere = house.key(r#"{"scopes":["write:logs"],"allow":["10.0.0.0/8"]}"#);
    let unknown = format!("lt_live_{}", "0".repeat(32));
    let keys = [
        ("unknown", &*unknown, 401, "INVALID_API_KEY"),
        ("empty", "", 401, "INVALID_API_KEY"),
        ("revoked", revoked.reveal(), 401, "API_KEY_REVOKED"),
        ("scope", reader.reveal(), 403, "SCOPE_MISSING"),
        ("address", elsewhere.reveal(), 403, "IP_NOT_ALLOWED"),
    ];
    let (mut answers, mut reasons) = (vec![], vec![]);
    for (name, key, status, reason) in keys {
        let call = with(request(LOGS), "authorization", &format!("Bearer {key}"));
        let (found, answer) = house.send(call).await;
        assert_eq!(found.as_u16(), status, "{name}");
        answers.push(answer);
        reasons.push(reason.to_owned());
    }
    assert!(answers[..3].windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    assert_eq!(answers[3], answers[4]);
    let counts = house.counts();
    assert_eq!((counts.received, counts.blocked.iter().sum::<u64>()), (5, 5));
    reasons.sort();
    // Equal refusals of a second are one entry, by one source, rule and key: here each has its own.
    assert_eq!(house.noted().await, (reasons, vec![]));
}

#[tokio::test]
async fn au_11_no_key_where_one_is_required_is_refused() {
    let house = House::new("{}", true).write();
    let answer = house.answer(request(LOGS)).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(house.counts().blocked.iter().sum::<u64>(), 1);
    assert_eq!(house.noted().await.0, ["INVALID_API_KEY"]);
}

#[tokio::test]
async fn co_09_a_web_page_is_not_let_in_by_where_its_browser_is() {
    let house = House::open().write();
    let key = house.key(r#"{"scopes":["write:logs"]}"#);
    let page = |call| {
        let call = with(call, "origin", "https://evil.example");
        with(call, "sec-fetch-site", "cross-site")
    };
    let answer = house.answer(page(request(LOGS))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    // Of a type that a browser sends to anyone, without asking first.
    let mut plain = with(request(r#"{"event":"plain"}"#), "content-type", "text/plain");
    *plain.uri_mut() = "/services/collector".parse().unwrap();
    assert_eq!(house.answer(page(plain)).await.status(), StatusCode::UNAUTHORIZED);
    let rebound = with(request(LOGS), "origin", "http://evil.example:8514");
    let rebound = with(rebound, "host", "evil.example:8514");
    assert_eq!(house.answer(rebound).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(house.noted().await.0, ["INVALID_API_KEY"; 2]);
    assert_eq!(house.counts().stored, 0);
    // One that has a key of its own may send, and so may a program that names any host.
    let named = with(page(request(LOGS)), "x-api-key", key.reveal());
    assert_eq!(house.answer(named).await.status(), StatusCode::ACCEPTED);
    let program = with(request(LOGS), "host", "logs.example");
    assert_eq!(house.answer(program).await.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn au_11_a_blocked_address_is_refused() {
    let house = House::open().write();
    house
        .gate
        .add_entry(ListKind::Block, "192.0.2.0/24".parse().unwrap(), NewListEntry::default(), now())
        .unwrap();
    let (status, problem) = house.post(LOGS).await;
    // As someone without a key: nothing tells that it is the address.
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")));
    assert_eq!(house.counts().blocked.iter().sum::<u64>(), 1);
    assert_eq!(house.noted().await.0, ["IP_BLOCKLISTED"]);
}

#[tokio::test]
async fn over_the_limit_is_said_for_each_log() {
    let gate = r#"{"limits":{"address":{"events_per_second":3,"burst":"1s"}}}"#;
    let house = House::new(gate, false).write();
    let (status, answer) = house.post("[{\"a\":1},{\"a\":2},{\"a\":3},{\"a\":4}]").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let over = json!([{"index": 3, "error": "over the rate limit"}]);
    assert_eq!(answer, json!({"accepted": 3, "rejected": over}));
    let answer = house.answer(request("[{\"a\":5}]")).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    let counts = house.counts();
    assert_eq!((counts.received, counts.stored), (5, 3));
}

#[tokio::test]
async fn connections_over_the_limit_are_refused() {
    let house = House::new(r#"{"limits":{"address":{"connections":0}}}"#, false).write();
    assert_eq!(house.post(LOGS).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.counts().blocked.iter().sum::<u64>(), 1);
}
