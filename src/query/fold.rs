//! One walk over all sources for whatever is computed of events.
//!
//! Each thread has a fold of its own, and they are merged in the end. Of a block in which all that
//! matters is constant, or is told by the values of one column and how many rows have each, the
//! catalog is all that is asked.

use std::ops::ControlFlow;

use super::bitmap::Bitmap;
use super::lookup::Lookup;
use super::memory::Share;
use super::plan::Plan;
use super::prune::{Catalog, Verdict};
use super::reading::Reading;
use super::request::QueryError;
use super::search::{Search, Tally};
use super::select::{Selector, Stop};
use super::which::Which;
use super::workers::walk;
use crate::kql::Prepared;
use crate::store::{Source, Store, Timeline};

/// Something that is computed of events.
pub(super) trait Fold: Send {
    /// Is told that the next source is to come.
    fn next(&mut self) {}

    /// Takes in rows that match, where nothing but how many there are matters; says whether that is
    /// so.
    fn counted(&mut self, _: u64) -> bool {
        false
    }

    /// Takes in what the catalog tells of a block whose rows are all asked for; returns how many
    /// of them match, or nothing where the block must be read.
    fn whole(&mut self, asked: &Asked<'_>, block: Catalog<'_>) -> Option<u64>;

    /// Whether [`times`](Self::times) tells something of this block.
    fn wants_times(&self, _: Catalog<'_>) -> bool {
        false
    }

    /// As [`whole`](Self::whole), where that told nothing, from when the rows of the block are.
    fn times(&mut self, _: &Asked<'_>, _: Catalog<'_>, _: &Timeline) -> Option<u64> {
        None
    }

    /// Takes in rows that match.
    fn rows(&mut self, selector: &mut Selector<'_>, found: &Bitmap) -> Result<(), Stop>;

    /// Takes in what another thread computed.
    fn merge(&mut self, other: Self);
}

/// What every block is asked.
#[derive(Debug)]
pub(super) struct Asked<'q> {
    pub(super) plan: &'q Plan<'q>,
    /// Columns that conditions and fields that are read depend on.
    columns: Vec<Box<str>>,
}

/// What was computed.
#[derive(Debug)]
pub(super) struct Folded<F> {
    pub(super) fold: F,
    /// How many events matched.
    pub(super) matched: u64,
    pub(super) tally: Tally,
}

/// Folds all events that `which` says; `fields` are those that the fold reads.
pub(super) fn fold<'m, F: Fold>(
    store: &Store,
    which: &'m Which,
    sources: &[Source],
    fields: &[Reading],
    begin: impl Fn(Share<'m>) -> F + Sync,
) -> Result<Folded<F>, QueryError> {
    let prepared = Prepared::new(&which.filter, which.now)?;
    let plan = Plan::new(&prepared);
    let lookup = Lookup::new(&prepared);
    let asked = Asked::new(&plan, fields);
    let search = Search {
        store,
        plan: &plan,
        lookup: &lookup,
        project: &which.project,
        times: (which.from.as_micros(), which.to.as_micros()),
        budget: &which.budget,
    };
    let begin = || Folded {
        fold: begin(Share::new(&which.budget.memory)),
        matched: 0,
        tally: Tally::of(store),
    };
    let each = |state: &mut Folded<F>, _: usize, source: &Source| {
        state.fold.next();
        if let Some(rows) = search.rows_of_staged(source).filter(|rows| state.fold.counted(*rows)) {
            state.matched += rows;
            return ControlFlow::Continue(());
        }
        // Once for all that follows: what is deleted meanwhile is for the next question.
        let deleted = store.deleted(source);
        let block = Catalog::of(source).filter(|_| search.is_whole(source, deleted.as_deref()));
        let told = block.and_then(|block| {
            let told = state.fold.whole(&asked, block);
            told.or_else(|| by_times(store, source, block, &asked, state))
        });
        if let Some(matched) = told {
            state.matched += matched;
            return match which.budget.is_spent() {
                true => state.tally.stop(),
                false => ControlFlow::Continue(()),
            };
        }
        let Folded { fold, matched, tally } = state;
        search.ask_without(source, deleted.as_deref(), None, tally, |selector, found| {
            fold.rows(selector, found)?;
            *matched += found.len() as u64;
            Ok(())
        })
    };
    let mut states = walk(&which.budget.workers, sources, begin, each).into_iter();
    let mut all = states.next().expect("a walk has a state at least");
    for other in states {
        all.fold.merge(other.fold);
        all.matched += other.matched;
        all.tally.merge(other.tally);
    }
    Ok(all)
}

/// What `fold` makes of when the rows of a block are; where that cannot be read, whoever asks for
/// the rows will say so.
fn by_times<F: Fold>(
    store: &Store,
    source: &Source,
    block: Catalog<'_>,
    asked: &Asked<'_>,
    state: &mut Folded<F>,
) -> Option<u64> {
    if !state.fold.wants_times(block) || block.verdict(asked.plan) != Verdict::All {
        return None;
    }
    let timeline = store.view(source).ok()?.timeline().ok()??;
    let matched = state.fold.times(asked, block, &timeline)?;
    state.tally.saw(u64::from(block.rows()));
    Some(matched)
}

impl<'q> Asked<'q> {
    fn new(plan: &'q Plan<'q>, fields: &[Reading]) -> Self {
        let mut columns: Vec<Box<str>> = Vec::new();
        let read = fields.iter().flat_map(Reading::columns).map(str::to_owned);
        for name in plan.columns().into_iter().chain(read) {
            if !columns.iter().any(|column| **column == *name) {
                columns.push(name.into());
            }
        }
        Self { plan, columns }
    }

    /// Parts of `block` that hold just the rows that match, in each of which `is_known` is true:
    /// the block itself, or its rows by one of the columns that matter.
    pub(super) fn parts<'a>(
        &self,
        block: Catalog<'a>,
        is_known: impl Fn(Catalog<'a>) -> bool,
    ) -> Option<Vec<Catalog<'a>>> {
        let matching = |parts: Vec<Catalog<'a>>| {
            let mut matching = Vec::new();
            for part in parts {
                match part.verdict(self.plan) {
                    Verdict::None => {}
                    Verdict::All if is_known(part) => matching.push(part),
                    Verdict::All | Verdict::Some => return None,
                }
            }
            Some(matching)
        };
        let by_column = || self.columns.iter().find_map(|name| matching(block.parts(name)?));
        matching(vec![block]).or_else(by_column)
    }
}
