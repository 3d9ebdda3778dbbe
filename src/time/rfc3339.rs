//! RFC 3339 §5.6, read without allocation.

use super::civil::{days_from_civil, days_in_month};
use super::{SECOND, Timestamp};

/// Reads the whole of `text`; see [`Timestamp::parse_rfc3339`].
pub(super) fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = Date::split(text)?;
    let (micros, zone) = fraction(rest).unwrap_or((0, rest));
    date.instant(micros, offset(zone)?)
}

/// A date and a time of day as they were written, on a calendar and a clock or not.
#[derive(Clone, Copy)]
pub(super) struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Date {
    /// The 19 bytes that begin every RFC 3339 time, and what follows them.
    #[inline]
    pub(super) fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let (year_and_month, rest) = text.split_first_chunk::<8>()?;
        let (&[d1, d2, b'T' | b't' | b' '], rest) = rest.split_first_chunk::<3>()? else {
            return None;
        };
        let (clock, rest) = rest.split_first_chunk::<8>()?;
        let [y1, y2, y3, y4, _, m1, m2, _] = digits(year_and_month, b"0000-00-")?;
        let (hour, minute, second) = hms(clock)?;
        let year = number(y1, y2) * 100 + number(y3, y4);
        let date = Self { year, month: number(m1, m2), day: two(d1, d2)?, hour, minute, second };
        Some((date, rest))
    }

    /// The instant, `offset` seconds east of UTC; `None` where no calendar or clock has it.
    pub(super) fn instant(self, micros: i64, offset: i64) -> Option<Timestamp> {
        let days = 1..=days_in_month(self.year, self.month);
        let on_calendar = (1..=12).contains(&self.month) && days.contains(&self.day);
        if !on_calendar || self.hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let clock = self.hour * 3600 + self.minute * 60 + self.second;
        let days = days_from_civil(self.year, self.month, self.day);
        let seconds = days * 86_400 + clock - offset;
        let time = Timestamp::from_micros(seconds * SECOND + micros);
        (Timestamp::MIN..=Timestamp::MAX).contains(&time).then_some(time)
    }
}

/// `hh:mm:ss`, the whole of `text`.
#[inline]
pub(super) fn hms(text: &[u8]) -> Option<(i64, i64, i64)> {
    let [h1, h2, _, m1, m2, _, s1, s2] = digits(text.try_into().ok()?, b"00:00:00")?;
    Some((number(h1, h2), number(m1, m2), number(s1, s2)))
}

/// The microseconds that a fraction of a second begins with, and what follows it.
#[inline]
pub(super) fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', digits @ ..] = rest else { return None };
    let (mut micros, mut len) = (0, 0);
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        if len < MICROS {
            micros = micros * 10 + i64::from(digit - b'0');
        }
        len += 1;
    }
    for _ in len..MICROS {
        micros *= 10;
    }
    (len > 0).then_some((micros, digits.get(len..).unwrap_or_default()))
}

/// The number that two digits make.
#[inline]
pub(super) fn two(tens: u8, ones: u8) -> Option<i64> {
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    digits.then(|| number(tens - b'0', ones - b'0'))
}

fn number(tens: u8, ones: u8) -> i64 {
    i64::from(tens) * 10 + i64::from(ones)
}

/// The values of the digits in `text`, which must be there where `form` has a `0`; its other bytes
/// are to be the same.
///
/// All eight are looked at together: a time is read of every message, and byte by byte that is a
/// fifth of the work.
#[inline]
fn digits(text: &[u8; 8], form: &[u8; 8]) -> Option<[u8; 8]> {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // What brings the least byte that is wrong in this place up to the high bit.
    let lift = form.map(|byte| if byte == b'0' { 0x80 - 10 } else { 0x80 - 1 });
    let values = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*form);
    // Only a byte with its high bit set, which is wrong already, carries into the next.
    let wrong = (values.wrapping_add(u64::from_le_bytes(lift)) | values) & HIGH;
    (wrong == 0).then(|| values.to_le_bytes())
}

/// Seconds east of UTC: `Z`, `+hh:mm` or `-hh:mm`.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, h1, h2, m1, m2) = match *zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, h1, h2, m1, m2),
        [b'-', h1, h2, b':', m1, m2] => (-1, h1, h2, m1, m2),
        _ => return None,
    };
    let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Digits of a fraction that count.
const MICROS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_and_the_form_are_taken() {
        let form = b"00:00:00";
        for place in 0..8 {
            for byte in 0..=255 {
                let mut text = *b"12:34:56";
                text[place] = byte;
                let right = match form[place] {
                    b'0' => byte.is_ascii_digit(),
                    other => byte == other,
                };
                let found = digits(&text, form);
                assert_eq!(found.is_some(), right, "{}", text.escape_ascii());
                assert!(
                    found.is_none_or(|digits| form[place] != b'0' || digits[place] == byte - b'0')
                );
            }
        }
    }

    #[test]
    fn times() {
        let table = [
            ("2003-10-11T22:14:15.003Z", Some("2003-10-11T22:14:15.003Z")),
            ("2003-08-24T05:14:15.000003-07:00", Some("2003-08-24T12:14:15.000003Z")),
            ("1985-04-12t23:20:50z", Some("1985-04-12T23:20:50.000Z")),
            ("1985-04-12 23:20:50Z", Some("1985-04-12T23:20:50.000Z")),
            ("2026-06-15T23:59:59.99999999999+00:00", Some("2026-06-15T23:59:59.999999Z")),
            ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00.000Z")),
            ("2023-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-06-15T24:00:00Z", None),
            ("2026-06-15T23:59:60Z", None),
            ("2026-06-15T23:59:59", None),
            ("2026-06-15T23:59:59.Z", None),
            ("2026-06-15T23:59:59+99:99", None),
            ("2026-06-15T23:59:59Zx", None),
            ("0000-01-01T00:00:00+00:01", None),
            ("9999-12-31T23:59:59-00:01", None),
            ("", None),
        ];
        for (text, want) in table {
            let time = Timestamp::parse_rfc3339(text.as_bytes()).map(|time| time.to_string());
            assert_eq!(time.as_deref(), want, "{text}");
        }
    }
}
