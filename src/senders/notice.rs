//! What people are told of a sender.

use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// That a sender is overdue, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is of.
    pub what: What,
    /// What the sender is called in the API.
    pub id: String,
    /// The project that it sends to.
    pub project: Arc<str>,
    /// The public id of its key.
    pub key: Option<Arc<str>>,
    /// Its name.
    pub host: Arc<str>,
    /// Where it came in last.
    pub listener: Arc<str>,
    /// When it was heard last; of one that is heard again, before that.
    pub last_seen: Timestamp,
    /// How long it is, or was, quiet.
    pub quiet: Duration,
    /// How long it usually is.
    pub usual: Duration,
}

/// What a [`Notice`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is overdue.
    Overdue,
    /// It was, and is heard again.
    Heard,
    /// It was, and is no longer waited for.
    Forgotten,
}
