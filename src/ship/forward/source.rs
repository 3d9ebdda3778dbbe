//! Reads on in a journal from where one was.
//!
//! Why is nothing missed? An entry's place is its id, and ids are given in the order of commits,
//! not in that of the times that entries carry; a batch becomes visible after all that come before
//! it. So whatever was not there when a place was taken down has a greater one, however late it
//! came and whatever its clock said. Seals and merges change neither. Entries of the record of
//! changes are numbered one by one.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::config::Begin;
use super::entry::Entry;
use crate::audit::{self, Audit};
use crate::journal::Which;
use crate::kql::{Syntax, parse};
use crate::query::{CursorKey, Request, Tail};
use crate::ship::clock::now;
use crate::store::Store;

/// Where journals are.
#[derive(Clone, Debug)]
pub(super) struct Library {
    pub(super) store: Arc<Store>,
    pub(super) audit: Arc<Audit>,
}

/// A journal that is read on.
#[derive(Debug)]
pub(super) struct Source {
    journal: &'static str,
    reading: Reading,
    limit: usize,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) journal: &'static str,
    pub(super) entries: Vec<Entry>,
    /// Where to read on.
    pub(super) position: i64,
    /// Whether there are more at once.
    pub(super) has_more: bool,
}

#[derive(Debug)]
enum Reading {
    Journal(Box<Tail>),
    /// The record of changes, from this number on.
    Changes(u64),
}

/// The names of all journals.
pub(super) fn journals() -> Vec<&'static str> {
    std::iter::once(AUDIT).chain(Which::ALL.iter().map(|which| which.as_str())).collect()
}

impl Source {
    /// The journal of that name behind `position`, or from where `begin` says.
    pub(super) fn open(
        library: &Library,
        journal: &str,
        position: Option<i64>,
        begin: Begin,
        limit: usize,
    ) -> Result<Self, String> {
        let position = position.or((begin == Begin::Beginning).then_some(i64::MIN));
        if journal == AUDIT {
            let from = match position {
                Some(last) => u64::try_from(last.saturating_add(1)).unwrap_or(0),
                None => library.audit.size().map_err(|error| error.to_string())?,
            };
            return Ok(Self { journal: AUDIT, reading: Reading::Changes(from), limit });
        }
        let which = Which::ALL.into_iter().find(|which| which.as_str() == journal);
        let which = which.ok_or_else(|| format!("expected a journal, but found {journal:?}"))?;
        let all = parse("", Syntax::Lenient).map_err(|error| error.to_string())?;
        // Nothing is handed out that a cursor would have to be signed for.
        let mut request =
            Request::new(which.project().into(), all.query, CursorKey([0; 32]), now());
        request.limit = limit;
        let tail = Tail::new(&library.store, request, position);
        let tail = Box::new(tail.map_err(|error| error.to_string())?);
        Ok(Self { journal: which.as_str(), reading: Reading::Journal(tail), limit })
    }

    /// Where it is.
    pub(super) fn position(&self) -> i64 {
        match &self.reading {
            Reading::Journal(tail) => tail.position(),
            Reading::Changes(next) => i64::try_from(*next).unwrap_or(i64::MAX) - 1,
        }
    }

    /// What came since.
    pub(super) fn read(&mut self, library: &Library) -> Result<Batch, String> {
        let (journal, limit) = (self.journal, self.limit);
        let (entries, has_more) = match &mut self.reading {
            Reading::Journal(tail) => {
                let fresh = tail.poll(&library.store, now()).map_err(|error| error.to_string())?;
                for reason in &fresh.partial_reasons {
                    tracing::warn!(journal, reason, "a part of a journal cannot be forwarded");
                }
                let entry = |(position, fields)| Entry { journal, position, fields };
                (fresh.logs.into_iter().map(entry).collect(), fresh.has_more)
            }
            Reading::Changes(next) => {
                let read = library.audit.following(*next, limit);
                let read = read.map_err(|error| error.to_string())?;
                let has_more = read.len() >= limit;
                *next = read.last().map_or(*next, |entry| entry.index + 1);
                let own = read.into_iter().filter(|e| audit::Entry::is_of_somebody(&e.event));
                (own.map(of_a_change).collect(), has_more)
            }
        };
        Ok(Batch { journal, entries, position: self.position(), has_more })
    }
}

/// A change as an entry of a journal like any other.
fn of_a_change(change: audit::Entry) -> Entry {
    let position = i64::try_from(change.index).unwrap_or(i64::MAX);
    let message = format!("{} {} by {}", change.event, change.resource, change.actor);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        fields.extend(value.map(|value| (name.to_owned(), Value::from(value))));
    };
    put("@timestamp", Some(change.time));
    put("_id", Some(format!("audit-{}", change.index)));
    put("message", Some(message));
    put("level", Some("INFO".to_owned()));
    put("actor", Some(change.actor));
    put("operator", change.operator);
    put("event", Some(change.event));
    put("resource", Some(change.resource));
    put("source.ip", change.address.map(|address| address.to_canonical().to_string()));
    put("previous", Some(change.previous));
    fields.extend(change.details);
    Entry { journal: AUDIT, position, fields }
}

/// The record of changes.
const AUDIT: &str = "audit";
