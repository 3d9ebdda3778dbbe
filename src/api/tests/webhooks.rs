//! `/v1/webhooks`.

use axum::http::StatusCode;
use serde_json::json;

use super::support::{House, delete, get, post};

const NEW: &str = r#"{"url":"https://example.com/hook","events":["api_key.*"],"note":"n"}"#;

#[tokio::test]
async fn a_webhook_is_made_shown_and_removed_and_its_secret_is_shown_once() {
    let house = House::open();
    let (status, made) = house.send(post("/v1/webhooks", NEW)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(id.starts_with("wh_") && secret.starts_with("whsec_"), "{made}");
    let path = format!("/v1/webhooks/{id}");
    let (_, shown) = house.send(get(&path)).await;
    assert_eq!(shown["events"], json!(["api_key.*"]));
    assert_eq!((&shown["project"], &shown["queued"]), (&json!("default"), &json!(0)));
    let (_, listed) = house.send(get("/v1/webhooks")).await;
    assert_eq!(listed, json!({"webhooks": [shown]}));
    assert!(!listed.to_string().contains(secret));
    let (_, deliveries) = house.send(get(&format!("{path}/deliveries"))).await;
    assert_eq!(deliveries, json!({"deliveries": []}));
    assert_eq!(house.send(delete(&path)).await.0, StatusCode::OK);
    assert_eq!(house.send(get(&path)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn co_14_a_webhook_to_the_inside_is_refused() {
    let house = House::open();
    for url in [
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://0xa000001/",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "",
    ] {
        let new = json!({"url": url, "events": ["*"]}).to_string();
        let (status, problem) = house.send(post("/v1/webhooks", &new)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("invalid_url")), "{url}");
        assert!(!problem.to_string().contains("pass@"), "{problem}");
    }
    for (new, field) in [
        (r#"{"url":"https://example.com/","events":[]}"#, "events"),
        (r#"{"url":"https://example.com/","events":["A B"]}"#, "events"),
        (r#"{"url":"https://example.com/","events":["*"],"secret":"x"}"#, "secret"),
    ] {
        let (status, problem) = house.send(post("/v1/webhooks", new)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].as_str().is_some_and(|d| d.contains("expected")), "{field}");
    }
}

#[tokio::test]
async fn ht_09_a_webhook_of_another_project_is_not_there() {
    let house = House::open();
    let (_, own) = house.key(r#""admin:projects""#, "shop");
    let (_, other) = house.key(r#""admin:projects""#, "bank");
    let (_, made) = house.send(post("/v1/webhooks", NEW).key(&other)).await;
    assert_eq!(made["project"], "bank");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let calls = || {
        vec![
            get(&path),
            delete(&path),
            get(&format!("{path}/deliveries")),
            post(&format!("{path}/test"), "{}"),
            post(&format!("{path}/retry"), "{}"),
        ]
    };
    for call in calls() {
        let (status, problem) = house.send(call.key(&own)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    }
    assert_eq!(house.send(get("/v1/webhooks").key(&own)).await.1, json!({"webhooks": []}));
    let named = r#"{"url":"https://example.com/","events":["*"],"project":"bank"}"#;
    let (status, _) = house.send(post("/v1/webhooks", named).key(&own)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // Project default governs them all.
    assert_eq!(house.send(get(&path)).await.0, StatusCode::OK);
    assert_eq!(house.send(delete(&path).key(&other)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_receiver_that_is_away_is_said_to_be() {
    let house = House::open();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", socket.local_addr().unwrap());
    drop(socket);
    let new = json!({"url": url, "events": ["*"]}).to_string();
    let (_, made) = house.send(post("/v1/webhooks", &new)).await;
    let path = format!("/v1/webhooks/{}/test", made["id"].as_str().unwrap());
    let (status, answer) = house.send(post(&path, "{}")).await;
    assert_eq!((status, &answer["delivered"]), (StatusCode::OK, &json!(false)));
    assert!(answer["error"].as_str().unwrap().starts_with("expected a receiver that answers"));
    // A page of another site can send no JSON.
    let plain = post(&path, "").header("content-type", "text/plain");
    assert_eq!(house.send(plain).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
