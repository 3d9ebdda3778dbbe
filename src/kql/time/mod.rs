//! Times as they are asked for: RFC 3339 and its beginnings, digits of an epoch, and date math.
//!
//! ```text
//! time   := anchor step*
//! anchor := "now" | "" before a step | date | digits | (date or digits) "||"
//! step   := ("+" | "-") [number] unit | "/" unit
//! unit   := s m h H d w M y
//! ```
//!
//! A time is a [`Span`]: `2026-06-15` is a day, `now/h` an hour, `now` an instant. All is UTC,
//! weeks begin on Monday, and what would be before the year 0000 or after 9999 is the nearest that
//! is not.

mod calendar;
mod written;

use self::calendar::Unit;
use crate::time::Timestamp;

/// Reads a point in time, of which `now` is the present; of a longer one, its beginning.
///
/// # Errors
///
/// Anything that is not one of the forms that the error lists.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, TimeError> {
    span(text, now).map(|span| span.first)
}

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a time such as 2026-06-15T12:00:00Z, 2026-06-15, 1781524800, now-15m, -24h or \
     now-1d/d (units s m h d w M y), but found `{found}`"
)]
pub struct TimeError {
    /// The text, or its beginning.
    pub found: String,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first microsecond.
    pub(super) first: Timestamp,
    /// Its last, which may be the same.
    pub(super) last: Timestamp,
}

impl Span {
    /// One microsecond.
    pub(super) fn instant(at: Timestamp) -> Self {
        let at = at.clamp(Timestamp::MIN, Timestamp::MAX);
        Self { first: at, last: at }
    }

    /// `micros` from `first` on, at least one.
    pub(super) fn from_micros(first: i64, micros: i64) -> Self {
        let last = first.saturating_add(micros.max(1) - 1);
        let clamped = |micros| Timestamp::from_micros(micros).clamp(Timestamp::MIN, Timestamp::MAX);
        Self { first: clamped(first), last: clamped(last) }
    }
}

/// Reads a time as the stretch that it names.
pub(super) fn span(text: &str, now: Timestamp) -> Result<Span, TimeError> {
    let text = text.trim();
    let found = || TimeError { found: text.chars().take(MAX_SHOWN).collect() };
    let (anchor, steps) = if let Some(steps) = text.strip_prefix("now") {
        (Some(Span::instant(now)), steps)
    } else if text.starts_with(['-', '+']) {
        (Some(Span::instant(now)), text)
    } else if let Some((anchor, steps)) = text.split_once("||") {
        (written::absolute(anchor), steps)
    } else {
        (written::absolute(text), "")
    };
    anchor.and_then(|anchor| walk(anchor, steps)).ok_or_else(found)
}

/// Takes each step of date math.
fn walk(mut span: Span, mut steps: &str) -> Option<Span> {
    while let Some(sign) = steps.chars().next() {
        let rest = steps.get(sign.len_utf8()..)?;
        let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(len)?;
        let (unit, rest) = rest.split_at_checked(1)?;
        let unit = Unit::named(unit)?;
        // Digits that no `i64` holds go further than the calendar does.
        let count = if digits.is_empty() { 1 } else { digits.parse().unwrap_or(i64::MAX) };
        span = match sign {
            '+' => Span::instant(unit.after(span.first, count)),
            '-' => Span::instant(unit.after(span.first, -count)),
            '/' if digits.is_empty() => unit.around(span.first),
            _ => return None,
        };
        steps = rest;
    }
    Some(span)
}

/// The characters of a time that an error repeats.
const MAX_SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339(b"2026-03-31T12:34:56.789012Z").unwrap()
    }

    fn shown(text: &str) -> String {
        span(text, now()).map_or("-".into(), |span| format!("{} {}", span.first, span.last))
    }

    #[test]
    fn times_and_how_long_they_are() {
        let table = [
            ("2026-06-15T10:20:30.5Z", "2026-06-15T10:20:30.500Z 2026-06-15T10:20:30.599999Z"),
            ("2026-06-15T10:20:30+02:00", "2026-06-15T08:20:30.000Z 2026-06-15T08:20:30.999999Z"),
            ("2026-06-15 10:20", "2026-06-15T10:20:00.000Z 2026-06-15T10:20:59.999999Z"),
            ("2026-06-15T10", "2026-06-15T10:00:00.000Z 2026-06-15T10:59:59.999999Z"),
            ("2026-06-15", "2026-06-15T00:00:00.000Z 2026-06-15T23:59:59.999999Z"),
            ("2024-02", "2024-02-01T00:00:00.000Z 2024-02-29T23:59:59.999999Z"),
            ("2024", "2024-01-01T00:00:00.000Z 2024-12-31T23:59:59.999999Z"),
            ("1781524800", "2026-06-15T12:00:00.000Z 2026-06-15T12:00:00.999999Z"),
            ("1781524800.25", "2026-06-15T12:00:00.250Z 2026-06-15T12:00:00.259999Z"),
            ("1781524800123", "2026-06-15T12:00:00.123Z 2026-06-15T12:00:00.123999Z"),
            ("1781524800123456", "2026-06-15T12:00:00.123456Z 2026-06-15T12:00:00.123456Z"),
            ("1781524800123456789", "2026-06-15T12:00:00.123456Z 2026-06-15T12:00:00.123456Z"),
            ("now", "2026-03-31T12:34:56.789012Z 2026-03-31T12:34:56.789012Z"),
            ("now-15m", "2026-03-31T12:19:56.789012Z 2026-03-31T12:19:56.789012Z"),
            ("-24h", "2026-03-30T12:34:56.789012Z 2026-03-30T12:34:56.789012Z"),
            ("now-h", "2026-03-31T11:34:56.789012Z 2026-03-31T11:34:56.789012Z"),
            ("now+1H", "2026-03-31T13:34:56.789012Z 2026-03-31T13:34:56.789012Z"),
            ("now-1M", "2026-02-28T12:34:56.789012Z 2026-02-28T12:34:56.789012Z"),
            ("now-1d/d", "2026-03-30T00:00:00.000Z 2026-03-30T23:59:59.999999Z"),
            ("now/w", "2026-03-30T00:00:00.000Z 2026-04-05T23:59:59.999999Z"),
            ("now/M", "2026-03-01T00:00:00.000Z 2026-03-31T23:59:59.999999Z"),
            ("now/y+1d", "2026-01-02T00:00:00.000Z 2026-01-02T00:00:00.000Z"),
            ("2026-06-15||-1d/d", "2026-06-14T00:00:00.000Z 2026-06-14T23:59:59.999999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z 0000-01-01T00:00:00.999999Z"),
        ];
        for (text, want) in table {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        let table = [
            "",
            "x",
            "nowhere",
            "now-",
            "now-5",
            "now-5x",
            "now/2d",
            "now 5m",
            "-",
            "-5",
            "2026-13",
            "2026-02-30",
            "2026-06-15T24:00",
            "2026-06-15T10:60",
            "2026-06-15T",
            "2026-06-15Z",
            "2026-06-15T10:20:30.Z",
            "2026-06-15||x",
            "12:30",
            "1.2.3",
            "٣",
        ];
        for text in table {
            assert_eq!(shown(text), "-", "{text}");
        }
        let error = parse_time("yesterday", now()).unwrap_err().to_string();
        assert!(error.starts_with("expected a time such as 2026-06-15T12:00:00Z"), "{error}");
        assert!(error.ends_with("but found `yesterday`"), "{error}");
    }

    #[test]
    fn qy_04_times_beyond_the_calendar_are_its_ends() {
        let first = |text: String| parse_time(&text, now()).unwrap();
        for unit in ["s", "m", "h", "d", "w", "M", "y"] {
            assert_eq!(first(format!("now-999999999999999{unit}")), Timestamp::MIN, "{unit}");
            assert_eq!(first(format!("now+999999999999999{unit}")), Timestamp::MAX, "{unit}");
            assert_eq!(first(format!("now-{}9{unit}", i64::MAX)), Timestamp::MIN, "{unit}");
            assert_eq!(first(format!("now-{}{unit}", i64::MAX)), Timestamp::MIN, "{unit}");
        }
        assert_eq!(first("now-99999999d".into()), Timestamp::MIN);
        assert_eq!(first("9".repeat(29)), Timestamp::MAX);
        assert_eq!(first("now-1000y".into()).to_string(), "1026-03-31T12:34:56.789012Z");
        let far = Timestamp::from_micros(i64::MAX);
        assert_eq!(parse_time("now+1y/y", far).unwrap().to_string(), "9999-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(now)?[-+/|0-9smhHdwMyTZ:. ]{0,24}|\\PC{0,12}", now in any::<i64>()) {
            if let Ok(span) = span(&text, Timestamp::from_micros(now)) {
                prop_assert!(Timestamp::MIN <= span.first && span.first <= span.last);
                prop_assert!(span.last <= Timestamp::MAX);
            }
        }

        #[test]
        fn what_rfc_3339_reads_is_read_the_same(micros in Timestamp::MIN.as_micros()..Timestamp::MAX.as_micros()) {
            let at = Timestamp::from_micros(micros);
            prop_assert_eq!(parse_time(&at.to_string(), now()), Ok(at));
        }
    }
}
