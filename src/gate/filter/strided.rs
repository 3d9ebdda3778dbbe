//! Finds where one of many long texts may be.
//!
//! Every text is known by some of its pieces of four bytes. In a message every `stride`th piece is
//! looked up in two bitmaps; a text that is in there has, wherever it stands, one of its pieces at
//! such a place. So the longer the texts, the fewer places are looked at: with a shortest text of
//! eight bytes it is every fifth.

use super::super::required::MIN;
use super::commonness;
use super::pieces::{SEED, hash};

/// Some pieces of each text.
#[derive(Debug, Default)]
pub(super) struct Strided {
    /// A power of two of bits, for each of two hashes. Empty where there are no texts.
    bits: Vec<u64>,
    /// What is left of a hash is its place.
    shift: u32,
    stride: usize,
}

impl Strided {
    /// The pieces of these texts, folded, each of [`MIN`] bytes or more.
    pub(super) fn new(texts: &[&[u8]]) -> Self {
        let Some(shortest) = texts.iter().map(|text| text.len()).min() else {
            return Self::default();
        };
        let stride = (shortest.saturating_sub(MIN) + 1).min(MAX_STRIDE);
        let pieces: usize = texts.len() * stride;
        let len = (pieces * BITS_A_PIECE).next_power_of_two().clamp(MIN_BITS, MAX_BITS);
        let bits = vec![0; len / WORD];
        let mut strided = Self { bits, shift: u64::BITS - len.ilog2(), stride };
        for text in texts {
            for piece in rarest(text, stride).windows(MIN).filter_map(|piece| piece.first_chunk()) {
                let hash = hash(*piece);
                for place in [hash, turned(hash)].map(|hash| strided.place(hash)) {
                    if let Some(word) = strided.bits.get_mut(place / WORD) {
                        *word |= 1 << (place % WORD);
                    }
                }
            }
        }
        strided
    }

    /// The first place that is looked at and has a piece which seems to be one of theirs.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        if self.bits.is_empty() {
            return None;
        }
        let mut rest = bytes;
        while let Some(piece) = rest.first_chunk() {
            let hash = hash(*piece);
            if self.has(hash) && self.has(turned(hash)) {
                return Some(bytes.len() - rest.len());
            }
            rest = rest.get(self.stride..).unwrap_or_default();
        }
        None
    }

    fn has(&self, hash: u64) -> bool {
        let place = self.place(hash);
        self.bits.get(place / WORD).is_some_and(|word| word >> (place % WORD) & 1 == 1)
    }

    fn place(&self, hash: u64) -> usize {
        usize::try_from(hash >> self.shift).unwrap_or_default()
    }
}

/// Another hash of the same piece. The lower half has less of the piece in it, so it is turned
/// about first.
fn turned(hash: u64) -> u64 {
    (hash ^ hash >> 32).wrapping_mul(SEED)
}

/// The part of a text, `stride` pieces long, whose bytes are rarest in logs.
fn rarest(text: &[u8], stride: usize) -> &[u8] {
    let parts = text.windows(stride + MIN - 1);
    parts.min_by_key(|part| part.iter().map(|byte| commonness(*byte)).sum::<u32>()).unwrap_or(text)
}

const WORD: usize = 64;

/// Bits for each piece: one message in some thousand has a piece that only seems to be one.
const BITS_A_PIECE: usize = 64;

const MIN_BITS: usize = 1 << 12;

/// 512 KiB, which is still in a cache of the processor.
const MAX_BITS: usize = 1 << 22;

/// The furthest that two places are apart.
const MAX_STRIDE: usize = 16;
