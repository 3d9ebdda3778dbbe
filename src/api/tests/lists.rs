//! Lists over the API.

use axum::http::StatusCode;
use serde_json::json;

use super::support::{House, delete, get, post};
use crate::api::Config;

#[tokio::test]
async fn networks_are_listed_added_and_removed() {
    let house = House::open();
    for list in ["blocklist", "allowlist"] {
        let path = format!("/v1/{list}");
        let body = r#"{"net":"10.1.2.3/16","note":"noisy","expires_in":"12h"}"#;
        let (status, entry) = house.send(post(&path, body)).await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!((&entry["net"], &entry["origin"]), (&json!("10.1.0.0/16"), &json!("added")));
        assert!(entry["expires_at"].is_string());
        let (_, listed) = house.send(get(&path)).await;
        assert_eq!(listed, json!({"entries": [entry]}));
        let gone = format!("{path}?net=10.1.0.0/16");
        assert_eq!(house.send(delete(&gone)).await, (StatusCode::OK, entry));
        assert_eq!(house.send(delete(&gone)).await.0, StatusCode::NOT_FOUND);
        let (status, address) = house.send(post(&path, r#"{"net":"2001:db8::1"}"#)).await;
        assert_eq!((status, &address["net"]), (StatusCode::CREATED, &json!("2001:db8::1/128")));
    }
}

#[tokio::test]
async fn bl_02_what_makes_no_sense_is_refused() {
    let house = House::new(Config::default(), r#"{"block":["198.51.100.0/24"]}"#);
    let table = [
        (r#"{"net":"0.0.0.0/0"}"#, 400, "invalid_parameter"),
        (r#"{"net":"127.0.0.1"}"#, 400, "invalid_parameter"),
        (r#"{"net":"10.0.0.0/33"}"#, 400, "invalid_parameter"),
        (r#"{"net":""}"#, 400, "invalid_parameter"),
        ("{}", 400, "invalid_parameter"),
        (r#"{"net":"10.0.0.1","expires_at":"2000-01-01T00:00:00Z"}"#, 400, "invalid_parameter"),
        (r#"{"net":"10.0.0.1","expires_at":"soon"}"#, 400, "invalid_time"),
        (r#"{"net":"10.0.0.1","expires_in":"soon"}"#, 400, "invalid_body"),
        (
            r#"{"net":"10.0.0.1","expires_in":"1h","expires_at":"2100-01-01T00:00:00Z"}"#,
            400,
            "invalid_parameter",
        ),
        (r#"{"net":"198.51.100.0/24"}"#, 409, "configured"),
        (r#"{"net":"32.0.0.0/3"}"#, 409, "confirm_required"),
        (r#"{"net":"32.0.0.0/3","confirm":true}"#, 201, ""),
    ];
    for (body, status, code) in table {
        let (found, problem) = house.send(post("/v1/blocklist", body)).await;
        assert_eq!(
            (found.as_u16(), problem["code"].as_str().unwrap_or_default()),
            (status, code),
            "{body}"
        );
    }
    let (status, _) = house.send(delete("/v1/blocklist?net=198.51.100.0/24")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(house.send(delete("/v1/blocklist")).await.0, StatusCode::BAD_REQUEST);
}
