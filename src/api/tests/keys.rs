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

#[tokio::test]
async fn au_06_rotation_over_the_api() {
    let house = House::open();
    let (id, old) = house.key(r#""read:logs""#, "default");
    let rotate = |body: &str| post("/v1/keys/rotate", body);
    let body = json!({"id": id, "grace": "1h"}).to_string();
    let (status, rotated) = house.send(rotate(&body)).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    assert_eq!(
        (&rotated["id"], &rotated["previous"]["masked"]),
        (&json!(id), &json!(ids::mask(&old)))
    );
    let new = rotated["secret"].as_str().unwrap();
    for secret in [&*old, new] {
        assert_eq!(house.send(post("/v1/logs/query", "{}").key(secret)).await.0, StatusCode::OK);
    }
    let (status, problem) = house.send(rotate(&body)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("not_rotated")));
    house.send(delete(&format!("/v1/keys/{id}"))).await;
    let forced = json!({"id": id, "force": true}).to_string();
    assert_eq!(house.send(rotate(&forced)).await.0, StatusCode::CONFLICT);
    let unknown = json!({"id": "key_none"}).to_string();
    assert_eq!(house.send(rotate(&unknown)).await.0, StatusCode::NOT_FOUND);
    let (_, listed) = house.send(get("/v1/keys")).await;
    assert!(!listed.to_string().contains(new));
}

#[tokio::test]
async fn au_09_nobody_rotates_themselves_into_rights() {
    let house = House::open();
    let (_, admin) = house.key(r#""admin:projects""#, "shop");
    let (reader, _) = house.key(r#""read:logs""#, "shop");
    let (other, _) = house.key(r#""admin:projects""#, "bank");
    let (staging, _) =
        house.key_in(r#""admin:projects""#, "shop", crate::gate::Environment::Staging);
    for (id, want) in [(reader, 403), (other, 404), (staging, 404)] {
        let body = json!({"id": id}).to_string();
        let (status, _) = house.send(post("/v1/keys/rotate", &body).key(&admin)).await;
        assert_eq!(status.as_u16(), want);
    }
}

#[tokio::test]
async fn au_05_a_key_of_another_environment_than_the_apis() {
    let environment = Some(crate::gate::Environment::Production);
    let house = House::new(crate::api::Config { environment, ..Default::default() }, "{}");
    let (_, live) = house.key(r#""read:logs""#, "default");
    let (_, test) =
        house.key_in(r#""read:logs""#, "default", crate::gate::Environment::Development);
    let ask = async |key: &str| house.send(post("/v1/logs/query", "{}").key(key)).await.0.as_u16();
    assert_eq!((ask(&live).await, ask(&test).await), (200, 403));
    assert_eq!(house.noted("blocked").await[0]["reason"], "ENVIRONMENT_MISMATCH");
}

#[tokio::test]
async fn au_09_nobody_gives_a_tier_that_they_lack() {
    let house = House::open();
    let scopes = r#""admin:projects","write:logs""#;
    let (_, own) = house.key(scopes, "shop");
    let (_, governs) = house.key(scopes, "default");
    let make = async |key: &str, tier: &str| {
        let new = json!({"name": "k", "project": "shop", "scopes": ["write:logs"], "tier": tier});
        house.send(post("/v1/keys", &new.to_string()).key(key)).await.0.as_u16()
    };
    assert_eq!((make(&own, "standard").await, make(&own, "enterprise").await), (201, 403));
    assert_eq!(make(&governs, "enterprise").await, 201);
}
