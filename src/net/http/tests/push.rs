//! Pushes of Loki, OTLP, Splunk's collector and systemd's journal, and what each is answered.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::support::{House, PEER};

/// A call of a shipper.
struct Call<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: Vec<u8>,
}

const JSON: (&str, &str) = ("content-type", "application/json");

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

const JOURNAL: (&str, &str) = ("content-type", "application/vnd.fdo.journal");

const ZSTD: (&str, &str) = ("content-encoding", "zstd");

const CHANNEL: (&str, &str) = ("x-splunk-request-channel", "11111111-1111-1111-1111-111111111111");

fn post<'a>(
    path: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: impl Into<Vec<u8>>,
) -> Call<'a> {
    Call { method: "POST", path, headers, body: body.into() }
}

/// The status, the body as text, and the value of `Retry-After`.
async fn send(house: &House, call: Call<'_>) -> (u16, String, Option<String>) {
    let mut request = Request::builder().method(call.method).uri(call.path);
    for (name, value) in call.headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(call.body)).unwrap();
    request.extensions_mut().insert(ConnectInfo(PEER));
    let answer = house.answer(request).await;
    let status = answer.status().as_u16();
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned(), retry)
}

fn field(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let len = u8::try_from(value.len()).unwrap();
    assert!(len < 0x80);
    [&[number << 3 | 2, len][..], value].concat()
}

/// A push of protocol buffers with one line.
fn block(line: &str) -> Vec<u8> {
    let time = b"\x08\x80\x9d\xc0\xd1\x06";
    let entry = field(2, [field(1, time), field(2, line)].concat());
    let push = field(1, [field(1, "{app=\"api\"}"), entry].concat());
    // A block of one literal, whose length is one byte more than it says.
    let len = u8::try_from(push.len()).unwrap();
    [&[len, 60 << 2, len - 1][..], &push].concat()
}

/// A frame of one segment with one raw block (RFC 8878 §3.1.1).
fn zstd(content: &str) -> Vec<u8> {
    let len = u8::try_from(content.len()).unwrap();
    let block = (u32::from(len) << 3 | 1).to_le_bytes();
    [b"\x28\xb5\x2f\xfd\x20", &[len][..], &block[..3], content.as_bytes()].concat()
}

/// A frame without its last byte.
fn zstd_cut(content: &str) -> Vec<u8> {
    let frame = zstd(content);
    frame[..frame.len() - 1].to_vec()
}

fn otlp_record(text: &str) -> Vec<u8> {
    field(2, field(5, field(1, text)))
}

fn otlp(records: &[Vec<u8>]) -> Vec<u8> {
    field(1, field(2, records.concat()))
}

const HEC: &str = "/services/collector";

#[tokio::test]
async fn what_is_good_is_stored_and_answered_as_its_protocol_has_it() {
    let house = House::open().write();
    let loki =
        r#"{"streams":[{"stream":{"app":"api"},"values":[["1781524800000000000","loki"]]}]}"#;
    let old =
        r#"{"streams":[{"labels":"{}","entries":[{"ts":"2026-06-15T12:00:00Z","line":"prom"}]}]}"#;
    let otlp_json =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"json"}}]}]}]}"#;
    let success = r#"{"code":0,"text":"Success"}"#;
    let entry = "__REALTIME_TIMESTAMP=1781524800000000\nMESSAGE=journal\n\n";
    let table = [
        (post("/loki/api/v1/push", &[JSON], loki), 204, ""),
        (post("/api/prom/push", &[JSON, ("x-scope-orgid", "other")], old), 204, ""),
        (post("/loki/api/v1/push", &[PROTOBUF], block("block")), 204, ""),
        (post("/loki/api/v1/push", &[("content-encoding", "snappy")], block("named")), 204, ""),
        (post("/v1/logs", &[JSON], otlp_json), 200, "{}"),
        (post("/v1/logs", &[PROTOBUF], otlp(&[otlp_record("proto")])), 200, ""),
        (post("/v1/logs", &[PROTOBUF], ""), 200, ""),
        (post(HEC, &[], r#"{"event":"hec"}{"event":"hec"}"#), 200, success),
        (post("/services/collector/event/1.0", &[], r#"{"event":"hec"}"#), 200, success),
        (post("/services/collector/raw?host=h&source=a%20b", &[], "raw\nraw\n"), 200, success),
        (post("/gelf", &[], r#"{"version":"1.1","host":"h","short_message":"gelf"}"#), 202, ""),
        (post("/upload", &[JOURNAL], entry), 202, "OK.\n"),
        (post("/upload", &[JOURNAL], ""), 202, "OK.\n"),
        (post("/upload", &[JOURNAL, ZSTD], zstd(entry)), 202, "OK.\n"),
    ];
    for (call, status, answer) in table {
        let path = call.path;
        let (found, body, _) = send(&house, call).await;
        assert_eq!((found, body.as_str()), (status, answer), "{path}");
    }
    let want = [
        "block", "gelf", "hec", "hec", "hec", "journal", "journal", "json", "loki", "named",
        "prom", "proto", "raw", "raw",
    ];
    assert_eq!(house.stored("default", "message"), want);
    let raw = house.events("default").into_iter().find(|event| event["message"] == "raw").unwrap();
    assert_eq!((&raw["host.name"], &raw["service"]), (&json!("h"), &json!("a b")));
}

#[tokio::test]
async fn what_is_bad_is_refused_in_the_words_of_its_protocol() {
    let house = House::open().write();
    let table = [
        (post("/loki/api/v1/push", &[JSON], "{}"), 400, "expected a member \"streams\" at byte 2"),
        (
            post("/loki/api/v1/push", &[PROTOBUF], b"\xff\xff\xff\x0fx"),
            413,
            "expected a body of at most",
        ),
        (post("/loki/api/v1/push", &[PROTOBUF], "{}"), 400, "expected a snappy body"),
        (
            post("/loki/api/v1/push", &[("content-type", "text/plain")], ""),
            415,
            "expected a body of",
        ),
        (post("/v1/logs", &[JSON], "["), 400, r#"{"code":3,"message":"expected an object"#),
        (post("/v1/logs", &[PROTOBUF], "\x0a\x7f"), 400, "\u{8}\u{3}\u{12}"),
        (post("/v1/logs", &[("content-type", "text/plain")], ""), 415, r#"{"code":3,"#),
        (Call { method: "GET", ..post("/v1/logs", &[JSON], "") }, 405, r#"{"code":12,"#),
        (post(HEC, &[], " "), 400, r#"{"code":5,"text":"No data"}"#),
        (post(HEC, &[], "[]"), 400, r#"{"code":5,"text":"No data"}"#),
        (post("/services/collector/raw", &[], "\n"), 400, r#"{"code":5,"text":"No data"}"#),
        (
            post(HEC, &[], r#"{"event":"kept"}{"x":1}{"event":"kept"}"#),
            400,
            r#"{"code":12,"invalid-event-number":1,"text":"Event field is required"}"#,
        ),
        (
            post(HEC, &[], r#"{"event":""}"#),
            400,
            r#"{"code":13,"invalid-event-number":0,"text":"Event field cannot be blank"}"#,
        ),
        (
            post(HEC, &[], r#"{"event":"kept"}{"event""#),
            400,
            r#"{"code":6,"invalid-event-number":1,"text":"Invalid data format"}"#,
        ),
        (Call { method: "GET", ..post("/upload", &[], "") }, 405, "{\"code\":\"method_not_allowed"),
        (Call { method: "PUT", ..post(HEC, &[], "") }, 405, r#"{"code":404,"#),
        (
            post("/upload", &[JSON], "{}"),
            415,
            "expected a body of type application/vnd.fdo.journal",
        ),
        (post("/upload", &[JOURNAL], "hello there\n"), 400, "expected the name of a field"),
        (post("/upload", &[JOURNAL, ZSTD], "plain"), 400, "expected a zstd body"),
        (post("/upload", &[JOURNAL, ZSTD], zstd_cut("MESSAGE=x\n\n")), 400, "expected the rest"),
        (post("/upload", &[JOURNAL, ("content-encoding", "gzip")], ""), 415, "expected a Content-"),
        (post("/upload", &[JOURNAL], "MESSAGE=cut"), 400, "expected the rest of an entry"),
    ];
    for (call, status, answer) in table {
        let (path, body) = (call.path, String::from_utf8_lossy(&call.body).into_owned());
        let (found, said, _) = send(&house, call).await;
        assert_eq!(found, status, "{path} {body:?}: {said}");
        assert!(said.starts_with(answer), "{path} {body:?}: {said:?}");
    }
    // What was good beside it is there.
    assert_eq!(house.stored("default", "message"), ["kept", "kept", "kept"]);
}

#[tokio::test]
async fn ht_14_otlp_rejects_item_by_item() {
    let house = House::open().write();
    let bad = field(2, b"\x12\x7f");
    let body = otlp(&[otlp_record("one"), bad, otlp_record("two")]);
    let (status, answer, _) = send(&house, post("/v1/logs", &[PROTOBUF], body)).await;
    let why = "expected 127 bytes of field 2, but found 0";
    let partial = [&[8, 1][..], &field(2, why)].concat();
    assert_eq!((status, answer.as_bytes()), (200, &field(1, partial)[..]));
    let deep = format!("{}{{}}{}", "{\"arrayValue\":{\"values\":[".repeat(30), "]}}".repeat(30));
    let body = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{}},{{"body":{deep}}}]}}]}}]}}"#
    );
    let (status, answer, _) = send(&house, post("/v1/logs", &[JSON], body)).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let why = "expected a record with something to keep, but found none";
    let partial = json!({"rejectedLogRecords": "1", "errorMessage": why});
    assert_eq!((status, answer), (200, json!({"partialSuccess": partial})));
    assert_eq!(house.events("default").len(), 3);
    let counts = house.counts();
    assert_eq!((counts.received, counts.stored), (5, 3));
}

#[tokio::test]
async fn a_channel_is_told_that_what_was_answered_is_acknowledged() {
    let house = House::open().write();
    let (status, answer, _) = send(&house, post(HEC, &[CHANNEL], r#"{"event":"e"}"#)).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let id = answer["ackId"].as_u64().unwrap();
    assert_eq!((status, &answer["text"]), (200, &json!("Success")));
    let ack = "/services/collector/ack";
    let asked = json!({"acks": [id]}).to_string();
    let (status, answer, _) = send(&house, post(ack, &[CHANNEL], asked.clone())).await;
    assert_eq!((status, answer), (200, format!(r#"{{"acks":{{"{id}":true}}}}"#)));
    let (status, answer, _) = send(&house, post(ack, &[], asked)).await;
    let missing = r#"{"code":10,"text":"Data channel is missing"}"#;
    assert_eq!((status, answer.as_str()), (400, missing));
    let by_query = format!("{ack}?channel=x");
    assert_eq!(send(&house, post(&by_query, &[], "{}")).await.0, 400);
}

#[tokio::test]
async fn who_is_there_may_be_asked() {
    let house = House::open();
    for (path, answer) in [
        ("/ready", "ready\n"),
        ("/services/collector/health", r#"{"code":17,"text":"HEC is healthy"}"#),
        ("/services/collector/health/1.0", r#"{"code":17,"text":"HEC is healthy"}"#),
    ] {
        let (status, body, _) = send(&house, Call { method: "GET", ..post(path, &[], "") }).await;
        assert_eq!((status, body.as_str()), (200, answer), "{path}");
    }
    let info = Call { method: "GET", ..post("/loki/api/v1/status/buildinfo", &[], "") };
    let (status, body, _) = send(&house, info).await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["version"], "3.0.0");
}

/// A refused client learns no more than that, in the words that make its software give up.
#[tokio::test]
async fn a_stranger_is_told_nothing_and_a_key_is_found_wherever_it_is() {
    let house = House::new("{}", true).write();
    let key = house.key(r#"{"name":"push","scopes":["write:logs"]}"#);
    let key = key.reveal();
    let loki = r#"{"streams":[{"values":[["1781524800000000000","x"]]}]}"#;
    let otlp =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#;
    let entry = "MESSAGE=x\n\n";
    let wrong = "Bearer lt_live_00000000000000000000000000000000";
    for (path, kind, body, with_wrong) in [
        ("/loki/api/v1/push", JSON, loki, 401),
        ("/v1/logs", JSON, otlp, 401),
        (HEC, JSON, r#"{"event":"x"}"#, 403),
        ("/upload", JOURNAL, entry, 401),
    ] {
        assert_eq!(send(&house, post(path, &[kind], body)).await.0, 401, "{path}");
        let named = [kind, ("authorization", wrong)];
        let (status, said, _) = send(&house, post(path, &named, body)).await;
        assert_eq!(status, with_wrong, "{path}");
        assert!(!said.contains("revoked") && !said.contains("lt_live"), "{said}");
        let bearer = format!("Splunk {key}");
        let named = [kind, ("authorization", bearer.as_str())];
        let (status, said, _) = send(&house, post(path, &named, body)).await;
        assert!((200..300).contains(&status), "{path} {status} {said}");
    }
    let by_query = format!("{HEC}?token={key}");
    assert_eq!(send(&house, post(&by_query, &[], r#"{"event":"x"}"#)).await.0, 200);
    for event in house.events("default") {
        assert_eq!(event["auth.method"], "http");
        assert!(!event.to_string().contains(key.trim_start_matches("lt_live_")), "{event}");
    }
    assert_eq!(house.events("default").len(), 5);
}

#[tokio::test]
async fn who_is_over_a_limit_is_told_to_come_again() {
    let gate = r#"{"requests":{"standard":{"ingest":1,"query":10}}}"#;
    let house = House::new(gate, true).write();
    let key = house.key(r#"{"name":"push","scopes":["write:logs"]}"#);
    let bearer = format!("Bearer {}", key.reveal());
    let auth = ("authorization", bearer.as_str());
    assert_eq!(send(&house, post(HEC, &[auth], r#"{"event":"x"}"#)).await.0, 200);
    for (path, kind, status) in [
        ("/loki/api/v1/push", JSON, 429),
        ("/v1/logs", PROTOBUF, 429),
        (HEC, JSON, 503),
        ("/upload", JOURNAL, 429),
    ] {
        let (found, _, retry) = send(&house, post(path, &[auth, kind], "x")).await;
        assert_eq!((found, retry.is_some()), (status, true), "{path}");
    }
}

/// Entries are stored while the upload goes on, and one that breaks is not acknowledged.
#[tokio::test]
async fn an_upload_is_stored_as_it_comes() {
    let house = House::open().write();
    let (parts, body) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = stream::unfold(body, |mut body| async {
        body.recv().await.map(|part| (Ok::<_, Infallible>(part), body))
    });
    let mut request = Request::post("/upload").header(JOURNAL.0, JOURNAL.1);
    request = request.header("expect", "100-continue");
    let mut request = request.body(Body::from_stream(body)).unwrap();
    request.extensions_mut().insert(ConnectInfo(PEER));
    let router = house.router();
    let upload = TaskTracker::new().spawn(router.oneshot(request));
    parts.send(Bytes::from_static(b"MESSAGE=one\n\nMESSA")).await.unwrap();
    parts.send(Bytes::from_static(b"GE=two\n\nMESSAGE\n\x05\0\0\0\0\0\0\0th")).await.unwrap();
    let begun = std::time::Instant::now();
    while house.stored("default", "message").len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(240));
        tokio::task::yield_now().await;
    }
    assert!(!upload.is_finished());
    parts.send(Bytes::from_static(b"ree\n\n")).await.unwrap();
    drop(parts);
    let answer = upload.await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 202);
    assert_eq!(house.stored("default", "message"), ["one", "three", "two"]);
    assert!(house.counts().adds_up());
}
