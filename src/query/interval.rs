//! How wide the buckets of a histogram are, and where they begin.

use super::request::QueryError;
use crate::time::{DAY, SECOND};

/// The width of buckets that begin at multiples of it in UTC: those of weeks on Mondays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    count: i64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    name: &'static str,
    micros: i64,
}

impl Interval {
    /// Reads a number with a unit, `ms`, `s`, `m`, `h`, `d` or `w`: `30s`, `1d`.
    ///
    /// # Errors
    ///
    /// [`QueryError::Interval`] for anything else, for zero, and for more than 3650 days.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let error = || QueryError::Interval(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at_checked(digits).ok_or_else(error)?;
        let count = count.parse().map_err(|_| error())?;
        let unit = UNITS.into_iter().find(|known| known.name == unit).ok_or_else(error)?;
        let interval = Self { count, unit };
        let is_sound = count > 0 && count <= MAX_MICROS / unit.micros;
        if is_sound { Ok(interval) } else { Err(error()) }
    }

    /// One that makes at most a hundred buckets of so many microseconds.
    pub(super) fn fitting(micros: i64) -> Self {
        let wide_enough = |interval: &Self| micros / interval.micros() < FITTING;
        let nice = NICE.into_iter().filter_map(|text| Self::parse(text).ok());
        let longest = Self { count: MAX_MICROS / DAY, unit: DAYS };
        nice.clone().find(wide_enough).unwrap_or(longest)
    }

    /// Its length, in microseconds.
    pub(super) const fn micros(self) -> i64 {
        self.count * self.unit.micros
    }

    /// As it is written.
    pub(super) fn text(self) -> String {
        format!("{}{}", self.count, self.unit.name)
    }

    /// The number of the bucket that a time, in microseconds since the epoch, is in.
    pub(super) const fn bucket(self, micros: i64) -> i64 {
        micros.saturating_sub(self.first()).div_euclid(self.micros())
    }

    /// When a bucket begins, in microseconds since the epoch.
    pub(super) const fn start(self, bucket: i64) -> i64 {
        bucket.saturating_mul(self.micros()).saturating_add(self.first())
    }

    /// The epoch was a Thursday.
    const fn first(self) -> i64 {
        if self.unit.micros == WEEK { 4 * DAY } else { 0 }
    }
}

const WEEK: i64 = 7 * DAY;

const DAYS: Unit = Unit { name: "d", micros: DAY };

const UNITS: [Unit; 6] = [
    Unit { name: "ms", micros: SECOND / 1000 },
    Unit { name: "s", micros: SECOND },
    Unit { name: "m", micros: 60 * SECOND },
    Unit { name: "h", micros: 3600 * SECOND },
    DAYS,
    Unit { name: "w", micros: WEEK },
];

/// Widths that people read easily, from narrow to wide.
const NICE: [&str; 24] = [
    "1ms", "10ms", "100ms", "1s", "2s", "5s", "10s", "15s", "30s", "1m", "2m", "5m", "10m", "15m",
    "30m", "1h", "2h", "3h", "6h", "12h", "1d", "1w", "30d", "365d",
];

const FITTING: i64 = 100;

const MAX_MICROS: i64 = 3650 * DAY;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn intervals_are_read() {
        let table =
            [("1s", SECOND), ("30s", 30 * SECOND), ("5m", 300 * SECOND), ("100ms", 100_000)];
        for (text, micros) in table {
            let interval = Interval::parse(text).unwrap();
            assert_eq!((interval.micros(), interval.text().as_str()), (micros, text));
        }
        let none = [
            "",
            "s",
            "1",
            "0s",
            "-1s",
            "1.5h",
            "1 h",
            "1M",
            "1y",
            "3651d",
            "99999999999999999999s",
        ];
        for text in none {
            assert_eq!(Interval::parse(text), Err(QueryError::Interval(text.to_owned())));
        }
    }

    #[test]
    fn buckets_begin_with_the_hour_the_day_and_the_week() {
        let start = |interval: &str, time: &str| {
            let interval = Interval::parse(interval).unwrap();
            let time = Timestamp::parse_rfc3339(time.as_bytes()).unwrap();
            let start = interval.start(interval.bucket(time.as_micros()));
            Timestamp::from_micros(start).to_string()
        };
        let table = [
            ("1h", "2026-06-17T12:34:56Z", "2026-06-17T12:00:00.000Z"),
            ("1d", "2026-06-17T23:59:59.999999Z", "2026-06-17T00:00:00.000Z"),
            ("1w", "2026-06-17T12:00:00Z", "2026-06-15T00:00:00.000Z"),
            ("1w", "2026-06-15T00:00:00Z", "2026-06-15T00:00:00.000Z"),
            ("1d", "1969-12-31T23:00:00Z", "1969-12-31T00:00:00.000Z"),
            ("7s", "1970-01-01T00:00:13Z", "1970-01-01T00:00:07.000Z"),
        ];
        for (interval, time, want) in table {
            assert_eq!(start(interval, time), want, "{interval} {time}");
        }
        for micros in [0, 1, SECOND, 3600 * SECOND, DAY, 400 * DAY, i64::MAX] {
            let interval = Interval::fitting(micros);
            assert!(micros / interval.micros() < FITTING || interval.micros() == MAX_MICROS);
        }
        assert_eq!(Interval::fitting(3600 * SECOND).text(), "1m");
    }
}
