//! The thread that merges segments while there is time for it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::room::Room;
use super::sealer::SealerStop;
use crate::store::{Merge, Store};

/// What the merger sees of the world.
trait World {
    /// The clock that only goes forward.
    fn now(&self) -> Instant;

    /// Bytes that were staged since the start.
    fn staged_total(&self) -> u64;

    /// Waits; says whether to go on.
    fn sleep(&self, pause: Duration) -> bool;
}

/// The world as it is.
struct Daemon<'d> {
    store: &'d Store,
    stop: &'d SealerStop,
}

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
    let world = Daemon { store, stop };
    let mut load = Load::new(&world);
    let mut pause = TICK;
    while world.sleep(pause) {
        pause = TICK;
        load.look(&world);
        if room.status().held.is_some() {
            continue;
        }
        let what = load.due(world.now());
        match store.merge(what, |bytes| pace(bytes, rate, what, &world, &mut load)) {
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
    world: &impl World,
    load: &mut Load,
) -> ControlFlow<()> {
    let wait = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1));
    let mut goes_on = world.sleep(wait);
    load.look(world);
    if load.is_busy() && what != Merge::Pressing {
        debug!("a merge waits: events arrive");
        let since = world.now();
        while goes_on && load.is_busy() {
            if world.now() - since >= GIVE_UP {
                return ControlFlow::Break(()); // so that it is seen what presses
            }
            goes_on = world.sleep(TICK);
            load.look(world);
        }
    }
    if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

impl World for Daemon<'_> {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn staged_total(&self) -> u64 {
        self.store.staged_total()
    }

    fn sleep(&self, pause: Duration) -> bool {
        self.stop.sleep(pause)
    }
}

impl Load {
    fn new(world: &impl World) -> Self {
        let now = world.now();
        Self { before: (now, world.staged_total()), rate: 0, quiet_since: now }
    }

    /// Looks again, unless it has only just done so.
    fn look(&mut self, world: &impl World) {
        let (now, (at, bytes)) = (world.now(), self.before);
        let micros = u64::try_from((now - at).as_micros()).unwrap_or(u64::MAX);
        if now - at < TICK / 2 {
            return;
        }
        let total = world.staged_total();
        self.rate = (total - bytes).saturating_mul(1_000_000) / micros.max(1);
        self.before = (now, total);
        if self.rate > QUIET {
            self.quiet_since = now;
        }
    }

    fn is_busy(&self) -> bool {
        self.rate > BUSY
    }

    fn due(&self, now: Instant) -> Merge {
        match () {
            () if self.is_busy() => Merge::Pressing,
            () if now - self.quiet_since < SETTLED => Merge::Small,
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// A world in which time passes only while somebody sleeps.
    struct Fake {
        begin: Instant,
        now: Cell<Instant>,
        /// Bytes a second that arrive, and for how long from the beginning.
        arrives: (u64, Duration),
        /// When it is told to stop.
        stops: Duration,
    }

    impl Fake {
        fn new(arrives: u64, long: Duration) -> Self {
            let begin = Instant::now();
            Self { begin, now: Cell::new(begin), arrives: (arrives, long), stops: Duration::MAX }
        }

        fn passed(&self) -> Duration {
            self.now.get() - self.begin
        }
    }

    impl World for Fake {
        fn now(&self) -> Instant {
            self.now.get()
        }

        fn staged_total(&self) -> u64 {
            let (rate, long) = self.arrives;
            let micros = u64::try_from(self.passed().min(long).as_micros()).unwrap();
            rate / 1000 * micros / 1000
        }

        fn sleep(&self, pause: Duration) -> bool {
            self.now.set(self.now.get() + pause);
            self.passed() < self.stops
        }
    }

    const EVER: Duration = Duration::from_secs(1_000_000);
    const RATE: u64 = 64 << 20;

    /// A load that was looked at while bytes were arriving.
    fn seen(world: &Fake) -> Load {
        let mut load = Load::new(world);
        world.sleep(TICK);
        load.look(world);
        load
    }

    #[test]
    fn a_merge_pauses_while_events_arrive_and_then_goes_on() {
        let long = Duration::from_secs(17);
        for what in [Merge::Small, Merge::Last] {
            let world = Fake::new(2 * BUSY, long);
            let mut load = seen(&world);
            assert_eq!(pace(4096, RATE, what, &world, &mut load), ControlFlow::Continue(()));
            assert!(world.passed() >= long, "{what:?} went on after {:?}", world.passed());
            assert!(world.passed() <= long + 2 * TICK, "{what:?}: {:?}", world.passed());
        }
    }

    #[test]
    fn what_presses_does_not_wait_and_what_little_arrives_is_not_waited_for() {
        for (what, arrives) in [(Merge::Pressing, 100 * BUSY), (Merge::Small, BUSY / 2)] {
            let world = Fake::new(arrives, EVER);
            let mut load = seen(&world);
            let before = world.passed();
            assert_eq!(pace(0, RATE, what, &world, &mut load), ControlFlow::Continue(()));
            assert_eq!(world.passed(), before, "{what:?}");
        }
    }

    #[test]
    fn a_merge_does_not_wait_for_ever_and_ends_when_it_is_told_to() {
        let mut world = Fake::new(2 * BUSY, EVER);
        let mut load = seen(&world);
        assert_eq!(pace(0, RATE, Merge::Small, &world, &mut load), ControlFlow::Break(()));
        assert!((GIVE_UP..GIVE_UP + 2 * TICK).contains(&world.passed()), "{:?}", world.passed());
        world.stops = world.passed() + TICK;
        assert_eq!(pace(0, RATE, Merge::Last, &world, &mut load), ControlFlow::Break(()));
        assert!(world.passed() <= world.stops + TICK, "a stop does not wait for quiet");
    }

    #[test]
    fn nothing_is_compressed_harder_before_it_was_quiet_for_a_while() {
        let long = Duration::from_secs(30);
        let world = Fake::new(2 * BUSY, long);
        let mut load = Load::new(&world);
        let mut last = None;
        while world.passed() < 3 * long {
            world.sleep(TICK);
            load.look(&world);
            let due = load.due(world.now());
            let expected = match world.passed() {
                at if at <= long => Merge::Pressing,
                at if at < long + SETTLED => Merge::Small,
                _ => Merge::Last,
            };
            assert_eq!(due, expected, "after {:?}", world.passed());
            last = Some(due);
        }
        assert_eq!(last, Some(Merge::Last));
    }

    proptest! {
        /// Whatever the blocks: no more than the rate, and no less where nothing else keeps it.
        #[test]
        fn merges_keep_to_the_rate(
            blocks in prop::collection::vec(0_u64..4 << 20, 1..50),
            rate in 1_u64 << 16..1 << 30,
        ) {
            let world = Fake::new(0, EVER);
            let mut load = Load::new(&world);
            for bytes in &blocks {
                let flow = pace(*bytes, rate, Merge::Last, &world, &mut load);
                prop_assert_eq!(flow, ControlFlow::Continue(()));
            }
            let total: u64 = blocks.iter().sum();
            let expected = Duration::from_micros(total * 1_000_000 / rate);
            let rounded = Duration::from_micros(blocks.len() as u64);
            prop_assert!(world.passed() <= expected);
            prop_assert!(world.passed() + rounded >= expected, "{:?} {expected:?}", world.passed());
        }
    }
}
