//! How many messages come in a second.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The rate of a counter, between two times that it was asked for.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<Option<Sample>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    count: u64,
    per_second: u64,
}

impl Rate {
    /// The rate a second, of a counter that is at `count` now. Asked again within a second, the
    /// answer is the same.
    pub(super) fn per_second(&self, count: u64, now: Instant) -> u64 {
        let mut last = self.0.lock();
        let Some(Sample { at, count: before, per_second }) = *last else {
            *last = Some(Sample { at: now, count, per_second: 0 });
            return 0;
        };
        let passed = now.saturating_duration_since(at);
        if passed < SHORTEST {
            return per_second;
        }
        let come = u128::from(count.saturating_sub(before)) * 1000 / passed.as_millis().max(1);
        let per_second = u64::try_from(come).unwrap_or(u64::MAX);
        *last = Some(Sample { at: now, count, per_second });
        per_second
    }
}

const SHORTEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between() {
        let (rate, start) = (Rate::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(rate.per_second(100, at(0)), 0);
        assert_eq!(rate.per_second(900, at(500)), 0);
        assert_eq!(rate.per_second(4100, at(2000)), 2000);
        assert_eq!(rate.per_second(9999, at(2500)), 2000);
        assert_eq!(rate.per_second(4100, at(4000)), 0);
    }
}
