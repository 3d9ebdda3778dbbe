//! What comes in, and what is answered.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::{House, request, with};

#[tokio::test]
async fn ht_06_good_logs_are_taken_and_bad_ones_named() {
    let house = House::open().write();
    let none = json!([]);
    let table = [
        (r#"{"logs":[{"message":"a"},{"message":"b"}]}"#, 2, none.clone()),
        (r#"[{"message":"a"}]"#, 1, none.clone()),
        (r#"{"logs":[]}"#, 0, none),
        (
            r#"{"logs":[{"message":"c"},7,{}]}"#,
            1,
            json!([
                {"index": 1, "error": "expected an object at byte 25, but found `7`"},
                {
                    "index": 2,
                    "error": "expected an object with a field to keep at byte 27, but found `{`",
                },
            ]),
        ),
    ];
    for (body, accepted, rejected) in table {
        let (status, answer) = house.post(body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        assert_eq!(answer, json!({"accepted": accepted, "rejected": rejected}), "{body}");
    }
    let counts = house.counts();
    assert_eq!((counts.received, counts.stored, counts.in_flight), (6, 4, 0));
    assert_eq!(house.stored("default", "message"), ["a", "a", "b", "c"]);
    assert_eq!(house.noted().await, (vec![], vec!["invalid_logs".to_owned()]));
}

#[tokio::test]
async fn ht_06_what_is_refused_whole_says_why() {
    let house = House::open().write();
    let table = [
        (r#"{"logs":[{},{},{},{},{},{}]}"#, 413, "too_many_events"),
        (r#"{"logs":[7]}"#, 400, "invalid_logs"),
        (r#"{"logs":{}}"#, 400, "invalid_body"),
        (r#"{"lags":[]}"#, 400, "invalid_body"),
        ("{", 400, "invalid_body"),
        ("", 400, "invalid_body"),
    ];
    for (body, status, code) in table {
        let (found, problem) = house.post(body).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{body}");
        assert_eq!(problem["status"], status);
    }
    let counts = house.counts();
    assert_eq!((counts.received, counts.stored), (table.len() as u64, 0));
    let mut codes: Vec<_> = table.iter().map(|(_, _, code)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(house.noted().await.1, codes);
}

#[tokio::test]
async fn ht_06_the_same_batch_twice_is_stored_twice() {
    let house = House::open().write();
    for _ in 0..2 {
        assert_eq!(house.post(r#"[{"message":"a"}]"#).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(house.stored("default", "message"), ["a", "a"]);
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let house = House::open();
    let mut answer = Box::pin(house.answer(request(r#"[{"message":"a"}]"#)));
    assert!(timeout(SHORT, &mut answer).await.is_err(), "nobody has written it");
    assert_eq!(house.counts().in_flight, 1);
    // HT-06: the client goes away, and what was accepted is stored all the same.
    drop(answer);
    let house = house.write();
    let second = house.post(r#"[{"message":"b"}]"#).await.0;
    assert_eq!(second, StatusCode::ACCEPTED);
    assert_eq!(house.stored("default", "message"), ["a", "b"]);
}

#[tokio::test]
async fn ht_07_another_method_or_type_is_refused() {
    let house = House::open().write();
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let mut other = request("");
        *other.method_mut() = method;
        let answer = house.answer(other).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "POST");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let (status, problem) = house.send(with(request("[]"), "content-type", kind)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert_eq!(problem["code"], "unsupported_media_type");
    }
    let mut plain = request("[]");
    plain.headers_mut().remove("content-type");
    assert_eq!(house.send(plain).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn problems_are_problems() {
    let house = House::open().write();
    let answer = house.answer(request("nope")).await;
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let (_, problem) = house.post("nope").await;
    insta::assert_snapshot!(pretty(&problem), @r#"
    {
      "code": "invalid_body",
      "detail": "expected an object at byte 0, but found `n`",
      "status": 400,
      "title": "Bad Request",
      "type": "about:blank"
    }
    "#);
    let (_, problem) = house.post("[7]").await;
    insta::assert_snapshot!(pretty(&problem), @r#"
    {
      "code": "invalid_logs",
      "detail": "expected an object at byte 1, but found `7`",
      "rejected": [
        {
          "error": "expected an object at byte 1, but found `7`",
          "index": 0
        }
      ],
      "status": 400,
      "title": "Bad Request",
      "type": "about:blank"
    }
    "#);
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// Long enough for an answer that would come.
const SHORT: Duration = Duration::from_millis(50);
