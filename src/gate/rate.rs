//! A token bucket in whole numbers.
//!
//! Tokens drip in at a steady rate from the moment the gate opens: after a time `t` there have been
//! `drip(t) = rate × t`, rounded down. A bucket is one number, all that was ever spent from it. It
//! lags behind `drip` not at all (what is more than the burst is spilt), and runs ahead of it by
//! the burst, and in debt by more. Nothing is rounded twice, so over any span no more passes than
//! burst + rate × span, but for what cores that ask at the same moment spend before they see each
//! other: the debt of that is kept.
//!
//! ```text
//!        drip               spent            drip + burst
//! ────────┼─── spent of it ───┼─── may pass ──────┼─── a debt ──▶
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::limits::Limits;

/// How many tokens a second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// 0 to [`MAX_RATE`].
    per_second: u64,
    burst: u64,
    /// What some may have beside the burst.
    reserve: u64,
    /// What others may.
    queue: u64,
}

/// For whom there is room in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Anyone.
    Plain,
    /// What is severe, which has a reserve.
    Severe,
    /// What is marked as over the limit.
    Queue,
}

/// What was spent of one bucket; a new one is full.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicU64);

impl Rate {
    /// The rate of so many a second under these limits. `None` is no limit, which is also what a
    /// rate is that no machine can reach.
    pub(super) fn new(per_second: u64, limits: &Limits) -> Option<Self> {
        let within = |time: Duration, most| {
            let whole = u128::from(per_second) * time.as_nanos() / u128::from(NANOS);
            u64::try_from(whole).unwrap_or(most).min(most)
        };
        let burst = within(limits.burst, MAX_BURST);
        let burst = if per_second == 0 { 0 } else { burst.max(1) };
        let reserve = (burst / 100).saturating_mul(u64::from(limits.severe_reserve))
            + (burst % 100 * u64::from(limits.severe_reserve)).div_ceil(100);
        let queue = within(limits.queue, MAX_QUEUE);
        (per_second <= MAX_RATE).then_some(Self { per_second, burst, reserve, queue })
    }

    /// Whether nothing ever passes.
    pub(super) fn is_closed(self) -> bool {
        self.per_second == 0
    }

    /// How many tokens there are `at` a time since the gate was opened.
    pub(super) fn available(self, level: &Level, at: Duration) -> u64 {
        self.room(level, Share::Plain, at)
    }

    /// How many tokens there are for such a one.
    pub(super) fn room(self, level: &Level, share: Share, at: Duration) -> u64 {
        let more = match share {
            Share::Plain => 0,
            Share::Severe => self.reserve,
            Share::Queue => self.queue.max(self.reserve),
        };
        let drip = self.drip(at);
        let spent = level.0.load(Ordering::Relaxed).max(drip);
        drip.saturating_add(self.burst).saturating_add(more).saturating_sub(spent)
    }

    /// Whether no token is missing: the bucket is as good as a new one.
    pub(super) fn is_full(self, level: &Level, at: Duration) -> bool {
        self.available(level, at) == self.burst
    }

    /// How long it takes until all that was spent is there again, in nanoseconds.
    pub(super) fn owed(self, level: &Level, at: Duration) -> u64 {
        let spent = level.0.load(Ordering::Relaxed).saturating_sub(self.drip(at));
        spent.saturating_mul(NANOS).checked_div(self.per_second).unwrap_or_default()
    }

    /// Spends `amount`, in debt if need be, and returns how long it takes until the debt is paid.
    pub(super) fn spend(self, level: &Level, amount: u64, at: Duration) -> Duration {
        let drip = self.drip(at);
        let mut old = level.0.load(Ordering::Relaxed);
        let spent = loop {
            let new = old.max(drip).saturating_add(amount);
            match level.0.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break new,
                Err(seen) => old = seen,
            }
        };
        self.time_for(spent.saturating_sub(drip.saturating_add(self.burst)))
    }

    /// The tokens that have come in since the gate was opened.
    fn drip(self, at: Duration) -> u64 {
        // `MAX_RATE` keeps the product of the second line within 64 bits.
        let whole = at.as_secs().saturating_mul(self.per_second);
        whole.saturating_add(u64::from(at.subsec_nanos()) * self.per_second / NANOS)
    }

    /// How long `tokens` take to come in, rounded up.
    fn time_for(self, tokens: u64) -> Duration {
        if tokens == 0 {
            return Duration::ZERO;
        }
        let (Some(seconds), Some(rest)) =
            (tokens.checked_div(self.per_second), tokens.checked_rem(self.per_second))
        else {
            return Duration::MAX;
        };
        Duration::from_secs(seconds)
            .saturating_add(Duration::from_nanos((rest * NANOS).div_ceil(self.per_second)))
    }
}

/// Nanoseconds in a second.
const NANOS: u64 = 1_000_000_000;

/// Tokens a second from which on a limit is none: ten thousand million bytes a second. At this rate
/// a bucket's number lasts for 58 years.
const MAX_RATE: u64 = 10_000_000_000;

/// The most tokens that can be had at once.
const MAX_BURST: u64 = MAX_RATE * 3600;

/// The most tokens that a queue can be behind by.
const MAX_QUEUE: u64 = MAX_RATE * 86_400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate_of(per_second: u64, burst: Duration) -> Option<Rate> {
        Rate::new(per_second, &Limits { burst, queue: 3 * SECOND, ..Limits::default() })
    }

    #[test]
    fn rl_02_a_burst_of_exactly_the_limit_passes_and_one_more_does_not() {
        let rate = rate_of(100, SECOND).unwrap();
        let level = Level::default();
        let at = Duration::from_secs(7);
        assert_eq!(rate.available(&level, at), 100);
        assert_eq!(rate.spend(&level, 100, at), Duration::ZERO);
        assert_eq!(rate.available(&level, at), 0);
        assert_eq!(rate.spend(&level, 1, at), Duration::from_millis(10));
        assert_eq!(rate.available(&level, at + Duration::from_millis(10)), 0);
        assert_eq!(rate.available(&level, at + Duration::from_millis(20)), 1);
        assert!(rate.is_full(&level, at + Duration::from_millis(1010)));
    }

    #[test]
    fn rl_03_a_frozen_clock_gives_nothing_and_a_long_sleep_one_burst() {
        let rate = rate_of(10, SECOND).unwrap();
        let level = Level::default();
        let at = Duration::from_secs(100);
        rate.spend(&level, 10, at);
        for _ in 0..3 {
            assert_eq!(rate.available(&level, at), 0);
        }
        // A core whose reading is a little older than another's gains nothing by it.
        assert_eq!(rate.available(&level, at - SECOND / 2), 0);
        assert_eq!(rate.available(&level, at + 86_400 * SECOND), 10);
    }

    #[test]
    fn rl_05_zero_closes_and_huge_is_no_limit() {
        let closed = rate_of(0, 3600 * SECOND).unwrap();
        assert!(closed.is_closed());
        assert_eq!(closed.available(&Level::default(), 1_000_000 * SECOND), 0);
        assert_eq!(closed.spend(&Level::default(), 1, SECOND), Duration::MAX);
        assert_eq!(rate_of(u64::MAX, SECOND), None);
        let most = rate_of(MAX_RATE, Duration::MAX).unwrap();
        assert_eq!(most.available(&Level::default(), 31_536_000 * SECOND), MAX_BURST);
        let level = Level::default();
        let year = 31_536_000 * SECOND;
        assert!(most.spend(&level, u64::MAX, year) > year);
        assert_eq!(most.available(&level, year), 0);
        let tiny = rate_of(1, Duration::from_millis(1)).unwrap();
        assert_eq!(tiny.available(&Level::default(), Duration::ZERO), 1);
    }

    #[test]
    fn what_is_severe_has_a_reserve_and_what_is_queued_a_debt() {
        let rate = rate_of(100, SECOND).unwrap();
        let (level, at) = (Level::default(), Duration::from_secs(7));
        let room = |at| {
            [Share::Plain, Share::Severe, Share::Queue].map(|share| rate.room(&level, share, at))
        };
        assert_eq!(room(at), [100, 110, 400]);
        rate.spend(&level, 105, at);
        assert_eq!(room(at), [0, 5, 295]);
        rate.spend(&level, 295, at);
        assert_eq!(room(at), [0, 0, 0]);
        // It is the queue that is paid back first, then the reserve.
        assert_eq!(room(at + 3 * SECOND), [0, 10, 300]);
        assert_eq!(room(at + 4 * SECOND), [100, 110, 400]);
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            per_second in 1..5_000_000u64,
            burst_ms in 1..3000u64,
            steps in prop::collection::vec((0..400_000_000u64, 0..10_000u64), 1..80),
        ) {
            let rate = rate_of(per_second, Duration::from_millis(burst_ms)).unwrap();
            let (level, mut at, mut passed) = (Level::default(), Duration::ZERO, 0u128);
            let burst = u128::from(rate.available(&level, at));
            for (nanos, wanted) in steps {
                at += Duration::from_nanos(nanos);
                let take = wanted.min(rate.available(&level, at));
                prop_assert_eq!(rate.spend(&level, take, at), Duration::ZERO);
                passed += u128::from(take);
                let most = burst + u128::from(per_second) * at.as_nanos() / 1_000_000_000;
                prop_assert!(passed <= most);
            }
        }

        #[test]
        fn a_debt_is_paid_when_the_wait_is_over_and_not_before(
            per_second in 1..5_000_000u64,
            amount in 1..100_000_000u64,
            at in 0..1_000_000_000_000u64,
        ) {
            let rate = rate_of(per_second, SECOND).unwrap();
            let (level, at) = (Level::default(), Duration::from_nanos(at));
            let wait = rate.spend(&level, rate.burst + amount, at);
            prop_assert!(wait > Duration::ZERO);
            prop_assert_eq!(rate.spend(&level, 0, at + wait), Duration::ZERO);
            if wait > 2 * SECOND {
                prop_assert!(rate.spend(&level, 0, at + wait - SECOND) > Duration::ZERO);
            }
        }
    }
}
