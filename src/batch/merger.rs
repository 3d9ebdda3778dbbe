//! The thread that merges segments while there is time for it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::room::Room;
use super::sealer::SealerStop;
use crate::store::{Merge, Store};

/// How busy the store is with what arrives.
#[derive(Debug)]
struct Load {
    /// When, and how many bytes were staged by then.
    before: (Instant, u64),
    /// Bytes a second.
    rate: u64,
    /// Since when next to nothing has arrived.
    quiet_since: Instant,
}

/// Merges until [`SealerStop::stop`]: what is small when the store is not busy, what is left when
/// nothing has arrived for a while, and what presses in any case; but nothing while the disk has
/// no room.
pub fn run_merger(store: &Store, room: &Room, stop: &SealerStop) {
    let rate = store.config().merge_rate.as_u64();
    if rate == 0 {
        return;
    }
    let mut load = Load::new(store);
    let mut pause = TICK;
    while stop.sleep(pause) {
        pause = TICK;
        load.look(store);
        if room.status().held.is_some() {
            continue;
        }
        let what = load.due();
        let mut pace = |bytes| pace(bytes, rate, what, store, stop, &mut load);
        match store.merge(what, &mut pace) {
            Ok(true) => pause = Duration::ZERO,
            Ok(false) => {}
            Err(error) => {
                warn!(%error, "cannot merge segments; they stay as they are");
                pause = PAUSE;
            }
        }
    }
}

/// Waits as long as so many bytes take at the rate; and while the store is busy, unless it presses,
/// but not for ever: segments would become ever more, and none would be merged.
fn pace(
    bytes: u64,
    rate: u64,
    what: Merge,
    store: &Store,
    stop: &SealerStop,
    load: &mut Load,
) -> ControlFlow<()> {
    let wait = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1));
    let mut goes_on = stop.sleep(wait);
    load.look(store);
    if load.is_busy() && what != Merge::Pressing {
        debug!("a merge waits: events arrive");
        let since = Instant::now();
        while goes_on && load.is_busy() {
            if since.elapsed() >= GIVE_UP {
                return ControlFlow::Break(()); // so that it is seen what presses
            }
            goes_on = stop.sleep(TICK);
            load.look(store);
        }
    }
    if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

impl Load {
    fn new(store: &Store) -> Self {
        let now = Instant::now();
        Self { before: (now, store.staged_total()), rate: 0, quiet_since: now }
    }

    /// Looks again, unless it has only just done so.
    fn look(&mut self, store: &Store) {
        let (now, (at, bytes)) = (Instant::now(), self.before);
        let micros = u64::try_from((now - at).as_micros()).unwrap_or(u64::MAX);
        if now - at < TICK / 2 {
            return;
        }
        let total = store.staged_total();
        self.rate = (total - bytes).saturating_mul(1_000_000) / micros.max(1);
        self.before = (now, total);
        if self.rate > QUIET {
            self.quiet_since = now;
        }
    }

    fn is_busy(&self) -> bool {
        self.rate > BUSY
    }

    fn due(&self) -> Merge {
        match () {
            () if self.is_busy() => Merge::Pressing,
            () if self.quiet_since.elapsed() < SETTLED => Merge::Small,
            () => Merge::Last,
        }
    }
}

/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_millis(500);

/// How long a merge waits while the store is busy. What it has read is then read again later.
const GIVE_UP: Duration = Duration::from_secs(60);

/// How long it waits after a merge that failed.
const PAUSE: Duration = Duration::from_secs(30);

/// Bytes a second that arrive at a store that is busy.
const BUSY: u64 = 4 << 20;

/// Bytes a second that arrive at one that has time for all.
const QUIET: u64 = 64 << 10;

/// How long it must have been quiet before segments are compressed harder.
const SETTLED: Duration = Duration::from_secs(20);
