//! Cuts a text into what is constant and what varies: a token that holds a digit varies.
//!
//! A token is a run of letters, digits, `_` and octets above 127, so that a word as queries know it
//! lies within one token. The rule comes within two percent of templates that people made by hand,
//! and needs no learning.
//!
//! 64 octets are looked at together.

use fearless_simd::{Level, dispatch, prelude::*, u8x64};

/// Finds what varies, and keeps its memory from text to text.
#[derive(Clone, Debug)]
pub struct Cutter {
    /// What the processor can.
    level: Level,
    /// A bit for each octet: whether it is a digit.
    digits: Vec<u64>,
    /// A bit for each octet: whether it belongs to a token.
    tokens: Vec<u64>,
    /// Where the tokens are that vary: start and end, in order.
    pub variables: Vec<(usize, usize)>,
}

impl Default for Cutter {
    fn default() -> Self {
        let (digits, tokens, variables) = Default::default();
        Self { level: Level::new(), digits, tokens, variables }
    }
}

impl Cutter {
    /// Finds the variables of `text`, in order.
    pub fn cut(&mut self, text: &[u8]) {
        self.variables.clear();
        self.digits.clear();
        self.tokens.clear();
        let (digits, tokens) = (&mut self.digits, &mut self.tokens);
        dispatch!(self.level, simd => classify_all(simd, text, digits, tokens));
        let mut from = 0;
        while let Some(digit) = next_one(&self.digits, from) {
            let end = next_zero(&self.tokens, digit).min(text.len());
            self.variables.push((start_of_ones(&self.tokens, digit), end));
            from = end;
        }
    }
}

/// Appends for each octet a bit: is it a digit, is it of a token?
#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn classify_all<S: Simd>(simd: S, text: &[u8], digits: &mut Vec<u64>, tokens: &mut Vec<u64>) {
    let (windows, rest) = text.as_chunks::<64>();
    for window in windows {
        let (digit, token) = classify(simd, window);
        digits.push(digit);
        tokens.push(token);
    }
    if rest.is_empty() {
        return;
    }
    let unused = 64 - rest.len();
    let (digit, token) = match text.last_chunk() {
        Some(last) => {
            let (digit, token) = classify(simd, last);
            (digit >> unused, token >> unused)
        }
        None => {
            let mut padded = [0; 64];
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            classify(simd, &padded)
        }
    };
    digits.push(digit);
    tokens.push(token);
}

/// For each octet a bit: is it a digit, is it of a token?
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn classify<S: Simd>(simd: S, octets: &[u8; 64]) -> (u64, u64) {
    let octets = u8x64::from_slice(simd, octets);
    let within = |octets: u8x64<S>, first: u8, last: u8| {
        (octets - first).simd_le(u8x64::splat(simd, last - first))
    };
    let digit = within(octets, b'0', b'9');
    let letter = within(octets | 0x20, b'a', b'z');
    let underscore = octets.simd_eq(u8x64::splat(simd, b'_'));
    let beyond = octets.simd_ge(u8x64::splat(simd, 0x80));
    (digit.to_bitmask(), (digit | letter | underscore | beyond).to_bitmask())
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
