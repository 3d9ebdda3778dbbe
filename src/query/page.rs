//! One page of an answer: the first rows of all sources, found without reading more than needed.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::cursor::{Cursor, CursorError};
use super::lookup::Lookup;
use super::plan::Plan;
use super::projection::Projection;
use super::render::Renderer;
use super::request::{Order, Page, QueryError, Request};
use super::search::{Admit, Search, Tally};
use super::stats::millis;
use super::top::{Pick, Top};
use super::workers::walk;
use crate::kql::Prepared;
use crate::store::{Source, Store};
use crate::time::Timestamp;

/// Answers `request` from what is staged and sealed at this moment.
///
/// Damage and a spent budget make the answer partial; they are no errors. An answer holds fewer
/// rows than asked for, and a cursor, where rows are so large that all would not fit in memory.
///
/// # Errors
///
/// When there is something wrong with the request itself.
pub fn run(store: &Store, request: &Request) -> Result<Page, QueryError> {
    let started = Instant::now();
    request.check()?;
    let after = continued(store, request)?;
    let Rows { logs, tally, next } = rows(store, request, after)?;
    let next = next.map(|key| {
        let (time, id) = request.order.time_and_id(key);
        Cursor { time, id, issued: request.now.as_micros() }.to_text(request)
    });
    let mut meta = tally.into_meta();
    meta.count = logs.len() as u64;
    meta.next_cursor = next;
    meta.took_ms = millis(started);
    Ok(Page { logs, meta })
}

/// The rows of an answer.
#[derive(Debug)]
pub(super) struct Rows {
    /// As they are shown, in their order.
    pub(super) logs: Vec<Map<String, Value>>,
    pub(super) tally: Tally,
    /// The key of the last, if there may be more.
    pub(super) next: Option<(i64, i64)>,
}

/// The first rows that match `request`, behind the key `after`.
pub(super) fn rows(
    store: &Store,
    request: &Request,
    after: Option<(i64, i64)>,
) -> Result<Rows, QueryError> {
    let prepared = Prepared::new(&request.filter, request.now)?;
    let plan = Plan::new(&prepared);
    let lookup = Lookup::new(&prepared);
    let sources = sources(store, request, after);
    let search = Search {
        store,
        plan: &plan,
        lookup: &lookup,
        project: &request.project,
        times: (request.from.as_micros(), request.to.as_micros()),
        budget: &request.budget,
    };
    let (picks, has_more, read) = collect(&search, &sources, request, after);
    let mut tally = Tally::of(store);
    tally.merge(read);
    let (logs, covered) = show(store, &sources, request, &picks, &mut tally);
    let last = picks.get(..covered).and_then(|picks| picks.last());
    let goes_on = (has_more || covered < picks.len()) && !tally.is_spent();
    let next = last.filter(|_| goes_on).map(|pick| pick.key);
    Ok(Rows { logs, tally, next })
}

/// Rows as they are shown, and how many of the picks they cover.
pub(super) fn show(
    store: &Store,
    sources: &[Source],
    request: &Request,
    picks: &[Pick],
    tally: &mut Tally,
) -> (Vec<Map<String, Value>>, usize) {
    let renderer = Renderer {
        store,
        sources,
        projection: Projection::new(request.fields.as_deref()),
        budget: &request.budget,
        max_bytes: MAX_BYTES,
    };
    let (shown, covered) = renderer.show(picks, tally);
    (shown.into_iter().map(|(_, row)| row).collect(), covered)
}

/// Asks the sources, best first, until no other can have a row that belongs in the answer. Returns
/// the rows in their order, and whether there may be more.
fn collect(
    search: &Search<'_>,
    sources: &[Source],
    request: &Request,
    after: Option<(i64, i64)>,
) -> (Vec<Pick>, bool, Tally) {
    let order = request.order;
    let top = Mutex::new(Top::new(request.limit));
    let each = |tally: &mut Tally, number: usize, source: &Source| {
        let bar = top.lock().bar();
        if bar.is_some_and(|bar| first_key(order, source) > bar) {
            top.lock().leave();
            return ControlFlow::Break(());
        }
        let between = Between { order, after, bar, left_out: Cell::new(false) };
        let admit = (after.is_some() || bar.is_some()).then_some(&between as &dyn Admit);
        search.ask(source, admit, tally, |selector, found| {
            let head = selector.view().head()?;
            let mut top = top.lock();
            for row in found.iter() {
                if let Some((time, id)) = head.time(row).zip(head.id(row)) {
                    top.push(Pick { key: order.key(time, id), source: number, row });
                }
            }
            Ok(())
        })?;
        if between.left_out.get() {
            top.lock().leave();
        }
        ControlFlow::Continue(())
    };
    let tallies = walk(&request.budget.workers, sources, Tally::default, each);
    let (picks, has_more) = top.into_inner().finish();
    (picks, has_more, merged(tallies))
}

/// The rows behind the last page, and before the worst that is in this one.
struct Between {
    order: Order,
    after: Option<(i64, i64)>,
    bar: Option<(i64, i64)>,
    /// Whether one of them was refused for want of room.
    left_out: Cell<bool>,
}

impl Admit for Between {
    fn admits(&self, time: i64, id: i64) -> bool {
        let key = self.order.key(time, id);
        let is_asked = self.after.is_none_or(|after| key > after);
        let has_room = self.bar.is_none_or(|bar| key < bar);
        self.left_out.set(self.left_out.get() || is_asked && !has_room);
        is_asked && has_room
    }

    fn refuses(&self, first: i64, last: i64) -> bool {
        let (one, other) = (self.order.key(first, 0).0, self.order.key(last, 0).0);
        let (best, worst) = ((one.min(other), i64::MIN), (one.max(other), i64::MAX));
        if self.after.is_some_and(|after| worst <= after) {
            return true;
        }
        let is_over = self.bar.is_some_and(|bar| best > bar);
        // A bar is behind the page before, and so is what is behind it.
        self.left_out.set(self.left_out.get() || is_over);
        is_over
    }
}

/// What all threads read.
pub(super) fn merged(tallies: Vec<Tally>) -> Tally {
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.merge(tally));
    all
}

/// Everything that may hold a row of the answer, best first.
fn sources(store: &Store, request: &Request, after: Option<(i64, i64)>) -> Vec<Source> {
    let (mut from, mut to) = (request.from.as_micros(), request.to.as_micros());
    let after = after.map(|key| request.order.time_and_id(key).0);
    match request.order {
        Order::NewestFirst => to = after.map_or(to, |after| to.min(after)),
        Order::OldestFirst => from = after.map_or(from, |after| from.max(after)),
    }
    let mut sources = store.sources(&request.project, from, to);
    sources.sort_by_key(|source| first_key(request.order, source));
    sources
}

/// The lowest key that a row of `source` may have.
fn first_key(order: Order, source: &Source) -> (i64, i64) {
    let (oldest, newest) = source.times();
    match order {
        Order::NewestFirst => (order.key(newest, 0).0, i64::MIN),
        Order::OldestFirst => (oldest, i64::MIN),
    }
}

/// The key of the row that the page before ended with.
fn continued(store: &Store, request: &Request) -> Result<Option<(i64, i64)>, CursorError> {
    let Some(text) = &request.cursor else { return Ok(None) };
    let cursor = Cursor::parse(text, request)?;
    let kept = store.kept(&request.project).as_micros();
    let kept = i64::try_from(kept).unwrap_or(i64::MAX);
    let issued = Timestamp::from_micros(cursor.issued);
    if issued.plus(kept) < request.now {
        return Err(CursorError::TooOld(issued));
    }
    Ok(Some(request.order.key(cursor.time, cursor.id)))
}

/// The memory that the rows of an answer may take, in bytes, roughly.
const MAX_BYTES: usize = 16 << 20;
