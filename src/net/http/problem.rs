//! Why a call was not done, as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::attempt::failure;
use crate::gate::{Reason, Refusal, Told};
use crate::ingest::Rejected;
use crate::journal::FieldError;
use crate::metrics::Failure;

/// Why a call was not done.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// Stable, for programs.
    pub(super) code: &'static str,
    /// What was expected, and what was found.
    pub(super) detail: String,
    pub(super) blame: Blame,
    /// The field that was wrong, for the journal.
    pub(super) field: Option<Box<FieldError>>,
    pub(super) rejected: Vec<Rejected>,
    retry_after: Option<Duration>,
}

/// What remains to be booked and noted of a problem.
#[derive(Debug)]
pub(super) enum Blame {
    /// The gate refused the call.
    Gate(Box<Refusal>),
    /// The same, and a journal has it already.
    GateNoted(Box<Refusal>),
    /// The call failed.
    Call(Failure),
    /// It failed, and the ledger has it already.
    Booked,
    /// Logs were rejected; the ledger has them, and a journal those that the gate refused.
    Logs,
    /// Nothing: ledger and journal have it.
    Noted,
}

impl Problem {
    /// The call failed before its body was taken.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let blame = Blame::Call(failure(status));
        let detail = detail.into();
        let (field, rejected) = (None, Vec::new());
        Self { status, code, detail, blame, field, rejected, retry_after: None }
    }

    /// The gate refused; the answer is the same for all reasons of a status.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let (status, code, detail) = match refusal.reason.told() {
            Told::Unknown => (StatusCode::UNAUTHORIZED, "unauthorized", "expected a valid API key"),
            Told::Later => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "over the rate limit"),
            Told::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "this is not allowed"),
        };
        let limited = refusal.reason == Reason::RateLimitExceeded;
        let retry_after = limited.then_some(Duration::from_secs(1));
        let blame = Blame::Gate(Box::new(refusal.clone()));
        Self { blame, retry_after, ..Self::new(status, code, detail) }
    }

    /// No log was accepted, because of a refusal.
    pub(super) fn none_accepted(refusal: &Refusal, rejected: Vec<Rejected>) -> Self {
        Self { blame: Blame::Logs, rejected, ..Self::refused(refusal) }
    }

    /// No log was an event.
    pub(super) fn no_logs(rejected: Vec<Rejected>) -> Self {
        let detail = rejected.first().map(|first| first.why.clone()).unwrap_or_default();
        let problem = Self::new(StatusCode::BAD_REQUEST, INVALID_LOGS, detail);
        Self { blame: Blame::Logs, rejected, ..problem }
    }

    /// The store did not take what was accepted.
    pub(super) fn not_stored() -> Self {
        let detail = "the logs could not be stored";
        let blame = Blame::Booked;
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { blame, ..Self::new(status, "not_stored", detail).retry(Duration::from_secs(5)) }
    }

    /// The disk has no room, and nothing of the call was taken.
    pub(super) fn no_room() -> Self {
        let detail = "there is no room to store the logs";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Self::new(status, "no_room", detail).retry(Duration::from_secs(5));
        problem.blamed(Blame::Call(Failure::Store))
    }

    /// The disk has no room. What was taken waits for it, and is booked when its fate is known.
    pub(super) fn not_stored_yet() -> Self {
        let detail = "there is no room to store the logs; they are not acknowledged, \
                      but may be stored once there is";
        Self { detail: detail.to_owned(), ..Self::no_room().blamed(Blame::Booked) }
    }

    /// The daemon is about to stop.
    pub(super) fn stopping() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Self::new(status, "stopping", "this server is about to stop");
        problem.retry(Duration::from_secs(1)).blamed(Blame::Noted)
    }

    /// The body is not of the type that is taken.
    pub(super) fn another_type(expected: &str) -> Self {
        let detail = format!("expected a body of type {expected}, but found another");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "unsupported_media_type", detail).at("content-type")
    }

    pub(super) fn method_not_allowed() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "method_not_allowed", "expected POST, but found another method")
    }

    /// Says which field was wrong: a header, or a member of the body.
    pub(super) fn at(mut self, field: &str) -> Self {
        self.field = Some(Box::new(FieldError::new(field, &self.detail)));
        self
    }

    /// Says when to come again.
    pub(super) fn retry(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// Says what is left to do of it.
    pub(super) fn blamed(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }

    /// The status for shippers, who come again on few of them: what passes with time is one of
    /// those.
    pub(super) fn status_for_shippers(&self) -> StatusCode {
        match self.status {
            StatusCode::REQUEST_TIMEOUT => StatusCode::SERVICE_UNAVAILABLE,
            status => status,
        }
    }

    /// The answer in the daemon's own protocol.
    pub(super) fn to_response(&self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let (Some(body), false) = (body.as_object_mut(), self.rejected.is_empty()) {
            body.insert("rejected".to_owned(), list(&self.rejected));
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        self.add_headers(&mut response, "Bearer");
        response
    }

    /// Adds the headers that every protocol has: when to come again, and `scheme` where a key is
    /// wanted (RFC 9110 §10.2.3, §11.6.1).
    pub(super) fn add_headers(&self, response: &mut Response, scheme: &'static str) {
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(after)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
}

/// The logs that were not accepted.
pub(super) fn list(rejected: &[Rejected]) -> Value {
    let one = |one: &Rejected| json!({"index": one.index, "error": one.why});
    rejected.iter().map(one).collect()
}

/// Whole seconds, one at the least.
fn seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// The code of logs that are no events.
pub(super) const INVALID_LOGS: &str = "invalid_logs";

/// The code of a body in which nothing is.
pub(super) const EMPTY_BODY: &str = "empty_body";

const MEDIA_TYPE: &str = "application/problem+json";
