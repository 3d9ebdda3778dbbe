//! When the rows of a block are, for whoever counts them over time.

use crate::time::SECOND;

/// How many rows of a block are in which step of time, the earliest first: buckets that are made of
/// whole steps are counted from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    step: i64,
    counts: Vec<(i64, u32)>,
}

impl Timeline {
    /// The step, in microseconds, for rows whose earliest and latest times are these: the longest that
    /// makes a hundred of them. So a bucket that is a hundredth of what all blocks span, and a round
    /// number of whatever unit, is made of whole steps of each block.
    pub fn step((first, last): (i64, i64)) -> i64 {
        let span = last.saturating_sub(first);
        let is_fine = |step: &i64| span / step >= STEPS_WANTED;
        STEPS.into_iter().find(is_fine).unwrap_or(FINEST)
    }

    /// Of times in microseconds, in any order.
    pub(super) fn of(times: &[i64], step: i64) -> Self {
        let mut counts: Vec<(i64, u32)> = Vec::new();
        for time in times {
            let number = time.div_euclid(step);
            match counts.last_mut() {
                Some((last, count)) if *last == number => *count += 1,
                _ => counts.push((number, 1)),
            }
        }
        counts.sort_unstable_by_key(|(number, _)| *number);
        counts.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            kept.1 += if is_same { next.1 } else { 0 };
            is_same
        });
        counts.shrink_to_fit();
        Self { step, counts }
    }

    /// When each step that has a row begins, in microseconds since the epoch, and how many it has.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u32)> {
        self.counts.iter().map(|(number, count)| (number.saturating_mul(self.step), *count))
    }

    /// About the bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        self.counts.len() * size_of::<(i64, u32)>()
    }
}

const FINEST: i64 = SECOND / 1000;

const STEPS: [i64; 4] = [SECOND, SECOND / 10, SECOND / 100, FINEST];

/// At least so many steps, unless they are the finest.
const STEPS_WANTED: i64 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_are_fine_enough_for_a_hundred_buckets() {
        let table = [
            (0, FINEST),
            (SECOND - 1, FINEST),
            (SECOND, SECOND / 100),
            (10 * SECOND - 1, SECOND / 100),
            (10 * SECOND, SECOND / 10),
            (100 * SECOND, SECOND),
            (i64::MAX, SECOND),
        ];
        for (span, step) in table {
            assert_eq!(Timeline::step((0, span)), step, "{span}");
        }
        assert_eq!(Timeline::step((i64::MIN, i64::MAX)), SECOND);
    }

    proptest! {
        #[test]
        fn every_row_is_counted(
            times in prop::collection::vec(
                prop_oneof![-SECOND..SECOND, -300 * SECOND..300 * SECOND, any::<i64>()],
                0..99,
            ),
        ) {
            let step = Timeline::step(super::super::staged::span(&times));
            let timeline = Timeline::of(&times, step);
            let mut left = times.len();
            for (number, count) in &timeline.counts {
                let own = times.iter().filter(|time| time.div_euclid(step) == *number).count();
                prop_assert_eq!(own, *count as usize);
                left -= own;
            }
            prop_assert_eq!(left, 0);
            prop_assert!(timeline.counts.is_sorted_by(|a, b| a.0 < b.0));
            let starts = timeline.counts.iter().map(|(number, count)| (number * step, *count));
            if times.iter().all(|time| time.unsigned_abs() < 1 << 60) {
                prop_assert!(timeline.iter().eq(starts));
            }
        }
    }
}
