//! `@timestamp` as Logstash reads it: ISO 8601, a little wider than RFC 3339.

use crate::time::{SECOND, Timestamp};

/// Reads the whole of `text`; `zone_offset`, in seconds east of UTC, is for text without a zone.
///
/// Beside RFC 3339 these are taken, as by Logstash's own parser: no zone, a zone without its colon
/// or its minutes, no seconds, no time of day.
pub(super) fn parse(text: &[u8], zone_offset: i32) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| parse_wide(text, zone_offset))
}

fn parse_wide(text: &[u8], zone_offset: i32) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(DATE)?;
    if text.len() > MAX_LEN {
        return None;
    }
    let (separator, rest) = match rest {
        [b'T' | b't' | b' ', rest @ ..] if !rest.is_empty() => (true, rest),
        [b'T' | b't' | b' '] => return None,
        _ => (false, rest),
    };
    let is_zone = |byte: &u8| matches!(byte, b'Z' | b'z' | b'+' | b'-');
    let (clock, zone) = rest.split_at(rest.iter().position(is_zone).unwrap_or(rest.len()));
    // A time of day and what parts it from the date come together or not at all.
    if separator == clock.is_empty() {
        return None;
    }
    let (clock, seconds): (&[u8], &[u8]) = match clock.len() {
        0 => (b"00:00:00", b""),
        MINUTES => (clock, b":00"),
        _ => (clock, b""),
    };
    let (hours, minutes): (&[u8], &[u8]) = match zone {
        [] => (b"Z", b""),
        [b'+' | b'-', _, _] => (zone, b":00"),
        [b'+' | b'-', _, _, _, _] => zone.split_at(3),
        _ => (zone, b""),
    };
    let colon: &[u8] = if minutes.len() == 2 { b":" } else { b"" };
    let whole = [date, b"T", clock, seconds, hours, colon, minutes].concat();
    let offset = if zone.is_empty() { i64::from(zone_offset) } else { 0 };
    Some(Timestamp::parse_rfc3339(&whole)?.plus(-offset * SECOND))
}

/// The length of `2026-06-15`.
const DATE: usize = 10;

/// The length of `23:59`.
const MINUTES: usize = 5;

/// No time is longer, in bytes.
const MAX_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let hour = 3600;
        let table = [
            ("2014-09-23T12:34:56.789Z", Some("2014-09-23T12:34:56.789Z")),
            ("2014-09-23T12:34:56.789012345-0800", Some("2014-09-23T20:34:56.789012Z")),
            ("2014-09-23T12:34:56-08", Some("2014-09-23T20:34:56.000Z")),
            ("2014-09-23T12:34:56,789", Some("2014-09-23T11:34:56.789Z")),
            ("2014-09-23 12:34:56", Some("2014-09-23T11:34:56.000Z")),
            ("2014-09-23T12:34", Some("2014-09-23T11:34:00.000Z")),
            ("2014-09-23T12:34z", Some("2014-09-23T12:34:00.000Z")),
            ("2014-09-23", Some("2014-09-22T23:00:00.000Z")),
            ("2014-09-23-08:00", Some("2014-09-23T08:00:00.000Z")),
            ("2014-09-23T", None),
            ("2014-09-23TZ", None),
            ("2014-09-2312:34:56", None),
            ("2014-09-23T12", None),
            ("2014-09-23T12:34:56+1", None),
            ("2014-09-23T12:34:56 +0100", None),
            ("2014-02-30", None),
            ("yesterday or so", None),
            ("", None),
        ];
        for (text, want) in table {
            let time = parse(text.as_bytes(), hour).map(|time| time.to_string());
            assert_eq!(time.as_deref(), want, "{text}");
        }
        let long = format!("2014-09-23T12:34:56.{}", "7".repeat(1_000_000));
        assert_eq!(parse(long.as_bytes(), 0), None);
    }
}
