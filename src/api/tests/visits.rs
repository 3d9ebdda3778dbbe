//! What is noted of people: what they do, how they come and go.

use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::support::{Call, House, PASSWORD, delete, get, post};
use crate::api::Config;
use crate::people::{Granted, Role};

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// An entry without what differs from run to run.
fn plain(mut entry: Value, of: &Granted) -> Value {
    let entry = entry.as_object_mut().unwrap();
    for (name, value) in [("session.id", &*of.person.session), ("user.id", &of.person.user.id)] {
        if let Some(found) = entry.get_mut(name) {
            assert_eq!(found, value);
            *found = "…".into();
        }
    }
    let volatile =
        ["@timestamp", "_id", "received_at", "last_seen", "session.started", "session.last_seen"];
    volatile.iter().for_each(|name| drop(entry.remove(*name)));
    json!(entry)
}

#[tokio::test]
async fn what_somebody_does_is_noted_with_who_and_what_came_of_it() {
    let house = House::open();
    let ann = house.person("ann", &[("default", Role::Admin)]);
    let by = |call: Call| call.by(&ann).peer("192.0.2.7").header("user-agent", "browser/1");
    house.send(by(post("/v1/blocklist", r#"{"net":"198.51.100.0/24"}"#))).await;
    house.send(by(delete(&format!("/v1/users/{}", ann.person.user.id)))).await;
    let done = house.noted_where("dashboard", "resource:\"/v1/blocklist\"").await;
    insta::assert_snapshot!(pretty(&plain(done, &ann)), @r#"
    {
      "@version": "1",
      "action": "POST /v1/blocklist",
      "count": 1,
      "details": "{\"net\":\"198.51.100.0/24\"}",
      "level": "INFO",
      "listener": "journal",
      "message": "ann@example.com: POST /v1/blocklist 201",
      "project": "default",
      "resource": "/v1/blocklist",
      "result": "done",
      "session.id": "…",
      "source.ip": "192.0.2.7",
      "status": 201,
      "tags": [],
      "user.email": "ann@example.com",
      "user.id": "…",
      "user_agent.original": "browser/1"
    }
    "#);
    let refused = house.noted_where("dashboard", "result:refused").await;
    assert_eq!(
        (&refused["action"], &refused["status"]),
        (&json!("DELETE /v1/users/{id}"), &json!(403))
    );
    let access = house.noted_where("access", "endpoint:\"/v1/blocklist\"").await;
    assert_eq!((&access["user.email"], access.get("api_key")), (&json!("ann@example.com"), None));
    // It can be asked for by each, and taken away as a table.
    for (query, want) in [
        ("user=ann@example.com&method=GET", None),
        ("user=ann@example.com&action=POST%20*", Some(1)),
        ("actor=bob@example.com", Some(0)),
        ("action=DELETE*&result=refused&address=192.0.2.0/24&status=403", Some(1)),
        ("resource=/v1/blocklist", Some(1)),
    ] {
        let (status, found) = house.send(get(&format!("/v1/dashboard?{query}"))).await;
        match want {
            Some(want) => assert_eq!(found["entries"].as_array().unwrap().len(), want, "{query}"),
            None => assert_eq!(status, StatusCode::BAD_REQUEST, "{query}"),
        }
    }
    let session = format!("/v1/dashboard?session={}&format=csv", ann.person.session);
    let csv = house.answer(get(&session)).await.into_body().collect().await.unwrap().to_bytes();
    let csv = String::from_utf8(csv.to_vec()).unwrap();
    assert!(csv.starts_with("timestamp,user.email,action,resource,details,result,"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
}

#[tokio::test]
async fn what_people_do_is_noted_only_where_that_is_switched_on() {
    let house = House::open();
    let ann = house.person("ann", &[("default", Role::Viewer)]);
    let count = async || {
        house.api.ingest.flush_journal().await;
        let (_, found) = house.send(get("/v1/dashboard")).await;
        found["entries"].as_array().unwrap().len()
    };
    for (is_on, want) in [(false, 0), (true, 1), (false, 1)] {
        let switch = json!({"log_dashboard_activities": is_on}).to_string();
        house.send(Call::new(Method::PUT, "/v1/settings/logging").body(&switch)).await;
        house.send(get("/v1/sessions").by(&ann)).await;
        // Another journal shows when all of them have been written.
        let subject = format!("{is_on} {want}");
        house.api.ingest.advise(crate::journal::Advisory {
            kind: "test",
            subject: subject.clone(),
            ..Default::default()
        });
        house.noted_where("advisory", &format!("subject:\"{subject}\"")).await;
        assert_eq!(count().await, want);
    }
}

#[tokio::test]
async fn how_people_come_and_go_is_noted() {
    let house = House::open();
    let ann = house.person("ann", &[("default", Role::Viewer)]);
    house.api.people.end(&ann.person.session).unwrap();
    let sign_in = |password: &str| {
        let body = json!({"email": "ann@example.com", "password": password}).to_string();
        post("/v1/sessions", &body).peer("192.0.2.7").header("user-agent", "browser/1")
    };
    house.send(sign_in("wrong password")).await;
    let refused = house.noted_where("sessions/journal", "event:refused").await;
    assert_eq!(
        (&refused["reason"], &refused["user.email"], refused.get("session.id")),
        (&json!("password"), &json!("ann@example.com"), None)
    );
    let (_, first) = house.send(sign_in(PASSWORD)).await;
    let started = house.noted_where("sessions/journal", "event:started").await;
    let session = first["session"].as_str().unwrap().to_owned();
    assert_eq!(started["session.id"], session.as_str());
    assert_eq!(
        (&started["source.ip"], &started["country"]),
        (&json!("192.0.2.7"), &json!("unknown"))
    );
    assert_eq!(started["user_agent.original"], "browser/1");
    let refresh = || {
        let body = json!({"refresh_token": first["refresh_token"]}).to_string();
        post("/v1/sessions/refresh", &body)
    };
    house.send(refresh()).await;
    let refreshed = house.noted_where("sessions/journal", "event:refreshed").await;
    assert_eq!(refreshed["session.id"], session.as_str());
    // CO-08.
    assert_eq!(house.send(refresh()).await.0, StatusCode::UNAUTHORIZED);
    let ended = house.noted_where("sessions/journal", "reason:token_reused").await;
    assert_eq!((&ended["session.id"], &ended["level"]), (&json!(session), &json!("WARN")));
    assert!(ended["session.started"].is_string());
    let found = house.send(get("/v1/sessions/journal?event=ended&user=ann@example.com")).await.1;
    let reasons: Vec<_> =
        found["entries"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(json!(reasons), json!(["token_reused", "signed_out"]));
}

#[tokio::test]
async fn ht_09_what_people_of_another_project_do_is_not_there() {
    let house = House::new(Config::default(), "{}");
    ["shop", "bank"].iter().for_each(|name| house.project(name));
    let shop = house.person("ann", &[("shop", Role::Owner)]);
    let bank = house.person("bob", &[("bank", Role::Owner)]);
    for by in [&shop, &bank] {
        house.send(get("/v1/keys").by(by)).await;
        house.send(post("/v1/sessions", r#"{"email":"bob@example.com","password":"x"}"#)).await;
        house
            .api
            .people
            .end(
                &house
                    .sign_in(by.person.user.email.as_str().split('@').next().unwrap())
                    .person
                    .session,
            )
            .unwrap();
        house.send(delete("/v1/sessions/none").by(by)).await;
    }
    house.noted_where("dashboard", "user.email:\"bob@example.com\" and action:DELETE*").await;
    for journal in ["dashboard", "sessions/journal", "access", "failed", "blocked"] {
        let (status, found) =
            house.send(get(&format!("/v1/{journal}?filter=not%20x")).by(&shop)).await;
        assert_eq!(status, StatusCode::OK, "{found}");
        let text = found["entries"].to_string();
        assert!(!text.contains("bob@") && !text.contains("bank"), "{journal}: {text}");
    }
    let (_, own) = house.send(get("/v1/dashboard?event=GET*").by(&shop)).await;
    assert!(!own["entries"].as_array().unwrap().is_empty());
}
