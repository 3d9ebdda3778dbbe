//! Asks one source after the other, and keeps account of what was read and what could not be.

use std::ops::ControlFlow;

use super::bitmap::Bitmap;
use super::plan::Plan;
use super::prune::{Catalog, Verdict};
use super::request::{Budget, Meta};
use super::select::{Selector, Stop, each_run};
use crate::store::{Error, Source, Store, View};

/// A plan that is being asked of sources.
#[derive(Debug)]
pub(super) struct Search<'r> {
    pub(super) store: &'r Store,
    pub(super) plan: &'r Plan<'r>,
    pub(super) project: &'r str,
    pub(super) budget: &'r Budget,
    pub(super) tally: Tally,
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Tally {
    events: u64,
    bytes: u64,
    is_partial: bool,
    reasons: Vec<String>,
}

impl Search<'_> {
    /// Calls `each` with time, id and number of the rows of `source` that are of the project, that
    /// `admit` admits by time and id, and that match. Breaks when the budget is spent.
    pub(super) fn ask(
        &mut self,
        source: &Source,
        admit: impl Fn(i64, i64) -> bool,
        each: impl FnMut(i64, i64, u32),
    ) -> ControlFlow<()> {
        if self.budget.is_spent() {
            return self.stop();
        }
        let catalog = Catalog::of(source);
        if catalog.is_some_and(|catalog| catalog.verdict(self.plan) == Verdict::None) {
            return ControlFlow::Continue(());
        }
        let view = match self.store.view(source) {
            Ok(view) => view,
            Err(error) => {
                self.tally.unreadable(source, &error);
                return ControlFlow::Continue(());
            }
        };
        self.tally.events += u64::from(view.rows());
        let mask = self.mask(&view, admit);
        if mask.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut selector = Selector::new(&view, catalog, self.budget);
        let found = selector.select(self.plan, &mask);
        self.tally.bytes += selector.bytes();
        match found {
            Ok(found) => hand_out(&view, &found, each),
            Err(Stop::Unreadable(error)) => self.tally.unreadable(source, &error),
            Err(Stop::Spent) => return self.stop(),
        }
        ControlFlow::Continue(())
    }

    /// The rows that may be seen at all: the wall between projects is here, whatever was asked.
    fn mask(&self, view: &View<'_>, admit: impl Fn(i64, i64) -> bool) -> Bitmap {
        let mut mask = Bitmap::none(view.rows());
        each_run(view, |_, origin, rows| {
            if *origin.project != *self.project {
                return;
            }
            for row in rows {
                let (time, id) = (view.times().get(row as usize), view.ids().get(row as usize));
                if time.zip(id).is_some_and(|(time, id)| admit(*time, *id)) {
                    mask.insert(row);
                }
            }
        });
        mask
    }

    fn stop(&mut self) -> ControlFlow<()> {
        self.tally.note("expected to be done in time, but found too much to read".to_owned());
        ControlFlow::Break(())
    }
}

impl Tally {
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

fn hand_out(view: &View<'_>, found: &Bitmap, mut each: impl FnMut(i64, i64, u32)) {
    for row in found.iter() {
        let (time, id) = (view.times().get(row as usize), view.ids().get(row as usize));
        if let Some((time, id)) = time.zip(id) {
            each(*time, *id, row);
        }
    }
}

/// Reasons that an answer repeats.
const MAX_REASONS: usize = 8;
