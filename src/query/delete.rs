//! Deletes what a query finds.

use std::collections::BTreeMap;

use super::lookup::Lookup;
use super::memory::Share;
use super::plan::Plan;
use super::request::{QueryError, Request};
use super::search::{ById, Search, Tally};
use crate::kql::Prepared;
use crate::store::{Deleted, Error, RowSet, Source, Store};

/// What a deletion did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Events that are deleted.
    pub events: u64,
    /// Whether there may be events that match and are still there, because they cannot be read.
    pub partial: bool,
    /// Why; at most a few of the reasons.
    pub partial_reasons: Vec<String>,
}

/// Why nothing was deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// There is something wrong with the request.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] Error),
    /// There was not the time to find all of it.
    #[error("expected to be done in time, but found too much to read: ask for less time at once")]
    Spent,
    /// There was no memory to note what was found.
    #[error("expected memory for what is to be deleted, but found that it is in use")]
    NoMemory,
}

/// Deletes the events that `request` finds, of those acknowledged before: all of them or none, and
/// durably when this returns. Limit, order, fields and cursor of the request mean nothing here.
///
/// # Errors
///
/// See [`DeleteError`]; nothing is deleted then.
pub fn delete(store: &Store, request: &Request) -> Result<Deletion, DeleteError> {
    for _ in 0..ATTEMPTS {
        // What was found takes its memory until it is gone.
        let (rows, deletion, _memory) = find(store, request)?;
        match store.delete(&rows) {
            Ok(Deleted { rows, .. }) => return Ok(Deletion { events: rows, ..deletion }),
            // Its rows are in another segment now.
            Err(Error::SegmentGone { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(DeleteError::Spent)
}

/// Counts what [`delete`] would delete.
///
/// # Errors
///
/// As [`delete`].
pub fn count_deletion(store: &Store, request: &Request) -> Result<Deletion, DeleteError> {
    find(store, request).map(|(_, deletion, _)| deletion)
}

/// Rows of sealed blocks, by segment and block.
type Found = BTreeMap<(u64, u32), RowSet>;

/// Finds what is to be deleted, and takes memory for it from the budget of the request. What is staged
/// is sealed first, for only blocks have deleted rows.
fn find<'r>(
    store: &Store,
    request: &'r Request,
) -> Result<(Found, Deletion, Share<'r>), DeleteError> {
    request.check()?;
    let prepared = Prepared::new(&request.filter, request.now).map_err(QueryError::from)?;
    let plan = Plan::new(&prepared);
    let lookup = Lookup::new(&prepared);
    let last = store.last_id();
    store.seal()?;
    let (from, to) = (request.from.as_micros(), request.to.as_micros());
    let times = (from, to);
    let (project, budget) = (&*request.project, &request.budget);
    let search = Search { store, plan: &plan, lookup: &lookup, project, times, budget };
    let (mut found, mut events, mut tally) = (Found::new(), 0, Tally::default());
    let (mut memory, mut has_room) = (Share::new(&budget.memory), true);
    for source in store.sources(project, from, to) {
        let Source::Block(segment, block) = &source else { continue };
        let admit = ById(|id| id <= last);
        let asked = search.ask(&source, Some(&admit), &mut tally, |_, rows| {
            let rows: RowSet = rows.iter().collect();
            events += rows.len();
            has_room = memory.take(COPIES * rows.memory() + OF_A_BLOCK);
            found.insert((segment.id, *block), rows);
            Ok(())
        });
        if !has_room {
            return Err(DeleteError::NoMemory);
        }
        if asked.is_break() {
            return Err(DeleteError::Spent);
        }
    }
    let meta = tally.into_meta();
    let (partial, partial_reasons) = (meta.partial, meta.partial_reasons);
    Ok((found, Deletion { events, partial, partial_reasons }, memory))
}

/// How often the rows of a block are there while they are deleted: as they were found, with those that
/// were deleted before, and as they are written.
const COPIES: usize = 4;

/// What a block takes beside that, in bytes: its places in maps, and its keys.
const OF_A_BLOCK: usize = 512;

/// How often it is looked again for rows that were moved meanwhile.
const ATTEMPTS: usize = 8;
