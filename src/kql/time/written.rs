//! Times that are written out: RFC 3339, cut anywhere between its parts, or digits of an epoch.

use super::Span;
use super::calendar::{Unit, day_number};
use crate::time::{DAY, SECOND, Timestamp};

/// Reads a date, a date and time, or an epoch.
pub(super) fn absolute(text: &str) -> Option<Span> {
    let text = text.trim();
    epoch(text).or_else(|| date(text.as_bytes()))
}

/// Digits: of a year if four; else seconds, with a fraction perhaps, or from 12 digits on
/// milliseconds, from 15 on microseconds and from 18 on nanoseconds since 1970-01-01.
fn epoch(text: &str) -> Option<Span> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = whole.len() < text.len();
    if whole.is_empty()
        || !is_digits(whole)
        || !is_digits(fraction)
        || has_point && fraction.is_empty()
    {
        return None;
    }
    let number: i64 = whole.parse().unwrap_or(i64::MAX);
    Some(match whole.len() {
        4 if !has_point => {
            let day = day_number(number, 1, 1)?;
            Unit::Months(12).around(Timestamp::from_micros(day * DAY))
        }
        ..=11 => {
            let (micros, width) = fraction_micros(fraction.as_bytes());
            Span::from_micros(number.saturating_mul(SECOND).saturating_add(micros), width)
        }
        _ if has_point => return None,
        12..=14 => Span::from_micros(number.saturating_mul(1000), 1000),
        15..=17 => Span::from_micros(number, 1),
        18..=19 => Span::from_micros(number / 1000, 1),
        _ => Span::instant(Timestamp::MAX),
    })
}

/// `YYYY-MM`, then as much of `-DDThh:mm:ss.f` as there is, then a zone if there is a time.
fn date(text: &[u8]) -> Option<Span> {
    let (year, text) = digits(text, 4)?;
    let (month, text) = digits(text.strip_prefix(b"-")?, 2)?;
    let month_start = day_number(year, month, 1)?;
    let Some(text) = text.strip_prefix(b"-") else {
        let month = Unit::Months(1).around(Timestamp::from_micros(month_start * DAY));
        return text.is_empty().then_some(month);
    };
    let (day, text) = digits(text, 2)?;
    let start = day_number(year, month, day)? * DAY;
    match text {
        [] => Some(Span::from_micros(start, DAY)),
        [b'T' | b't' | b' ', time @ ..] => {
            let (micros, width, zone) = clock(time)?;
            Some(Span::from_micros(start + micros - offset(zone)?, width))
        }
        _ => None,
    }
}

/// The microseconds of `hh[:mm[:ss[.f]]]`, how many of them are meant, and what follows.
fn clock(text: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (hour, text) = digits(text, 2).filter(|(hour, _)| *hour < 24)?;
    let micros = hour * 3600 * SECOND;
    let Some(text) = text.strip_prefix(b":") else {
        return Some((micros, 3600 * SECOND, text));
    };
    let (minute, text) = digits(text, 2).filter(|(minute, _)| *minute < 60)?;
    let micros = micros + minute * 60 * SECOND;
    let Some(text) = text.strip_prefix(b":") else {
        return Some((micros, 60 * SECOND, text));
    };
    let (second, text) = digits(text, 2).filter(|(second, _)| *second < 60)?;
    let micros = micros + second * SECOND;
    let Some(fraction) = text.strip_prefix(b".").or_else(|| text.strip_prefix(b",")) else {
        return Some((micros, SECOND, text));
    };
    let len = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, text) = fraction.split_at(len);
    let (more, width) = fraction_micros(fraction);
    (len > 0).then_some((micros + more, width, text))
}

/// Microseconds east of UTC; none is UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, zone) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', zone @ ..] => (1, zone),
        [b'-', zone @ ..] => (-1, zone),
        _ => return None,
    };
    let (hours, zone) = digits(zone, 2).filter(|(hours, _)| *hours < 24)?;
    let (minutes, zone) = digits(zone.strip_prefix(b":").unwrap_or(zone), 2)?;
    (zone.is_empty() && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60 * SECOND)
}

/// The microseconds that digits after the point are, and how many the last of them is worth.
fn fraction_micros(digits: &[u8]) -> (i64, i64) {
    let mut width = SECOND;
    let mut micros = 0;
    for digit in digits.iter().take(6) {
        width /= 10;
        micros += i64::from(digit - b'0') * width;
    }
    (micros, width)
}

/// The number that the first `count` bytes write, and what follows them.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        (digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')), rest)
    })
}
