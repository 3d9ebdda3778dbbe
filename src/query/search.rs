//! Asks sources, and keeps account of what was read and what could not be.

use std::ops::ControlFlow;

use tracing::warn;

use super::bitmap::Bitmap;
use super::lookup::Lookup;
use super::plan::Plan;
use super::prune::{Catalog, Verdict};
use super::request::{Budget, Meta};
use super::select::{Selector, Stop, each_run};
use crate::store::{Error, RowSet, Segment, Source, Store};

/// What is asked of every source, by as many threads as there are.
#[derive(Debug)]
pub(super) struct Search<'r> {
    pub(super) store: &'r Store,
    pub(super) plan: &'r Plan<'r>,
    pub(super) lookup: &'r Lookup,
    pub(super) project: &'r str,
    /// The first and the last time of an event, in microseconds since the epoch.
    pub(super) times: (i64, i64),
    pub(super) budget: &'r Budget,
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Tally {
    events: u64,
    bytes: u64,
    is_partial: bool,
    is_spent: bool,
    reasons: Vec<String>,
}

/// Which rows are to be asked, by time and id.
pub(super) trait Admit {
    /// Whether a row is.
    fn admits(&self, time: i64, id: i64) -> bool;

    /// Whether none is of rows whose times lie in `first..=last`, as far as that can be told.
    fn refuses(&self, first: i64, last: i64) -> bool;
}

/// By the id alone.
pub(super) struct ById<F>(pub(super) F);

impl<F: Fn(i64) -> bool> Admit for ById<F> {
    fn admits(&self, _: i64, id: i64) -> bool {
        self.0(id)
    }

    fn refuses(&self, _: i64, _: i64) -> bool {
        false
    }
}

impl Search<'_> {
    /// Calls `then` with the rows of `source` that are of the project and of the time, that `admit`
    /// admits and that match; not if there are none. Breaks when the budget is spent.
    pub(super) fn ask<'s>(
        &'s self,
        source: &'s Source,
        admit: Option<&dyn Admit>,
        tally: &mut Tally,
        then: impl FnOnce(&mut Selector<'s>, &Bitmap) -> Result<(), Stop>,
    ) -> ControlFlow<()> {
        self.ask_without(source, self.store.deleted(source).as_deref(), admit, tally, then)
    }

    /// As [`ask`](Self::ask), of the rows that are not `deleted`.
    pub(super) fn ask_without<'s>(
        &'s self,
        source: &'s Source,
        deleted: Option<&RowSet>,
        admit: Option<&dyn Admit>,
        tally: &mut Tally,
        then: impl FnOnce(&mut Selector<'s>, &Bitmap) -> Result<(), Stop>,
    ) -> ControlFlow<()> {
        if self.budget.is_spent() {
            return tally.stop();
        }
        let catalog = Catalog::of(source);
        let verdict = catalog.map_or(Verdict::Some, |catalog| catalog.verdict(self.plan));
        if verdict == Verdict::None {
            return ControlFlow::Continue(());
        }
        let damaged = |error: &Error| warn!(%error, "an index is damaged: blocks are read instead");
        if verdict == Verdict::Some && !self.lookup.may_hold(self.store, source, damaged) {
            return ControlFlow::Continue(());
        }
        match self.open(source, (catalog, verdict), deleted, admit, tally, then) {
            Ok(()) => ControlFlow::Continue(()),
            Err(Stop::Spent) => tally.stop(),
            Err(Stop::Unreadable(error)) => {
                tally.unreadable(source, &error);
                ControlFlow::Continue(())
            }
        }
    }

    /// Whether every row of `source` is of the project and of the time and none is `deleted`, as far
    /// as one can tell without opening it. Of what is in quarantine one cannot: which of its rows
    /// were deleted may be what was damaged.
    pub(super) fn is_whole(&self, source: &Source, deleted: Option<&RowSet>) -> bool {
        let ((from, to), (first, last)) = (self.times, source.times());
        let is_own = |(segment, _): (&Segment, _)| *segment.project == *self.project;
        let is_asked = from <= first && last <= to && source.block().is_some_and(is_own);
        is_asked && deleted.is_none() && self.store.admit(source).is_ok()
    }

    /// How many rows of a batch that is not sealed match, where that is told without opening it.
    pub(super) fn rows_of_staged(&self, source: &Source) -> Option<u64> {
        let Source::Staged(staged) = source else { return None };
        let ((from, to), (first, last)) = (self.times, source.times());
        let are_all = matches!(self.plan, Plan::All) && from <= first && last <= to;
        are_all.then(|| staged.rows_of(self.project))
    }

    fn open<'s>(
        &'s self,
        source: &'s Source,
        (catalog, verdict): (Option<Catalog<'s>>, Verdict),
        deleted: Option<&RowSet>,
        admit: Option<&dyn Admit>,
        tally: &mut Tally,
        then: impl FnOnce(&mut Selector<'s>, &Bitmap) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let view = self.store.view(source)?;
        tally.events += u64::from(view.rows());
        let mut selector = Selector::new(view, catalog, self.budget);
        let mut mask = match admit {
            None if self.is_whole(source, deleted) => Bitmap::all(selector.view().rows()),
            _ => self.mask(&selector, admit)?,
        };
        if let Some(deleted) = deleted {
            deleted.iter().for_each(|row| mask.remove(row));
        }
        if mask.is_empty() {
            return Ok(());
        }
        let result = match verdict {
            Verdict::All => then(&mut selector, &mask),
            _ => match selector.select(self.plan, &mask) {
                Ok(found) if found.is_empty() => Ok(()),
                Ok(found) => then(&mut selector, &found),
                Err(stop) => Err(stop),
            },
        };
        tally.bytes += selector.bytes();
        result
    }

    /// The rows that may be seen at all: the wall between projects is here, whatever was asked.
    fn mask(&self, selector: &Selector<'_>, admit: Option<&dyn Admit>) -> Result<Bitmap, Stop> {
        let head = selector.view().head()?;
        let mut mask = Bitmap::none(selector.view().rows());
        let (from, to) = self.times;
        each_run(head, |_, origin, rows| {
            if *origin.project != *self.project {
                return;
            }
            head.zones(rows, |rows, (first, last)| {
                let is_inside = from <= first && last <= to;
                if last < from
                    || first > to
                    || is_inside && admit.is_some_and(|admit| admit.refuses(first, last))
                {
                    return;
                }
                for row in rows {
                    let is_asked = |(time, id): (i64, i64)| {
                        (from..=to).contains(&time)
                            && admit.is_none_or(|admit| admit.admits(time, id))
                    };
                    if head.time(row).zip(head.id(row)).is_some_and(is_asked) {
                        mask.insert(row);
                    }
                }
            });
        });
        Ok(mask)
    }
}

impl Tally {
    /// Nothing read yet; of events that were lost nobody knows what they held, so that they are
    /// missing from every answer.
    pub(super) fn of(store: &Store) -> Self {
        let mut own = Self::default();
        store.missing().into_iter().for_each(|reason| own.note(reason));
        own
    }

    /// Says that a source is missing from the answer.
    pub(super) fn unreadable(&mut self, source: &Source, error: &Error) {
        self.note(match source {
            Source::Staged(_) => format!("staged batch: {error}"),
            Source::Block(segment, block) => {
                format!("segment {:016x}, block {block}: {error}", segment.id)
            }
        });
    }

    /// Says that something is missing from the answer.
    pub(super) fn note(&mut self, reason: String) {
        self.is_partial = true;
        if self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Counts events that were looked at.
    pub(super) fn saw(&mut self, events: u64) {
        self.events += events;
    }

    /// Says that there was no time for more.
    pub(super) fn stop(&mut self) -> ControlFlow<()> {
        self.is_spent = true;
        self.note("expected to be done in time, but found too much to read".to_owned());
        ControlFlow::Break(())
    }

    /// Whether there was no time for more.
    pub(super) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Adds what another thread read.
    pub(super) fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.is_partial |= other.is_partial;
        self.is_spent |= other.is_spent;
        other.reasons.into_iter().for_each(|reason| self.note(reason));
    }

    /// Why something is missing.
    pub(super) fn into_reasons(self) -> Vec<String> {
        self.reasons
    }

    /// What there is to say of it.
    pub(super) fn into_meta(self) -> Meta {
        Meta {
            scanned_events: self.events,
            scanned_bytes: self.bytes,
            partial: self.is_partial,
            partial_reasons: self.reasons,
            ..Meta::default()
        }
    }
}

/// Reasons that an answer repeats.
const MAX_REASONS: usize = 8;
