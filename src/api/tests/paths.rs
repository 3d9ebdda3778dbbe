//! Paths, methods, types, and the form of problems.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Call, House, get, post};
use crate::api::problem::Problem;

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[tokio::test]
async fn ht_07_unknown_paths_and_methods_are_problems() {
    let house = House::open();
    let paths = [
        "/",
        "/v1",
        "/v1/logs/query/",
        "//v1/health",
        "/v1/%2e%2e/health",
        "/v1/%252e%252e/health",
        "/v1/../v1/health",
        "/v1/keys/../health",
        "/V1/health",
        "/v1/health%00",
    ];
    for path in paths {
        let (status, problem) = house.send(get(path)).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::NOT_FOUND, &json!("not_found")),
            "{path}"
        );
    }
    let calls = [
        Call::new(Method::PUT, "/v1/keys"),
        Call::new(Method::POST, "/v1/health"),
        Call::new(Method::GET, "/v1/logs/query"),
        Call::new(Method::PATCH, "/v1/blocklist"),
        // What a header asks for instead is not done.
        get("/v1/logs/query").header("x-http-method-override", "POST"),
    ];
    for call in calls {
        let answer = house.answer(call).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.headers().contains_key("allow"));
    }
    let codes: Vec<_> =
        house.noted("failed").await.iter().map(|entry| entry["error.code"].clone()).collect();
    assert!(codes.contains(&"not_found".into()) && codes.contains(&"method_not_allowed".into()));
}

#[tokio::test]
async fn ht_07_another_type_is_refused() {
    let house = House::open();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let call = Call::new(Method::POST, "/v1/logs/query").header("content-type", kind);
        let (status, problem) = house.send(call).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert_eq!(problem["code"], "unsupported_media_type");
    }
    let typeless = Call::new(Method::POST, "/v1/logs/query");
    assert_eq!(house.send(typeless).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let house = House::open();
    let query = async |body: &str| house.send(post("/v1/logs/query", body)).await;
    insta::assert_snapshot!(pretty(&query(r#"{"filter":"level:("}"#).await.1), @r#"
    {
      "at": 7,
      "code": "invalid_query",
      "detail": "expected a value, `(` or `{`, but found the end of the query, at 7",
      "expected": "a value, `(` or `{`",
      "found": "the end of the query",
      "status": 400,
      "title": "Bad Request",
      "type": "about:blank"
    }
    "#);
    insta::assert_snapshot!(pretty(&query(r#"{"syntax":"loose"}"#).await.1), @r#"
    {
      "code": "invalid_body",
      "column": 17,
      "detail": "unknown variant `loose`, expected `lenient` or `strict` at line 1 column 17",
      "line": 1,
      "status": 400,
      "title": "Bad Request",
      "type": "about:blank"
    }
    "#);
    let table = [
        (r#"{"from":"soon"}"#, "invalid_time"),
        (r#"{"to":[]}"#, "invalid_time"),
        (r#"{"from":"now","to":"-1h"}"#, "invalid_parameter"),
        (r#"{"limit":0}"#, "invalid_parameter"),
        (r#"{"limit":10001}"#, "invalid_parameter"),
        (r#"{"limit":-1}"#, "invalid_body"),
        (r#"{"sort":"up"}"#, "invalid_body"),
        (r#"{"fliter":"a:1"}"#, "invalid_body"),
        (r#"{"filter":"@timestamp > soon"}"#, "invalid_time"),
        ("[]", "invalid_body"),
        ("", "invalid_body"),
    ];
    for (body, code) in table {
        let (status, problem) = query(body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{body}");
    }
    for path in ["/v1/blocked?fliter=x", "/v1/failed?limit=x", "/v1/logs/tail?from=now"] {
        let (status, problem) = house.send(get(path)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(problem["code"], "invalid_parameter");
    }
}

#[tokio::test]
async fn a_filter_is_shown_as_a_tree() {
    let house = House::open();
    let parse = async |body: &str| house.send(post("/v1/logs/query/parse", body)).await;
    let is = json!({"is": {"field": "a", "value": {"term": "1"}}});
    assert_eq!(parse(r#"{"filter":"a:1"}"#).await, (StatusCode::OK, is));
    let regex = r#"{"filter":"a:~/x/","syntax":"strict"}"#;
    assert_eq!(parse(regex).await.1["is"]["value"], json!({"term": "~/x/"}));
    let (status, problem) = parse(r#"{"filter":"a:("}"#).await;
    assert_eq!((status, &problem["error"]["at"]), (StatusCode::BAD_REQUEST, &json!(3)));
}

#[tokio::test]
async fn health_is_told_to_everyone() {
    let house = House::open();
    let (status, mut health) = house.send(get("/v1/health").peer("192.0.2.1")).await;
    assert_eq!(status, StatusCode::OK);
    health["version"] = "…".into();
    insta::assert_snapshot!(pretty(&health), @r#"
    {
      "ingestion_rps": 0,
      "problems": [
        "the disk is full"
      ],
      "status": "degraded",
      "store": {
        "quarantined_segments": 0,
        "segment_bytes": 0,
        "segment_events": 0,
        "segments": 0,
        "staged_events": 0
      },
      "uptime_seconds": 0,
      "version": "…",
      "workers": 2
    }
    "#);
}

#[tokio::test]
async fn ht_15_our_own_fault_is_an_id_and_no_word_more() {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;
    let answer = Problem::internal(&"/var/lib/logtrace: lt_live_ is gone").into_response();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let mut problem: Value = serde_json::from_slice(&body).unwrap();
    let id = problem["id"].take();
    assert_eq!(id.as_str().unwrap().len(), 16);
    let want = json!({
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "something went wrong here",
        "code": "internal",
        "id": null,
    });
    assert_eq!(problem, want);
}
