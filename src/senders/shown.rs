//! A sender as it is shown.

use serde::Serialize;

use super::cadence::millis;
use super::config::Config;
use super::numbers::Missing;
use super::odd::{Odd, odd};
use super::record::Record;
use super::traits::{Form, Framing};
use crate::time::Timestamp;

/// A sender, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// What it is called in the API.
    pub id: String,
    /// The project that it sends to.
    pub project: String,
    /// The public id of its key.
    pub key: Option<String>,
    /// Its name in its messages; its address, where they name none.
    pub host: String,
    /// Where it came in last.
    pub listener: String,
    /// By which protocol and transport.
    pub protocol: String,
    /// From which address.
    pub address: Option<String>,
    /// When it was heard first.
    pub first_seen: String,
    /// When it was heard last.
    pub last_seen: String,
    /// How many events were accepted of it.
    pub events: u64,
    /// How it is.
    pub state: State,
    /// For how long it is quiet, in seconds in which the daemon listened.
    pub quiet_seconds: f64,
    /// How long it usually is.
    pub usual_seconds: f64,
    /// After how long it is overdue; `null` while it is learned about.
    pub overdue_after_seconds: Option<f64>,
    /// Since when it is overdue.
    pub overdue_since: Option<String>,
    /// How its messages are written; `null` before the first look.
    pub form: Option<Form>,
    /// How they are told apart on a stream, where that can be one way or another.
    pub framing: Option<Framing>,
    /// How it was identified last.
    pub auth: Option<String>,
    /// What is missing of its numbers, where it numbers its messages.
    pub numbers: Option<Missing>,
    /// What is odd about it.
    pub odd: Vec<Odd>,
}

/// How a sender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is learned how often it speaks.
    Learning,
    /// It is not quiet for longer than usual.
    Fine,
    /// It is.
    Overdue,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Learning, Self::Fine, Self::Overdue];

    /// What it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Fine => "fine",
            Self::Overdue => "overdue",
        }
    }
}

impl Shown {
    pub(super) fn new(record: &Record, at: u64, config: &Config) -> Self {
        let time = |micros| Timestamp::from_micros(micros).to_string();
        Self {
            id: record.id(),
            project: record.project.to_string(),
            key: record.key.as_deref().map(str::to_owned),
            host: record.host.to_string(),
            listener: record.listener.to_string(),
            protocol: record.protocol.to_string(),
            address: record.peer.map(|peer| peer.to_canonical().to_string()),
            first_seen: time(record.first_seen),
            last_seen: time(record.last_seen),
            events: record.events,
            state: record.state(config),
            quiet_seconds: seconds(record.quiet(at)),
            usual_seconds: seconds(millis(record.cadence.usual())),
            overdue_after_seconds: record.cadence.patience(config).map(seconds),
            overdue_since: record.overdue_since.map(time),
            form: (record.traits.looks > 0).then_some(record.traits.form),
            framing: record.traits.framing,
            auth: record.traits.auth.clone(),
            numbers: record.numbers.as_ref().map(|numbers| numbers.counts),
            odd: odd(record),
        }
    }
}

impl Record {
    pub(super) fn state(&self, config: &Config) -> State {
        match (self.overdue_since, self.cadence.is_learned(config)) {
            (Some(_), _) => State::Overdue,
            (None, true) => State::Fine,
            (None, false) => State::Learning,
        }
    }
}

/// Milliseconds as seconds.
fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}
