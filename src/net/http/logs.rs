//! `POST /v1/logs/ingest` (SPEC §6).

use axum::Json;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::dialect::{Dialect, Done};
use super::problem::{Problem, list};
use super::{HttpConfig, content_type};
use crate::parse::json::IngestBody;

/// The daemon's own protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logs;

impl Dialect for Logs {
    type Format = IngestBody;

    fn format(self, head: &Parts, config: &HttpConfig) -> Result<IngestBody, Problem> {
        if head.headers.contains_key(header::CONTENT_TYPE) && !is_json(&content_type(head)) {
            return Err(Problem::another_type("application/json"));
        }
        Ok(IngestBody { max_events: config.max_events })
    }

    fn done(self, _format: IngestBody, done: &Done) -> Response {
        let body = json!({"accepted": done.accepted, "rejected": list(&done.rejected)});
        (StatusCode::ACCEPTED, Json(body)).into_response()
    }
}

/// Whether a media type is one of JSON (RFC 8259 §11, RFC 6839 §3.1).
pub(super) fn is_json(kind: &str) -> bool {
    match kind {
        "application/json" | "text/json" => true,
        _ => kind.starts_with("application/") && kind.ends_with("+json"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::media_type;
    use super::*;

    #[test]
    fn json_has_many_names() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(is_json(&media_type(kind.as_bytes())), "{kind}");
        }
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            assert!(!is_json(&media_type(kind.as_bytes())), "{kind}");
        }
    }
}
