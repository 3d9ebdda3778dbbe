//! Errors, in the form that Elasticsearch gives them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::ingest::Cause;
use crate::net::http::problem::Problem;

/// Why a call failed as a whole.
pub(super) fn of_call(problem: &Problem) -> Response {
    let mut response = answer(problem.status, kind(problem.status), &problem.detail);
    problem.add_headers(&mut response, "Basic realm=\"logtrace\"");
    response
}

/// The answer to a call that only a real Elasticsearch could do something with.
pub(in crate::net::http) fn no_such_path(method: &str, path: &str) -> Response {
    let reason = format!("expected a call that ships logs, but found {method} {path}");
    answer(StatusCode::BAD_REQUEST, kind(StatusCode::BAD_REQUEST), &reason)
}

/// Status and kind of error of a document that was not accepted.
pub(super) fn of_item(cause: Cause) -> (u16, &'static str) {
    match cause {
        Cause::Malformed => (400, "document_parsing_exception"),
        Cause::Refused => (403, "security_exception"),
        Cause::Over => (429, REJECTED),
    }
}

/// That a document is there already which was to be created.
pub(super) fn exists(id: Option<&str>) -> Response {
    let reason = format!("expected a new id, but found that {:?} exists", id.unwrap_or_default());
    answer(StatusCode::CONFLICT, CONFLICT, &reason)
}

fn answer(status: StatusCode, kind: &str, reason: &str) -> Response {
    (status, Json(body(status, kind, reason))).into_response()
}

fn body(status: StatusCode, kind: &str, reason: &str) -> Value {
    let cause = json!({"type": kind, "reason": reason});
    json!({
        "error": {"root_cause": [cause], "type": kind, "reason": reason},
        "status": status.as_u16(),
    })
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "security_exception",
        408 => "timeout_exception",
        413 => "content_too_long_exception",
        415 => "media_type_header_exception",
        429 => REJECTED,
        503 => "unavailable_shards_exception",
        _ => "illegal_argument_exception",
    }
}

/// What clients take for "it is there already".
pub(super) const CONFLICT: &str = "version_conflict_engine_exception";

/// What clients take for "come again later".
const REJECTED: &str = "es_rejected_execution_exception";
