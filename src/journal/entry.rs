//! The entries of the journals (SPEC §4).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::event::{Event, Value};
use crate::ids;

/// Where a call or connection came in, and from whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Call {
    /// The path, or the name of the listener.
    pub target: String,
    /// The HTTP method, or the protocol.
    pub method: String,
    /// Where it came from.
    pub peer: Option<IpAddr>,
    /// The key, masked, where there was one.
    pub key: Option<String>,
    /// The e-mail address of the person, where it is one who calls.
    pub user: Option<String>,
    /// The client software, where it says.
    pub user_agent: Option<String>,
    /// The project of the key or, without one, of the place; `None` where it is of no project.
    pub project: Option<Arc<str>>,
    /// Whether it may be somebody else's doing than that of who is there: anyone could have written
    /// where it came from, as with datagrams, or have made a browser there call, or wrote what a
    /// sender with a good key only brings. Nobody is blocked for such.
    pub is_forgeable: bool,
}

/// An entry of `blocked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Who was turned away.
    pub call: Call,
    /// The reason code.
    pub reason: &'static str,
    /// The rule that spoke.
    pub rule: String,
    /// The country of the source, or `unknown`.
    pub country: String,
    /// What makes the call recognisable.
    pub fingerprint: String,
    /// 0 to 100; set anew when it is known how often it came.
    pub threat_score: u8,
    /// Whether it was let pass all the same, by a limit or rule that only says what it would do.
    pub dry_run: bool,
}

/// An entry of `failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// What failed.
    pub call: Call,
    /// The error code: a problem's `code`, or a failure tag.
    pub code: &'static str,
    /// What was expected, and what was found.
    pub message: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// How long the call took.
    pub duration: Option<Duration>,
    /// Bytes that came.
    pub request_bytes: u64,
    /// Bytes that were answered.
    pub response_bytes: u64,
    /// Events accepted all the same.
    pub events_accepted: u64,
    /// The fields that were wrong, where the failure is one of fields.
    pub fields: Vec<FieldError>,
    /// The beginning of what came, without secrets.
    pub sample: Option<String>,
    /// All of it, without secrets, where it was asked for.
    pub body: Option<String>,
}

/// A field of a call that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Its name or path; `logs[3]` for the fourth log of a call.
    pub field: String,
    /// What was expected, and what was found.
    pub error: String,
}

impl FieldError {
    /// Says of `field` what was wrong, without secrets and no longer than a journal has room for.
    pub fn new(field: &str, error: &str) -> Self {
        let shown = |text: &str| shown(text.as_bytes(), MAX_FIELD_TEXT);
        Self { field: shown(field), error: shown(error) }
    }
}

impl Call {
    /// Who it was, as far as calls are told apart by that.
    pub(super) fn who(&self) -> Option<String> {
        self.key.clone().or_else(|| self.user.clone())
    }

    pub(super) fn fill(self, event: &mut Event<'static>) {
        put(event, "endpoint", Some(self.target));
        put(event, "method", Some(self.method));
        put(event, "source.ip", self.peer.map(|peer| peer.to_canonical().to_string()));
        put(event, "api_key", self.key);
        put(event, "user.email", self.user);
        put(event, "user_agent.original", self.user_agent);
        put(event, "project", self.project.map(|project| project.to_string()));
    }
}

impl Blocked {
    pub(super) fn into_event(self) -> Event<'static> {
        let mut event = Event::default();
        let message = format!("{} by {}", self.reason, self.rule);
        put(&mut event, "message", Some(message));
        put(&mut event, "reason", Some(self.reason.to_owned()));
        put(&mut event, "rule", Some(self.rule));
        put(&mut event, "fingerprint", Some(self.fingerprint));
        number(&mut event, "threat_score", Some(u64::from(self.threat_score)));
        if self.dry_run {
            event.put("dry_run".into(), Value::Bool(true));
        }
        put(&mut event, "country", Some(self.country));
        put(&mut event, "level", Some("WARN".to_owned()));
        self.call.fill(&mut event);
        event
    }
}

impl Failed {
    pub(super) fn into_event(self) -> Event<'static> {
        let mut event = Event::default();
        put(&mut event, "message", Some(self.message));
        put(&mut event, "error.code", Some(self.code.to_owned()));
        put(&mut event, "level", Some("ERROR".to_owned()));
        put(&mut event, "sample", self.sample);
        put(&mut event, "body", self.body);
        if !self.fields.is_empty() {
            let fields: Vec<_> = self.fields.iter().take(MAX_FIELD_ERRORS).collect();
            let fields = serde_json::to_string(&fields).expect("text makes JSON");
            event.put("field_errors".into(), Value::Json(fields.into()));
        }
        number(&mut event, "status", self.status.map(u64::from));
        let micros = self.duration.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        number(&mut event, "duration_us", micros);
        number(&mut event, "request_bytes", Some(self.request_bytes));
        number(&mut event, "response_bytes", Some(self.response_bytes));
        number(&mut event, "events_accepted", Some(self.events_accepted));
        self.call.fill(&mut event);
        event
    }
}

/// The beginning of what someone wrote, at most `max` bytes of it: without secrets, and without
/// what a terminal obeys.
pub fn shown(bytes: &[u8], max: usize) -> String {
    let head = ids::scrub(bytes.get(..max.min(bytes.len())).unwrap_or_default());
    String::from_utf8_lossy(&head).replace(|c: char| c.is_control(), "\u{fffd}")
}

/// Adds text, where there is some.
pub(super) fn put(event: &mut Event<'static>, name: &'static str, text: Option<String>) {
    if let Some(text) = text {
        event.put(name.into(), Value::Text(text.into()));
    }
}

/// Adds a number, where there is one.
pub(super) fn number(event: &mut Event<'static>, name: &'static str, number: Option<u64>) {
    if let Some(number) = number {
        event.put(name.into(), Value::Number(number.to_string().into()));
    }
}

/// Wrong fields that an entry names; a call of 5,000 logs may have as many.
const MAX_FIELD_ERRORS: usize = 20;

/// Bytes of the name of a field, and of what was wrong with it.
const MAX_FIELD_TEXT: usize = 256;
