//! Limits of what runs at the same time, and of bodies.

use std::time::Duration;

use axum::http::{StatusCode, header};

use super::support::{House, get, post};
use crate::api::Config;

#[tokio::test]
async fn queries_past_those_that_may_wait_are_told_to_come_again() {
    let config = Config {
        max_concurrent_queries: 1,
        query_timeout: Duration::from_millis(100),
        ..Config::default()
    };
    let house = House::new(config, "{}");
    let running = house.api.slots.query().await.unwrap();
    let query = || post("/v1/logs/query", "{}");
    // Four wait, and are sent away when their time is over; the fifth is at once.
    let waiting = futures_util::future::join_all((0..5).map(|_| house.answer(query()))).await;
    for answer in waiting {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    }
    drop(running);
    // Its time may be over before a slow machine has begun.
    let mut status = house.send(query()).await.0;
    for _ in 0..100 {
        if status != StatusCode::OK {
            status = house.send(query()).await.0;
        }
    }
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn ht_13_tails_are_bounded() {
    let house = House::new(Config { max_tails: 1, ..Config::default() }, "{}");
    let first = house.answer(get("/v1/logs/tail")).await;
    assert_eq!(first.status(), StatusCode::OK);
    let second = house.answer(get("/v1/logs/tail")).await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    assert_eq!(house.answer(get("/v1/logs/tail")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn ht_03_bodies_are_bounded() {
    let house = House::open();
    let body = format!(r#"{{"filter":"{}"}}"#, "a".repeat(1024 * 1024));
    let (status, problem) = house.send(post("/v1/logs/query", &body)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"too_large".into()));
    let body = format!(r#"{{"filter":"{}"}}"#, "a".repeat(100_000));
    let (_, problem) = house.send(post("/v1/logs/query", &body)).await;
    assert_eq!(problem["code"], "invalid_query");
}
