//! Deleting, backups and quarantine over the API.

use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::support::{Call, House, delete, get, post};

#[tokio::test]
async fn what_a_query_finds_is_deleted() {
    let house = House::open();
    house.store(None, r#"[{"message":"a one"},{"message":"b one"},{"message":"a two"}]"#).await;
    let body = r#"{"filter":"a","dry_run":true}"#;
    let (status, answer) = house.send(post("/v1/logs/delete", body)).await;
    assert_eq!((status, &answer["matched"]), (StatusCode::OK, &json!(2)));
    assert_eq!((&answer["deleted"], &answer["partial"]), (&json!(0), &json!(false)));
    let body = r#"{"filter":"a","from":"-1h","to":"now"}"#;
    let (status, answer) = house.send(post("/v1/logs/delete", body)).await;
    assert_eq!((status, &answer["deleted"]), (StatusCode::OK, &json!(2)), "{answer}");
    let (_, answer) = house.send(post("/v1/logs/query", "{}")).await;
    assert_eq!(answer["meta"]["count"], 1);
    for wrong in ["{}", r#"{"filter":""}"#, r#"{"filter":" "}"#, r#"{"filter":"a and ("}"#] {
        let (status, answer) = house.send(post("/v1/logs/delete", wrong)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {answer}");
    }
    let later = r#"{"filter":"*","from":"now","to":"-1h"}"#;
    let (status, _) = house.send(post("/v1/logs/delete", later)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, answer) = house.send(post("/v1/logs/query", "{}")).await;
    assert_eq!(answer["meta"]["count"], 1, "nothing that was wrong deleted anything");
}

#[tokio::test]
async fn nobody_deletes_what_is_another_projects() {
    let house = House::open();
    let (_, writer) = house.key(r#""write:logs","read:logs""#, "shop");
    let (_, admin) = house.key(r#""admin:projects","read:logs""#, "shop");
    house.store(None, r#"[{"message":"a"}]"#).await;
    house.store(Some(&writer), r#"[{"message":"a"}]"#).await;
    let all = || post("/v1/logs/delete", r#"{"filter":"*"}"#);
    let (status, _) = house.send(all().key(&writer)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "reading and writing are not deleting");
    let named = post("/v1/logs/delete", r#"{"filter":"*","project":"default"}"#);
    let (status, _) = house.send(named.key(&admin)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, answer) = house.send(all().key(&admin)).await;
    assert_eq!((status, &answer["deleted"]), (StatusCode::OK, &json!(1)));
    let (_, answer) = house.send(post("/v1/logs/query", "{}")).await;
    assert_eq!(answer["meta"]["count"], 1);
    let (status, _) = house.send(all().peer("192.0.2.1")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_checkpoint_is_made_kept_and_taken_away() {
    let house = House::open();
    let (status, made) = house.send(post("/v1/backup", "{}")).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = Path::new(made["path"].as_str().unwrap());
    assert!(path.is_absolute() && path.join("CURRENT").exists());
    let (status, problem) = house.send(post("/v1/backup", "{}")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("busy")));
    let held = format!("/v1/backup/{}", made["id"].as_str().unwrap());
    assert_eq!(house.send(post(&held, "{}")).await.0, StatusCode::OK);
    assert_eq!(house.send(post("/v1/backup/..%2f..", "{}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.send(delete("/v1/backup/nope")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.send(delete(&held)).await.0, StatusCode::OK);
    assert!(!path.exists());
    assert_eq!(house.send(delete(&held)).await.0, StatusCode::NOT_FOUND);
    // Not by a page in a browser, which can post without being asked.
    let simple = Call::new(Method::POST, "/v1/backup").header("content-type", "text/plain");
    assert_eq!(house.send(simple).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn what_is_of_the_daemon_is_not_for_keys_of_other_projects() {
    let house = House::open();
    let (_, admin) = house.key(r#""admin:projects""#, "shop");
    let (_, reader) = house.key(r#""read:logs""#, "default");
    for key in [&admin, &reader] {
        for call in [
            post("/v1/backup", "{}"),
            post("/v1/backup/x", "{}"),
            delete("/v1/backup/x"),
            get("/v1/quarantine"),
            delete("/v1/quarantine/0000000000000000"),
        ] {
            assert_eq!(house.send(call.key(key)).await.0, StatusCode::FORBIDDEN);
        }
    }
}

#[tokio::test]
async fn a_quarantine_is_listed_and_lifted() {
    let house = House::open();
    let (status, answer) = house.send(get("/v1/quarantine")).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"quarantine": []})));
    for id in ["0000000000000000", "0", "nope", "%2b00000000000000f"] {
        let (status, _) = house.send(delete(&format!("/v1/quarantine/{id}"))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{id}");
    }
}
