//! Words as the index knows them.

use super::words::MAX_DIGITS;
use crate::eights::{decimal, eight, fold};

/// A word, or a number: 32 bits that two of them share no more often than by chance.
///
/// The bits are on disk: how they are made can never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(super) u32);

impl Token {
    /// The token of a word as `kql::words` folds it.
    ///
    /// Digits that are a number below 2^64, without zeros in front, have the token of the
    /// [number](Self::of_number).
    pub fn of(word: &str) -> Self {
        Self::of_bytes(Bytes::new(word.as_bytes(), 0, word.len()))
    }

    /// The token of a number, the same as that of its digits.
    pub fn of_number(number: u64) -> Self {
        // The finalizer of MurmurHash3, 64 bits: it maps different numbers to different ones.
        let mixed = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        Self(low_half(mixed ^ mixed >> 33))
    }

    /// The token of a word that is folded, but for ASCII letters, which may have any case.
    pub(super) fn of_bytes(word: Bytes<'_>) -> Self {
        match word.number() {
            Some(number) => Self::of_number(number),
            None => Self::of_text(word),
        }
    }

    /// The token of a word that is no number.
    #[inline]
    pub(super) fn of_text(word: Bytes<'_>) -> Self {
        let mut state = begin(word.eight(0), word.len());
        let mut at = 8;
        while at < word.len() {
            state = fold(state ^ lower(word.eight(at)), CHUNK);
            at += 8;
        }
        Self(end(state))
    }

    /// The same of at most eight octets, the first lowest, with zeros behind the last.
    #[inline]
    pub(super) fn of_eight(octets: u64, len: usize) -> Self {
        Self(end(begin(octets, len)))
    }
}

/// A part of a text, read eight bytes at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Bytes<'a> {
    /// What is in `text` from `start` to `end`.
    pub(super) fn new(text: &'a [u8], start: usize, end: usize) -> Self {
        Self { text, start, end }
    }

    pub(super) fn len(self) -> usize {
        self.end - self.start
    }

    /// The bytes from the `at`-th on, the first of them lowest, with zeros after the last.
    #[inline]
    pub(super) fn eight(self, at: usize) -> u64 {
        eight(self.text, self.start + at, self.end)
    }

    /// The number that the digits are, where they are written as numbers are and it fits.
    #[inline]
    pub(super) fn number(self) -> Option<u64> {
        let first = self.eight(0);
        if self.len() > 8 {
            return self.long_number(first);
        }
        let is_written = first & 0xff != u64::from(b'0') || self.len() == 1;
        decimal(first, self.len()).filter(|_| is_written)
    }

    fn long_number(self, first: u64) -> Option<u64> {
        if self.len() > MAX_DIGITS || first & 0xff == u64::from(b'0') {
            return None;
        }
        let rest = self.text.get(self.start + 8..self.end)?;
        rest.iter().try_fold(decimal(first, 8)?, |number, byte| {
            let digit = byte.wrapping_sub(b'0');
            number.checked_mul(10)?.checked_add(u64::from(digit)).filter(|_| digit < 10)
        })
    }
}

/// What the length of a word and its first eight octets come to.
#[inline]
fn begin(first: u64, len: usize) -> u64 {
    fold((len as u64).wrapping_mul(LENGTH) ^ lower(first), CHUNK)
}

/// The bits of a token.
#[inline]
fn end(state: u64) -> u32 {
    low_half((state ^ state >> 29).wrapping_mul(LAST) >> 32)
}

/// ASCII bytes of a word in lower case, which is one bit: digits have it, `_` becomes DEL.
fn lower(chunk: u64) -> u64 {
    chunk | (!chunk & TOP_BITS) >> 2
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low_half(bits: u64) -> u32 {
    bits as u32
}

const TOP_BITS: u64 = 0x8080_8080_8080_8080;

// Odd numbers whose bits look random: digits of pi, e and the golden ratio.
const LENGTH: u64 = 0x9e37_79b9_7f4a_7c15;
const CHUNK: u64 = 0x243f_6a88_85a3_08d3;
const LAST: u64 = 0xb7e1_5162_8aed_2a6b;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_what_they_were() {
        let table = [
            ("a", 1_223_700_807),
            ("error", 153_961_190),
            ("größe", 381_427_456),
            ("0123456789abcdef0", 3_912_876_271),
            ("7", 3_832_074_717),
        ];
        for (word, want) in table {
            assert_eq!(Token::of(word).0, want, "{word}");
        }
    }

    #[test]
    fn numbers_are_digits_as_they_are_written() {
        let table = [
            ("0", Some(0)),
            ("7", Some(7)),
            ("00", None),
            ("07", None),
            ("12345678", Some(12_345_678)),
            ("02345678", None),
            ("123456789", Some(123_456_789)),
            ("012345678", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("100000000000000000000", None),
            ("1234567a", None),
            ("123456781a", None),
            ("1_", None),
            ("1:", None),
            ("", None),
            ("٣", None),
        ];
        for (word, want) in table {
            assert_eq!(Bytes::new(word.as_bytes(), 0, word.len()).number(), want, "{word}");
            let padded = format!("9{word}9");
            assert_eq!(Bytes::new(padded.as_bytes(), 1, 1 + word.len()).number(), want, "{word}");
        }
    }

    #[test]
    fn every_bit_of_a_word_counts_in_every_bit_of_its_token() {
        for word in ["a", "disk", "connection", "0123456789abcdef"] {
            for at in 0..word.len() * 5 {
                let mut other = word.as_bytes().to_vec();
                other[at / 5] ^= 1 << (at % 5);
                let other = String::from_utf8(other).unwrap();
                assert_ne!(Token::of(word), Token::of(&other), "{word} {other}");
            }
        }
        let mut flips = [0_u32; 32];
        for n in 0..4096_u32 {
            let word = format!("user-{n}");
            let near = format!("user-{}", n ^ 1);
            let differs = Token::of(&word).0 ^ Token::of(&near).0;
            flips.iter_mut().enumerate().for_each(|(bit, flips)| *flips += differs >> bit & 1);
        }
        assert!(flips.iter().all(|count| (1700..2400).contains(count)), "{flips:?}");
    }

    proptest! {
        #[test]
        fn a_number_has_the_token_of_its_digits(number: u64, bits in 0_u32..64) {
            let number = number >> bits;
            prop_assert_eq!(Token::of_number(number), Token::of(&number.to_string()));
        }

        #[test]
        fn case_and_what_is_around_do_not_matter(word in "[a-z0-9_]{1,40}|[äöх日]{1,9}", around in "\\PC{0,9}") {
            let text = format!("{around}{}{around}", word.to_ascii_uppercase());
            let part = Bytes::new(text.as_bytes(), around.len(), around.len() + word.len());
            prop_assert_eq!(Token::of_bytes(part), Token::of(&word));
        }
    }
}
