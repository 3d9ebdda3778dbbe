//! A live tail: the rows that came since it was last asked.
//!
//! Ids are given in the order of commits, and a batch becomes visible after all that come before
//! it. So what is new is what has a greater id than all that was seen. That alone would mean to
//! open every block each time; a tail therefore remembers what it has read: staged batches one by
//! one, segments by the last of their numbers, as those only grow.

use std::cell::Cell;
use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::lookup::Lookup;
use super::memory::Memory;
use super::plan::Plan;
use super::projection::Projection;
use super::render::Renderer;
use super::request::{Budget, QueryError, Request};
use super::search::{ById, Search, Tally};
use super::top::{Pick, Top};
use crate::kql::Prepared;
use crate::store::{Source, Staged, Store};
use crate::time::Timestamp;

/// Follows what arrives in a project.
#[derive(Debug)]
pub struct Tail {
    request: Request,
    /// The greatest id that was handed out or passed over.
    after: i64,
    /// Segments up to this one have been read.
    segment: Option<u64>,
    /// Staged batches that have been read, by their address, which each keeps its own.
    staged: FxHashMap<usize, Weak<Staged>>,
}

/// What came since a tail was last asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fresh {
    /// The events as they are shown, with their ids, in the order in which they were stored.
    pub logs: Vec<(i64, Map<String, Value>)>,
    /// Whether there are more at once: the limit was reached, or they would not fit in memory.
    pub has_more: bool,
    /// What could not be read.
    pub partial_reasons: Vec<String>,
}

impl Tail {
    /// Follows what matches `request` and is stored from now on; with an id, what was stored after
    /// that one. Order, cursor and `until` of the request mean nothing here; `limit` is for each
    /// [`poll`](Self::poll).
    ///
    /// # Errors
    ///
    /// When there is something wrong with the request.
    pub fn new(store: &Store, request: Request, after: Option<i64>) -> Result<Self, QueryError> {
        request.check()?;
        drop(Prepared::new(&request.filter, request.now)?);
        let (segment, staged) = (None, FxHashMap::default());
        let mut tail = Self { request, after: after.unwrap_or(i64::MIN), segment, staged };
        tail.request.budget.until = None;
        if after.is_none() {
            let sources = tail.sources(store);
            for source in &sources {
                tail.after = tail.after.max(source.ids().1);
            }
            tail.remember(&sources);
        }
        Ok(tail)
    }

    /// The greatest id that was handed out or passed over: where another tail goes on.
    pub fn position(&self) -> i64 {
        self.after
    }

    /// What came since; `now` is the present of the times in the filter. Nothing, and nothing is
    /// lost, once the budget is cancelled.
    ///
    /// # Errors
    ///
    /// None but those that [`new`](Self::new) would have found.
    pub fn poll(&mut self, store: &Store, now: Timestamp) -> Result<Fresh, QueryError> {
        self.poll_within(store, now, Arc::clone(&self.request.budget.memory))
    }

    /// The same, gathered in `memory`: where there is none for all, the rest comes with the next.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
    pub fn poll_within(
        &mut self,
        store: &Store,
        now: Timestamp,
        memory: Arc<Memory>,
    ) -> Result<Fresh, QueryError> {
        let budget = Budget { memory, ..self.request.budget.clone() };
        let prepared = Prepared::new(&self.request.filter, now)?;
        let plan = Plan::new(&prepared);
        let lookup = Lookup::new(&prepared);
        let sources = self.sources(store);
        let search = Search {
            store,
            plan: &plan,
            lookup: &lookup,
            project: &self.request.project,
            times: (self.request.from.as_micros(), self.request.to.as_micros()),
            budget: &budget,
        };
        let mut tally = Tally::default();
        let mut top = Top::new(self.request.limit);
        let seen = Cell::new(self.after);
        for (number, source) in sources.iter().enumerate() {
            if self.has_read(source) {
                continue;
            }
            let admit = ById(|id| {
                let is_new = id > self.after;
                seen.set(seen.get().max(if is_new { id } else { i64::MIN }));
                is_new
            });
            let asked = search.ask(source, Some(&admit), &mut tally, |selector, found| {
                let head = selector.view().head()?;
                for row in found.iter() {
                    let id = head.id(row).unwrap_or_default();
                    top.push(Pick { key: (id, 0), source: number, row });
                }
                Ok(())
            });
            if asked.is_break() {
                return Ok(Fresh::default());
            }
        }
        let (picks, is_full) = top.finish();
        let (shown, covered) = self.renderer(store, &sources, &budget).show(&picks, &mut tally);
        let has_more = is_full || covered < picks.len();
        let id = |number: usize| picks.get(number).map_or(self.after, |pick| pick.key.0);
        let logs = shown.into_iter().map(|(number, row)| (id(number), row)).collect();
        if has_more {
            self.after = id(covered.saturating_sub(1));
        } else {
            self.after = seen.get();
            self.remember(&sources);
        }
        Ok(Fresh { logs, has_more, partial_reasons: tally.into_reasons() })
    }

    fn renderer<'r>(
        &self,
        store: &'r Store,
        sources: &'r [Source],
        budget: &'r Budget,
    ) -> Renderer<'r> {
        let projection = Projection::new(self.request.fields.as_deref());
        Renderer { store, sources, projection, budget, max_bytes: MAX_BYTES }
    }

    fn sources(&self, store: &Store) -> Vec<Source> {
        let (from, to) = (self.request.from.as_micros(), self.request.to.as_micros());
        store.sources(&self.request.project, from, to)
    }

    fn has_read(&self, source: &Source) -> bool {
        if source.ids().1 <= self.after {
            return true;
        }
        match source {
            Source::Staged(staged) => self.staged.contains_key(&Arc::as_ptr(staged).addr()),
            Source::Block(segment, _) => self.segment.is_some_and(|last| segment.id <= last),
        }
    }

    fn remember(&mut self, sources: &[Source]) {
        let mut staged = FxHashMap::default();
        for source in sources {
            match source {
                Source::Staged(batch) => {
                    drop(staged.insert(Arc::as_ptr(batch).addr(), Arc::downgrade(batch)));
                }
                Source::Block(segment, _) => self.segment = self.segment.max(Some(segment.id)),
            }
        }
        self.staged = staged;
    }
}

/// The memory that the rows of an answer may take, in bytes, roughly.
const MAX_BYTES: usize = 4 << 20;
