//! The open batches that readers fill.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};

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
    /// Whose turn it is to wait for room; the others wait for that, the first to ask first.
    turn: AsyncMutex<()>,
    /// Told when the writer took the open batches.
    room: Notify,
    /// No batch takes anything any longer. Set before the writer takes them for the last time, and
    /// read under the lock of a batch: what is in one by then is written.
    stopped: AtomicBool,
    /// Whether nothing is written for the time being, because the disk has no room.
    held: watch::Sender<bool>,
    max_bytes: usize,
    max_delay: Duration,
    /// Batches that were written and are empty again.
    spare: Mutex<Vec<Rows>>,
    /// Connections of which nothing need be known any longer.
    ended: Mutex<Vec<u64>>,
}

/// A batch that takes events.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) rows: Rows,
    pub(super) answer: Answer,
    /// Whether a sender waits until it is durable.
    is_awaited: bool,
}

#[derive(Debug, Default)]
struct Demand {
    /// Some shard has events.
    waiting: bool,
    /// Some shard is full.
    full: bool,
    /// A sender waits for what some shard has.
    is_awaited: bool,
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
            turn: AsyncMutex::default(),
            room: Notify::new(),
            stopped: AtomicBool::new(false),
            held: watch::Sender::new(false),
            max_bytes: usize::try_from(config.max_bytes.as_u64()).unwrap_or(usize::MAX),
            max_delay: config.max_delay,
            spare: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// The bytes from which on a batch takes no further append: `fill` should not add much more.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Lets `fill` add rows to an open batch, once one has room, and returns what it returned and
    /// the ticket of what it added. Who waits for room is served in the order of asking, so that a
    /// sender of little is not kept out by senders of much.
    ///
    /// `fill` holds the batch alone: it must not wait for anything.
    pub async fn append<T>(&self, fill: impl FnOnce(&mut Rows) -> T) -> (T, Ticket) {
        self.append_with(true, |rows, _| fill(rows)).await
    }

    /// As [`append`](Self::append); `fill` is shown the ticket of what it adds, and `is_awaited` says
    /// whether a sender waits for that: what nobody waits for is written less often.
    pub async fn append_with<T>(
        &self,
        is_awaited: bool,
        fill: impl FnOnce(&mut Rows, &Ticket) -> T,
    ) -> (T, Ticket) {
        // Nobody waits: that is told by the turn being free.
        if let Ok(turn) = self.turn.try_lock()
            && let Some(open) = self.open_batch()
        {
            drop(turn);
            return self.fill(open, is_awaited, fill);
        }
        let turn = self.turn.lock().await;
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if let Some(open) = self.open_batch() {
                drop(turn);
                return self.fill(open, is_awaited, fill);
            }
            room.await;
        }
    }

    /// Says that nothing need be known any longer of connections whose ids these are. That is written
    /// with the next batch, whatever that is; it may be lost.
    pub fn forget(&self, connections: impl IntoIterator<Item = u64>) {
        let mut ended = self.ended.lock();
        let room = MAX_ENDED.saturating_sub(ended.len());
        ended.extend(connections.into_iter().take(room));
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

    /// A batch that has room; there is none once the batcher is stopped.
    fn open_batch(&self) -> Option<MutexGuard<'_, Open>> {
        let open = self
            .shards
            .iter()
            .filter_map(Mutex::try_lock)
            .find(|open| !self.is_full(open))
            // All that have room are in use: wait for one, if only for the time of a read.
            .or_else(|| self.shards.iter().map(Mutex::lock).find(|open| !self.is_full(open)))?;
        // Otherwise the writer has taken the last batch, or is about to.
        (!self.is_stopped()).then_some(open)
    }

    fn fill<T>(
        &self,
        mut open: MutexGuard<'_, Open>,
        is_awaited: bool,
        fill: impl FnOnce(&mut Rows, &Ticket) -> T,
    ) -> (T, Ticket) {
        let was_empty = open.rows.is_empty();
        let ticket = open.answer.ticket();
        let result = fill(&mut open.rows, &ticket);
        if open.rows.is_empty() {
            // What was put in was taken out again: nothing may be left that counts as full.
            open.rows.clear();
        }
        let (full, some) = (self.is_full(&open), !open.rows.is_empty());
        let is_news = some && (was_empty || is_awaited && !open.is_awaited);
        open.is_awaited |= some && is_awaited;
        drop(open);
        if full || is_news {
            let mut demand = self.demand.lock();
            demand.waiting = true;
            demand.full |= full;
            demand.is_awaited |= is_awaited;
            drop(demand);
            self.wake.notify_one();
        }
        (result, ticket)
    }

    fn is_full(&self, open: &Open) -> bool {
        open.rows.bytes() >= self.max_bytes || open.rows.is_full()
    }

    /// Waits until there is something to write: some time after `last`, or as soon as a batch is full;
    /// but no longer than `patience` where nothing comes.
    pub(super) fn wait(&self, last: Instant, patience: Duration) -> Wake {
        let mut demand = self.demand.lock();
        let until = Instant::now() + patience;
        while !demand.waiting && !demand.stop {
            if self.wake.wait_until(&mut demand, until).timed_out() {
                return Wake::Idle;
            }
        }
        let mut until = last + self.max_delay;
        while !demand.full && !demand.stop {
            let is_late = self.wake.wait_until(&mut demand, until).timed_out();
            if self.is_due(&demand, last.elapsed()) {
                break;
            }
            if is_late {
                until = Instant::now() + self.max_delay.max(STEP);
            }
        }
        let stop = demand.stop;
        *demand = Demand { stop, ..Demand::default() };
        if stop { Wake::Stop } else { Wake::Take }
    }

    /// Whether what is there is to be written so long after the last commit.
    fn is_due(&self, demand: &Demand, passed: Duration) -> bool {
        let bytes = || self.shards.iter().map(|open| open.lock().rows.bytes()).sum::<usize>();
        passed >= self.max_delay
            && (demand.is_awaited || passed >= UNAWAITED || bytes() >= self.max_bytes / 2)
    }

    /// Takes all open batches that have events and leaves empty ones.
    pub(super) fn take(&self) -> Vec<Open> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut open = shard.lock();
            if !open.rows.is_empty() {
                let rows = self.spare.lock().pop().unwrap_or_default();
                let empty = Open { rows, ..Open::default() };
                taken.push(std::mem::replace(&mut *open, empty));
            }
        }
        if let Some(first) = taken.first_mut() {
            first.rows.forget(&mut self.ended.lock());
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
        Self { rows: Rows::default(), answer: Answer::new(), is_awaited: false }
    }
}

/// More than there are threads that fill them, so that a reader seldom waits for another.
const SHARDS: usize = 3;

/// How long what no sender waits for may stay unwritten, unless it is half a batch before. Each commit
/// costs a sync, and each batch what is done for it however small it is.
const UNAWAITED: Duration = Duration::from_millis(50);

/// How often it is looked at least whether it is.
const STEP: Duration = Duration::from_millis(1);

/// Connections that ended since the last batch; of more it is not told.
const MAX_ENDED: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use bytesize::ByteSize;

    use super::*;
    use crate::event::Event;
    use crate::store::Origin;

    #[test]
    fn what_nobody_waits_for_is_written_less_often() {
        let batcher = Batcher::new(&Config::default());
        let (project, listener) = ("default".into(), "test".into());
        let origin = Arc::new(Origin { project, listener, peer: None, key: None, auth: None });
        let append = |is_awaited| {
            let fill = |rows: &mut Rows, _: &Ticket| {
                rows.begin(&origin, 0);
                rows.push(&Event::default());
            };
            let mut append = std::pin::pin!(batcher.append_with(is_awaited, fill));
            let mut context = Context::from_waker(Waker::noop());
            assert!(append.as_mut().poll(&mut context).is_ready());
        };
        let is_due = |passed| batcher.is_due(&batcher.demand.lock(), passed);
        let soon = batcher.max_delay;
        for _ in 0..2 {
            append(false);
            assert_eq!((is_due(soon), is_due(UNAWAITED)), (false, true));
            append(true);
            assert!(is_due(soon), "as soon as somebody waits for some of it");
            append(false);
            assert_eq!((is_due(soon), is_due(soon / 2)), (true, false));
            assert_eq!(batcher.wait(Instant::now(), Duration::ZERO), Wake::Take);
            assert_eq!(batcher.take().len(), 1);
        }
        while batcher.shards[0].lock().rows.bytes() < batcher.max_bytes / 2 {
            assert!(!is_due(soon));
            append(false);
        }
        assert!(is_due(soon), "it is much");
    }

    #[test]
    fn who_waits_for_room_is_served_in_the_order_of_asking() {
        let config = Config { max_bytes: ByteSize::b(1), ..Config::default() };
        let batcher = Batcher::new(&config);
        let (project, listener) = ("default".into(), "test".into());
        let origin = Arc::new(Origin { project, listener, peer: None, key: None, auth: None });
        let append = |number: usize| {
            let origin = &origin;
            batcher.append(move |rows: &mut Rows| {
                rows.begin(origin, 0);
                rows.push(&Event::default());
                number
            })
        };
        let mut context = Context::from_waker(Waker::noop());
        // One fills each batch; five more wait.
        let mut all: Vec<_> = (0..SHARDS + 5).map(|number| Box::pin(append(number))).collect();
        let mut poll = |future: Pin<&mut dyn Future<Output = (usize, Ticket)>>| match future
            .poll(&mut context)
        {
            Poll::Ready((number, _)) => Some(number),
            Poll::Pending => None,
        };
        let first: Vec<_> = all.iter_mut().filter_map(|future| poll(future.as_mut())).collect();
        assert_eq!(first, [0, 1, 2]);
        assert_eq!(batcher.take().len(), SHARDS);
        // There is room for three, but the last to ask are not the first.
        for late in [7, 6, 5, 4] {
            assert_eq!(poll(all[late].as_mut()), None, "{late}");
        }
        for next in [3, 4, 5] {
            assert_eq!(poll(all[next].as_mut()), Some(next));
        }
        assert_eq!(poll(all[6].as_mut()), None);
    }
}
