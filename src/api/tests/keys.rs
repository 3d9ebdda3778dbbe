//! Keys over the API.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::{House, delete, get, post};
use crate::ids;

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let house = House::open();
    let body = r#"{"name":"agent","project":"shop","scopes":["write:logs"],"lifetime":"30d"}"#;
    let answer = house.answer(post("/v1/keys", body)).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let (status, made) = house.send(post("/v1/keys", body)).await;
    assert_eq!(status, StatusCode::CREATED);
    let secret = made["secret"].as_str().unwrap();
    assert!(ids::is_secret(secret.as_bytes()));
    assert_eq!(made["masked"], ids::mask(secret));
    assert_eq!((&made["name"], &made["project"]), (&json!("agent"), &json!("shop")));

    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let (status, shown) = house.send(get(&path)).await;
    assert_eq!((status, &shown["id"]), (StatusCode::OK, &made["id"]));
    let (_, listed) = house.send(get("/v1/keys")).await;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    for answer in [&shown, &listed] {
        assert!(!answer.to_string().contains(secret));
    }
    let (status, revoked) = house.send(delete(&path)).await;
    assert_eq!((status, revoked["revoked_at"].is_string()), (StatusCode::OK, true));
    // Once more is no error, and changes nothing.
    assert_eq!(house.send(delete(&path)).await, (StatusCode::OK, revoked));
    for id in ["nope", "%ff", "%00", "%2e%2e", "key_x%2f..", &"x".repeat(60_000)] {
        let (status, problem) = house.send(delete(&format!("/v1/keys/{id}"))).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
        assert!(problem.to_string().len() < 1000);
    }
}

#[tokio::test]
async fn au_09_a_key_gives_no_right_that_it_lacks() {
    let house = House::open();
    let (_, admin) = house.key(r#""admin:projects","write:logs""#, "shop");
    let make = async |project: &str, scopes: &[&str]| {
        let body = json!({"name": "x", "project": project, "scopes": scopes}).to_string();
        house.send(post("/v1/keys", &body).key(&admin)).await.0.as_u16()
    };
    assert_eq!(make("shop", &["write:logs"]).await, 201);
    assert_eq!(make("shop", &["write:logs", "read:logs"]).await, 403);
    assert_eq!(make("bank", &["write:logs"]).await, 403);
    assert_eq!(make("default", &["write:logs"]).await, 403);
}

#[tokio::test]
async fn ht_11_fields_that_are_not_the_callers_are_refused() {
    let house = House::open();
    for field in ["id", "hash", "secret", "masked", "created_at", "expires_at", "role"] {
        let mut body = json!({"name": "x", "scopes": ["write:logs"]});
        body[field] = "x".into();
        let (status, problem) = house.send(post("/v1/keys", &body.to_string())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{field}");
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
    }
    let (status, problem) = house.send(post("/v1/keys", r#"{"name":""}"#)).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &Value::from("name")));
}
