//! Splunk's HTTP Event Collector, with the codes of its answers ("Troubleshoot HTTP Event
//! Collector").
//!
//! A channel asks for acknowledgements. What is answered with success is durable already, so an
//! answer has a number like any other, and whoever asks for it is told that it is acknowledged.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::timeout;
use url::form_urlencoded;

use super::attempt::Attempt;
use super::call::admit;
use super::carrier::Carrier;
use super::dialect::{Dialect, Done};
use super::problem::{EMPTY_BODY, Problem};
use super::{Door, HttpConfig, MAX_LOGS};
use crate::event::Event;
use crate::ids;
use crate::ingest::{Cause, Rejected};
use crate::parse::hec::{HecBody, HecOrigin};
use crate::parse::{BodyError, BodyFormat, Context, Each, RecordError, http_secret};

/// What `/services/collector` speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hec {
    /// Whether bodies are lines.
    pub(super) is_raw: bool,
}

/// A call's body, and whether its sender wants an acknowledgement.
#[derive(Debug)]
pub(super) struct HecFormat {
    body: HecBody,
    has_channel: bool,
}

impl BodyFormat for HecFormat {
    fn shows_more(&self) -> bool {
        self.body.shows_more()
    }

    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        self.body.read(body, cx, event, each)
    }
}

impl Dialect for Hec {
    type Format = HecFormat;

    const SAYS_EACH: bool = true;

    fn secret(self, head: &Parts) -> Option<Vec<u8>> {
        secret(head)
    }

    fn format(self, head: &Parts, config: &HttpConfig) -> Result<HecFormat, Problem> {
        // A key in there is nothing to keep, as anywhere.
        let scrub = |text: String| match ids::scrub(text.as_bytes()) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => String::from_utf8_lossy(&clean).into_owned(),
        };
        let said = |name: &str| query(head, name).map(|text| scrub(text).into());
        let origin = HecOrigin {
            host: said("host"),
            source: said("source"),
            sourcetype: said("sourcetype"),
            index: said("index"),
        };
        let body = HecBody {
            is_raw: self.is_raw,
            origin,
            max_line: config.max_message,
            max_events: MAX_LOGS,
            fault: None,
        };
        Ok(HecFormat { body, has_channel: has_channel(head) })
    }

    fn done(self, format: HecFormat, done: &Done) -> Response {
        let is_fault = |log: &&Rejected| log.cause == Cause::Malformed;
        if let Some(first) = done.rejected.iter().find(is_fault) {
            let fault = format.body.fault.map(|(_, fault)| fault);
            let (code, text) = match fault {
                Some(RecordError::NoEvent) => (12, "Event field is required"),
                Some(RecordError::BlankEvent) => (13, "Event field cannot be blank"),
                _ => (6, "Invalid data format"),
            };
            let body = json!({"text": text, "code": code, "invalid-event-number": first.index});
            return (StatusCode::BAD_REQUEST, Json(body)).into_response();
        }
        if done.accepted == 0 && done.rejected.is_empty() {
            return say(StatusCode::BAD_REQUEST, 5, "No data");
        }
        if format.has_channel {
            let id = ANSWERS.fetch_add(1, Ordering::Relaxed);
            return Json(json!({"text": "Success", "code": 0, "ackId": id})).into_response();
        }
        say(StatusCode::OK, 0, "Success")
    }

    fn problem(self, problem: &Problem) -> Response {
        let mut response = match problem.status {
            // No log had a key, and none was in the head; or there was one.
            StatusCode::UNAUTHORIZED if !problem.rejected.is_empty() => {
                say(StatusCode::UNAUTHORIZED, 2, "Token is required")
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                say(StatusCode::FORBIDDEN, 4, "Invalid token")
            }
            StatusCode::BAD_REQUEST if problem.code == EMPTY_BODY => {
                say(StatusCode::BAD_REQUEST, 5, "No data")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                say(StatusCode::METHOD_NOT_ALLOWED, 404, "The method is not allowed")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                say(StatusCode::PAYLOAD_TOO_LARGE, 27, "Request entity too large")
            }
            // Older clients know of no `429`, and give up on what they do not know.
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT => {
                say(StatusCode::SERVICE_UNAVAILABLE, 9, "Server is busy")
            }
            status if status.is_server_error() => say(status, 8, "Internal server error"),
            status => say(status, 6, "Invalid data format"),
        };
        problem.add_headers(&mut response, "Splunk");
        response
    }
}

/// Whether events are taken.
pub(super) async fn health(State(door): State<Arc<Door>>) -> Response {
    if door.ingest.is_held() {
        let text = "HEC is unhealthy, queues are full";
        return say(StatusCode::SERVICE_UNAVAILABLE, 18, text);
    }
    say(StatusCode::OK, 17, "HEC is healthy")
}

/// Which answers are acknowledged: all of them.
pub(super) async fn acknowledgements(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let mut attempt = Attempt::new(peer.ip(), &request);
    let (head, body) = request.into_parts();
    let carrier = head.extensions.get::<Carrier>().cloned();
    let admitted = admit(&door, &mut attempt, carrier.as_ref(), secret(&head).as_deref());
    let (session, key) = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => return attempt.answer(&door, Hec { is_raw: false }, problem),
    };
    if let Some(carrier) = carrier {
        carrier.give_back(session.into_connection());
    }
    if key.is_none() && door.listener.require_key {
        return say(StatusCode::UNAUTHORIZED, 2, "Token is required");
    }
    if !has_channel(&head) {
        return say(StatusCode::BAD_REQUEST, 10, "Data channel is missing");
    }
    let body = timeout(door.config.body_timeout, to_bytes(body, MAX_ASKED)).await;
    let asked = body.ok().and_then(Result::ok);
    let asked = asked.and_then(|body| serde_json::from_slice::<Asked>(&body).ok());
    match asked.filter(|asked| asked.acks.len() <= MAX_ACKS) {
        Some(Asked { acks }) => {
            let acks = acks.into_iter().map(|id| (id.to_string(), Value::Bool(true)));
            Json(json!({"acks": acks.collect::<serde_json::Map<_, _>>()})).into_response()
        }
        None => say(StatusCode::BAD_REQUEST, 6, "Invalid data format"),
    }
}

/// The body of a call to `/services/collector/ack`.
#[derive(Debug, serde::Deserialize)]
struct Asked {
    acks: Vec<u64>,
}

/// The token of a call: in its head, else in its query.
pub(super) fn secret(head: &Parts) -> Option<Vec<u8>> {
    let of_head = http_secret(|name| head.headers.get(name).map(HeaderValue::as_bytes));
    of_head.or_else(|| query(head, "token").map(String::into_bytes))
}

fn has_channel(head: &Parts) -> bool {
    head.headers.contains_key("x-splunk-request-channel") || query(head, "channel").is_some()
}

/// The first value of that name in the query.
fn query(head: &Parts, name: &str) -> Option<String> {
    let query = head.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

fn say(status: StatusCode, code: u16, text: &str) -> Response {
    (status, Json(json!({"text": text, "code": code}))).into_response()
}

/// Answers that were given a number.
static ANSWERS: AtomicU64 = AtomicU64::new(0);

/// The longest body that asks for answers, in bytes.
const MAX_ASKED: usize = 256 * 1024;

/// Answers that may be asked for at once.
const MAX_ACKS: usize = 10_000;
