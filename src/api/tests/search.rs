//! Journals, asked for by what their entries are of, in groups, and as comma-separated values.

use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::support::{Call, House, get, post};
use crate::api::Config;

const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

/// A house in which some calls were done, some failed and some were refused; with the id and the
/// secret of the key of some, of project `default`.
async fn lived_in() -> (House, String, String) {
    let house = House::open();
    let (id, key) = house.key(r#""read:logs""#, "default");
    let of_key = || post("/v1/logs/query", "{}").key(&key).header("user-agent", "=probe/1");
    let calls = [
        of_key(),
        of_key().peer("127.0.1.1"),
        get("/v1/keys").peer("127.0.2.1"),
        post("/v1/logs/query", r#"{"limit":0}"#).key(&key),
        post("/v1/logs/query", r#"{"limit":0}"#).key(&key),
        post("/v1/logs/stats", "x").peer("127.0.1.1"),
        get("/v1/keys").key(UNKNOWN).peer("127.0.1.1"),
        get("/v1/keys").key(&key),
        get("/v1/keys").key(&key),
    ];
    for call in calls {
        house.answer(call).await;
    }
    house.noted_at_least(2, "blocked").await;
    (house, id, key)
}

async fn found(house: &House, path: &str) -> Vec<Value> {
    let (status, answer) = house.send(get(path)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn entries_are_found_by_what_they_are_of() {
    let (house, id, key) = lived_in().await;
    let start = key.get(..12).unwrap();
    let masked = format!("{start}%E2%80%A6{}", key.get(key.len() - 4..).unwrap());
    let table = [
        ("access?endpoint=/v1/logs/query".to_owned(), 2),
        ("access?endpoint=/v1/logs".to_owned(), 0),
        ("access?resource=/v1/*&method=POST".to_owned(), 2),
        ("access?event=GET&address=127.0.2.1".to_owned(), 1),
        ("access?address=127.0.1.0/24".to_owned(), 1),
        (format!("access?actor={start}"), 2),
        (format!("access?key={id}&address=127.0.1.1"), 1),
        (format!("access?actor={masked}"), 2),
        ("access?actor=lt_test_".to_owned(), 0),
        ("access?status=200&user_agent==probe/1".to_owned(), 2),
        ("access?endpoint=/v1/logs/query&to=-1h".to_owned(), 0),
        ("access?endpoint=/v1/logs/query&from=-1h".to_owned(), 2),
        ("failed?error=invalid_parameter".to_owned(), 1),
        ("failed?reason=invalid_*".to_owned(), 2),
        ("failed?code=invalid_body&address=127.0.1.1".to_owned(), 1),
        (format!("failed?actor={start}&status=400"), 1),
        ("blocked?reason=SCOPE_MISSING".to_owned(), 1),
        ("blocked?reason=*&rule=key:unknown".to_owned(), 1),
        ("blocked?event=INVALID_API_KEY&address=127.0.1.1&filter=count:1".to_owned(), 1),
        ("blocked?project=default".to_owned(), 1),
        ("advisory?kind=none".to_owned(), 0),
    ];
    for (path, want) in table {
        let entries = found(&house, &format!("/v1/{path}")).await;
        assert_eq!(entries.len(), want, "{path}: {entries:#?}");
    }
    for path in ["access?reason=x", "blocked?status=400", "advisory?key=x", "failed?rule=x"] {
        let (status, problem) = house.send(get(&format!("/v1/{path}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {problem}");
    }
}

#[tokio::test]
async fn a_call_that_was_done_is_all_in_its_entry() {
    let (house, _, key) = lived_in().await;
    let entry = found(&house, "/v1/access?endpoint=/v1/logs/query&address=127.0.0.1").await;
    let want = json!({
        "endpoint": "/v1/logs/query",
        "method": "POST",
        "status": 200,
        "source.ip": "127.0.0.1",
        "api_key": format!("{}…{}", key.get(..12).unwrap(), key.get(key.len() - 4..).unwrap()),
        "project": "default",
        "user_agent.original": "=probe/1",
        "request_bytes": 2,
        "events_accepted": 0,
        "count": 1,
        "level": "INFO",
    });
    for (name, value) in want.as_object().unwrap() {
        assert_eq!(&entry[0][name], value, "{name}: {entry:#?}");
    }
    let number = |name: &str| entry[0][name].as_u64().unwrap();
    assert!(number("response_bytes") > 20 && number("duration_us") > 0, "{entry:#?}");
    assert!(entry[0]["@timestamp"].is_string() && entry[0].get("sample_rate").is_none());
}

#[tokio::test]
async fn entries_are_grouped_by_error_and_by_reason() {
    let (house, ..) = lived_in().await;
    let table = [
        (
            "failed?group_by=error",
            json!([
                {"by": {"error.code": "invalid_parameter"}, "entries": 1, "count": 2},
                {"by": {"error.code": "invalid_body"}, "entries": 1, "count": 1},
            ]),
        ),
        (
            "blocked?group_by=reason,rule",
            json!([
                {
                    "by": {"reason": "SCOPE_MISSING", "rule": "key:scope:admin:projects"},
                    "entries": 1,
                    "count": 2,
                },
                {"by": {"reason": "INVALID_API_KEY", "rule": "key:unknown"}, "entries": 1, "count": 1},
            ]),
        ),
        (
            "failed?group_by=address&error=invalid_body",
            json!([{"by": {"source.ip": "127.0.1.1"}, "entries": 1, "count": 1}]),
        ),
    ];
    for (path, want) in table {
        let (status, answer) = house.send(get(&format!("/v1/{path}"))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let mut groups = answer["groups"].as_array().unwrap().clone();
        for group in &mut groups {
            assert!(group.as_object_mut().unwrap().remove("last_seen").unwrap().is_string());
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group["count"].as_u64()));
        assert_eq!(json!(groups), want, "{path}");
    }
}

#[tokio::test]
async fn what_is_found_is_exported_as_comma_separated_values() {
    let (house, _, key) = lived_in().await;
    let text = async |call: Call| {
        let answer = house.answer(call).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (kind, String::from_utf8(body.to_vec()).unwrap())
    };
    let path = "/v1/access?endpoint=/v1/logs/query&fields=endpoint,status,user_agent.original";
    let want = "endpoint,status,user_agent.original\r\n\
                /v1/logs/query,200,'=probe/1\r\n/v1/logs/query,200,'=probe/1\r\n";
    let accepting = get(path).header("accept", "text/csv");
    for call in [get(&format!("{path}&format=csv")), accepting.clone()] {
        let (kind, found) = text(call).await;
        assert!(kind.starts_with("text/csv"), "{kind}");
        assert_eq!(found, want);
    }
    let (_, one) = text(get(&format!("{path}&format=csv&limit=1"))).await;
    assert_eq!(one.lines().count(), 2);
    let (kind, _) = text(get(&format!("{path}&format=json")).header("accept", "text/csv")).await;
    assert!(kind.starts_with("application/json"), "{kind}");
    let (_, groups) = text(get("/v1/failed?group_by=error&format=csv")).await;
    assert!(groups.starts_with("error.code,entries,count,last_seen\r\n"), "{groups}");
    // Every export is recorded; what is asked in groups is none.
    let (_, exports) = house.send(get("/v1/audit?event=journal.exported")).await;
    assert_eq!(exports["entries"].as_array().unwrap().len(), 3, "{exports}");
    // All of it, whatever it is; and no secret in any of it.
    for journal in ["access", "failed", "blocked", "advisory"] {
        let (_, all) = text(get(&format!("/v1/{journal}?format=csv"))).await;
        assert!(all.starts_with("timestamp,"), "{all}");
        assert!(!all.contains(key.strip_prefix("lt_live_").unwrap()), "{all}");
    }
}

#[tokio::test]
async fn an_export_goes_on_over_many_pages() {
    let house = House::new(Config::default(), "{}");
    for number in 0..2500 {
        house.api.ingest.advise(crate::journal::Advisory {
            kind: "test",
            subject: number.to_string(),
            ..Default::default()
        });
        if number % 500 == 499 {
            house.noted_where("advisory", &format!("subject:{number}")).await;
        }
    }
    let answer = house.answer(get("/v1/advisory?kind=test&format=csv&fields=subject")).await;
    assert_eq!(answer.headers()["x-logtrace-partial"], "false");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let mut numbers: Vec<u32> = text.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..2500));
    // What was streamed is noted with its bytes, once it has ended.
    let entry = house.noted_where("access", "endpoint:\"/v1/advisory\" and response_bytes > 9000");
    assert_eq!(entry.await["response_bytes"], text.len());
}

#[tokio::test]
async fn who_does_not_govern_sees_the_entries_of_their_project_alone() {
    let house = House::open();
    let (_, shop) = house.key(r#""read:logs""#, "shop");
    let (_, auditor) = house.key(r#""read:audit""#, "shop");
    let (_, other) = house.key(r#""read:logs""#, "other");
    for key in [&shop, &other] {
        house.answer(post("/v1/logs/query", "{}").key(key)).await;
        house.answer(post("/v1/logs/query", "x").key(key)).await;
        house.answer(get("/v1/keys").key(key)).await;
    }
    house.answer(get("/v1/keys").key(UNKNOWN)).await;
    house.noted_at_least(3, "blocked").await;
    for journal in ["access", "failed", "blocked"] {
        for filter in ["", "&filter=project:other%20or%20*:*", "&project=other", "&format=csv"] {
            let path = format!("/v1/{journal}?endpoint=/v1/*{filter}");
            let answer = house.answer(get(&path).key(&auditor)).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(!text.contains("other"), "{path}: {text}");
            assert_eq!(text.contains("shop"), filter != "&project=other", "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn bodies_are_kept_of_whom_it_is_asked_and_without_secrets() {
    let house = House::open();
    let (id, key) = house.key(r#""read:logs""#, "default");
    let body = format!(r#"{{"filter":"{key} needle"}}"#);
    let call = || post("/v1/logs/query", &body).key(&key);
    house.answer(call()).await;
    let path = "/v1/access?endpoint=/v1/logs/query";
    house.noted_where("access", "endpoint:\"/v1/logs/query\"").await;
    assert_eq!(found(&house, path).await[0].get("body"), None);
    let until = crate::ingest::now().plus(crate::time::DAY).to_string();
    // Noted whatever the sampling leaves out.
    let change = json!({"bodies": [{"key": id, "until": until}], "sample_rate": 0}).to_string();
    let put = Call::new(axum::http::Method::PUT, "/v1/settings/logging").body(&change);
    assert_eq!(house.send(put).await.0, StatusCode::OK);
    house.answer(call()).await;
    house.answer(post("/v1/logs/query", "{\"limit\":0}").key(&key)).await;
    let kept = house.noted_where("access", "body:*").await;
    let masked = format!("{}…{}", key.get(..12).unwrap(), key.get(key.len() - 4..).unwrap());
    assert_eq!(kept["body"], body.replace(&key, &masked));
    assert_eq!(house.noted_where("failed", "body:*").await["body"], "{\"limit\":0}");
}

#[tokio::test]
async fn logs_are_exported_whole_in_either_form_and_it_is_recorded() {
    let house = House::open();
    let (_, key) = house.key(r#""read:logs","write:logs""#, "shop");
    // More than a page, and none of another's.
    let logs = |from: usize, to: usize| {
        let log = |n: usize| json!({"message": format!("m{n}"), "service": "=1+1", "n": n});
        json!((from..to).map(log).collect::<Vec<_>>()).to_string()
    };
    for from in [0, 1000, 2000] {
        house.store(Some(&key), &logs(from, from + 1000)).await;
    }
    house.store(None, &logs(5000, 5010)).await;
    let export = async |query: &str| {
        let answer = house.answer(get(&format!("/v1/logs/export{query}")).key(&key)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{query}");
        let head = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let heads = [head("content-type"), head("content-disposition"), head("x-logtrace-partial")];
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (heads, String::from_utf8(body.to_vec()).unwrap())
    };
    let ([kind, name, partial], all) = export("").await;
    assert_eq!((&*kind, &*partial), ("application/x-ndjson", "false"));
    assert_eq!(name, "attachment; filename=\"logs.ndjson\"");
    let events: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut numbers: Vec<u64> = events.iter().map(|event| event["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..3000));
    assert!(events[0]["_id"].is_string() && events[0]["@timestamp"].is_string(), "{}", events[0]);
    // As a table, in the order asked for, of the fields asked for, and no formula.
    let path = "?format=csv&filter=n<3&fields=message,service,nothing&sort=asc";
    let ([kind, ..], table) = export(&path.replace('<', "%3C")).await;
    assert!(kind.starts_with("text/csv"), "{kind}");
    assert_eq!(table, "message,service,nothing\r\nm0,'=1+1,\r\nm1,'=1+1,\r\nm2,'=1+1,\r\n");
    let (_, table) = export("?format=csv&limit=1").await;
    assert!(table.starts_with("timestamp,host.name,service,level,message,_id\r\n"), "{table}");
    assert_eq!(table.lines().count(), 2);
    let (_, some) = export("?limit=1500").await;
    assert_eq!(some.lines().count(), 1500);
    for wrong in
        ["?limit=0", "?filter=a%20and%20(", "?format=xml", "?from=soon", "?project=default"]
    {
        let call = get(&format!("/v1/logs/export{wrong}")).key(&key);
        assert_eq!(house.answer(call).await.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    let (_, exports) = house.send(get("/v1/audit?event=logs.exported")).await;
    let exports = exports["entries"].as_array().unwrap().clone();
    assert_eq!(exports.len(), 4, "{exports:?}");
    assert!(exports.iter().all(|entry| entry["resource"] == "project/shop"), "{exports:?}");
}

#[tokio::test]
async fn an_export_ends_with_the_right_to_it() {
    let house = House::open();
    let (id, key) = house.key(r#""read:logs","write:logs""#, "shop");
    for _ in 0..3 {
        let logs: Vec<Value> = (0..1000).map(|n| json!({"message": format!("m{n}")})).collect();
        house.store(Some(&key), &json!(logs).to_string()).await;
    }
    let answer = house.answer(get("/v1/logs/export").key(&key)).await;
    let mut body = answer.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    house.api.gate.revoke_key(&id, crate::ingest::now()).unwrap();
    assert!(body.frame().await.unwrap().is_err(), "it breaks off, and does not look whole");
}
