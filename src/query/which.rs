//! Which events a question is about, whatever it wants to know of them.

use std::sync::Arc;

use super::request::{Budget, QueryError, Request};
use crate::kql::Query;
use crate::time::Timestamp;

/// The events that are counted, added up or grouped.
#[derive(Clone, Debug)]
pub struct Which {
    /// The project that is asked: no row of another is seen, whatever the filter says.
    pub project: Arc<str>,
    /// Which of its events.
    pub filter: Query,
    /// The first time of an event.
    pub from: Timestamp,
    /// The last one.
    pub to: Timestamp,
    /// How long it may take, and what it may use.
    pub budget: Budget,
    /// The present.
    pub now: Timestamp,
}

impl Which {
    /// Whether there is nothing wrong with it.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        match self.from > self.to {
            true => Err(QueryError::Range { from: self.from, to: self.to }),
            false => Ok(()),
        }
    }
}

impl From<Request> for Which {
    /// The events that a request is about, on all its pages.
    fn from(request: Request) -> Self {
        let Request { project, filter, from, to, budget, now, .. } = request;
        Self { project, filter, from, to, budget, now }
    }
}
