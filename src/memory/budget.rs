//! What is left of the memory, and who waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::By;
use super::relief::{Awaits, Holder, Told, relieve};
use crate::metrics::MemoryMetrics;

/// Memory that is shared by all who may grow.
#[derive(Debug)]
pub struct Budget {
    size: usize,
    /// Whether there is so little left that who can do with less should.
    is_pressed: AtomicBool,
    state: Mutex<State>,
    metrics: Option<MemoryMetrics>,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected memory for this, but found that it is in use")]
pub struct Full;

#[derive(Debug, Default)]
struct State {
    used: [usize; By::ALL.len()],
    holders: BTreeMap<u64, Holder>,
    /// Who waits, in the order in which they came.
    waiting: VecDeque<Waiting>,
    /// The number of the next holder, and of the next who waits.
    next: u64,
    /// When it was last asked who has to go.
    relieved: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    by: By,
    bytes: usize,
    since: Instant,
    granted: oneshot::Sender<()>,
}

/// A place among those who wait. What it was granted and nobody took is given back.
struct Turn<'b> {
    budget: &'b Budget,
    number: u64,
    by: By,
    bytes: usize,
    /// Who waits.
    holder: Option<u64>,
    granted: oneshot::Receiver<()>,
}

impl Budget {
    /// So many bytes for all together.
    pub fn new(size: usize, metrics: MemoryMetrics) -> Self {
        Self { metrics: Some(metrics), ..Self::of(size) }
    }

    /// As much as anyone wants.
    pub fn unlimited() -> Self {
        Self::of(usize::MAX / 2)
    }

    /// So many bytes, of which no metrics tell.
    pub fn of(size: usize) -> Self {
        let (is_pressed, state) = (AtomicBool::new(false), Mutex::default());
        Self { size, is_pressed, state, metrics: None }
    }

    /// All that there is, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether there is so little left that who can do with less should.
    pub fn is_pressed(&self) -> bool {
        self.is_pressed.load(Ordering::Relaxed)
    }

    /// Whether someone has waited for room for so long that others have to go.
    pub fn is_short(&self) -> bool {
        let state = self.state.lock();
        state.waiting.front().is_some_and(|first| first.since.elapsed() >= PATIENCE)
    }

    /// Bytes that are reserved by all together.
    pub fn reserved(&self) -> usize {
        self.state.lock().used.iter().sum()
    }

    /// Reserves `bytes`, if there is room; they are to be [given](Self::give) back.
    ///
    /// # Errors
    ///
    /// There is none, or others wait for it.
    pub fn try_take(&self, by: By, bytes: usize) -> Result<(), Full> {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() || !self.fits(&state, by, bytes) {
            drop(state);
            self.count(|metrics| metrics.refused.with_label_values(&[by.as_str()]).inc());
            return Err(Full);
        }
        self.book(&mut state, by, bytes);
        Ok(())
    }

    /// Reserves `bytes` that are in use already.
    pub(super) fn take(&self, by: By, bytes: usize) {
        let mut state = self.state.lock();
        self.book(&mut state, by, bytes);
        let beyond = state.used.iter().sum::<usize>().saturating_sub(self.size);
        if beyond > 0 {
            self.relieve(state, beyond);
        }
    }

    /// Reserves `bytes` when there is room; while there is none, others may have to go.
    pub(super) async fn wait(&self, by: By, bytes: usize, holder: Option<u64>) {
        let Some(mut turn) = self.turn(by, bytes, holder) else { return };
        let mut patience = PATIENCE;
        loop {
            tokio::select! {
                biased;
                granted = &mut turn.granted => {
                    if granted.is_ok() {
                        turn.bytes = 0; // it has it now
                        self.go_on(holder);
                    }
                    return;
                }
                () = sleep(patience) => {
                    self.relieve_waiting();
                    patience = AGAIN;
                }
            }
        }
    }

    /// A place among those who wait; none where there is room at once.
    fn turn(&self, by: By, bytes: usize, holder: Option<u64>) -> Option<Turn<'_>> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() && self.fits(&state, by, bytes) {
            self.book(&mut state, by, bytes);
            return None;
        }
        let (granted, receiver) = oneshot::channel();
        state.next += 1;
        let number = state.next;
        state.waiting.push_back(Waiting { number, by, bytes, since: Instant::now(), granted });
        state.mark(holder, Awaits::Room);
        self.press(&state);
        drop(state);
        self.count(|metrics| metrics.waits.with_label_values(&[by.as_str()]).inc());
        Some(Turn { budget: self, number, by, bytes, holder, granted: receiver })
    }

    /// Gives back `bytes` that were taken.
    pub fn give(&self, by: By, bytes: usize) {
        let mut state = self.state.lock();
        self.unbook(&mut state, by, bytes);
    }

    /// Registers one that holds memory, and may be told to go.
    pub(super) fn register(&self, by: By, bytes: usize) -> (u64, Arc<Told>) {
        let mut state = self.state.lock();
        state.next += 1;
        let (number, told) = (state.next, Arc::<Told>::default());
        let since = Instant::now();
        let awaits = Awaits::Sender;
        let holder = Holder { by, bytes, since, awaits, told: Arc::clone(&told), told_at: None };
        state.holders.insert(number, holder);
        (number, told)
    }

    pub(super) fn forget(&self, holder: u64) {
        self.state.lock().holders.remove(&holder);
    }

    /// Says how much it holds by now, and whether it came to the end of a message since.
    pub(super) fn update(&self, holder: u64, bytes: usize, has_progress: bool) {
        if let Some(holder) = self.state.lock().holders.get_mut(&holder) {
            holder.bytes = bytes;
            if has_progress {
                holder.since = Instant::now();
            }
        }
    }

    /// Says that one keeps what it holds for us, and not for its sender.
    pub(super) fn keep_for_us(&self, holder: u64) {
        self.state.lock().mark(Some(holder), Awaits::Us);
    }

    /// Says that one which waited, for room or for us, gets on: it has not kept others waiting
    /// meanwhile.
    pub(super) fn go_on(&self, holder: Option<u64>) {
        let mut state = self.state.lock();
        state.mark(holder, Awaits::Sender);
        if let Some(holder) = holder.and_then(|holder| state.holders.get_mut(&holder)) {
            holder.since = Instant::now();
        }
    }

    /// Tells those to go who keep others waiting for long.
    fn relieve_waiting(&self) {
        let now = Instant::now();
        let state = self.state.lock();
        let patient =
            state.waiting.iter().filter(|one| now.saturating_duration_since(one.since) >= PATIENCE);
        let all = patient.map(|one| one.bytes).sum();
        self.relieve(state, all);
    }

    /// Tells some to go, so that as much is there as `all` want. Asked again too soon it does nothing:
    /// whoever goes takes a moment.
    fn relieve(&self, mut state: MutexGuard<'_, State>, all: usize) {
        let now = Instant::now();
        if state.relieved.is_some_and(|last| now.saturating_duration_since(last) < AGAIN) {
            return;
        }
        state.relieved = Some(now);
        let first = state.waiting.front().map_or(0, |one| one.bytes);
        let gone = relieve(&mut state.holders, all, first, now);
        drop(state);
        for by in gone {
            self.count(|metrics| metrics.closed.with_label_values(&[by.as_str()]).inc());
        }
    }

    fn fits(&self, state: &State, by: By, bytes: usize) -> bool {
        let used: usize = state.used.iter().sum();
        let own = state.used.get(by as usize).copied().unwrap_or_default();
        let (most, of_all) = match by {
            By::Messages | By::Bodies => (self.size, self.size),
            // Senders have theirs, and the last of it is for them.
            By::Queries => (self.size / 2, self.size / 4 * 3),
        };
        own.saturating_add(bytes) <= most && used.saturating_add(bytes) <= of_all
    }

    fn book(&self, state: &mut State, by: By, bytes: usize) {
        if let Some(used) = state.used.get_mut(by as usize) {
            *used += bytes;
        }
        self.press(state);
        self.show(state, by);
    }

    fn unbook(&self, state: &mut State, by: By, bytes: usize) {
        if let Some(used) = state.used.get_mut(by as usize) {
            *used = used.saturating_sub(bytes);
        }
        self.show(state, by);
        while let Some(first) = state.waiting.front() {
            if !self.fits(state, first.by, first.bytes) {
                break;
            }
            let Some(first) = state.waiting.pop_front() else { break };
            if first.granted.send(()).is_ok() {
                self.book(state, first.by, first.bytes);
            }
        }
        self.press(state);
    }

    fn press(&self, state: &State) {
        let used: usize = state.used.iter().sum();
        let is_pressed = !state.waiting.is_empty() || used.saturating_add(MARGIN) > self.size;
        self.is_pressed.store(is_pressed, Ordering::Relaxed);
    }

    fn show(&self, state: &State, by: By) {
        let used = state.used.get(by as usize).copied().unwrap_or_default();
        self.count(|metrics| {
            let used = i64::try_from(used).unwrap_or(i64::MAX);
            metrics.reserved.with_label_values(&[by.as_str()]).set(used);
        });
    }

    fn count(&self, count: impl FnOnce(&MemoryMetrics)) {
        if let Some(metrics) = &self.metrics {
            count(metrics);
        }
    }
}

impl State {
    fn mark(&mut self, holder: Option<u64>, awaits: Awaits) {
        if let Some(holder) = holder.and_then(|holder| self.holders.get_mut(&holder)) {
            holder.awaits = awaits;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock();
        state.mark(self.holder, Awaits::Sender);
        let number = self.number;
        state.waiting.retain(|one| one.number != number);
        let was_granted = self.granted.try_recv().is_ok();
        let given = if was_granted { self.bytes } else { 0 };
        // Those behind it may find room now.
        self.budget.unbook(&mut state, self.by, given);
    }
}

/// How long someone waits before others have to go.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How often is looked again who has to.
const AGAIN: Duration = Duration::from_millis(100);

/// What is left when there is little: a read may take so much unasked.
const MARGIN: usize = 256 << 10;
