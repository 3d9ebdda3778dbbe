//! People: how they sign in, and what they may change of each other.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Call, House, PASSWORD, delete, get, post};
use crate::ingest::now;
use crate::people::{Granted, Role};

fn put(path: &str, body: &Value) -> Call {
    Call::new(Method::PUT, path).body(&body.to_string())
}

fn sign_in(email: &str, password: &str) -> Call {
    post("/v1/sessions", &json!({"email": email, "password": password}).to_string())
        .peer("192.0.2.1")
}

async fn newest(house: &House) -> Value {
    house.send(get("/v1/audit?limit=1")).await.1["entries"][0].clone()
}

/// Makes a call that is refused, and is recorded as somebody's doing.
async fn is_refused(house: &House, call: Call, by: &Granted, event: &str) {
    let shown = format!("{call:?}");
    let status = house.send(call.by(by)).await.0;
    assert_eq!(status, StatusCode::FORBIDDEN, "{shown}");
    let entry = newest(house).await;
    let who = (&entry["event"], &entry["actor"], &entry["operator"]);
    let user = &by.person.user;
    assert_eq!(who, (&json!(event), &json!(user.email), &json!(user.id)), "{shown}");
}

#[tokio::test]
async fn somebody_signs_in_and_reads_and_goes() {
    let house = House::open();
    house.person("ann", &[("default", Role::Viewer)]);
    house.store(None, r#"[{"message":"hello"}]"#).await;
    let agent = sign_in(" ANN@example.com", PASSWORD).header("user-agent", "browser/1");
    let (status, first) = house.send(agent).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let token = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
    let query = |token: &str| post("/v1/logs/query", "{}").key(token).peer("192.0.2.1");
    let (status, found) = house.send(query(&token(&first, "access_token"))).await;
    assert_eq!((status, &found["logs"][0]["message"]), (StatusCode::OK, &json!("hello")));
    let entry = newest(&house).await;
    assert_eq!(
        (&entry["event"], &entry["actor"], &entry["address"]),
        (&json!("session.started"), &json!("ann@example.com"), &json!("192.0.2.1"))
    );
    let refresh = |token: &str| {
        post("/v1/sessions/refresh", &json!({"refresh_token": token}).to_string()).peer("192.0.2.1")
    };
    let (status, second) = house.send(refresh(&token(&first, "refresh_token"))).await;
    assert_eq!((status, &second["session"]), (StatusCode::OK, &first["session"]));
    assert_eq!(house.send(query(&token(&first, "access_token"))).await.0.as_u16(), 401);
    let current = token(&second, "access_token");
    let (_, listed) = house.send(get("/v1/sessions").key(&current)).await;
    let own: Vec<_> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["is_current"] == true)
        .collect();
    assert_eq!(own.len(), 1);
    assert_eq!(
        (&own[0]["user_agent"], &own[0]["address"]),
        (&json!("browser/1"), &json!("192.0.2.1"))
    );
    assert_eq!(house.send(delete("/v1/sessions/current").key(&current)).await.0, StatusCode::OK);
    assert_eq!(house.send(query(&current)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(newest(&house).await["event"], "session.ended");
}

#[tokio::test]
async fn who_may_not_any_more_when_the_body_has_come_changes_nothing() {
    let house = House::open();
    let ann = house.person("ann", &[("default", Role::Owner)]);
    house.person("bob", &[("default", Role::Owner)]);
    let (id, key) = house.key(r#""admin:projects""#, "default");
    let user = json!({"email": "eve@example.com", "roles": {"default": "owner"}}).to_string();
    let (api, session) = (Arc::clone(&house.api), ann.person.session.to_string());
    let gone = move || drop(api.people.end(&session).unwrap());
    let status = house.send_after(post("/v1/users", &user).by(&ann), gone).await;
    assert_eq!((status, house.api.people.users().len()), (StatusCode::UNAUTHORIZED, 2));
    let before = house.api.gate.keys().len();
    let api = Arc::clone(&house.api);
    let revoked = move || drop(api.gate.revoke_key(&id, now()).unwrap());
    let status = house.send_after(post("/v1/keys", r#"{"name":"x"}"#).key(&key), revoked).await;
    assert_eq!((status, house.api.gate.keys().len()), (StatusCode::UNAUTHORIZED, before));
}

#[tokio::test]
async fn co_08_a_refresh_token_that_comes_twice_is_recorded() {
    let house = House::open();
    let ann = house.person("ann", &[("default", Role::Viewer)]);
    let refresh = || {
        let body = json!({"refresh_token": ann.refresh.reveal()}).to_string();
        post("/v1/sessions/refresh", &body).peer("192.0.2.9")
    };
    let (_, next) = house.send(refresh()).await;
    let (status, again) = house.send(refresh()).await;
    let (_, guess) = house.send(post("/v1/sessions/refresh", r#"{"refresh_token":"x"}"#)).await;
    assert_eq!((status, &again), (StatusCode::UNAUTHORIZED, &guess), "nothing is told of why");
    let entry = newest(&house).await;
    assert_eq!(
        (&entry["event"], &entry["actor"], &entry["address"]),
        (&json!("session.revoked"), &json!("ann@example.com"), &json!("192.0.2.9"))
    );
    let stolen = next["access_token"].as_str().unwrap();
    assert_eq!(house.send(get("/v1/sessions").key(stolen)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn co_16_who_may_not_sign_in_is_told_the_same_and_then_to_wait() {
    let house = House::open();
    house.person("ann", &[("default", Role::Viewer)]);
    let wrong = [
        sign_in("ann@example.com", "wrong password"),
        sign_in("bob@example.com", PASSWORD),
        sign_in("no address", PASSWORD),
    ];
    let mut told = Vec::new();
    for call in wrong {
        told.push(house.send(call).await);
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    assert_eq!(told[0].0, StatusCode::UNAUTHORIZED);
    let unknown = house.send(get("/v1/keys").key("lt_live_x").peer("192.0.2.1")).await;
    assert_eq!(told[0], unknown, "as a key that there is not");
    let mut last = told.remove(0);
    for _ in 0..6 {
        last = house.send(sign_in("ann@example.com", "wrong password")).await;
    }
    assert_eq!(last.0, StatusCode::TOO_MANY_REQUESTS);
    let slow = house.answer(sign_in("ann@example.com", PASSWORD)).await;
    assert!(slow.headers().contains_key("retry-after"));
    let elsewhere = sign_in("ann@example.com", PASSWORD).peer("192.0.2.2");
    assert_eq!(house.send(elsewhere).await.0, StatusCode::CREATED);
    // It counts against the address as a wrong key does.
    let noted = house.noted_where("blocked", "rule:\"user:password\"").await;
    assert_eq!(
        (&noted["reason"], &noted["source.ip"]),
        (&json!("INVALID_API_KEY"), &json!("192.0.2.1"))
    );
}

#[tokio::test]
async fn co_16_an_address_that_guesses_is_blocked_by_the_rule_on_failures() {
    let rules = r#"{"automatic":[{"id":"many","kind":"address","threshold":3,"window":"1m","duration":"1h"}]}"#;
    let house = House::new(crate::api::Config::default(), rules);
    house.person("ann", &[("default", Role::Viewer)]);
    for _ in 0..3 {
        house.send(sign_in("ann@example.com", "wrong password")).await;
    }
    house.api.gate.punish(now()).unwrap();
    assert_eq!(house.send(sign_in("ann@example.com", PASSWORD)).await.0, StatusCode::UNAUTHORIZED);
    let elsewhere = sign_in("ann@example.com", PASSWORD).peer("192.0.2.2");
    assert_eq!(house.send(elsewhere).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn co_17_what_is_not_theirs_is_refused_and_recorded() {
    let house = House::open();
    ["shop", "bank"].iter().for_each(|name| house.project(name));
    let boss = house.person("boss", &[("default", Role::Owner)]);
    let admin = house.person("admin", &[("default", Role::Admin)]);
    let shop = house.person("shop", &[("shop", Role::Owner)]);
    let seller = house.person("seller", &[("shop", Role::Viewer), ("bank", Role::Viewer)]);
    let bank = house.person("bank", &[("bank", Role::Owner)]);
    let path = |of: &Granted| format!("/v1/users/{}", of.person.user.id);
    let role = |project: &str, role: &str| json!({"roles": {project: role}});

    // One's own role, and what only an owner may.
    is_refused(&house, put(&path(&admin), &role("default", "owner")), &admin, "change.refused")
        .await;
    is_refused(&house, put(&path(&boss), &role("shop", "viewer")), &boss, "change.refused").await;
    is_refused(&house, delete(&path(&boss)), &admin, "change.refused").await;
    // Another project: its people, its keys, its logs.
    is_refused(&house, put(&path(&shop), &role("bank", "owner")), &shop, "change.refused").await;
    is_refused(&house, put(&path(&bank), &role("shop", "viewer")), &shop, "change.refused").await;
    is_refused(&house, get(&path(&bank)), &shop, "access.refused").await;
    is_refused(&house, get("/v1/users/usr_0000000000000000"), &shop, "access.refused").await;
    let named = post("/v1/logs/query", "{}").header("x-logtrace-project", "bank");
    is_refused(&house, named, &shop, "access.refused").await;
    is_refused(&house, post("/v1/logs/query", r#"{"project":"bank"}"#), &shop, "access.refused")
        .await;
    // Somebody who is elsewhere too is no one's alone: not their password, nor whether they sign in.
    is_refused(&house, put(&path(&seller), &json!({"disabled": true})), &shop, "change.refused")
        .await;
    is_refused(&house, delete(&path(&seller)), &shop, "change.refused").await;
    let password = format!("{}/password", path(&seller));
    is_refused(&house, put(&password, &json!({"new": PASSWORD})), &shop, "change.refused").await;
    // Sessions of others.
    let of = |of: &Granted| format!("/v1/sessions?user={}", of.person.user.id);
    is_refused(&house, get(&of(&bank)), &shop, "access.refused").await;
    let named = get(&of(&shop)).header("x-logtrace-project", "shop");
    is_refused(&house, named, &seller, "access.refused").await;
    let end = delete(&format!("/v1/sessions/{}", bank.person.session));
    is_refused(&house, end, &shop, "change.refused").await;
    // The last owner.
    for call in [
        delete(&path(&boss)),
        put(&path(&boss), &role("default", "admin")),
        put(&path(&boss), &json!({"disabled": true})),
    ] {
        let (status, problem) = house.send(call.by(&boss)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("last_owner")));
        assert_eq!(newest(&house).await["event"], "change.refused");
    }
    nothing_was_done(&house, &boss, &shop).await;
}

async fn nothing_was_done(house: &House, boss: &Granted, shop: &Granted) {
    let (_, users) = house.send(get("/v1/users").by(boss)).await;
    let roles: Vec<_> =
        users["users"].as_array().unwrap().iter().map(|one| &one["roles"]).collect();
    assert_eq!(
        json!(roles),
        json!([
            {"default": "owner"},
            {"default": "admin"},
            {"shop": "owner"},
            {"shop": "viewer", "bank": "viewer"},
            {"bank": "owner"},
        ])
    );
    let (_, users) = house.send(get("/v1/users").by(shop)).await;
    let seen: Vec<_> = users["users"].as_array().unwrap().iter().map(|one| &one["roles"]).collect();
    assert_eq!(json!(seen), json!([{"shop": "owner"}, {"shop": "viewer"}]), "nothing of the bank");
}

#[tokio::test]
async fn co_07_what_an_owner_changes_ends_sessions_at_once() {
    let house = House::open();
    let boss = house.person("boss", &[("default", Role::Owner)]);
    let ann = house.person("ann", &[("default", Role::Viewer)]);
    let path = format!("/v1/users/{}", ann.person.user.id);
    let keys = |by: &Granted| get("/v1/keys").by(by);
    assert_eq!(house.send(keys(&ann)).await.0, StatusCode::FORBIDDEN);
    let (_, raised) =
        house.send(put(&path, &json!({"roles": {"default": "admin"}})).by(&boss)).await;
    assert_eq!(raised["roles"], json!({"default": "admin"}));
    assert_eq!(house.send(keys(&ann)).await.0, StatusCode::UNAUTHORIZED);
    let entry = newest(&house).await;
    assert_eq!(
        (&entry["event"], &entry["actor"]),
        (&json!("user.role_changed"), &json!("boss@example.com"))
    );
    let ann = house.sign_in("ann");
    assert_eq!(house.send(keys(&ann)).await.0, StatusCode::OK);
    // One's own password needs the one before.
    let own = format!("{path}/password");
    let new = "another horse battery";
    for (body, status) in [
        (json!({"new": new}), 400),
        (json!({"old": "wrong password", "new": new}), 403),
        (json!({"old": PASSWORD, "new": "short"}), 400),
        (json!({"old": PASSWORD, "new": new}), 200),
    ] {
        assert_eq!(house.send(put(&own, &body).by(&ann)).await.0.as_u16(), status, "{body}");
    }
    assert_eq!(house.send(keys(&ann)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.send(sign_in("ann@example.com", PASSWORD)).await.0.as_u16(), 401);
    assert_eq!(house.send(sign_in("ann@example.com", new)).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn the_first_owner_is_made_by_a_key_and_no_other_by_one() {
    let house = House::open();
    let (_, key) = house.key(r#""admin:projects""#, "default");
    let new = |name: &str| {
        let email = format!("{name}@example.com");
        post("/v1/users", &json!({"email": email, "roles": {"default": "owner"}}).to_string())
    };
    let (status, made) = house.send(new("ann").key(&key)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(house.send(new("bob").key(&key)).await.0, StatusCode::FORBIDDEN);
    let password = made["password"].as_str().unwrap();
    let (status, ann) = house.send(sign_in("ann@example.com", password)).await;
    assert_eq!(status, StatusCode::CREATED);
    let token = ann["access_token"].as_str().unwrap();
    let (status, bob) = house.send(new("bob").key(token)).await;
    assert_eq!(status, StatusCode::CREATED);
    // Twice is once; and a change is of what was seen.
    assert_eq!(house.send(new("bob").key(token)).await.1["code"], "taken");
    let path = format!("/v1/users/{}", bob["id"].as_str().unwrap());
    let seen = house.answer(get(&path).key(token)).await;
    let tag = seen.headers()["etag"].to_str().unwrap().to_owned();
    let change =
        |name: &str| put(&path, &json!({"name": name})).key(token).header("if-match", &tag);
    assert_eq!(house.send(change("Bob")).await.0, StatusCode::OK);
    assert_eq!(house.send(change("Rob")).await.0, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn somebody_makes_keys_for_machines_and_none_that_may_more() {
    let house = House::open();
    house.project("shop");
    let admin = house.person("ann", &[("shop", Role::Admin)]);
    let make = |more: Value| {
        let mut body = json!({"name": "x", "project": "shop", "scopes": ["write:logs"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post("/v1/keys", &body.to_string())
    };
    for (more, status) in [
        (json!({}), 201),
        (json!({"environment": "staging", "scopes": ["write:logs", "admin:projects"]}), 201),
        (json!({"project": "default"}), 403),
        (json!({"tier": "enterprise"}), 403),
    ] {
        let shown = more.to_string();
        assert_eq!(house.send(make(more).by(&admin)).await.0.as_u16(), status, "{shown}");
    }
    // People send no logs themselves.
    assert!(house.api.gate.key_of(admin.access.reveal().as_bytes()).is_none());
}

#[tokio::test]
async fn a_project_that_is_deleted_leaves_nobody_a_role_there() {
    let house = House::open();
    house.project("shop");
    let ann = house.person("ann", &[("shop", Role::Owner)]);
    let (status, answer) = house.send(delete("/v1/projects/shop?force=true")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    house.project("shop");
    let query = |by: &Granted| post("/v1/logs/query", "{}").by(by);
    assert_eq!(house.send(query(&ann)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.send(query(&house.sign_in("ann"))).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn au_07_no_password_and_no_token_is_in_any_journal() {
    let house = House::open();
    let boss = house.person("boss", &[("default", Role::Owner)]);
    let secret = "hunter2 hunter2 hunter2";
    let token = boss.refresh.reveal();
    let bodies = [
        json!({"email": "boss@example.com", "password": secret}),
        json!({"email": secret, "password": "wrong password"}),
        json!({"email": "boss@example.com", "pass": secret}),
        json!({"email": ["x", secret], "password": "x"}),
        json!({"email": "boss@example.com", "password": [secret]}),
        json!({"email": "boss@example.com", "password": {"is": secret}}),
    ];
    for body in &bodies {
        house.send(post("/v1/sessions", &body.to_string())).await;
    }
    house.send(post("/v1/sessions", &format!("{{\"password\":\"{secret}\""))).await;
    house.send(post("/v1/sessions/refresh", &json!({"token": token}).to_string())).await;
    house
        .send(post(
            "/v1/users",
            &json!({"email": "a@b.c", "password": secret, "role": 1}).to_string(),
        ))
        .await;
    let own = format!("/v1/users/{}/password", boss.person.user.id);
    house.send(put(&own, &json!({"old": secret, "new": secret})).by(&boss)).await;
    house.send(get("/v1/keys").key(&format!("{token}0"))).await;
    let mut all = String::new();
    for journal in ["access", "failed", "blocked", "dashboard", "sessions/journal"] {
        house.api.ingest.flush_journal().await;
        all.push_str(&house.send(get(&format!("/v1/{journal}?limit=1000"))).await.1.to_string());
    }
    all.push_str(&house.send(get("/v1/audit?limit=1000")).await.1.to_string());
    assert!(all.contains("boss@example.com") && !all.contains("hunter2"), "{all}");
    assert!(!all.contains(token.get(12..40).unwrap()));
}
