//! `POST /v1/logs/ingest` (SPEC §6).

use axum::Json;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::HttpConfig;
use super::dialect::{Dialect, Done};
use super::problem::{Problem, list};
use crate::parse::json::IngestBody;

/// The daemon's own protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logs;

impl Dialect for Logs {
    type Format = IngestBody;

    fn format(self, head: &Parts, config: &HttpConfig) -> Result<IngestBody, Problem> {
        match head.headers.get(header::CONTENT_TYPE) {
            Some(kind) if !is_json(kind.as_bytes()) => {
                Err(Problem::another_type("application/json"))
            }
            _ => Ok(IngestBody { max_events: config.max_events }),
        }
    }

    fn done(self, _format: IngestBody, done: &Done) -> Response {
        let body = json!({"accepted": done.accepted, "rejected": list(&done.rejected)});
        (StatusCode::ACCEPTED, Json(body)).into_response()
    }
}

/// Whether a `Content-Type` says JSON (RFC 8259 §11, RFC 6839 §3.1).
pub(super) fn is_json(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let kind = kind.to_ascii_lowercase();
    kind == b"application/json"
        || kind == b"text/json"
        || kind.starts_with(b"application/") && kind.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_many_names() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(is_json(kind.as_bytes()), "{kind}");
        }
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            assert!(!is_json(kind.as_bytes()), "{kind}");
        }
    }
}
