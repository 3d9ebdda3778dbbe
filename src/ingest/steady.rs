//! The wall clock without its jumps: for what ends at a time, and must not be forgotten because
//! somebody set the clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::now;
use crate::time::Timestamp;

/// What time it is for a block to end: a clock that jumps is not believed for an hour, so that one
/// that is wrong for a while forgets no block.
pub fn steady() -> Timestamp {
    static CLOCK: LazyLock<(Instant, Mutex<Steady>)> =
        LazyLock::new(|| (Instant::now(), Mutex::new(Steady { base: now(), jumped: None })));
    let (began, steady) = &*CLOCK;
    steady.lock().at(now(), began.elapsed())
}

/// What time it is for a block to begin: it lasts as long as it is to, whichever clock is right.
pub fn lasting() -> Timestamp {
    now().max(steady())
}

/// The wall clock, without its jumps.
#[derive(Debug)]
struct Steady {
    /// The time at the start.
    base: Timestamp,
    /// When the wall clock jumped, by the other.
    jumped: Option<Duration>,
}

impl Steady {
    /// The time, where the wall clock says `wall` and `elapsed` has passed since the start.
    fn at(&mut self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        let micros = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let own = self.base.plus(micros);
        let apart = wall.as_micros().abs_diff(own.as_micros());
        let jumped = *self.jumped.get_or_insert(elapsed);
        let is_believed = apart <= TOLERANCE || elapsed.saturating_sub(jumped) >= BELIEVED;
        if !is_believed {
            return own;
        }
        // A clock that runs a little faster or slower is followed.
        (self.base, self.jumped) = (wall.plus(-micros), None);
        wall
    }
}

/// How far a clock may be set at once and be believed, in microseconds.
const TOLERANCE: u64 = 10_000_000;

/// After this time a clock that jumped is taken to be right.
const BELIEVED: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn a_clock_that_jumps_is_not_believed_for_an_hour() {
        let at = |second: i64| Timestamp::from_micros(second * SECOND);
        let mut steady = Steady { base: at(1000), jumped: None };
        // One after the other: seconds since the start, what the wall clock says, the time.
        let table = [
            (0, 1000, 1000),
            (10, 1012, 1012),
            (20, 1022, 1022),
            (30, 9_000_000, 1032),
            (40, 9_000_010, 1042),
            // Set right again.
            (50, 1052, 1052),
            // Set back, and left so.
            (60, 5, 1062),
            (3659, 3604, 4661),
            (3660, 3605, 3605),
            (3661, 3606, 3606),
        ];
        for (elapsed, wall, want) in table {
            let found = steady.at(at(wall), Duration::from_secs(elapsed));
            assert_eq!(found, at(want), "after {elapsed} s");
        }
    }
}
