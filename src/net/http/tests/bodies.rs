//! Bodies that are too large, too slow, or not what they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;

use super::support::{House, request, with};

/// `[{"message":"x"}]`.
const GZIP: &str = "H4sIAAAAAAACA4uuVspNLS5OTE9VslKqUKqNBQClkoRNEQAAAA==";
const DEFLATE: &str = "eJyLrlbKTS0uTkxPVbJSqlCqjQUANlgF0A==";
const ZSTD: &str = "KLUv/QRYiQAAW3sibWVzc2FnZSI6IngifV1WvhOM";

/// 200,000 zeros, in 26 bytes.
const BOMB: &str = "KLUv/QRoTAAACAABAPz/ORACA2oIAMTpdHA=";

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn ht_04_bodies_may_be_compressed() {
    let house = House::open().write();
    for (encoding, body) in [("gzip", GZIP), ("x-gzip", GZIP), ("deflate", DEFLATE), ("ZSTD", ZSTD)]
    {
        let call = with(request(decoded(body)), "content-encoding", encoding);
        assert_eq!(house.send(call).await.0, StatusCode::ACCEPTED, "{encoding}");
    }
    let call = with(request(r#"[{"message":"x"}]"#), "content-encoding", "identity");
    assert_eq!(house.send(call).await.0, StatusCode::ACCEPTED);
    assert_eq!(house.stored("default", "message"), ["x"; 5]);
}

#[tokio::test]
async fn ht_04_bombs_and_what_is_no_such_stream_are_refused() {
    let house = House::open().write();
    let short = |body: &str| decoded(body).split_last_chunk::<9>().unwrap().0.to_vec();
    let table = [
        ("zstd", decoded(BOMB), 413, "too_large"),
        ("gzip", short(GZIP), 400, "invalid_encoding"),
        ("zstd", short(ZSTD), 400, "invalid_encoding"),
        ("gzip", decoded(ZSTD), 400, "invalid_encoding"),
        ("deflate", vec![], 400, "invalid_encoding"),
        ("br", decoded(GZIP), 415, "unsupported_encoding"),
        ("snappy", decoded(GZIP), 415, "unsupported_encoding"),
        ("gzip, gzip", decoded(GZIP), 415, "unsupported_encoding"),
    ];
    let count = table.len() as u64;
    for (encoding, body, status, code) in table {
        let call = with(request(body), "content-encoding", encoding);
        let (found, problem) = house.send(call).await;
        assert_eq!((found.as_u16(), problem["code"].as_str()), (status, Some(code)), "{encoding}");
    }
    let counts = house.counts();
    assert_eq!((counts.received, counts.failed.iter().sum::<u64>()), (count, count));
}

#[tokio::test]
async fn ht_03_the_answer_comes_after_the_limit_and_not_after_the_body() {
    let house = House::open().write();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let endless = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1024]))
    });
    let (status, problem) = house.send(request(Body::from_stream(endless))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"too_large".into()));
    assert_eq!(taken.load(Ordering::Relaxed), house.config.max_body / 1024 + 1);

    // One that says how long it is costs not a byte.
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let call = with(request(never), "content-length", "65537");
    assert_eq!(house.send(call).await.0, StatusCode::PAYLOAD_TOO_LARGE);

    let exact = format!("[{}]", " ".repeat(house.config.max_body - 2));
    assert_eq!(house.post(&exact).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn ht_01_a_body_that_does_not_come_is_not_waited_for() {
    let mut house = House::open().write();
    house.config.body_timeout = Duration::from_millis(10);
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, problem) = house.send(request(never)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::REQUEST_TIMEOUT, &"timeout".into()));
    assert_eq!(house.counts().received, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed() {
    let house = House::open().write();
    let broken = [Ok(Bytes::from_static(b"[{")), Err(std::io::Error::other("gone"))];
    let (status, problem) = house.send(request(Body::from_stream(stream::iter(broken)))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &"invalid_body".into()));
}
