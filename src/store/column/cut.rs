//! Cuts a text into what is constant and what varies: a token that holds a digit varies.
//!
//! A token is a run of letters, digits, `_` and octets above 127, so that a word as queries know it
//! lies within one token. The rule comes within two percent of templates that people made by hand,
//! and needs no learning.
//!
//! Eight octets are looked at together: each test leaves its answer in the highest bit of every
//! octet, and one multiplication gathers those bits.

use super::super::eights::{EACH, HIGH, at_least};

/// Finds what varies, and keeps its memory from text to text.
#[derive(Clone, Debug, Default)]
pub struct Cutter {
    /// A bit for each octet: whether it is a digit.
    digits: Vec<u64>,
    /// A bit for each octet: whether it belongs to a token.
    tokens: Vec<u64>,
    /// Where the tokens are that vary: start and end, in order.
    pub variables: Vec<(usize, usize)>,
}

impl Cutter {
    /// Finds the variables of `text`, in order.
    pub fn cut(&mut self, text: &[u8]) {
        self.variables.clear();
        self.digits.clear();
        self.tokens.clear();
        for window in text.chunks(64) {
            let (mut digits, mut tokens) = (0, 0);
            let (eights, rest) = window.as_chunks::<8>();
            let mut shift = 0;
            for eight in eights {
                let (digit, token) = classify(u64::from_le_bytes(*eight));
                digits |= digit << shift;
                tokens |= token << shift;
                shift += 8;
            }
            if !rest.is_empty() {
                let mut eight = [0; 8];
                eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                let (digit, token) = classify(u64::from_le_bytes(eight));
                digits |= digit << shift;
                tokens |= token << shift;
            }
            self.digits.push(digits);
            self.tokens.push(tokens);
        }
        let mut from = 0;
        while let Some(digit) = next_one(&self.digits, from) {
            let end = next_zero(&self.tokens, digit).min(text.len());
            self.variables.push((start_of_ones(&self.tokens, digit), end));
            from = end;
        }
    }
}

/// For each octet a bit: is it a digit, is it of a token?
#[inline]
const fn classify(octets: u64) -> (u64, u64) {
    let low = octets & !HIGH;
    let letter = low | (EACH * 0x20);
    // Octets above 127 pass for what they are without their highest bit; they are of a token anyway.
    let digit = at_least(low, b'0') & !at_least(low, b'9' + 1) & !octets;
    let alphabetic = at_least(letter, b'a') & !at_least(letter, b'z' + 1);
    let underscore = HIGH - (low ^ (EACH * b'_' as u64));
    (gather(digit), gather((digit | alphabetic | underscore | octets) & HIGH))
}

/// The highest bits of the octets, as the lowest eight bits.
const fn gather(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The first bit at or after `from` that is set.
fn next_one(bits: &[u64], from: usize) -> Option<usize> {
    let mut word = from / 64;
    let mut left = bits.get(word)? & (u64::MAX << (from % 64));
    while left == 0 {
        word += 1;
        left = *bits.get(word)?;
    }
    Some(word * 64 + left.trailing_zeros() as usize)
}

/// The first bit at or after `from` that is not set; those past the end are not.
fn next_zero(bits: &[u64], from: usize) -> usize {
    let mut word = from / 64;
    let mut left = !bits.get(word).copied().unwrap_or(0) & (u64::MAX << (from % 64));
    while left == 0 {
        word += 1;
        left = !bits.get(word).copied().unwrap_or(0);
    }
    word * 64 + left.trailing_zeros() as usize
}

/// Where the run of set bits begins that `at` is in.
fn start_of_ones(bits: &[u64], at: usize) -> usize {
    let mut word = at / 64;
    let mut left = !bits.get(word).copied().unwrap_or(0) & !(u64::MAX << (at % 64));
    while left == 0 {
        let Some(before) = word.checked_sub(1) else { return 0 };
        word = before;
        left = !bits.get(word).copied().unwrap_or(0);
    }
    word * 64 + 64 - left.leading_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8]) -> Vec<&[u8]> {
        let mut cutter = Cutter::default();
        cutter.cut(text);
        cutter.variables.iter().map(|(start, end)| &text[*start..*end]).collect()
    }

    #[test]
    fn what_varies() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("no digits here", &[]),
            ("1", &["1"]),
            ("GET /a/b?id=42 HTTP/1.1", &["42", "1", "1"]),
            ("from 10.2.3.4 port 22", &["10", "2", "3", "4", "22"]),
            ("web-007.prod sha256:ab12_x", &["007", "sha256", "ab12_x"]),
            ("größe9 = ½ µ3", &["größe9", "µ3"]),
        ];
        for (text, want) in table {
            let want: Vec<&[u8]> = want.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(cut(text.as_bytes()), want, "{text}");
        }
    }

    proptest! {
        /// The same as looking at one octet after the other.
        #[test]
        fn as_octet_by_octet(text in prop_oneof![
            "[a-z0-9 ./=\\-_]{0,300}".prop_map(String::into_bytes),
            "([a-z]{60,70}[0-9 ]){0,5}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..300),
        ]) {
            let is_token = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80;
            let want: Vec<&[u8]> = text
                .split(|b| !is_token(b))
                .filter(|token| token.iter().any(u8::is_ascii_digit))
                .collect();
            prop_assert_eq!(cut(&text), want);
        }
    }
}
