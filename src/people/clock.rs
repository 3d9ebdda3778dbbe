//! A clock that does not go back.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::time::{DAY, Timestamp};

/// The latest time that was seen: what has ended by then stays ended when the clock is set back a
/// little. When it is set back by more than a day, what it showed before is taken to have been
/// wrong.
#[derive(Debug)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// What time it is, where somebody says that it is `now`.
    pub(super) fn at(&self, now: Timestamp) -> Timestamp {
        let micros = now.as_micros();
        let latest = self.0.fetch_max(micros, Ordering::Relaxed).max(micros);
        if latest.saturating_sub(micros) <= DAY { Timestamp::from_micros(latest) } else { now }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_back_is_not_back() {
        let clock = Clock::default();
        let at = |micros| clock.at(Timestamp::from_micros(micros)).as_micros();
        assert_eq!([at(10), at(20), at(15), at(30)], [10, 20, 20, 30]);
        assert_eq!([at(30 + 2 * DAY), at(31), at(31 + DAY)], [30 + 2 * DAY, 31, 30 + 2 * DAY]);
    }
}
