//! The thread that makes batches durable.

use std::time::{Duration, Instant};

use tracing::error;

use super::open::{Batcher, Open, Wake};
use crate::store::{Error, Origin, Store};

/// What a commit did, for the ledger and the metrics.
#[derive(Debug)]
pub struct Commit<'a> {
    /// For each origin, how many events of its own were in the commit. One may come twice.
    pub origins: Vec<(&'a Origin, u64)>,
    /// How long it took.
    pub took: Duration,
    /// Whether the events are durable.
    pub stored: bool,
}

/// Writes batches until [`Batcher::stop`], then what is left. `report` is called after each commit
/// and before its senders are answered.
///
/// # Errors
///
/// The store did not take a batch. Nothing of it is acknowledged, and nothing more is written: what
/// a disk holds after a failed sync cannot be known without starting anew.
pub fn run_writer(
    batcher: &Batcher,
    store: &Store,
    mut report: impl FnMut(&Commit<'_>),
) -> Result<(), Error> {
    let mut last_commit = Instant::now();
    loop {
        let wake = batcher.wait(last_commit + batcher.max_delay);
        // The sealer must keep up; meanwhile open batches fill, and then readers wait.
        let behind = || store.staged_bytes() > MAX_UNSEALED * store.config().seal_bytes.as_u64();
        while !batcher.is_stopped() && behind() {
            std::thread::sleep(Duration::from_millis(1));
        }
        last_commit = Instant::now();
        commit(batcher, store, &mut report)?;
        if wake == Wake::Stop {
            // Readers have ended before the batcher is stopped: nothing can have come since.
            return Ok(());
        }
    }
}

fn commit(
    batcher: &Batcher,
    store: &Store,
    report: &mut impl FnMut(&Commit<'_>),
) -> Result<(), Error> {
    let batches = batcher.take();
    if batches.is_empty() {
        return Ok(());
    }
    let began = Instant::now();
    let result = store.stage(batches.iter().map(|open| &open.rows));
    let origins = batches.iter().flat_map(|open| open.rows.by_origin());
    let origins = origins.map(|(origin, count)| (&**origin, count)).collect();
    report(&Commit { origins, took: began.elapsed(), stored: result.is_ok() });
    if let Err(error) = &result {
        error!(%error, "the store did not take a batch");
    }
    for Open { rows, answer } in batches {
        if result.is_ok() {
            answer.stored();
        }
        batcher.give_back(rows);
    }
    result
}

/// Bytes that may be staged, in multiples of what is sealed at once.
const MAX_UNSEALED: u64 = 2;
