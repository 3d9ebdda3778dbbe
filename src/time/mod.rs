//! Points in time, as events carry them: microseconds of UTC.
//!
//! Nothing here reads a clock. Who needs to know what time it is gets it passed in.

mod civil;
mod lenient;
mod rfc3339;
pub mod text;
mod zone;

pub use self::civil::{civil_from_days, days_from_civil};
pub use self::lenient::{Leading, leading};

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Microseconds in a day.
pub const DAY: i64 = 86_400 * SECOND;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

impl Timestamp {
    /// The first instant that RFC 3339 can write, year 0000.
    pub const MIN: Self = Self(-62_167_219_200 * SECOND);
    /// The last one, year 9999.
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The days since 1970-01-01, in UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// The point `micros` later (earlier if negative); saturates.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Reads an RFC 3339 date and time, the whole of `text`.
    ///
    /// `T`, `t` or a blank may part date and time; digits of the fraction past the sixth are cut,
    /// never rounded into another second. A leap second and a time that is on no clock are `None`.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        rfc3339::parse(text)
    }
}

impl fmt::Display for Timestamp {
    /// As RFC 3339 in UTC, with milliseconds, or with microseconds where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(SECOND), self.0.rem_euclid(SECOND));
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let clock = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if micros % 1000 == 0 {
            write!(f, ".{:03}Z", micros / 1000)
        } else {
            write!(f, ".{micros:06}Z")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_rfc_3339() {
        let shown = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    }
}
