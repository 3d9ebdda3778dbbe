//! Times as they stand in front of log lines: RFC 3164 §4.1.2, RFC 3339, and what devices make
//! of both.

use super::rfc3339::{Date, fraction, hms, two};
use super::zone::{self, Zone};
use super::{DAY, Timestamp, civil_from_days};

/// A time found in front of other text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leading {
    /// The instant; `None` where the text has the form of a time but no clock shows it.
    pub time: Option<Timestamp>,
    /// Whether the text named its zone.
    pub has_zone: bool,
    /// The bytes it takes up, from the start of the text.
    pub len: usize,
}

/// Finds the time that `text` begins with. It ends with the text, or before a blank or a colon.
///
/// | form                        | example                                                    |
/// |-----------------------------|------------------------------------------------------------|
/// | RFC 3164                    | `Feb  5 17:32:18`, `FEB 05 17:32:18.123`                   |
/// | with a year                 | `Mar 7 2008 19:06:53`, `Mar 7 19:06:53 2008`               |
/// | with a zone                 | `Apr 21 19:01:35 UTC`, `Aug 24 05:34:00 CST 1987`          |
/// | with a weekday (`ctime`)    | `Sun Dec 04 04:47:44 2005`                                 |
/// | Cisco NX-OS                 | `2026 Jun 15 11:59:58.123 CDT`                             |
/// | RFC 3339, zone as it may be | `2026-06-15T11:59:58Z`, `2026-06-15 11:59:58,123`, `+0200` |
///
/// `offset` (seconds east of UTC) is the zone of a text that names none. Without a year it is the
/// one that brings the time closest to `near`, but never much more than half a year ahead of it.
pub fn leading(text: &[u8], offset: i32, near: Timestamp) -> Option<Leading> {
    let (parts, rest) = match text.first()? {
        b'0'..=b'9' if text.get(4) == Some(&b' ') => nx_os(text)?,
        b'0'..=b'9' => iso(text)?,
        b'A'..=b'Z' | b'a'..=b'z' => bsd(text)?,
        _ => return None,
    };
    if !matches!(rest.first(), None | Some(b' ' | b':')) {
        return None;
    }
    let has_zone = parts.zone != Zone::Unknown;
    Some(Leading { time: parts.instant(offset, near), has_zone, len: text.len() - rest.len() })
}

/// A time as it was written.
struct Parts {
    /// The year is 0 where there was none.
    date: Date,
    has_year: bool,
    micros: i64,
    zone: Zone,
}

impl Parts {
    fn instant(&self, offset: i32, near: Timestamp) -> Option<Timestamp> {
        let offset = match self.zone {
            Zone::Unknown => i64::from(offset),
            Zone::East(offset) => offset,
            Zone::Impossible => return None,
        };
        let in_year = |year: i64| Date { year, ..self.date }.instant(self.micros, offset);
        if self.has_year {
            // Year 0 is what a clock that was never set shows.
            return in_year(self.date.year).filter(|_| self.date.year > 0);
        }
        let distance = |time: &Timestamp| time.as_micros().abs_diff(near.as_micros());
        let (year, _, _) = civil_from_days(near.day());
        let this_year = in_year(year);
        if this_year.as_ref().is_some_and(|time| distance(time) < HALF_YEAR) {
            return this_year;
        }
        // The last February 29 can be eight years ago, behind a 1900 or a 2100; the next one is
        // no better than any other time that has not come yet.
        let reach = if (self.date.month, self.date.day) == (2, 29) { 8 } else { 1 };
        let is_near = |time: &Timestamp| *time <= near.plus(AHEAD);
        (year - reach..=year + 1).filter_map(in_year).filter(is_near).min_by_key(distance)
    }
}

fn iso(text: &[u8]) -> Option<(Parts, &[u8])> {
    let (date, rest) = Date::split(text)?;
    let (micros, rest) = fraction(rest).unwrap_or((0, rest));
    let (zone, rest) = zone::glued(rest);
    Some((Parts { date, has_year: true, micros, zone }, rest))
}

fn nx_os(text: &[u8]) -> Option<(Parts, &[u8])> {
    let (year, rest) = year(text)?;
    let (parts, rest) = bsd(rest.strip_prefix(b" ")?)?;
    (!parts.has_year).then_some(())?;
    Some((Parts { date: Date { year, ..parts.date }, has_year: true, ..parts }, rest))
}

fn bsd(text: &[u8]) -> Option<(Parts, &[u8])> {
    let (month, rest) = month(weekday(text).unwrap_or(text))?;
    let (day, rest) = day(rest)?;
    let (year_before, rest) = after_blank(rest, year);
    let (clock, rest) = rest.strip_prefix(b" ")?.split_at_checked(8)?;
    let (hour, minute, second) = hms(clock)?;
    let (micros, rest) = fraction(rest).unwrap_or((0, rest));
    let (zone, rest) = match zone::glued(rest) {
        (Zone::Unknown, _) => zone::named(rest),
        found => found,
    };
    let (year_behind, rest) =
        if year_before.is_none() { after_blank(rest, year) } else { (None, rest) };
    let year = year_before.or(year_behind);
    let date = Date { year: year.unwrap_or(0), month, day, hour, minute, second };
    Some((Parts { date, has_year: year.is_some(), micros, zone }, rest))
}

/// What follows a weekday's name of three letters and a blank.
fn weekday(text: &[u8]) -> Option<&[u8]> {
    let (word, rest) = text.split_at_checked(3)?;
    let rest = rest.strip_prefix(b" ")?;
    WEEKDAYS.iter().any(|name| name.eq_ignore_ascii_case(word)).then_some(rest)
}

/// A month's name of three letters, with the blank after it.
///
/// A month's whole name and any other word of three letters is month 0, which is in no calendar:
/// what follows can still tell that a time was meant.
fn month(text: &[u8]) -> Option<(i64, &[u8])> {
    let len = text.iter().take(MAX_MONTH + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = text.split_at(len);
    let rest = rest.strip_prefix(b" ")?;
    let name = word.first_chunk::<3>().filter(|_| len <= MAX_MONTH)?;
    let month = (1..).zip(MONTHS).find(|(_, month)| month.eq_ignore_ascii_case(name));
    match month {
        Some((month, _)) if len == 3 => Some((month, rest)),
        None if len > 3 => None,
        _ => Some((0, rest)),
    }
}

/// The day of the month: one or two digits, with a blank or a zero in front or not.
fn day(text: &[u8]) -> Option<(i64, &[u8])> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    match *text {
        [tens, ones, ref rest @ ..] if ones.is_ascii_digit() => Some((two(tens, ones)?, rest)),
        [ones, ref rest @ ..] => Some((two(b'0', ones)?, rest)),
        [] => None,
    }
}

/// A year of four digits. A colon behind it that no blank follows is one of an IPv6 address.
fn year(text: &[u8]) -> Option<(i64, &[u8])> {
    let &[y1, y2, y3, y4, ref rest @ ..] = text else { return None };
    let ends = matches!(rest, [] | [b' ', ..] | [b':'] | [b':', b' ', ..]);
    ends.then_some((two(y1, y2)? * 100 + two(y3, y4)?, rest))
}

/// What `read` finds behind one blank, and what follows; the text itself where it finds nothing.
fn after_blank(text: &[u8], read: impl Fn(&[u8]) -> Option<(i64, &[u8])>) -> (Option<i64>, &[u8]) {
    match text.strip_prefix(b" ").and_then(read) {
        Some((found, rest)) => (Some(found), rest),
        None => (None, text),
    }
}

/// From here on another year can be closer.
const HALF_YEAR: u64 = 182 * DAY.unsigned_abs();

/// How far ahead of its receipt a time without a year can be: half a leap year.
const AHEAD: i64 = 183 * DAY;

/// The letters of the longest month, `September`.
const MAX_MONTH: usize = 9;

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

const WEEKDAYS: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, near: &str) -> Option<(Option<String>, usize)> {
        let near = Timestamp::parse_rfc3339(near.as_bytes()).unwrap();
        let found = leading(text.as_bytes(), 0, near)?;
        Some((found.time.map(|time| time.to_string()), found.len))
    }

    #[test]
    fn forms() {
        let table = [
            ("Feb  5 17:32:18 h", "2026-02-05T17:32:18.000Z"),
            ("feb 05 17:32:18", "2026-02-05T17:32:18.000Z"),
            ("FEB 5 17:32:18.156 h", "2026-02-05T17:32:18.156Z"),
            ("Mar 7 2008 19:06:53: h", "2008-03-07T19:06:53.000Z"),
            ("Mar 7 19:06:53 2008 h", "2008-03-07T19:06:53.000Z"),
            ("Apr 21 19:01:35.638 UTC : %C", "2026-04-21T19:01:35.638Z"),
            ("Aug 24 05:34:00 CST 1987 h", "1987-08-24T11:34:00.000Z"),
            ("Mar  7 19:06:53+0100 h", "2026-03-07T18:06:53.000Z"),
            ("Sun Dec 04 04:47:44 2005", "2005-12-04T04:47:44.000Z"),
            ("2026 Jun 15 11:59:58.123 CDT: %M", "2026-06-15T16:59:58.123Z"),
            ("2026-06-15T11:59:58 h", "2026-06-15T11:59:58.000Z"),
            ("2026-06-15 11:59:58,123 h", "2026-06-15T11:59:58.123Z"),
            ("2026-06-15T11:59:58.5+0200 h", "2026-06-15T09:59:58.500Z"),
        ];
        for (text, want) in table {
            let found = read(text, "2026-06-15T12:00:00Z");
            assert_eq!(found.and_then(|(time, _)| time).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn ends() {
        let table = [
            ("Feb  5 17:32:18 host", 15),
            ("Feb 5 17:32:18: host", 14),
            ("Feb  5 17:32:18 2003 host", 20),
            ("Feb  5 17:32:18 20031 host", 15),
            ("Feb  5 17:32:18 - host", 15),
            ("Feb  5 17:32:18 2001:db8::1 app", 15),
            ("2026-06-15T11:59:58Z host", 20),
        ];
        for (text, len) in table {
            assert_eq!(read(text, "2026-06-15T12:00:00Z").unwrap().1, len, "{text}");
        }
    }

    #[test]
    fn no_times() {
        for text in [
            "",
            "F",
            "Feb",
            "Feb  ",
            "Feb  5 17:32",
            "Feb  5 17:32:18x",
            "This is text",
            "Accepted 5 17:32:1",
            "2026",
            "2026-06-15",
            "2026-06-15T11:59:58Zx",
            "17:32:18",
            "Septembers 5 17:32:18",
            "Request 5 17:32:18",
        ] {
            assert_eq!(read(text, "2026-06-15T12:00:00Z"), None, "{text}");
        }
    }

    #[test]
    fn sy_09_times_that_are_on_no_clock() {
        for text in [
            "Foo  3 12:08:33",
            "March 3 12:08:33",
            "Jun 31 12:00:00",
            "Jun  0 12:00:00",
            "Jun 15 24:00:00",
            "Jun 15 12:00:60",
            "Feb 29 2023 12:00:00",
            "Mar 7 0000 19:06:53",
            "2026-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "2026-01-01T00:00:00+99:99",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text, "2026-06-15T12:00:00Z"), Some((None, text.len())), "{text}");
        }
    }

    #[test]
    fn sy_09_fractions_are_cut() {
        for digits in 7..=50 {
            let text = format!("2026-06-15T23:59:59.{}Z", "9".repeat(digits));
            let (time, _) = read(&text, "2026-06-15T12:00:00Z").unwrap();
            assert_eq!(time.as_deref(), Some("2026-06-15T23:59:59.999999Z"));
        }
    }

    #[test]
    fn sy_10_the_year_is_the_nearest() {
        let table = [
            ("Dec 31 23:59:58", "2026-01-01T00:00:05Z", "2025-12-31T23:59:58.000Z"),
            ("Jan  1 00:00:05", "2025-12-31T23:59:58Z", "2026-01-01T00:00:05.000Z"),
            ("Dec 31 12:00:00", "2025-01-01T00:00:05Z", "2024-12-31T12:00:00.000Z"),
            ("Feb 29 12:00:00", "2024-02-29T12:00:05Z", "2024-02-29T12:00:00.000Z"),
            ("Feb 29 12:00:00", "2025-01-05T00:00:00Z", "2024-02-29T12:00:00.000Z"),
            ("Feb 29 12:00:00", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00.000Z"),
            ("Feb 29 12:00:00", "2026-03-01T00:00:05Z", "2024-02-29T12:00:00.000Z"),
            ("Feb 29 12:00:00", "2027-12-01T00:00:00Z", "2028-02-29T12:00:00.000Z"),
            ("Feb 29 12:00:00", "2103-06-01T00:00:00Z", "2096-02-29T12:00:00.000Z"),
            ("Jul  1 00:00:00", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00.000Z"),
            ("Jul  5 00:00:00", "2026-01-01T00:00:00Z", "2025-07-05T00:00:00.000Z"),
        ];
        for (text, near, want) in table {
            assert_eq!(read(text, near).unwrap().0.as_deref(), Some(want), "{text} {near}");
        }
    }

    #[test]
    fn the_zone_is_the_listeners_where_none_is_named() {
        let near = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        let at = |text: &[u8]| leading(text, 3 * 3600, near).unwrap().time.unwrap().to_string();
        assert_eq!(at(b"Jun 15 15:00:00"), "2026-06-15T12:00:00.000Z");
        assert_eq!(at(b"2026-06-15T15:00:00"), "2026-06-15T12:00:00.000Z");
        assert_eq!(at(b"Jun 15 15:00:00 UTC"), "2026-06-15T15:00:00.000Z");
    }
}
