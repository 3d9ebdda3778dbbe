//! A question to the store, what is wrong with one, and the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use super::cursor::{CursorError, CursorKey};
use super::memory::Memory;
use super::workers::Workers;
use crate::kql::{Query, TimeError};
use crate::time::Timestamp;

/// A question to the store.
#[derive(Clone, Debug)]
pub struct Request {
    /// The project that is asked: no row of another is seen, whatever the filter says.
    pub project: Arc<str>,
    /// The public id of who asks; a cursor is good for them alone.
    pub reader: Arc<str>,
    /// Which events.
    pub filter: Query,
    /// The first time of an event.
    pub from: Timestamp,
    /// The last one.
    pub to: Timestamp,
    /// The most events in the answer. Range: 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// Which events come first.
    pub order: Order,
    /// [`Meta::next_cursor`] of the page before.
    pub cursor: Option<String>,
    /// What cursors are signed with.
    pub cursor_key: CursorKey,
    /// The fields to show, `*` standing for any text; `user` is all of `user.name` and `user.id`.
    /// `None` is all fields. At most [`MAX_FIELDS`].
    pub fields: Option<Vec<String>>,
    /// How long it may take.
    pub budget: Budget,
    /// The present.
    pub now: Timestamp,
}

/// Which events come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The latest, and of the same time those with the greatest id.
    #[default]
    NewestFirst,
    /// The earliest, and of the same time those with the least id.
    OldestFirst,
}

/// How long a query may go on, and what it may use.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// When to answer with what there is; `None` is no limit.
    pub until: Option<Instant>,
    /// Set by whoever no longer waits for the answer.
    pub cancelled: Arc<AtomicBool>,
    /// The threads that help; none by default.
    pub workers: Arc<Workers>,
    /// The memory for answers; as much as there is by default.
    pub memory: Arc<Memory>,
}

/// An answer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page {
    /// The events as they are shown (SPEC §2.2), in order.
    pub logs: Vec<Map<String, Value>>,
    /// What there is to say of them.
    pub meta: Meta,
}

/// What there is to say of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// How many events are in it, or are what it tells of.
    pub count: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Events in the blocks and batches that had to be opened.
    pub scanned_events: u64,
    /// Bytes of the values that were looked at.
    pub scanned_bytes: u64,
    /// Whether there may be events that match and are missing.
    pub partial: bool,
    /// Why; at most a few of the reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial_reasons: Vec<String>,
    /// What continues this answer; `None` where it ends, and where time ran out: then a shorter
    /// stretch of time is to be asked for.
    pub next_cursor: Option<String>,
}

/// Why a request cannot be answered: always the asker's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A limit out of range.
    #[error("expected a limit of 1 to {MAX_LIMIT}, but found {0}")]
    Limit(usize),
    /// A stretch of time that ends before it begins.
    #[error("expected `from` to be no later than `to`, but found {from} and {to}")]
    Range {
        /// Its beginning.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// Too many fields to show.
    #[error("expected at most {MAX_FIELDS} fields, but found {0}")]
    Fields(usize),
    /// Too many of something, or too few.
    #[error("expected at most {max} {what}, but found {found}")]
    Many {
        /// The member of the question that says so.
        field: &'static str,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
        /// How many there are.
        found: usize,
    },
    /// Something else where an aggregate belongs.
    #[error(
        "expected count, or count, sum, min, max, avg, median, p95 or distinct of a field in \
         parentheses, or quantile(0.95, field), but found {0}"
    )]
    Aggregate(String),
    /// Two aggregates of one name, or one called `by`.
    #[error("expected names that differ from each other and from `by`, but found {0} again")]
    Name(String),
    /// Something else where the width of buckets belongs.
    #[error("expected an interval such as 30s, 5m, 1h or 1d, 3650d at most, but found {0}")]
    Interval(String),
    /// Too many buckets.
    #[error(
        "expected an interval that makes at most {max} buckets of the time asked for, but found \
         {interval}"
    )]
    Buckets {
        /// How many there may be.
        max: usize,
        /// The interval that makes more.
        interval: String,
    },
    /// No event of that id in the project.
    #[error("expected the id of an event, but found {0}")]
    NoEvent(String),
    /// A text where a time belongs.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// A cursor that does not continue this query.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

impl Request {
    /// The newest [`DEFAULT_LIMIT`] events of `project` at any time that match `filter`.
    pub fn new(project: Arc<str>, filter: Query, cursor_key: CursorKey, now: Timestamp) -> Self {
        Self {
            project,
            reader: Arc::from(""),
            filter,
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            limit: DEFAULT_LIMIT,
            order: Order::default(),
            cursor: None,
            cursor_key,
            fields: None,
            budget: Budget::default(),
            now,
        }
    }

    /// Finds what is wrong before anything is read.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            return Err(QueryError::Limit(self.limit));
        }
        if self.from > self.to {
            return Err(QueryError::Range { from: self.from, to: self.to });
        }
        match self.fields.as_ref().map_or(0, Vec::len) {
            count if count > MAX_FIELDS => Err(QueryError::Fields(count)),
            _ => Ok(()),
        }
    }
}

impl Order {
    /// Where a row stands in this order: the lowest comes first.
    pub(super) const fn key(self, time: i64, id: i64) -> (i64, i64) {
        match self {
            // The complement turns the order round, and unlike the negative it always exists.
            Self::NewestFirst => (!time, !id),
            Self::OldestFirst => (time, id),
        }
    }

    /// The time and the id of a key.
    pub(super) const fn time_and_id(self, key: (i64, i64)) -> (i64, i64) {
        self.key(key.0, key.1)
    }

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewestFirst => "desc",
            Self::OldestFirst => "asc",
        }
    }
}

impl Budget {
    /// Whether it is time to stop.
    pub fn is_spent(&self) -> bool {
        self.is_cancelled() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Whether nobody waits for the answer.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Events in an answer, unless said otherwise (SPEC §6).
pub const DEFAULT_LIMIT: usize = 100;

/// The most events in an answer (SPEC §6).
pub const MAX_LIMIT: usize = 10_000;

/// The most names of fields to show.
pub const MAX_FIELDS: usize = 1_000;
