//! Why a call was not done, as `application/problem+json` (RFC 9457).
//!
//! Functions are named as one would say them. What the asker can mend is said in `detail`; what the
//! gate refuses is the same for all reasons; what is our fault is an id and no word more.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tracing::error;

use crate::db::{self, Trouble};
use crate::gate::{GateError, Reason, Refusal, Told};
use crate::journal::FieldError;
use crate::kql::{ParseError, TimeError};
use crate::people::PeopleError;
use crate::query::QueryError;
use crate::ship::WebhookError;
use crate::store;

/// Why a call was not done.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// Stable, for programs.
    code: &'static str,
    /// What was expected, and what was found.
    detail: String,
    /// Further members.
    more: Map<String, Value>,
    /// The fields that were wrong, for the journal.
    fields: Vec<FieldError>,
    retry_after: Option<Duration>,
    refusal: Option<Box<Refusal>>,
}

/// What is left with an answer for whoever notes it in a journal.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) fields: Vec<FieldError>,
    /// Where the gate refused.
    pub(super) refusal: Option<Refusal>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, more, fields) = (detail.into(), Map::new(), Vec::new());
        Self { status, code, detail, more, fields, retry_after: None, refusal: None }
    }

    /// What was sent makes no sense.
    pub(super) fn invalid(code: &'static str, detail: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail.to_string())
    }

    /// The gate refused.
    pub(super) fn refused(refusal: Refusal) -> Self {
        let (status, code, detail) = match refusal.reason.told() {
            Told::Unknown => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "expected valid credentials")
            }
            Told::Later => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "over the rate limit"),
            Told::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "this is not allowed"),
        };
        let limited = refusal.reason == Reason::RateLimitExceeded;
        let retry_after = limited.then_some(Duration::from_secs(1));
        Self { retry_after, refusal: Some(Box::new(refusal)), ..Self::new(status, code, detail) }
    }

    /// What is asked for belongs to another project.
    pub(super) fn other_project() -> Self {
        Self::refused(Refusal::fixed(Reason::ScopeMissing, "key:project"))
    }

    /// Whoever calls has roles in several projects, and does not say in which they act.
    pub(super) fn no_place(header: &str) -> Self {
        let detail = "expected the name of one of your projects, but found none";
        Self::invalid("project_required", detail).with("header", header).at(header)
    }

    /// The old password of whoever is signed in is another.
    pub(super) fn wrong_password() -> Self {
        let refusal = Refusal::fixed(Reason::InvalidApiKey, "user:old_password");
        let detail = "expected your old password, but found another";
        let (status, code) = (StatusCode::FORBIDDEN, "wrong_password");
        Self { refusal: Some(Box::new(refusal)), ..Self::new(status, code, detail) }
    }

    /// It is for owners of the project.
    pub(super) fn not_an_owner() -> Self {
        Self::refused(Refusal::fixed(Reason::ScopeMissing, "user:owner"))
    }

    pub(super) fn not_found(detail: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail.to_string())
    }

    /// It cannot be done as things are at the moment.
    pub(super) fn conflict(code: &'static str, detail: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail.to_string())
    }

    /// It is not any longer what the caller says it is.
    pub(super) fn changed_meanwhile() -> Self {
        let detail = "expected what If-Match names, but found that it was changed or removed";
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail).at("if-match")
    }

    pub(super) fn too_large(max: usize) -> Self {
        let detail = format!("expected a body of at most {max} bytes, but found more");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).at("body")
    }

    pub(super) fn too_slow(limit: Duration) -> Self {
        let detail = format!("expected the whole body within {limit:?}, but found less");
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let detail = "expected a body of type application/json, but found another";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
            .at("content-type")
    }

    /// As many are at it as may be.
    pub(super) fn busy(what: &str) -> Self {
        let detail = format!("too many {what} at once");
        let retry_after = Some(Duration::from_secs(1));
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail) }
    }

    /// The memory is in use, mostly by senders.
    pub(super) fn no_memory() -> Self {
        let detail = "there is no memory for this while so much is being sent and asked";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_memory", detail);
        problem.retry(Duration::from_secs(1))
    }

    /// Whether it is that.
    pub(super) fn is_of_memory(&self) -> bool {
        self.code == "no_memory"
    }

    /// The disk is too full to keep anything; once there is room, it can be done.
    pub(super) fn no_room() -> Self {
        let detail = "there is no room on the disk to keep this";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_room", detail);
        problem.retry(Duration::from_secs(5))
    }

    /// Our fault. What happened is in the log, under the id that the answer has.
    pub(super) fn internal(what: &dyn Display) -> Self {
        let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
        error!(%id, error = %what, "a call failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal", "something went wrong here").with("id", id)
    }

    /// Says which field was wrong: a member of the body, a parameter or a header.
    pub(super) fn at(mut self, field: &str) -> Self {
        self.fields.push(FieldError::new(field, &self.detail));
        self
    }

    /// Says when to come again.
    pub(super) fn retry(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

/// The answer to an unknown path.
pub(super) async fn not_found() -> Problem {
    Problem::not_found("expected a path of the API, but found another")
}

/// The answer to a known path with another method.
pub(super) async fn method_not_allowed() -> Problem {
    let detail = "expected a method that this path has, but found another";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        Self::invalid("invalid_query", &error)
            .at("filter")
            .with("at", error.at)
            .with("expected", error.expected)
            .with("found", error.found)
    }
}

impl From<TimeError> for Problem {
    fn from(error: TimeError) -> Self {
        Self::invalid("invalid_time", error)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Time(error) => error.into(),
            QueryError::NoEvent(_) => Self::not_found(error),
            QueryError::Cursor(error) => Self::invalid("invalid_cursor", error).at("cursor"),
            QueryError::Limit(_) => Self::invalid("invalid_parameter", error).at("limit"),
            QueryError::Fields(_) => Self::invalid("invalid_parameter", error).at("fields"),
            QueryError::Range { .. } => Self::invalid("invalid_parameter", error).at("from"),
            QueryError::Many { field, .. } => Self::invalid("invalid_parameter", &error).at(field),
            QueryError::Aggregate(_) | QueryError::Name(_) => {
                Self::invalid("invalid_parameter", error).at("aggregates")
            }
            QueryError::Interval(_) | QueryError::Buckets { .. } => {
                Self::invalid("invalid_parameter", error).at("interval")
            }
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Db(error) => GateError::Db(error).into(),
            other => Self::internal(&other),
        }
    }
}

impl From<GateError> for Problem {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Invalid { field, .. } => {
                Self::invalid("invalid_parameter", error).with("field", field).at(field)
            }
            GateError::UnknownPlace { .. }
            | GateError::UnknownKey(_)
            | GateError::UnknownRule(_)
            | GateError::NotListed(_) => Self::not_found(error),
            GateError::Configured(_) | GateError::ConfiguredRule(_) => {
                Self::new(StatusCode::CONFLICT, "configured", error.to_string())
            }
            GateError::Place { .. } => Self::conflict("in_use", error),
            GateError::Rotation(_) => Self::conflict("not_rotated", error),
            GateError::Taken { field, .. } => Self::conflict("taken", error).at(field),
            GateError::Full { .. } => Self::new(StatusCode::CONFLICT, "full", error.to_string()),
            GateError::Db(refused) => refused.into(),
            _ => Self::internal(&error),
        }
    }
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        use PeopleError::{
            Db, Full, Invalid, LastOwner, NoSession, OwnRole, Refused, Reused, Slow, Taken,
            UnknownSession, UnknownUser,
        };
        let refused = |rule| Self::refused(Refusal::fixed(Reason::InvalidApiKey, rule));
        match error {
            Invalid { field, .. } => {
                Self::invalid("invalid_parameter", error).with("field", field).at(field)
            }
            Refused => refused("user:password"),
            NoSession => refused("user:refresh_token"),
            Reused(_) => refused("user:reused_token"),
            Slow(wait) => {
                Self::refused(Refusal::fixed(Reason::RateLimitExceeded, "user:guesses")).retry(wait)
            }
            UnknownUser | UnknownSession => Self::not_found(error),
            Taken => Self::conflict("taken", error).at("email"),
            LastOwner => Self::conflict("last_owner", error),
            OwnRole => Self::refused(Refusal::fixed(Reason::ScopeMissing, "user:own_role")),
            Full { .. } => Self::conflict("full", error),
            Db(refused) => refused.into(),
            _ => Self::internal(&error),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Unknown(_) => Self::not_found(error),
            WebhookError::Full(_) => Self::conflict("full", error),
            WebhookError::Url(_) => Self::invalid("invalid_url", error).at("url"),
            WebhookError::Invalid { field, .. } => {
                Self::invalid("invalid_parameter", error).at(field)
            }
            WebhookError::Db(refused) => refused.into(),
            WebhookError::NoTls => Self::invalid("invalid_url", error),
            WebhookError::Random(_) | WebhookError::Refused(_) => Self::internal(&error),
        }
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match error.trouble() {
            Trouble::Fatal => Self::internal(&error),
            _ => Self::no_room(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(self.more);
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(after) = self.retry_after {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from((after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)),
            );
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let refusal = self.refusal.map(|refusal| *refusal);
        response.extensions_mut().insert(Noted {
            code: self.code,
            detail: self.detail,
            fields: self.fields,
            refusal,
        });
        response
    }
}

const MEDIA_TYPE: &str = "application/problem+json";
