//! What came before an event and after it, from the same source.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use super::bitmap::Bitmap;
use super::lookup::Lookup;
use super::page::{Rows, rows, show};
use super::place::id_text;
use super::plan::Plan;
use super::reading::Reading;
use super::request::{Meta, Order, QueryError, Request};
use super::search::{ById, Search, Tally};
use super::select::{Selector, Stop};
use super::stats::millis;
use super::top::Pick;
use crate::event::{Kind, Known, ValueRef};
use crate::kql::{Field, Literal, Query};
use crate::store::{Source, Store};
use crate::time::Timestamp;

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where to look, and which fields to show. Filter, limit, order and cursor mean nothing here.
    pub request: Request,
    /// The event, by its `_id`.
    pub id: i64,
    /// How many events before it. Range: 0 to [`MAX_CONTEXT`].
    pub before: usize,
    /// How many after it, likewise.
    pub after: usize,
}

/// An event and what stands around it: of the same host and service, in the order of time and id.
#[derive(Clone, Debug, Serialize)]
pub struct ContextAnswer {
    /// What came before.
    pub before: Vec<Map<String, Value>>,
    /// The event.
    pub event: Map<String, Value>,
    /// What came after.
    pub after: Vec<Map<String, Value>>,
    /// What there is to say of it; `count` is of all events that are shown.
    pub meta: Meta,
}

/// Where an event was found.
struct Found {
    pick: Pick,
    time: i64,
    /// What the events around it have in common with it.
    same: Query,
}

/// Shows an event and what stands around it.
///
/// # Errors
///
/// [`QueryError::NoEvent`] where there is none of that id in the project, or none that can be read;
/// and when there is something wrong with what is asked.
pub fn context(store: &Store, asked: &Context) -> Result<ContextAnswer, QueryError> {
    let started = Instant::now();
    let around = asked.before.max(asked.after);
    if around > MAX_CONTEXT {
        let field = if asked.before == around { "before" } else { "after" };
        let what = "events before it and after it";
        return Err(QueryError::Many { field, what, max: MAX_CONTEXT, found: around });
    }
    let mut request = asked.request.clone();
    (request.from, request.to, request.cursor) = (Timestamp::MIN, Timestamp::MAX, None);
    request.limit = 1;
    request.check()?;
    let mut tally = Tally::of(store);
    let sources = store.sources(&request.project, i64::MIN, i64::MAX);
    let found = find(store, &request, &sources, asked.id, &mut tally);
    let Some(Found { pick, time, same }) = found else {
        return Err(QueryError::NoEvent(id_text(asked.id)));
    };
    let (mut events, _) = show(store, &sources, &request, &[pick], &mut tally);
    let event = events.pop().ok_or_else(|| QueryError::NoEvent(id_text(asked.id)))?;
    request.filter = same;
    let mut beside = |order: Order, limit: usize| {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let key = order.key(time, asked.id);
        let request = Request { order, limit, ..request.clone() };
        let Rows { logs, tally: read, .. } = rows(store, &request, Some(key))?;
        tally.merge(read);
        Ok::<_, QueryError>(logs)
    };
    let mut before = beside(Order::NewestFirst, asked.before)?;
    let after = beside(Order::OldestFirst, asked.after)?;
    before.reverse();
    let mut meta = tally.into_meta();
    meta.count = (before.len() + 1 + after.len()) as u64;
    meta.took_ms = millis(started);
    Ok(ContextAnswer { before, event, after, meta })
}

/// Looks for an event among the sources that may have its id.
fn find(
    store: &Store,
    request: &Request,
    sources: &[Source],
    id: i64,
    tally: &mut Tally,
) -> Option<Found> {
    let search = Search {
        store,
        plan: &Plan::All,
        lookup: &Lookup::nothing(),
        project: &request.project,
        times: (i64::MIN, i64::MAX),
        budget: &request.budget,
    };
    let mut found = None;
    for (number, source) in sources.iter().enumerate() {
        let (first, last) = source.ids();
        if !(first..=last).contains(&id) {
            continue;
        }
        let is_it = ById(|other| other == id);
        let asked = search.ask(source, Some(&is_it), tally, |selector, rows| {
            let Some(row) = rows.iter().next() else { return Ok(()) };
            let time = selector.view().head()?.time(row);
            let mut same = Vec::new();
            for name in [Known::HostName, Known::Service] {
                same.push(same_value(name.as_str(), selector, rows)?);
            }
            let pick = Pick { key: (0, 0), source: number, row };
            found = Some(Found { pick, time: time.unwrap_or_default(), same: Query::And(same) });
            Ok(())
        });
        if found.is_some() || asked == ControlFlow::Break(()) {
            break;
        }
    }
    found
}

/// The condition that a field has the value that it has in the one row of `row`.
fn same_value(name: &str, selector: &mut Selector<'_>, row: &Bitmap) -> Result<Query, Stop> {
    let mut literal = None;
    Reading::new(name).each(selector, row, &mut |_, _, value| {
        literal.get_or_insert_with(|| literal_of(value));
    })?;
    let field = Field::Name(name.to_owned());
    Ok(match literal {
        Some(value) => Query::Is { field: Some(field), value },
        // A value, that is: what has none may still have members of that name.
        None => {
            let value = Literal::Wild(vec![String::new(), String::new()]);
            Query::Not(Box::new(Query::Is { field: Some(field), value }))
        }
    })
}

fn literal_of(value: ValueRef<'_>) -> Literal {
    let text = value.to_text().into_owned();
    match value.kind {
        Kind::Bool => Literal::Bool(text == "true"),
        _ => Literal::Phrase(text),
    }
}

/// The most events before an event, and after it.
pub const MAX_CONTEXT: usize = 1_000;
