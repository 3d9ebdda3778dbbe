//! Digits and the numbers that they stand for, so that each can be had from the other.

use super::bits;
use super::texts::holds;

/// Decimal digits: without leading zeros, or all of the same length, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// Whether none has a leading zero.
    pub(super) is_canonical: bool,
    /// The length of all.
    pub(super) len: Option<u8>,
}

/// As many hexadecimal digits in each, in one case; 16 of them to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hex {
    pub(super) len: u8,
    pub(super) is_upper: bool,
}

impl Decimal {
    /// The value of decimal digits, if `text` is nothing else and no more of them than fit.
    pub(super) fn read(text: &[u8]) -> Option<(u64, Self)> {
        let len = u8::try_from(text.len()).ok().filter(|len| (1..=MAX_DIGITS).contains(len))?;
        let mut value = 0_u64;
        for octet in text {
            let digit = octet.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
        let is_canonical = len == 1 || text.first() != Some(&b'0');
        Some((value, Self { is_canonical, len: Some(len) }))
    }

    /// What both are.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            is_canonical: self.is_canonical && other.is_canonical,
            len: self.len.filter(|_| self.len == other.len),
        };
        (both.is_canonical || both.len.is_some()).then_some(both)
    }

    pub(super) fn write(self, value: u64, out: &mut Vec<u8>) {
        let mut digits = [b'0'; MAX_DIGITS as usize + 1];
        let (mut left, mut len) = (value, 0);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
            len += 1;
            if left == 0 {
                break;
            }
        }
        if !self.is_canonical {
            len = usize::from(self.len.unwrap_or_default()).max(len);
        }
        out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
    }
}

impl Hex {
    /// What hexadecimal digits `text` is, if it is nothing else, and whether one is a letter.
    pub(super) fn of(text: &[u8]) -> Option<(Self, bool)> {
        let len = u8::try_from(text.len()).ok().filter(|len| (1..=MAX_HEX).contains(len))?;
        let (mut lower, mut upper) = (false, false);
        for octet in text {
            match octet {
                b'0'..=b'9' => {}
                b'a'..=b'f' => lower = true,
                b'A'..=b'F' => upper = true,
                _ => return None,
            }
        }
        (!(lower && upper)).then_some((Self { len, is_upper: upper }, lower || upper))
    }

    /// Numbers that a text takes.
    pub(super) fn words(self) -> usize {
        usize::from(self.len).div_ceil(16)
    }

    pub(super) fn read(self, text: &[u8], out: &mut Vec<u64>) {
        for digits in text.chunks(16) {
            out.push(digits.iter().fold(0, |value, digit| {
                let low = u64::from(digit & 0x0f);
                value << 4 | if digit.is_ascii_digit() { low } else { low + 9 }
            }));
        }
    }

    /// Appends the numbers of `text`, as long as this says, if it is of the same case.
    pub(super) fn read_alike(self, text: &[u8], out: &mut Vec<u64>) -> bool {
        let table = if self.is_upper { &UPPER } else { &LOWER };
        let (start, mut seen) = (out.len(), 0);
        for digits in text.chunks(16) {
            let mut word = 0_u64;
            for octet in digits {
                let digit = table.get(usize::from(*octet)).copied().unwrap_or(OTHER);
                seen |= digit;
                word = word << 4 | u64::from(digit & 0x0f);
            }
            out.push(word);
        }
        if seen & OTHER != 0 {
            out.truncate(start);
        }
        seen & OTHER == 0
    }

    pub(super) fn write(self, words: &[u64], out: &mut Vec<u8>) {
        let table = if self.is_upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let mut left = u32::from(self.len);
        for word in words {
            let len = left.min(16);
            left -= len;
            for place in (0..len).rev() {
                let digit = (word >> (place * 4) & 0xf) as usize;
                out.push(table.get(digit).copied().unwrap_or(b'0'));
            }
        }
    }
}

/// A text that begins and ends with its digits, and what stands before and after them.
pub(super) fn around_digits(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let start = text.iter().position(u8::is_ascii_digit).unwrap_or(text.len());
    let end = text.iter().rposition(u8::is_ascii_digit).map_or(start, |last| last + 1);
    let (head, after) = text.split_at_checked(end).unwrap_or_default();
    let (before, digits) = head.split_at_checked(start).unwrap_or_default();
    (before, digits, after)
}

/// Whether digits between `before` and `after`, in which there are none, may have `run` in them with
/// what stands around; it is of ASCII, and in lower case.
pub(super) fn may_surround((before, after): (&[u8], &[u8]), run: &str) -> bool {
    if holds(before, run) || holds(after, run) {
        return true;
    }
    let (head, middle, tail) = around_digits(run.as_bytes());
    let is_whole = !middle.is_empty() && middle.iter().all(u8::is_ascii_digit);
    let is_same = |own: &[u8], run: &[u8]| own.eq_ignore_ascii_case(run) || !own.is_ascii();
    let end = before.get(before.len().saturating_sub(head.len())..).unwrap_or_default();
    let start = after.get(..tail.len()).unwrap_or(after);
    is_whole && is_same(end, head) && is_same(start, tail)
}

/// About how many decimal digits `value` has.
pub(super) fn digits(value: u64) -> usize {
    (bits::width(value) * 77 / 256) as usize + 1
}

/// Decimal digits that always fit into 64 bits.
pub(super) const MAX_DIGITS: u8 = 19;

/// Hexadecimal digits of the longest usual hash, SHA-512.
pub(super) const MAX_HEX: u8 = 128;

/// In the tables below: no digit.
const OTHER: u8 = 0x80;

/// The value of each octet as a hexadecimal digit.
const LOWER: [u8; 256] = hex_table(b'a');
const UPPER: [u8; 256] = hex_table(b'A');

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "of numbers below 16")]
const fn hex_table(ten: u8) -> [u8; 256] {
    let mut table = [OTHER; 256];
    let mut digit = 0;
    while digit < 16 {
        let octet = if digit < 10 { b'0' as usize + digit } else { ten as usize + digit - 10 };
        table[octet] = digit as u8;
        digit += 1;
    }
    table
}
