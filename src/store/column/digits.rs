//! Digits and the numbers that they stand for, so that each can be had from the other.

use super::bits;
use super::texts::holds;
use crate::eights::{decimal, eight, hex, hex_digits};

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
    /// What the digits from `start` to `end` of `text` are by themselves.
    #[inline]
    pub(super) fn of(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        let is_canonical = len == 1 || text.get(start) != Some(&b'0');
        Self { is_canonical, len: u8::try_from(len).ok() }
    }

    /// The value of the decimal digits from `start` to `end` of `text`, if there is nothing else and
    /// no more of them than fit. It comes without what [`of`](Self::of) says, as the two together
    /// do not fit into registers.
    #[inline]
    pub(super) fn read(text: &[u8], start: usize, end: usize) -> Option<u64> {
        let len = Some(end - start).filter(|len| (1..=usize::from(MAX_DIGITS)).contains(len))?;
        let mut value = decimal(eight(text, start, end), len.min(8))?;
        let mut at = start + 8;
        while at < end {
            let more = (end - at).min(8);
            let scale = POWERS.get(more).copied().unwrap_or_default();
            value = value * scale + decimal(eight(text, at, end), more)?;
            at += 8;
        }
        Some(value)
    }

    /// What both are.
    #[inline]
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

    /// Appends the numbers of what is in `text` from `start` to `end`, as long as this says, if it
    /// is of the same case.
    #[inline]
    pub(super) fn read_alike(
        self,
        text: &[u8],
        start: usize,
        end: usize,
        out: &mut Vec<u64>,
    ) -> bool {
        let before = out.len();
        let part = |from: usize, to: usize| hex(eight(text, from, to), to - from, self.is_upper);
        let mut at = start;
        while at < end {
            let (half, next) = ((at + 8).min(end), (at + 16).min(end));
            let first = part(at, half);
            let word = match half < next {
                true => first.zip(part(half, next)).map(|(a, b)| a << (4 * (next - half)) | b),
                false => first,
            };
            let Some(word) = word else {
                out.truncate(before);
                return false;
            };
            out.push(word);
            at = next;
        }
        true
    }

    pub(super) fn write(self, words: &[u64], out: &mut Vec<u8>) {
        let mut left = usize::from(self.len);
        for word in words {
            let len = left.min(16);
            left -= len;
            let [high, low] = [word >> 32, *word].map(|half| hex_digits(half, self.is_upper));
            if len == 16 {
                // By itself: what is always as long is copied without a call.
                out.extend_from_slice(&high);
                out.extend_from_slice(&low);
                continue;
            }
            out.extend_from_slice(high.get(16 - len.max(8)..).unwrap_or_default());
            out.extend_from_slice(low.get(8 - len.min(8)..).unwrap_or_default());
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

/// About how many decimal digits all `values` have, by some of them.
pub(super) fn digits_of_all(values: &[u64]) -> usize {
    let asked = values.len().div_ceil(ASKED).max(1);
    values.iter().step_by(ASKED).map(|value| digits(*value)).sum::<usize>() * values.len() / asked
}

/// Of so many numbers one is asked.
const ASKED: usize = 16;

/// Decimal digits that always fit into 64 bits.
pub(super) const MAX_DIGITS: u8 = 19;

/// Hexadecimal digits of the longest usual hash, SHA-512.
pub(super) const MAX_HEX: u8 = 128;

/// Powers of ten, by how many digits they move a number.
const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
