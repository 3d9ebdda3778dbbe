//! The thread that makes batches durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, error};

use super::open::{Batcher, Open, Wake};
use super::room::Room;
use crate::db;
use crate::store::{Error, Origin, Staged, Store};

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

/// What the writer writes with.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'w> {
    /// Where the batches come from.
    pub batcher: &'w Batcher,
    /// Where they go.
    pub store: &'w Store,
    /// Whether there is room for them.
    pub room: &'w Room,
}

/// Writes batches until [`Batcher::stop`], then what is left.
///
/// `begin` is called before each commit, when nothing more comes into it: what is to be durable with
/// it [rides](db::Db::ride) by then. `report` is called after each commit and before its senders are answered; `held` when nothing is
/// written for the time being, with the reason, and when that is over.
///
/// While the disk has no room, nothing is written and nothing is lost: open batches fill, and then
/// readers wait.
///
/// # Errors
///
/// The store did not take a batch, and not because there was no room for it. Nothing of it is
/// acknowledged, and nothing more is written: what a disk holds after a failed sync cannot be known
/// without starting anew.
pub fn run_writer(
    writing: Writing<'_>,
    mut begin: impl FnMut(),
    mut report: impl FnMut(&Commit<'_>),
    mut held: impl FnMut(Option<&'static str>),
) -> Result<(), Error> {
    let Writing { batcher, store, .. } = writing;
    let mut waiting = Waiting { told: None, held: &mut held };
    let (mut last_commit, mut marked) = (Instant::now(), Instant::now());
    loop {
        let wake = batcher.wait(last_commit, IDLE);
        waiting.for_room(writing)?;
        // The sealer must keep up; meanwhile open batches fill, and then readers wait.
        let behind = || store.staged_bytes() > MAX_UNSEALED * store.config().seal_bytes.as_u64();
        while !batcher.is_stopped() && behind() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if wake != Wake::Idle {
            last_commit = Instant::now();
            writing.commit(&mut begin, &mut report, &mut waiting)?;
        }
        writing.mark(&mut marked, wake);
        if wake == Wake::Stop {
            // Readers have ended before the batcher is stopped: nothing can have come since.
            return Ok(());
        }
    }
}

impl Writing<'_> {
    /// Writes down how far batches are synced, once a second and at the end.
    fn mark(self, marked: &mut Instant, wake: Wake) {
        if wake != Wake::Stop && marked.elapsed() < MARK_EVERY {
            return;
        }
        *marked = Instant::now();
        if let Err(error) = self.store.mark() {
            debug!(%error, "cannot write down how far batches are synced");
        }
    }

    fn commit(
        self,
        begin: &mut impl FnMut(),
        report: &mut impl FnMut(&Commit<'_>),
        waiting: &mut Waiting<'_>,
    ) -> Result<(), Error> {
        let batches = self.batcher.take();
        if batches.is_empty() {
            return Ok(());
        }
        begin();
        let began = Instant::now();
        let packed = self.store.pack(batches.iter().map(|open| &open.rows));
        let result = self.put(&packed, waiting);
        let origins = batches.iter().flat_map(|open| open.rows.by_origin());
        let origins = origins.map(|(origin, count)| (&**origin, count)).collect();
        report(&Commit { origins, took: began.elapsed(), stored: result.is_ok() });
        if let Err(error) = &result {
            error!(%error, "the store did not take a batch");
        }
        let mut written = Vec::new();
        for Open { rows, answer, .. } in batches {
            if result.is_ok() {
                answer.stored();
            }
            written.push(rows);
        }
        // Senders have their answers: nobody waits for this.
        if result.is_ok() {
            self.store.digest(packed.iter().zip(written.iter().filter(|rows| !rows.is_empty())));
        }
        written.into_iter().for_each(|rows| self.batcher.give_back(rows));
        result
    }

    /// Puts batches into the store, however long there is no room for them. When the batcher is
    /// stopped, the ballast makes way for the last ones.
    fn put(self, packed: &[Arc<Staged>], waiting: &mut Waiting<'_>) -> Result<(), Error> {
        loop {
            let Err(error) = self.store.put(packed) else { return Ok(()) };
            if error.trouble() == db::Trouble::Fatal {
                return Err(error);
            }
            self.room.refused();
            waiting.for_room(self)?;
            if self.batcher.is_stopped() {
                self.room.make_way(self.store)?;
                return self.store.put(packed);
            }
        }
    }
}

/// Waits for room, and tells of it.
struct Waiting<'h> {
    told: Option<&'static str>,
    held: &'h mut dyn FnMut(Option<&'static str>),
}

impl Waiting<'_> {
    /// Waits until there is room, or the batcher is stopped.
    fn for_room(&mut self, writing: Writing<'_>) -> Result<(), Error> {
        let Writing { batcher, store, room } = writing;
        loop {
            let may_write = room.look(store).map_err(|_| Error::Db(db::Error::Failed))?;
            let why = room.status().held;
            if why != self.told {
                batcher.hold(!may_write);
                (self.held)(why);
                self.told = why;
            }
            if may_write || batcher.is_stopped() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// How long the writer waits for something to come before it looks after the disk.
const IDLE: Duration = Duration::from_millis(500);

/// How often it is written down how far batches are synced.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// How long it waits for room before it looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes that may be staged, in multiples of what is sealed at once.
const MAX_UNSEALED: u64 = 2;
