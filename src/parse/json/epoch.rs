//! Seconds since the epoch, as a decimal number.

use crate::time::Timestamp;

/// Reads the whole of `text`: `1385053862.3072`, as JSON writes numbers, and with an exponent too.
///
/// The digits are read as such. A binary fraction in between would change the last of them, and
/// with them the order of what happened within a millisecond.
pub(super) fn parse(text: &[u8]) -> Option<Timestamp> {
    let (text, is_negative) = match text {
        [b'-', rest @ ..] => (rest, true),
        _ => (text, false),
    };
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        None => (text, 0),
        Some(at) => (text.get(..at)?, exponent(text.get(at + 1..)?)?),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        None => (mantissa, &b""[..]),
        Some(at) => (mantissa.get(..at)?, mantissa.get(at + 1..)?),
    };
    if whole.is_empty() || mantissa.len() > MAX_LEN {
        return None;
    }
    // The digits without the point are so many tenths of tenths of a microsecond.
    let mut number: i128 = 0;
    for digit in whole.iter().chain(fraction) {
        number = number * 10 + i128::from(char::from(*digit).to_digit(10)?);
    }
    let scale = exponent + MICROS - i32::try_from(fraction.len()).ok()?;
    let power = 10_i128.checked_pow(scale.unsigned_abs());
    let micros = match power {
        Some(power) if scale >= 0 => number.checked_mul(power)?,
        Some(power) => number / power,
        None if scale < 0 || number == 0 => 0,
        None => return None,
    };
    let micros = i64::try_from(if is_negative { -micros } else { micros }).ok()?;
    let range = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    range.contains(&micros).then(|| Timestamp::from_micros(micros))
}

fn exponent(text: &[u8]) -> Option<i32> {
    let text = str::from_utf8(text).ok().filter(|text| text.len() <= 5)?;
    text.parse().ok()
}

/// The power of ten between a second and a microsecond.
const MICROS: i32 = 6;

/// No time has more digits than these, which a number of 128 bits holds.
const MAX_LEN: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let table = [
            ("1385053862.3072", Some("2013-11-21T17:11:02.307200Z")),
            ("1385053862", Some("2013-11-21T17:11:02.000Z")),
            ("1385053862.307", Some("2013-11-21T17:11:02.307Z")),
            ("1385053862.000001", Some("2013-11-21T17:11:02.000001Z")),
            ("1385053862.9999999999", Some("2013-11-21T17:11:02.999999Z")),
            ("1.3850538623072E9", Some("2013-11-21T17:11:02.307200Z")),
            ("1.3850538623072e+9", Some("2013-11-21T17:11:02.307200Z")),
            ("13850538623072e-4", Some("2013-11-21T17:11:02.307200Z")),
            ("0", Some("1970-01-01T00:00:00.000Z")),
            ("0.0e999", Some("1970-01-01T00:00:00.000Z")),
            ("1e-999", Some("1970-01-01T00:00:00.000Z")),
            ("-1.5", Some("1969-12-31T23:59:58.500Z")),
            ("1385053862307", None),
            ("1e99", None),
            ("1e12345", None),
            ("1e", None),
            ("1.2.3", None),
            (".5", None),
            ("", None),
            ("-", None),
            ("+1", None),
            ("1e++1", None),
            ("1 ", None),
            ("NaN", None),
        ];
        for (text, want) in table {
            let time = parse(text.as_bytes()).map(|time| time.to_string());
            assert_eq!(time.as_deref(), want, "{text}");
        }
        assert_eq!(parse("9".repeat(1000).as_bytes()), None);
    }
}
