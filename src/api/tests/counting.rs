//! Aggregates, histograms, facets, patterns and contexts over HTTP.

use std::sync::OnceLock;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::{House, get, post};
use crate::api::Config;
use crate::ingest::now;
use crate::time::DAY;

const LOGS: &str = r#"[
    {"@timestamp":"2026-06-15T12:00:00Z","service":"api","level":"INFO","message":"took 12 ms","ms":12,"host":"a"},
    {"@timestamp":"2026-06-15T12:00:01Z","service":"api","level":"ERROR","message":"took 900 ms","ms":"900","host":"a"},
    {"@timestamp":"2026-06-15T12:00:03Z","service":"web","level":"INFO","message":"bye","tags":["x","y"],"host":"b"}
]"#;

/// The same with the days of now: of events over a year old the clock is taken to be wrong.
fn of_now(text: &str) -> String {
    let [first, second] = days();
    text.replace("2026-06-15", &first).replace("2026-06-16", &second)
}

/// The days before today and today, for the 15th and 16th of June 2026.
fn days() -> [String; 2] {
    static DAYS: OnceLock<[String; 2]> = OnceLock::new();
    let day = |ago: i64| now().plus(-ago * DAY).to_string().split('T').next().unwrap().to_owned();
    DAYS.get_or_init(|| [day(1), day(0)]).clone()
}

async fn asked(house: &House, path: &str, body: &str) -> Value {
    let (status, answer) = house.send(post(path, &of_now(body))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let [first, _] = days();
    let mut answer: Value =
        serde_json::from_str(&answer.to_string().replace(&first, "2026-06-15")).unwrap();
    let meta = answer.as_object_mut().unwrap().remove("meta").unwrap();
    assert_eq!(meta["partial"], false);
    for name in ["count", "took_ms", "scanned_events", "scanned_bytes"] {
        assert!(meta[name].is_u64(), "{name} in {meta}");
    }
    answer
}

#[tokio::test]
async fn what_is_computed_of_events() {
    let house = House::open();
    house.store(None, &of_now(LOGS)).await;
    let body = r#"{"by":["service"],"aggregates":["count","sum(ms)",
        {"aggregate":"p50(ms)","name":"median"}]}"#;
    assert_eq!(
        asked(&house, "/v1/logs/stats", body).await,
        json!({"groups": [
            {"by": {"service": "api"}, "count": 2, "sum(ms)": 912, "median": 12},
            {"by": {"service": "web"}, "count": 1, "sum(ms)": null, "median": null},
        ]})
    );
    assert_eq!(
        asked(&house, "/v1/logs/stats", r#"{"filter":"level:error","to":"2026-06-16"}"#).await,
        json!({"groups": [{"by": {}, "count": 1}]})
    );
    assert_eq!(
        asked(&house, "/v1/logs/stats", r#"{"by":["service"],"limit":1}"#).await,
        json!({"groups": [{"by": {"service": "api"}, "count": 2}], "other": {"count": 1}})
    );
    let body = r#"{"interval":"2s","by":"level","from":"2026-06-15T12:00:00Z"}"#;
    assert_eq!(
        asked(&house, "/v1/logs/histogram", body).await,
        json!({
            "interval": "2s",
            "buckets": [
                {"time": "2026-06-15T12:00:00.000Z", "count": 2},
                {"time": "2026-06-15T12:00:02.000Z", "count": 1},
            ],
            "series": [
                {"value": "INFO", "count": 2, "counts": [1, 1]},
                {"value": "ERROR", "count": 1, "counts": [1, 0]},
            ],
        })
    );
    let body = r#"{"filter":null,"by":["host"]}"#;
    assert_eq!(
        asked(&house, "/v1/logs/stats", body).await,
        json!({"groups": [{"by": {"host": "a"}, "count": 2}, {"by": {"host": "b"}, "count": 1}]})
    );
    let auto = asked(&house, "/v1/logs/histogram", r#"{"interval":"auto"}"#).await;
    assert_eq!(
        (&auto["interval"], auto["buckets"].as_array().unwrap().len()),
        (&json!("100ms"), 31)
    );
    let body = r#"{"field":"tags","fields":["service"],"limit":1}"#;
    assert_eq!(
        asked(&house, "/v1/logs/facets", body).await,
        json!({"facets": [
            {"field": "service", "values": [{"value": "api", "count": 2}], "other": 1, "missing": 0},
            {"field": "tags", "values": [{"value": "x", "count": 1}], "other": 1, "missing": 2},
        ]})
    );
    assert_eq!(asked(&house, "/v1/logs/facets", "{}").await["facets"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_messages_are_made_of() {
    let house = House::open();
    house.store(None, &of_now(LOGS)).await;
    assert_eq!(
        asked(&house, "/v1/logs/patterns", r#"{"limit":1}"#).await,
        json!({
            "patterns": [{
                "pattern": "took <*> ms",
                "count": 2,
                "first_seen": "2026-06-15T12:00:00.000Z",
                "last_seen": "2026-06-15T12:00:01.000Z",
                "example": "took 900 ms",
            }],
            "other": 1,
        })
    );
}

#[tokio::test]
async fn a_context_is_of_the_same_host_and_service() {
    let house = House::open();
    house.store(None, &of_now(LOGS)).await;
    let context = async |path: &str| {
        let (status, answer) = house.send(get(path)).await;
        (status.as_u16(), answer)
    };
    let (status, found) =
        context("/v1/logs/0000000000000001/context?before=5&after=5&fields=message").await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(
        (&found["before"], &found["event"], &found["after"]),
        (&json!([{"message": "took 12 ms"}]), &json!({"message": "took 900 ms"}), &json!([]))
    );
    assert_eq!(found["meta"]["count"], 2);
    for id in ["0000000000000009", "1", "000000000000000G", "+000000000000001"] {
        let (status, problem) = context(&format!("/v1/logs/{id}/context")).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{id}");
    }
    let (status, problem) = context("/v1/logs/0000000000000001/context?before=1001").await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_parameter")));
}

#[tokio::test]
async fn qy_04_what_makes_no_sense_is_a_problem_with_a_code() {
    let house = House::open();
    let table = [
        ("stats", r#"{"aggregates":["stddev(x)"]}"#, "invalid_parameter"),
        ("stats", r#"{"aggregates":[]}"#, "invalid_parameter"),
        ("stats", r#"{"aggregates":[5]}"#, "invalid_body"),
        ("stats", r#"{"limit":10001}"#, "invalid_parameter"),
        ("stats", r#"{"filter":"a:("}"#, "invalid_query"),
        ("stats", r#"{"cursor":"x"}"#, "invalid_body"),
        ("histogram", r#"{"interval":"5 apples"}"#, "invalid_parameter"),
        ("histogram", r#"{"interval":"1ms","from":"-30d","to":"now"}"#, "invalid_parameter"),
        ("histogram", r#"{"from":"soon"}"#, "invalid_time"),
        ("facets", r#"{"fields":["a"],"limit":0}"#, "invalid_parameter"),
        ("patterns", r#"{"limit":1001}"#, "invalid_parameter"),
    ];
    for (path, body, code) in table {
        let (status, problem) = house.send(post(&format!("/v1/logs/{path}"), body)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!(code)), "{body} {problem}");
    }
}

#[tokio::test]
async fn qy_05_memory_of_answers_is_bounded() {
    let memory = bytesize::ByteSize::mib(1);
    let house = House::new(Config { query_memory: memory, ..Config::default() }, "{}");
    let log = |n: usize| json!({"message": format!("{n} {}", "x".repeat(5_000))});
    let logs: Vec<Value> = (0..900).map(log).collect();
    house.store(None, &json!(logs).to_string()).await;
    let (status, answer) = house.send(post("/v1/logs/stats", r#"{"by":["message"]}"#)).await;
    assert_eq!((status.as_u16(), &answer["meta"]["partial"]), (200, &json!(true)));
    let groups = answer["groups"].as_array().unwrap().len();
    assert!((50..220).contains(&groups), "{groups}");
    let shown: u64 = answer["groups"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|group| group["count"].as_u64())
        .sum();
    assert_eq!(shown + answer["other"]["count"].as_u64().unwrap(), 900);
}

#[tokio::test]
async fn qy_11_counts_do_not_leave_their_project() {
    let house = House::open();
    let (_, writer) = house.key(r#""write:logs","read:logs""#, "own");
    house.store(None, r#"[{"message":"secret"}]"#).await;
    house.store(Some(&writer), r#"[{"message":"own"}]"#).await;
    for path in ["stats", "histogram", "facets", "patterns"] {
        for filter in ["", "*", "secret or own", "not own or project:*"] {
            let body = json!({"filter": filter}).to_string();
            let call = post(&format!("/v1/logs/{path}"), &body).key(&writer);
            let (status, answer) = house.send(call).await;
            assert_eq!(status, StatusCode::OK);
            let text = answer.to_string();
            assert!(!text.contains("secret"), "{text}");
            assert!(answer["meta"]["count"].as_u64().unwrap() <= 1, "{text}");
        }
        let body = json!({"project": "default"}).to_string();
        let call = post(&format!("/v1/logs/{path}"), &body).key(&writer);
        assert_eq!(house.answer(call).await.status(), StatusCode::FORBIDDEN);
    }
    let context = get("/v1/logs/0000000000000000/context").key(&writer);
    assert_eq!(house.answer(context).await.status(), StatusCode::NOT_FOUND);
}
