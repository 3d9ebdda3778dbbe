//! Grafana Loki's push, for Promtail, Alloy and whoever else sends there.
//!
//! Of what fails, these come again on `429` and `5xx` alone, so that is the answer to all that
//! passes with time; anything else is given up by them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::dialect::{Dialect, Done};
use super::problem::Problem;
use super::{Door, HttpConfig, MAX_LOGS, body, content_type};
use crate::frame::Encoding;
use crate::parse::{MAX_SHARED, RecordLimits, loki::LokiBody};

/// What `/loki/api/v1/push` speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loki;

impl Dialect for Loki {
    type Format = LokiBody;

    fn encoding(self, head: &Parts) -> Result<Encoding, Problem> {
        // A message comes in a block; some clients say so here, and most do not.
        let named = head.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
        let is_named = named.is_some_and(|named| named.eq_ignore_ascii_case(b"snappy"));
        if is_named || named.is_none() && is_message(&content_type(head)) {
            return Ok(Encoding::Snappy);
        }
        body::encoding(&head.headers)
    }

    fn format(self, head: &Parts, _config: &HttpConfig) -> Result<LokiBody, Problem> {
        let is_json = match &*content_type(head) {
            "application/json" => true,
            kind if is_message(kind) => false,
            _ => return Err(Problem::another_type("application/json or application/x-protobuf")),
        };
        let limits = RecordLimits { records: MAX_LOGS, shared: MAX_SHARED };
        Ok(LokiBody { is_json, limits })
    }

    fn done(self, _format: LokiBody, _done: &Done) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }

    fn problem(self, problem: &Problem) -> Response {
        let status = problem.status_for_shippers();
        let mut response = (status, format!("{}\n", problem.detail)).into_response();
        problem.add_headers(&mut response, "Basic realm=\"logtrace\"");
        response
    }
}

/// Whether a `Content-Type` says protocol buffers. The older clients say nothing, and send those.
fn is_message(kind: &str) -> bool {
    matches!(kind, "application/x-protobuf" | "application/protobuf" | "")
}

/// Whether pushes are taken, as load balancers and clients ask it.
pub(super) async fn ready(State(door): State<Arc<Door>>) -> Response {
    if door.ingest.is_held() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response();
    }
    "ready\n".into_response()
}

/// Which Loki this is like: the first that takes all that is taken here.
pub(super) async fn build_info() -> Response {
    let (version, none) = ("3.0.0", "");
    Json(json!({
        "version": version, "revision": none, "branch": none,
        "buildUser": none, "buildDate": none, "goVersion": none,
    }))
    .into_response()
}
