//! Every call that changes something says so in the audit log, before it is answered.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Call, House, PASSWORD, delete, get, post};
use crate::api::routes::routes;

/// Every call that changes something, and the event that tells of it; none where it changes nothing
/// that lasts. A call that is not here fails the test.
const EVENTS: &[(&str, Option<&str>)] = &[
    ("POST /v1/logs/delete", Some("logs.deleted")),
    ("POST /v1/keys", Some("api_key.created")),
    ("DELETE /v1/keys/{id}", Some("api_key.revoked")),
    ("POST /v1/keys/rotate", Some("api_key.rotated")),
    // Who signs in has a name: see `people`.
    ("POST /v1/sessions", None),
    // That somebody is still there.
    ("POST /v1/sessions/refresh", None),
    ("POST /v1/users", Some("user.created")),
    ("PUT /v1/users/{id}", Some("user.role_changed")),
    ("PUT /v1/users/{id}/password", Some("user.password_changed")),
    ("DELETE /v1/sessions/{id}", Some("session.ended")),
    ("DELETE /v1/users/{id}", Some("user.removed")),
    ("POST /v1/organizations", Some("organization.created")),
    ("POST /v1/projects", Some("project.created")),
    ("PUT /v1/projects/{name}", Some("project.changed")),
    ("DELETE /v1/projects/{name}", Some("project.deleted")),
    ("DELETE /v1/organizations/{name}", Some("organization.deleted")),
    ("PUT /v1/settings/logging", Some("settings.changed")),
    ("PUT /api/v1/settings/logging", Some("settings.changed")),
    ("PUT /v1/settings/retention", Some("settings.changed")),
    ("POST /v1/allowlist", Some("allowlist.added")),
    ("DELETE /v1/allowlist", Some("allowlist.removed")),
    ("POST /v1/blocklist", Some("blocklist.added")),
    ("DELETE /v1/blocklist", Some("blocklist.removed")),
    ("POST /v1/rules", Some("rule.added")),
    ("DELETE /v1/rules/{id}", Some("rule.removed")),
    ("POST /v1/webhooks", Some("webhook.created")),
    ("POST /v1/webhooks/{id}/retry", Some("webhook.retried")),
    ("DELETE /v1/webhooks/{id}", Some("webhook.removed")),
    // Nobody reads a configuration here; see `tests/it`.
    ("POST /v1/reload", None),
    // There is nothing to lift in a store that is whole; see `tests/it`.
    ("DELETE /v1/quarantine/{segment}", None),
    // Nobody sends anything here; see `tests/it`.
    ("DELETE /v1/senders/{id}", None),
    ("POST /v1/backup", Some("backup.begun")),
    // That a backup is still being copied.
    ("POST /v1/backup/{id}", None),
    ("DELETE /v1/backup/{id}", Some("backup.ended")),
];

#[test]
fn every_call_that_changes_something_has_its_event_here() {
    let calls = routes().into_iter().map(|route| route.call).filter(|call| call.changes);
    let mut found: Vec<_> = calls.map(|call| format!("{} {}", call.method, call.path)).collect();
    let mut named: Vec<_> = EVENTS.iter().map(|(call, _)| (*call).to_owned()).collect();
    found.sort();
    named.sort();
    assert_eq!(found, named, "a call that changes something, and what is recorded of it");
}

#[tokio::test]
async fn every_change_is_recorded_before_it_is_answered() {
    let house = House::open();
    house.store(None, r#"[{"message":"a"},{"message":"b"}]"#).await;
    house.api.store.seal().unwrap();
    for (name, event) in EVENTS {
        let Some(event) = event else { continue };
        let before = newest(&house).await["index"].as_u64().unwrap();
        let call = call(&house, name).await;
        let (status, answer) = house.send(call).await;
        assert!(status.is_success(), "{name}: {status} {answer}");
        let entry = newest(&house).await;
        assert!(entry["index"].as_u64().unwrap() > before, "{name} is not recorded");
        assert_eq!((&entry["event"], &entry["actor"]), (&json!(event), &json!("local")), "{name}");
        assert_eq!(entry["address"], "127.0.0.1", "{name}");
    }
}

/// A call that is done, once what it needs is there.
async fn call(house: &House, name: &str) -> Call {
    let net = r#"{"net":"192.0.2.1"}"#;
    match name {
        "POST /v1/logs/delete" => post("/v1/logs/delete", r#"{"filter":"a","from":"-1h"}"#),
        "POST /v1/keys" => post("/v1/keys", r#"{"name":"x","scopes":["write:logs"]}"#),
        "DELETE /v1/keys/{id}" => {
            delete(&format!("/v1/keys/{}", house.key(r#""write:logs""#, "shop").0))
        }
        "POST /v1/keys/rotate" => {
            let (id, _) = house.key(r#""write:logs""#, "shop");
            post("/v1/keys/rotate", &json!({"id": id}).to_string())
        }
        "POST /v1/organizations" => post("/v1/organizations", r#"{"name":"acme"}"#),
        "POST /v1/projects" => post("/v1/projects", r#"{"name":"store","organization":"acme"}"#),
        "PUT /v1/projects/{name}" => put("/v1/projects/store", r#"{"title":"Store"}"#),
        "DELETE /v1/projects/{name}" => delete("/v1/projects/store"),
        "DELETE /v1/organizations/{name}" => delete("/v1/organizations/acme"),
        "PUT /v1/settings/logging" => put("/v1/settings/logging", r#"{"log_api_calls":false}"#),
        "PUT /api/v1/settings/logging" => {
            put("/api/v1/settings/logging", r#"{"log_api_calls":true}"#)
        }
        "PUT /v1/settings/retention" => put("/v1/settings/retention", r#"{"default":"60d"}"#),
        "POST /v1/allowlist" => post("/v1/allowlist", net),
        "POST /v1/blocklist" => post("/v1/blocklist", net),
        "DELETE /v1/allowlist" => delete("/v1/allowlist?net=192.0.2.1"),
        "DELETE /v1/blocklist" => delete("/v1/blocklist?net=192.0.2.1"),
        "POST /v1/rules" => post("/v1/rules", r#"{"id":"r","kind":"literal","pattern":"evil"}"#),
        "DELETE /v1/rules/{id}" => delete("/v1/rules/r"),
        "POST /v1/webhooks" => {
            post("/v1/webhooks", r#"{"url":"https://example.com/","events":["api_key.*"]}"#)
        }
        "POST /v1/webhooks/{id}/retry" => post(&format!("{}/retry", webhook(house).await), "{}"),
        "DELETE /v1/webhooks/{id}" => delete(&webhook(house).await),
        "POST /v1/backup" => post("/v1/backup", "{}"),
        "DELETE /v1/backup/{id}" => {
            let begun = newest(house).await["resource"].as_str().unwrap().to_owned();
            delete(&format!("/v1/{begun}"))
        }
        "POST /v1/users" => {
            post("/v1/users", r#"{"email":"a@example.com","roles":{"default":"viewer"}}"#)
        }
        "PUT /v1/users/{id}" => put(&user(house).await, r#"{"roles":{"default":"admin"}}"#),
        "PUT /v1/users/{id}/password" => {
            put(&format!("{}/password", user(house).await), &json!({"new": PASSWORD}).to_string())
        }
        "DELETE /v1/sessions/{id}" => {
            delete(&format!("/v1/sessions/{}", house.sign_in("a").person.session))
        }
        "DELETE /v1/users/{id}" => delete(&user(house).await),
        other => panic!("how is {other} called?"),
    }
}

fn put(path: &str, body: &str) -> Call {
    Call::new(Method::PUT, path).body(body)
}

/// The path of the webhook that there is.
async fn webhook(house: &House) -> String {
    let (_, listed) = house.send(get("/v1/webhooks")).await;
    format!("/v1/webhooks/{}", listed["webhooks"][0]["id"].as_str().unwrap())
}

/// The path of the user that there is.
async fn user(house: &House) -> String {
    let (_, listed) = house.send(get("/v1/users")).await;
    format!("/v1/users/{}", listed["users"][0]["id"].as_str().unwrap())
}

async fn newest(house: &House) -> Value {
    let (status, answer) = house.send(get("/v1/audit?limit=1")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["entries"][0].clone()
}

#[tokio::test]
async fn ht_11_co_17_changes_that_are_refused_are_recorded() {
    let house = House::open();
    let (_, admin) = house.key(r#""admin:projects""#, "shop");
    let (_, writer) = house.key(r#""write:logs""#, "shop");
    let make = |body: Value| post("/v1/keys", &body.to_string());
    let calls = [
        (make(json!({"name": "x", "scopes": [], "role": "owner"})), 400, "invalid_body"),
        (
            make(json!({"name": "x", "scopes": ["read:audit"], "project": "bank"})).key(&admin),
            403,
            "forbidden",
        ),
        (post("/v1/backup", "{}").key(&admin), 403, "forbidden"),
    ];
    for (call, status, code) in calls {
        assert_eq!(house.send(call).await.0.as_u16(), status);
        let entry = newest(&house).await;
        assert_eq!(entry["event"], "change.refused");
        assert_eq!(entry["details"]["new"]["code"], code);
    }
    assert_eq!(newest(&house).await["resource"], "POST /v1/backup");
    // Who has not even the scope cannot write here, nor anybody without end.
    let before = newest(&house).await;
    house.send(make(json!({"name": "x"})).key(&writer)).await;
    house.send(make(json!({"name": "x"})).peer("192.0.2.1")).await;
    house.send(Call::new(Method::DELETE, "/v1/keys/key_x")).await;
    assert_eq!(newest(&house).await, before);
    for _ in 0..100 {
        house.send(make(json!({"role": "owner"}))).await;
    }
    let (_, answer) = house.send(get("/v1/audit?event=change.refused&limit=1000")).await;
    assert_eq!(answer["entries"].as_array().unwrap().len(), 60);
}
