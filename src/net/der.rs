//! The little of DER (X.690) that tells when certificates and lists of revoked ones end.

use crate::time::Timestamp;

/// Kinds of values.
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;

/// The first value of `der`: its kind, its content, and what is behind it. Lengths have up to four
/// digits.
pub(super) fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, len, rest @ ..] = der else { return None };
    let (len, rest) = match len {
        0..=0x7f => (usize::from(*len), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            let digits = digits.iter();
            (digits.fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((*kind, content, rest))
}

/// `YYMMDDHHMMSSZ`, of the years from 1950 on, or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5).
pub(super) fn time(kind: u8, text: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (century, text) = match kind {
        UTC_TIME if text >= "50" => ("19", text),
        UTC_TIME => ("20", text),
        GENERALIZED_TIME => text.split_at_checked(2)?,
        _ => return None,
    };
    let part = |at: usize| text.get(at..at + 2);
    let (year, month, day) = (part(0)?, part(2)?, part(4)?);
    let (hour, minute, second) = (part(6)?, part(8)?, part(10)?);
    let text = format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Timestamp::parse_rfc3339(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_forms() {
        let read = |kind, text: &[u8]| time(kind, text).map(|time| time.to_string());
        let good = |text: &str| Some(text.to_owned());
        assert_eq!(read(UTC_TIME, b"490101000000Z"), good("2049-01-01T00:00:00.000Z"));
        assert_eq!(read(UTC_TIME, b"500101000000Z"), good("1950-01-01T00:00:00.000Z"));
        assert_eq!(read(GENERALIZED_TIME, b"20510101000000Z"), good("2051-01-01T00:00:00.000Z"));
        assert_eq!(read(UTC_TIME, b"4901010000Z"), None);
        assert_eq!(read(SEQUENCE, b"490101000000Z"), None);
    }

    #[test]
    fn what_is_cut_has_no_value() {
        for der in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x01", b"\x30\x84\xff\xff\xff\xff"] {
            assert_eq!(value(der), None);
        }
        assert_eq!(value(b"\x30\x81\x01a!"), Some((SEQUENCE, &b"a"[..], &b"!"[..])));
    }
}
