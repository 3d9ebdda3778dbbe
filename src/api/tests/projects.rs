//! Projects and organizations over the API.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Call, House, delete, get, post};

fn put(path: &str, body: &Value) -> Call {
    Call::new(Method::PUT, path).body(&body.to_string())
}

#[tokio::test]
async fn a_fresh_install_has_the_default_ones_and_they_stay() {
    let house = House::open();
    let (_, projects) = house.send(get("/v1/projects")).await;
    let default = &projects["projects"][0];
    assert_eq!(
        (&default["name"], &default["organization"]),
        (&json!("default"), &json!("default"))
    );
    let (_, all) = house.send(get("/v1/organizations")).await;
    assert_eq!(all["organizations"][0]["name"], "default");
    for path in ["/v1/projects/default?force=true", "/v1/organizations/default"] {
        assert_eq!(house.send(delete(path)).await.0, StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn projects_are_made_changed_and_deleted() {
    let house = House::open();
    let made = json!({"name": "acme", "title": "Acme Inc."}).to_string();
    assert_eq!(house.send(post("/v1/organizations", &made)).await.0, StatusCode::CREATED);
    let new = json!({"name": "shop", "organization": "acme", "environments": ["staging"]});
    let (status, shop) = house.send(post("/v1/projects", &new.to_string())).await;
    assert_eq!((status, &shop["environments"]), (StatusCode::CREATED, &json!(["staging"])));
    assert_eq!(house.send(post("/v1/projects", &new.to_string())).await.0, StatusCode::CONFLICT);
    assert_eq!(house.send(delete("/v1/organizations/acme")).await.0, StatusCode::CONFLICT);
    // Its keys belong to its environments.
    let key = |environment: &str| json!({"name": "x", "project": "shop", "environment": environment, "scopes": ["write:logs"]});
    let (status, _) = house.send(post("/v1/keys", &key("production").to_string())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, own) = house.send(post("/v1/keys", &key("staging").to_string())).await;
    assert_eq!(status, StatusCode::CREATED);
    let strand = json!({"environments": ["production"]});
    assert_eq!(house.send(put("/v1/projects/shop", &strand)).await.0, StatusCode::CONFLICT);
    let more = json!({"environments": ["production", "staging"], "title": "Shop"});
    let (status, changed) = house.send(put("/v1/projects/shop", &more)).await;
    assert_eq!((status, &changed["title"]), (StatusCode::OK, &json!("Shop")));
    let renamed = json!({"name": "store"});
    assert_eq!(house.send(put("/v1/projects/shop", &renamed)).await.0, StatusCode::BAD_REQUEST);

    house.store(own["secret"].as_str(), r#"[{"message":"one"},{"message":"two"}]"#).await;
    let (status, refused) = house.send(delete("/v1/projects/shop")).await;
    assert_eq!((status, &refused["logs"]), (StatusCode::CONFLICT, &json!(2)), "{refused}");
    let (status, gone) = house.send(delete("/v1/projects/shop?force=true")).await;
    assert_eq!((status, &gone["logs_deleted"]), (StatusCode::OK, &json!(2)), "{gone}");
    let (_, key) = house.send(get(&format!("/v1/keys/{}", own["id"].as_str().unwrap()))).await;
    assert!(key["revoked_at"].is_string());
    assert_eq!(house.send(get("/v1/projects/shop")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.send(delete("/v1/organizations/acme")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let house = House::open();
    for new in [
        json!({}),
        json!({"name": "_system"}),
        json!({"name": "a/b"}),
        json!({"name": "x", "organization": "none"}),
        json!({"name": "x", "environments": []}),
        json!({"name": "x", "environments": ["test"]}),
        json!({"name": "x", "created_at": "2026-01-01T00:00:00Z"}),
        json!({"name": "x", "title": "x".repeat(101)}),
    ] {
        let (status, problem) = house.send(post("/v1/projects", &new.to_string())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{new}: {problem}");
    }
}

#[tokio::test]
async fn ht_09_a_project_sees_itself_alone() {
    let house = House::open();
    let (_, admin) = house.key(r#""admin:projects""#, "shop");
    house.key(r#""admin:projects""#, "bank");
    let (_, seen) = house.send(get("/v1/projects").key(&admin)).await;
    let names: Vec<_> = seen["projects"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["shop"]);
    let of_other = house.send(get("/v1/projects/bank").key(&admin)).await;
    let of_none = house.send(get("/v1/projects/none").key(&admin)).await;
    assert_eq!((of_other.0, &of_other), (StatusCode::NOT_FOUND, &of_none));
    let body = json!({"name": "new"}).to_string();
    let (status, _) = house.send(post("/v1/projects", &body).key(&admin)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
