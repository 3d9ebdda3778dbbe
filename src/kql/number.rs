//! Decimal numbers compared exactly, of any size, as the digits they were written in.

use std::cmp::Ordering;

/// A number to compare others with.
#[derive(Clone, Debug)]
pub(super) struct Number {
    text: Box<[u8]>,
    /// The same, where it is an integer of few digits: most are.
    small: Option<i64>,
}

/// A number taken apart: the digits of `whole` and `fraction`, times ten to `exponent`.
struct Decimal<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// The size of a number that is whole and below 2^64, however it is written: 5 of `-5.0` and of
/// `50e-1`. Numbers that are equal have the same.
pub fn whole_number(text: &[u8]) -> Option<u64> {
    let number = decimal(text)?;
    let Some(magnitude) = number.magnitude() else { return Some(0) };
    let len = usize::try_from(magnitude).ok().filter(|len| (1..=MAX_WHOLE_DIGITS).contains(len))?;
    let mut digits = number.digits();
    let whole = (0..len).try_fold(0_u64, |size, _| {
        let digit = digits.next().unwrap_or(b'0') - b'0';
        size.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    digits.all(|digit| digit == b'0').then_some(whole)
}

impl Number {
    /// Reads `-12.5e3` and its like: what JSON has, also with zeros in front (RFC 8259 §6).
    pub(super) fn parse(text: &str) -> Option<Self> {
        decimal(text.as_bytes())?;
        Some(Self { text: text.as_bytes().into(), small: small(text.as_bytes()) })
    }

    /// How `value` compares with this; `None` if it is no number.
    pub(super) fn compare(&self, value: &[u8]) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (small(value), self.small) {
            return Some(a.cmp(&b));
        }
        Some(compare(&decimal(value)?, &decimal(&self.text)?))
    }
}

/// The number that `text` is taken for where numbers are compared, as near as a 64-bit float comes
/// to it; `None` if it is none, or larger than any float.
pub fn number(text: &[u8]) -> Option<f64> {
    if let Some(small) = small(text).and_then(|small| i32::try_from(small).ok()) {
        return Some(small.into());
    }
    decimal(text)?;
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

impl Decimal<'_> {
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied().skip_while(|digit| *digit == b'0')
    }

    /// The power of ten just above the first digit that counts; `None` for zero.
    fn magnitude(&self) -> Option<i64> {
        let all = self.whole.iter().chain(self.fraction);
        let zeros = all.clone().take_while(|digit| **digit == b'0').count();
        (zeros < all.count()).then(|| length(self.whole.len()) - length(zeros) + self.exponent)
    }
}

fn compare(a: &Decimal<'_>, b: &Decimal<'_>) -> Ordering {
    let (a_size, b_size) = (a.magnitude(), b.magnitude());
    let sign = |number: &Decimal<'_>, size: Option<i64>| match size {
        None => 0,
        Some(_) if number.is_negative => -1,
        Some(_) => 1,
    };
    let sign = (sign(a, a_size), sign(b, b_size));
    if sign.0 != sign.1 {
        return sign.0.cmp(&sign.1);
    }
    let by_size = a_size.cmp(&b_size).then_with(|| {
        let (mut a, mut b) = (a.digits(), b.digits());
        loop {
            match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (a, b) => match a.unwrap_or(b'0').cmp(&b.unwrap_or(b'0')) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                },
            }
        }
    });
    if sign.0 < 0 { by_size.reverse() } else { by_size }
}

/// A short integer.
fn small(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > SMALL_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0, |size, digit| size * 10 + i64::from(digit - b'0'));
    Some(if digits.len() < text.len() { -size } else { size })
}

fn decimal(text: &[u8]) -> Option<Decimal<'_>> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = digits(unsigned);
    let (fraction, rest) = rest.strip_prefix(b".").map_or((&[][..], rest), digits);
    let has_point = whole.len() + fraction.len() < unsigned.len() - rest.len();
    if whole.is_empty() || has_point && fraction.is_empty() {
        return None;
    }
    let exponent = exponent(rest)?;
    Some(Decimal { is_negative: unsigned.len() < text.len(), whole, fraction, exponent })
}

/// The exponent that is all of `text`, cut at [`MAX_EXPONENT`].
fn exponent(text: &[u8]) -> Option<i64> {
    let [b'e' | b'E', rest @ ..] = text else {
        return text.is_empty().then_some(0);
    };
    let unsigned = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"+")).unwrap_or(rest);
    if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = unsigned
        .iter()
        .fold(0, |size: i64, digit| (size * 10 + i64::from(digit - b'0')).min(MAX_EXPONENT));
    Some(if rest.starts_with(b"-") { -size } else { size })
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn length(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// Digits of the largest `u64`.
const MAX_WHOLE_DIGITS: usize = 20;

/// Digits that an `i64` holds, whichever they are.
const SMALL_DIGITS: usize = 18;

/// Beyond any number of digits that we are sent.
const MAX_EXPONENT: i64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_compare_as_numbers() {
        let table = [
            ("5", "5.0", Ordering::Equal),
            ("5", "05.00", Ordering::Equal),
            ("-0", "0.0e9", Ordering::Equal),
            ("1e3", "1000", Ordering::Equal),
            ("0.00125E+3", "1.25", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("9007199254740993.0", "9007199254740992", Ordering::Greater),
            (
                "184467440737095516150000000000001",
                "184467440737095516150000000000002",
                Ordering::Less,
            ),
            ("-2", "1", Ordering::Less),
            ("-2", "-10", Ordering::Greater),
            ("-0.5", "0", Ordering::Less),
            ("91.5", "91.4", Ordering::Greater),
            ("0.1", "0.09", Ordering::Greater),
            ("1e999999999999999999", "1e5", Ordering::Greater),
            ("-1e-999999999999999999", "0", Ordering::Less),
        ];
        for (a, b, want) in table {
            assert_eq!(Number::parse(b).unwrap().compare(a.as_bytes()), Some(want), "{a} {b}");
            let back = Number::parse(a).unwrap().compare(b.as_bytes());
            assert_eq!(back, Some(want.reverse()), "{b} {a}");
        }
    }

    #[test]
    fn whole_numbers_are_known_however_they_are_written() {
        let table = [
            ("5", Some(5)),
            ("-5.00", Some(5)),
            ("0.05e2", Some(5)),
            ("5000e-3", Some(5)),
            ("-0", Some(0)),
            ("0.0e9", Some(0)),
            ("1e19", Some(10_000_000_000_000_000_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e20", None),
            ("1e999999999999999999", None),
            ("5.5", None),
            ("5e-1", None),
            ("x", None),
        ];
        for (text, want) in table {
            assert_eq!(whole_number(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn numbers_become_floats() {
        let table = [
            ("5", Some(5.0)),
            ("-0012", Some(-12.0)),
            ("9007199254740992", Some(9_007_199_254_740_992.0)),
            ("0.00125E+3", Some(1.25)),
            ("-1e-999999999999999999", Some(0.0)),
            ("1e999999999999999999", None),
            ("NaN", None),
            ("inf", None),
            ("+5", None),
            (".5", None),
            ("5 ms", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(number(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", "-", "+5", "5.", ".5", "5e", "5e+", "0x1f", "5 ", "1.2.3", "NaN", "٣"] {
            assert!(Number::parse(text).is_none(), "{text}");
            assert_eq!(Number::parse("1").unwrap().compare(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_and_halves_agree(a in -1000_i64..1000, b in -1000_i64..1000) {
            let number = Number::parse(&format!("{}.{}", b / 2, b.abs() % 2 * 5)).unwrap();
            prop_assume!(b % 2 == 0 || b / 2 != 0);
            prop_assert_eq!(number.compare(format!("{a}").as_bytes()), Some((2 * a).cmp(&b)));
        }
    }
}
