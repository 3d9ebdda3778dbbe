//! Units of date math, on the calendar of UTC.

use super::Span;
use crate::time::{DAY, SECOND, Timestamp, civil_from_days, days_from_civil};

/// A unit of date math.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    /// One of so many microseconds, counted from 1970-01-01.
    Fixed(i64),
    /// From Monday.
    Week,
    /// One of so many months.
    Months(i64),
}

impl Unit {
    /// The unit that a letter of date math names.
    pub(super) fn named(letter: &str) -> Option<Self> {
        Some(match letter {
            "s" => Self::Fixed(SECOND),
            "m" => Self::Fixed(60 * SECOND),
            "h" | "H" => Self::Fixed(3600 * SECOND),
            "d" => Self::Fixed(DAY),
            "w" => Self::Week,
            "M" => Self::Months(1),
            "y" => Self::Months(12),
            _ => return None,
        })
    }

    /// The time that is `count` units after `at`, before it if negative.
    ///
    /// A day that the month does not have is its last.
    pub(super) fn after(self, at: Timestamp, count: i64) -> Timestamp {
        let at = at.clamp(Timestamp::MIN, Timestamp::MAX);
        let moved = match self {
            Self::Fixed(micros) => at.plus(count.saturating_mul(micros)),
            Self::Week => at.plus(count.saturating_mul(7 * DAY)),
            Self::Months(months) => {
                let months = count.saturating_mul(months).clamp(-MAX_MONTHS, MAX_MONTHS);
                let (year, month, day) = civil_from_days(at.day());
                let (year, month) = month_after(year, month, months);
                let day = day.min(days_in_month(year, month));
                let days = days_from_civil(year, month, day);
                Timestamp::from_micros(days * DAY + at.as_micros().rem_euclid(DAY))
            }
        };
        moved.clamp(Timestamp::MIN, Timestamp::MAX)
    }

    /// The unit in which `at` is.
    pub(super) fn around(self, at: Timestamp) -> Span {
        let at = at.clamp(Timestamp::MIN, Timestamp::MAX);
        let (first, last) = match self {
            Self::Fixed(micros) => {
                let first = at.as_micros() - at.as_micros().rem_euclid(micros);
                (first, first + micros)
            }
            Self::Week => {
                // Day 0 was a Thursday.
                let first = (at.day() - (at.day() + 3).rem_euclid(7)) * DAY;
                (first, first + 7 * DAY)
            }
            Self::Months(months) => {
                let (year, month, _) = civil_from_days(at.day());
                let month = month - (month - 1) % months;
                let next = month_after(year, month, months);
                let day = |(year, month)| days_from_civil(year, month, 1) * DAY;
                (day((year, month)), day(next))
            }
        };
        Span::from_micros(first, last - first)
    }
}

/// Days since 1970-01-01 of a date that is on the calendar.
pub(super) fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_date = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    is_date.then(|| days_from_civil(year, month, day))
}

/// The month `months` later.
fn month_after(year: i64, month: i64, months: i64) -> (i64, i64) {
    let total = year * 12 + month - 1 + months;
    (total.div_euclid(12), total.rem_euclid(12) + 1)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = month_after(year, month, 1);
    days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
}

/// More months than the calendar has.
const MAX_MONTHS: i64 = 12 * 20_000;
