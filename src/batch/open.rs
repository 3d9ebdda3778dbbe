//! The open batches that readers fill.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, watch};

use super::config::Config;
use super::ticket::{Answer, Ticket};
use crate::store::Rows;

/// Where readers put events.
#[derive(Debug)]
pub struct Batcher {
    shards: Vec<Mutex<Open>>,
    /// What the writer waits for.
    demand: Mutex<Demand>,
    wake: Condvar,
    /// Told when the writer took the open batches.
    room: Notify,
    /// No batch takes anything any longer. Set before the writer takes them for the last time, and
    /// read under the lock of a batch: what is in one by then is written.
    stopped: AtomicBool,
    /// Whether nothing is written for the time being, because the disk has no room.
    held: watch::Sender<bool>,
    max_bytes: usize,
    pub(super) max_delay: Duration,
    /// Batches that were written and are empty again.
    spare: Mutex<Vec<Rows>>,
}

/// A batch that takes events.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) rows: Rows,
    pub(super) answer: Answer,
}

#[derive(Debug, Default)]
struct Demand {
    /// Some shard has events.
    waiting: bool,
    /// Some shard is full.
    full: bool,
    /// No more will come.
    stop: bool,
}

/// What the writer is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Take what is there.
    Take,
    /// Take what is there; then there is no more.
    Stop,
    /// Nothing has come for a while.
    Idle,
}

impl Batcher {
    /// Batches as `config` says.
    pub fn new(config: &Config) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Open::default())).collect(),
            demand: Mutex::default(),
            wake: Condvar::new(),
            room: Notify::new(),
            stopped: AtomicBool::new(false),
            held: watch::Sender::new(false),
            max_bytes: usize::try_from(config.max_bytes.as_u64()).unwrap_or(usize::MAX),
            max_delay: config.max_delay,
            spare: Mutex::default(),
        }
    }

    /// The bytes from which on a batch takes no further append: `fill` should not add much more.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Lets `fill` add rows to an open batch, once one has room, and returns what it returned and
    /// the ticket of what it added.
    ///
    /// `fill` holds the batch alone: it must not wait for anything.
    pub async fn append<T>(&self, fill: impl FnOnce(&mut Rows) -> T) -> (T, Ticket) {
        let mut fill = Some(fill);
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if let Some(done) = self.try_append(&mut fill) {
                return done;
            }
            room.await;
        }
    }

    /// Whether nothing is written for the time being. What is appended waits in memory until there
    /// is room on the disk, and then so does whoever wants to append.
    pub fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    /// Returns once nothing was written for `patience` because the disk has no room.
    pub async fn held_for(&self, patience: Duration) {
        let mut held = self.held.subscribe();
        loop {
            // The sender is here: it is not dropped while we wait.
            let _held = held.wait_for(|held| *held).await.is_ok();
            let freed = held.wait_for(|held| !held);
            if tokio::time::timeout(patience, freed).await.is_err() {
                return;
            }
        }
    }

    pub(super) fn hold(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    /// Whether [`stop`](Self::stop) was called.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Lets the writer end once it has written what is there. Whoever appends from now on waits for
    /// ever: nothing can be promised any longer.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.demand.lock().stop = true;
        self.wake.notify_one();
    }

    fn try_append<T, F: FnOnce(&mut Rows) -> T>(
        &self,
        fill: &mut Option<F>,
    ) -> Option<(T, Ticket)> {
        let mut open = self
            .shards
            .iter()
            .filter_map(Mutex::try_lock)
            .find(|open| !self.is_full(open))
            // All that have room are in use: wait for one, if only for the time of a read.
            .or_else(|| self.shards.iter().map(Mutex::lock).find(|open| !self.is_full(open)))?;
        if self.stopped.load(Ordering::Acquire) {
            return None; // the writer has taken the last batch, or is about to
        }
        let was_empty = open.rows.is_empty();
        let result = fill.take().expect("called until it succeeds once")(&mut open.rows);
        if open.rows.is_empty() {
            // What was put in was taken out again: nothing may be left that counts as full.
            open.rows.clear();
        }
        let ticket = open.answer.ticket();
        let (full, some) = (self.is_full(&open), !open.rows.is_empty());
        drop(open);
        if full || (was_empty && some) {
            let mut demand = self.demand.lock();
            demand.waiting = true;
            demand.full |= full;
            drop(demand);
            self.wake.notify_one();
        }
        Some((result, ticket))
    }

    fn is_full(&self, open: &Open) -> bool {
        open.rows.bytes() >= self.max_bytes || open.rows.is_full()
    }

    /// Waits until there is something to write: from `not_before` on, or as soon as a batch is
    /// full; but no longer than `patience` where nothing comes.
    pub(super) fn wait(&self, not_before: Instant, patience: Duration) -> Wake {
        let mut demand = self.demand.lock();
        let until = Instant::now() + patience;
        while !demand.waiting && !demand.stop {
            if self.wake.wait_until(&mut demand, until).timed_out() {
                return Wake::Idle;
            }
        }
        while !demand.full && !demand.stop {
            if self.wake.wait_until(&mut demand, not_before).timed_out() {
                break;
            }
        }
        (demand.waiting, demand.full) = (false, false);
        if demand.stop { Wake::Stop } else { Wake::Take }
    }

    /// Takes all open batches that have events and leaves empty ones.
    pub(super) fn take(&self) -> Vec<Open> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut open = shard.lock();
            if !open.rows.is_empty() {
                let rows = self.spare.lock().pop().unwrap_or_default();
                let empty = Open { rows, answer: Answer::new() };
                taken.push(std::mem::replace(&mut *open, empty));
            }
        }
        self.room.notify_waiters();
        taken
    }

    /// Takes back the memory of a batch.
    pub(super) fn give_back(&self, mut rows: Rows) {
        rows.clear();
        let mut spare = self.spare.lock();
        if spare.len() < SHARDS {
            spare.push(rows);
        }
    }
}

impl Default for Open {
    fn default() -> Self {
        Self { rows: Rows::default(), answer: Answer::new() }
    }
}

/// More than there are threads that fill them, so that a reader seldom waits for another.
const SHARDS: usize = 3;
