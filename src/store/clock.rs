//! How late it may be taken to be by what deletes.
//!
//! A clock that is wrong must not empty a store. So time goes on for retention by an hour in each
//! run at the most, from where it was left: what a clock that jumped a year ahead would delete goes
//! slowly enough to be seen, and a store that was switched off for a month has caught up within a
//! day. How late it was taken to be is kept in the catalog.

use crate::time::{DAY, Timestamp};

/// The time for retention: no later than `now`, than the end of the newest day that anything was
/// stored under, and than a step from where it was `before`. `None` where the clock cannot be
/// right.
pub(super) fn believed(
    now: Timestamp,
    newest_day: Option<i64>,
    before: Option<Timestamp>,
) -> Option<Timestamp> {
    if now < EPOCH {
        return None;
    }
    let day = newest_day.map(|day| Timestamp::from_micros((day + 1).saturating_mul(DAY)));
    let step = before.map(|before| before.plus(STEP));
    let bounds = [day, step].into_iter().flatten();
    Some(bounds.fold(now, |time, bound| time.min(bound)))
}

/// The days by which segments are past their retention, given their own in the order in which they
/// were made, the newest first: what was received before the clock was set belongs to the day of
/// what came next.
pub(super) fn days_kept_by(
    now: Timestamp,
    days: impl Iterator<Item = i64>,
) -> impl Iterator<Item = i64> {
    days.scan(now.day(), |next, day| {
        if day >= EPOCH.day() {
            *next = day;
        }
        Some(*next)
    })
}

/// Whether it is time to keep how late it is.
pub(super) fn is_worth_keeping(now: Timestamp, before: Option<Timestamp>) -> bool {
    before.is_none_or(|before| now >= before.plus(STEP / 2))
}

/// 2024-01-01: this was written later.
const EPOCH: Timestamp = Timestamp::from_micros(19_723 * DAY);

/// How far time goes on in one run at the most, in microseconds.
const STEP: i64 = DAY / 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_22_how_late_it_may_be() {
        let hour = |hour: i64| EPOCH.plus(hour * DAY / 24);
        let today = EPOCH.day();
        // Now, the newest day stored, where it was before, what is believed; in hours from EPOCH.
        let table = [
            (10, Some(0), None, Some(10)),
            (10, Some(0), Some(10), Some(10)),
            (10, Some(0), Some(9), Some(10)),
            // A year ahead: by what is stored, then by steps.
            (8760, Some(0), None, Some(24)),
            (8760, Some(0), Some(10), Some(11)),
            (8760, Some(365), Some(10), Some(11)),
            // Set back again: what it was is not waited for.
            (10, Some(365), Some(12), Some(10)),
            // Before any network told the time.
            (-1, Some(0), Some(10), None),
            (10, None, None, Some(10)),
        ];
        for (now, day, before, want) in table {
            let found = believed(hour(now), day.map(|day| today + day), before.map(hour));
            assert_eq!(found, want.map(hour), "{now} {day:?} {before:?}");
        }
        assert!(is_worth_keeping(hour(10), None) && is_worth_keeping(hour(10), Some(hour(9))));
        assert!(!is_worth_keeping(hour(10), Some(hour(10))));
    }

    #[test]
    fn what_came_before_the_clock_was_set_is_of_the_day_that_it_was_set_on() {
        let today = EPOCH.day() + 9;
        let days = [3, today - 1, today, 3, 4, today - 2, 5];
        let want = [today, today - 1, today, today, today, today - 2, today - 2];
        let found = days_kept_by(EPOCH.plus(9 * DAY), days.into_iter());
        assert_eq!(found.collect::<Vec<_>>(), want);
    }

    #[test]
    fn a_month_is_caught_up_with_in_a_day_of_runs() {
        let (mut before, now) = (EPOCH, EPOCH.plus(30 * DAY));
        let mut runs = 0;
        while before < now {
            before = believed(now, Some(now.day()), Some(before)).unwrap();
            runs += 1;
        }
        assert_eq!(runs, 30 * 24, "one a minute: half a day");
    }
}
