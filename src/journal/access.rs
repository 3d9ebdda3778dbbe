//! Calls that were done, and what connections brought.

use std::time::Duration;

use super::entry::{Call, number, put};
use crate::event::{Event, Value};

/// An entry of `access`: a call, a connection, a minute of one, or a minute of datagrams from one
/// address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// What was done, and by whom.
    pub call: Call,
    /// How it ended.
    pub status: Status,
    /// How long it took, or lasted.
    pub duration: Duration,
    /// Bytes that came.
    pub request_bytes: u64,
    /// Bytes that were answered.
    pub response_bytes: u64,
    /// Events that were accepted.
    pub events_accepted: u64,
    /// What came, without secrets, where it was asked for.
    pub body: Option<String>,
}

/// How a call or a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// With this status of HTTP.
    Code(u16),
    /// It is over.
    #[default]
    Closed,
    /// It goes on: this is a part of it.
    Open,
}

impl Access {
    /// Adds what another one of the same kind did.
    pub(super) fn add(&mut self, other: &Self) {
        self.duration = self.duration.saturating_add(other.duration);
        self.request_bytes = self.request_bytes.saturating_add(other.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(other.response_bytes);
        self.events_accepted = self.events_accepted.saturating_add(other.events_accepted);
    }

    /// `sample_rate`: the part of such entries that is kept, where not all are.
    pub(super) fn into_event(self, sample_rate: Option<f64>) -> Event<'static> {
        let mut event = Event::default();
        let Call { target, method, .. } = &self.call;
        put(&mut event, "message", Some(format!("{method} {target} {}", self.status)));
        put(&mut event, "level", Some("INFO".to_owned()));
        match self.status {
            Status::Code(code) => number(&mut event, "status", Some(u64::from(code))),
            open_or_closed => put(&mut event, "status", Some(open_or_closed.to_string())),
        }
        let micros = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX);
        number(&mut event, "duration_us", Some(micros));
        number(&mut event, "request_bytes", Some(self.request_bytes));
        number(&mut event, "response_bytes", Some(self.response_bytes));
        number(&mut event, "events_accepted", Some(self.events_accepted));
        if let Some(rate) = sample_rate {
            event.put("sample_rate".into(), Value::Number(rate.to_string().into()));
        }
        put(&mut event, "body", self.body);
        self.call.fill(&mut event);
        event
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Closed => f.write_str("closed"),
            Self::Open => f.write_str("open"),
        }
    }
}
