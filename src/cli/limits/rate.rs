//! What a limit would have done to what was counted by the interval: events, or bytes.
//!
//! Within an interval it is not known when they came. They may have come evenly, or all at
//! once: the one is the least that a limit would have cut, the other the most. The shorter the
//! interval, the closer these are.

use std::time::Duration;

/// A limit that is proposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proposed {
    /// Events or bytes a second.
    pub(super) per_second: f64,
    /// How much may come at once, as time at that rate.
    pub(super) burst: Duration,
}

/// What would have become of what one sender sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Replayed {
    pub(super) all: u64,
    /// The least that would have been cut.
    pub(super) least: u64,
    /// The most.
    pub(super) most: u64,
    /// The number of the first interval in which something might have been cut.
    pub(super) first: Option<usize>,
}

impl Proposed {
    /// Replays counts of events, one for each interval of that length.
    pub(super) fn replay(self, counts: &[u64], interval: Duration) -> Replayed {
        let burst = (self.per_second * self.burst.as_secs_f64()).max(1.0);
        let burst = if self.per_second == 0.0 { 0.0 } else { burst };
        let drip = self.per_second * interval.as_secs_f64();
        let (mut evenly, mut at_once) = (burst, burst);
        let (mut least, mut most) = (0.0, 0.0);
        let mut replayed = Replayed::default();
        for (number, count) in counts.iter().enumerate() {
            replayed.all = replayed.all.saturating_add(*count);
            let count = as_number(*count);
            let cut = (count - evenly - drip).max(0.0);
            least += cut;
            evenly = (evenly + drip - count).clamp(0.0, burst);
            let cut = (count - at_once).max(0.0);
            if cut >= 1.0 && replayed.first.is_none() {
                replayed.first = Some(number);
            }
            most += cut;
            at_once = (at_once - count).max(0.0);
            at_once = (at_once + drip).min(burst);
        }
        (replayed.least, replayed.most) = (whole(least), whole(most));
        replayed
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is estimated need not be exact")]
pub(super) fn as_number(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and no more than what was counted"
)]
fn whole(number: f64) -> u64 {
    number.floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn replay(per_second: f64, counts: &[u64], interval: u32) -> (u64, u64, Option<usize>) {
        let proposed = Proposed { per_second, burst: SECOND };
        let Replayed { least, most, first, .. } = proposed.replay(counts, interval * SECOND);
        (least, most, first)
    }

    #[test]
    fn what_a_limit_would_have_cut() {
        let table: [(f64, &[u64], u32, _); 6] = [
            (10.0, &[10, 10, 10, 10], 1, (0, 0, None)),
            (10.0, &[10, 0, 0, 30, 0], 1, (10, 20, Some(3))),
            (10.0, &[100, 100], 10, (0, 180, Some(0))),
            (10.0, &[200, 200], 10, (190, 380, Some(0))),
            (0.0, &[3, 0, 4], 1, (7, 7, Some(0))),
            (1e12, &[u64::from(u32::MAX)], 1, (0, 0, None)),
        ];
        for (per_second, counts, interval, want) in table {
            assert_eq!(replay(per_second, counts, interval), want, "{per_second} {counts:?}");
        }
    }

    #[test]
    fn the_least_is_never_more_than_the_most() {
        for seed in 0..200_u64 {
            let next = |n: u64| (seed * 7919 + n * 104_729) % 61;
            let counts: Vec<u64> = (0..50).map(next).collect();
            let (least, most, _) = replay(10.0, &counts, 3);
            assert!(least <= most && most <= counts.iter().sum(), "{seed}: {least} {most}");
        }
    }
}
