//! Who may do what, and see what.

use axum::http::StatusCode;
use serde_json::json;

use super::support::{House, delete, get, post};
use crate::api::Config;
use crate::gate::{Environment, ListKind, NewListEntry};
use crate::ingest::now;

#[tokio::test]
async fn au_09_a_journal_needs_its_own_scope() {
    let house = House::open();
    let (_, reader) = house.key(r#""read:logs""#, "default");
    let (_, auditor) = house.key(r#""read:audit""#, "default");
    let asked = async |key: &str, body: &str| {
        house.send(post("/v1/logs/query", body).key(key)).await.0.as_u16()
    };
    assert_eq!(asked(&reader, "{}").await, 200);
    assert_eq!(asked(&reader, r#"{"journal":"blocked"}"#).await, 403);
    assert_eq!(asked(&auditor, r#"{"journal":"blocked"}"#).await, 200);
    assert_eq!(asked(&auditor, "{}").await, 403);
}

#[tokio::test]
async fn au_11_no_key_is_enough_on_this_machine_alone() {
    let house = House::open();
    let unknown = format!("lt_live_{}", "0".repeat(32));
    let calls = [
        (get("/v1/keys"), 200),
        (get("/v1/keys").peer("::1"), 200),
        (get("/v1/keys").peer("::ffff:127.0.0.1"), 200),
        (get("/v1/keys").header("host", "localhost:8514"), 200),
        (get("/v1/keys").peer("192.0.2.1"), 401),
        // What a header says of an address is nobody's word.
        (get("/v1/keys").peer("192.0.2.1").header("x-forwarded-for", "127.0.0.1"), 401),
        // CO-09: a page of a browser on this machine, by a name that resolves here.
        (get("/v1/keys").header("host", "evil.example:8514"), 401),
        // Another page, without a question before it: it needs no body, so no type gives it away.
        (post("/v1/reload", "").header("origin", "http://evil.example"), 401),
        (post("/v1/reload", "").header("origin", "null"), 401),
        (get("/v1/audit/bundle").header("sec-fetch-site", "cross-site"), 401),
        (get("/v1/keys").header("host", "[::1]:1").header("sec-fetch-site", "none"), 200),
        (get("/v1/keys").key(&unknown), 401),
        (get("/v1/keys").key(""), 401),
    ];
    for (number, (call, status)) in calls.into_iter().enumerate() {
        assert_eq!(house.answer(call).await.status().as_u16(), status, "call {number}");
    }
    let strict = House::new(Config { require_key: true, ..Config::default() }, "{}");
    assert_eq!(strict.answer(get("/v1/keys")).await.status(), StatusCode::UNAUTHORIZED);
    let public = Config { listen: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
    let house = House::new(public.clone(), "{}");
    assert_eq!(house.answer(get("/v1/keys")).await.status(), StatusCode::UNAUTHORIZED);

    let open = House::new(Config { allow_anonymous: true, ..public }, "{}");
    let query = |peer| post("/v1/logs/query", "{}").peer(peer);
    assert_eq!(open.answer(query("192.0.2.1")).await.status(), StatusCode::OK);
    assert_eq!(open.answer(get("/v1/keys").peer("192.0.2.1")).await.status().as_u16(), 401);
}

#[tokio::test]
async fn au_03_a_revoked_key_and_a_blocked_address_are_refused_at_once() {
    let house = House::open();
    let (id, key) = house.key(r#""read:logs""#, "default");
    let query = || post("/v1/logs/query", "{}").key(&key).peer("192.0.2.1");
    assert_eq!(house.send(query()).await.0, StatusCode::OK);
    let net = "192.0.2.0/24".parse().unwrap();
    house.api.gate.add_entry(ListKind::Block, net, NewListEntry::default(), now()).unwrap();
    assert_eq!(house.send(query()).await.0, StatusCode::UNAUTHORIZED);
    house.api.gate.remove_entry(ListKind::Block, net).unwrap();
    house.api.gate.revoke_key(&id, now()).unwrap();
    let (status, problem) = house.send(query()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, unknown) = house.send(query().key("no such key")).await;
    assert_eq!(problem, unknown);
}

#[tokio::test]
async fn ht_09_other_projects_are_not_there() {
    let house = House::open();
    let all = r#""read:logs","read:audit","admin:projects","write:logs""#;
    let (_, own) = house.key(all, "shop");
    let (other_id, other) = house.key(all, "bank");
    house.store(Some(&other), r#"[{"message":"secret of the bank"}]"#).await;
    house.store(None, r#"[{"message":"of the default"}]"#).await;
    let query = |body| post("/v1/logs/query", body).key(&own);
    let (_, answer) = house.send(query("{}")).await;
    assert_eq!(answer["logs"], json!([]));
    assert_eq!(house.send(query(r#"{"project":"bank"}"#)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(house.send(query(r#"{"filter":"project:bank"}"#)).await.1["logs"], json!([]));

    // A key of another project is answered for as one that never was.
    let of_other = house.send(get(&format!("/v1/keys/{other_id}")).key(&own)).await;
    let of_none = house.send(get("/v1/keys/key_000000000000").key(&own)).await;
    assert_eq!((of_other.0, of_none.0), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(of_other.1["code"], of_none.1["code"]);
    let revoke = delete(&format!("/v1/keys/{other_id}")).key(&own);
    assert_eq!(house.send(revoke).await.0, StatusCode::NOT_FOUND);
    let (_, keys) = house.send(get("/v1/keys").key(&own)).await;
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);

    // What is of the whole daemon is not of one project.
    for path in ["/v1/settings/logging", "/v1/blocklist", "/v1/logs/tail?journal=failed"] {
        assert_eq!(house.answer(get(path).key(&own)).await.status().as_u16(), 403, "{path}");
    }
    let journal = query(r#"{"journal":"failed"}"#);
    assert_eq!(house.send(journal).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn ht_09_other_environments_of_the_project_are_not_there() {
    let house = House::open();
    let all = r#""read:logs","admin:projects","write:logs""#;
    let places = [Environment::Production, Environment::Staging, Environment::Development];
    let keys = places.map(|place| house.key_in(all, "shop", place).1);
    for (place, key) in places.iter().zip(&keys) {
        let log = format!(r#"[{{"message":"of {}"}}]"#, place.as_str());
        house.store(Some(key), &log).await;
    }
    let (_, everything) = house.key(r#""read:logs""#, "shop");
    for (place, key) in places.iter().zip(&keys) {
        let ask = async |path: &str, body: &str| house.send(post(path, body).key(key)).await;
        let (_, found) = ask("/v1/logs/query", "{}").await;
        let own = format!("of {}", place.as_str());
        assert_eq!(found["meta"]["count"], 1, "{found}");
        assert_eq!(found["logs"][0]["message"], own);
        for filter in ["not x", "key:*", "of"] {
            let body = json!({"filter": filter}).to_string();
            assert_eq!(ask("/v1/logs/query", &body).await.1["logs"], found["logs"], "{filter}");
        }
        let (_, counted) = ask("/v1/logs/stats", r#"{"aggregates":["count"]}"#).await;
        assert!(counted.to_string().contains(":1"), "{counted}");
        let (_, dry) = ask("/v1/logs/delete", r#"{"filter":"*","dry_run":true}"#).await;
        assert_eq!(dry["matched"], 1);
        // By its id, too.
        let id = found["logs"][0]["_id"].as_str().unwrap();
        for (other, key) in places.iter().zip(&keys) {
            let path = format!("/v1/logs/{id}/context?fields=message");
            let (status, around) = house.send(get(&path).key(key)).await;
            assert_eq!(status == StatusCode::OK, place == other, "{around}");
        }
    }
    let (_, found) = house.send(post("/v1/logs/query", "{}").key(&everything)).await;
    assert_eq!(found["meta"]["count"], 1, "a key of production sees production: {found}");
}

#[tokio::test]
async fn ht_09_journals_have_the_wall_between_environments_too() {
    let house = House::open();
    let places = [Environment::Production, Environment::Staging, Environment::Development];
    let scopes = r#""read:logs","read:audit","admin:projects""#;
    let keys = places.map(|place| house.key_in(scopes, "shop", place));
    for (_, key) in &keys {
        house.send(post("/v1/logs/query", "{}").key(key)).await;
        house.send(post("/v1/logs/query", r#"{"filter":"("}"#).key(key)).await;
        house.send(get("/v1/settings/logging").key(key)).await;
    }
    house.noted_at_least(3, "blocked").await;
    for journal in ["access", "failed", "blocked"] {
        for (place, (id, key)) in places.iter().zip(&keys) {
            let masked = house.api.gate.key_by_id(id).unwrap().info().masked.clone();
            for path in [format!("/v1/{journal}"), format!("/v1/{journal}?filter=not%20x")] {
                let (status, answer) = house.send(get(&path).key(key)).await;
                assert_eq!(status, StatusCode::OK, "{answer}");
                let entries = answer["entries"].as_array().unwrap();
                assert!(!entries.is_empty(), "{path} {place:?}");
                for entry in entries {
                    assert_eq!(entry["api_key"], masked, "{path} {place:?}: {entry}");
                }
            }
            let groups = format!("/v1/{journal}?group_by=key");
            let (_, groups) = house.send(get(&groups).key(key)).await;
            for (_, (other, _)) in places.iter().zip(&keys).filter(|(other, _)| *other != place) {
                let other = house.api.gate.key_by_id(other).unwrap().info().masked.clone();
                assert!(!groups.to_string().contains(&other), "{groups}");
            }
        }
    }
}
