//! Says in a few nanoseconds that none of many texts is in a message, most often.
//!
//! Every text is known by some of its pieces of four bytes. In a message every `stride`th piece is
//! looked up in two bitmaps; a text that is in there has, wherever it stands, one of its pieces at
//! such a place. So the longer the texts, the fewer places are looked at: with a shortest text of
//! eight bytes it is every fifth.

use super::required::{MIN, fold};

/// Tells messages that may hold one of some texts from those that do not.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// A power of two of bits, for each of two hashes. Empty where there are no texts.
    bits: Vec<u64>,
    /// What is left of a hash is its place.
    shift: u32,
    stride: usize,
}

impl Filter {
    /// A filter for these texts, folded, each of [`MIN`] bytes or more.
    pub(super) fn new<'t>(texts: impl Iterator<Item = &'t [u8]> + Clone) -> Self {
        let Some(shortest) = texts.clone().map(<[u8]>::len).min() else { return Self::default() };
        let stride = (shortest.saturating_sub(MIN) + 1).min(MAX_STRIDE);
        let pieces: usize = texts.clone().count() * stride;
        let len = (pieces * BITS_A_PIECE).next_power_of_two().clamp(MIN_BITS, MAX_BITS);
        let bits = vec![0; len / WORD];
        let mut filter = Self { bits, shift: u64::BITS - len.ilog2(), stride };
        for text in texts {
            for piece in rarest(text, stride).windows(MIN).filter_map(|piece| piece.first_chunk()) {
                for place in filter.places(*piece) {
                    if let Some(word) = filter.bits.get_mut(place / WORD) {
                        *word |= 1 << (place % WORD);
                    }
                }
            }
        }
        filter
    }

    /// Whether one of the texts may be in `message`.
    pub(super) fn may_be_in(&self, message: &[u8]) -> bool {
        let mut rest = message;
        if self.bits.is_empty() {
            return false;
        }
        while let Some(piece) = rest.first_chunk() {
            let [first, second] = self.places(*piece);
            if self.has(first) && self.has(second) {
                return true;
            }
            rest = rest.get(self.stride..).unwrap_or_default();
        }
        false
    }

    fn has(&self, place: usize) -> bool {
        self.bits.get(place / WORD).is_some_and(|word| word >> (place % WORD) & 1 == 1)
    }

    /// Where the bits of a piece are.
    fn places(&self, piece: [u8; MIN]) -> [usize; 2] {
        let folded = u64::from(u32::from_le_bytes(piece) | FOLD);
        let hash = folded.wrapping_mul(SEED);
        // The lower half has less of the piece in it, so it is turned about first.
        let other = (hash ^ hash >> 32).wrapping_mul(SEED);
        [hash, other].map(|hash| usize::try_from(hash >> self.shift).unwrap_or_default())
    }
}

/// The part of a text, `stride` pieces long, whose bytes are rarest in logs.
fn rarest(text: &[u8], stride: usize) -> &[u8] {
    let parts = text.windows(stride + MIN - 1);
    parts.min_by_key(|part| part.iter().map(|byte| commonness(*byte)).sum::<u32>()).unwrap_or(text)
}

/// How common a byte is in logs: by feel, it decides about speed alone.
fn commonness(byte: u8) -> u32 {
    match fold(byte) {
        b' ' | b'-' | b'=' | b':' | b'.' | b'"' => 9,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'0'..=b'9' | b'd' | b'l' | b'c' | b'u' | b'p' => 7,
        b'a'..=b'z' => 5,
        b'/' | b'_' | b'[' | b']' | b',' => 4,
        _ => 1,
    }
}

/// What [`fold`] sets, for four bytes.
const FOLD: u32 = 0x2020_2020;

/// Odd, with bits all over (2^64 divided by the golden ratio).
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

const WORD: usize = 64;

/// Bits for each piece: one message in some thousand has a piece that only seems to be one.
const BITS_A_PIECE: usize = 64;

const MIN_BITS: usize = 1 << 12;

/// 512 KiB, which is still in a cache of the processor.
const MAX_BITS: usize = 1 << 22;

/// The furthest that two places are apart.
const MAX_STRIDE: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_there_is_never_missed(
            texts in prop::collection::vec("[ -~]{4,20}", 1..20),
            which in any::<prop::sample::Index>(),
            before in "[ -~]{0,40}",
            after in "[ -~]{0,40}",
        ) {
            let folded: Vec<Vec<u8>> =
                texts.iter().map(|text| text.bytes().map(fold).collect()).collect();
            let filter = Filter::new(folded.iter().map(Vec::as_slice));
            let message = format!("{before}{}{after}", which.get(&texts).to_ascii_uppercase());
            prop_assert!(filter.may_be_in(message.as_bytes()));
        }
    }

    #[test]
    fn most_messages_are_told_apart() {
        let texts: Vec<Vec<u8>> =
            (0..1000).map(|n| format!("<{n:x}!{}>", n * 7919).into()).collect();
        let folded: Vec<Vec<u8>> =
            texts.iter().map(|text| text.iter().map(|byte| fold(*byte)).collect()).collect();
        let filter = Filter::new(folded.iter().map(Vec::as_slice));
        let line =
            |n| format!("<34>1 2026-11-21T11:00:{:02}Z web{n} nginx {n} - - GET /a/{n}", n % 60);
        let passed = (0..1000).filter(|n| filter.may_be_in(line(*n).as_bytes())).count();
        assert!(passed < 100, "{passed} of 1000");
        assert!(!Filter::default().may_be_in(b"anything"));
    }
}
