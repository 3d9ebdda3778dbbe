//! A set of pieces that sometimes takes one for its own which is not.

use super::super::required::MIN;

/// Pieces of four bytes, by a hash of each, without their case.
#[derive(Debug)]
pub(super) struct Pieces {
    /// A power of two of bits.
    bits: Vec<u64>,
    /// What is left of a hash is its place.
    shift: u32,
}

impl Pieces {
    /// All of these.
    pub(super) fn new(pieces: &[[u8; MIN]]) -> Self {
        let len = (pieces.len() * BITS_A_PIECE).next_power_of_two().clamp(MIN_BITS, MAX_BITS);
        let mut set = Self { bits: vec![0; len / WORD], shift: u64::BITS - len.ilog2() };
        for piece in pieces {
            let place = set.place(hash(*piece));
            if let Some(word) = set.bits.get_mut(place / WORD) {
                *word |= 1 << (place % WORD);
            }
        }
        set
    }

    /// Whether a piece may be one of them; most often it says no of one that is not.
    pub(super) fn may_have(&self, piece: [u8; MIN]) -> bool {
        let place = self.place(hash(piece));
        self.bits.get(place / WORD).is_some_and(|word| word >> (place % WORD) & 1 == 1)
    }

    fn place(&self, hash: u64) -> usize {
        usize::try_from(hash >> self.shift).unwrap_or_default()
    }
}

/// A hash of a piece, the same for what is equal once it is folded.
pub(super) fn hash(piece: [u8; MIN]) -> u64 {
    u64::from(u32::from_le_bytes(piece) | FOLD).wrapping_mul(SEED)
}

/// What [`fold`](super::super::required::fold) sets, for four bytes.
pub(super) const FOLD: u32 = 0x2020_2020;

/// Odd, with bits all over (2^64 divided by the golden ratio).
pub(super) const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

const WORD: usize = 64;

const BITS_A_PIECE: usize = 64;

const MIN_BITS: usize = 1 << 10;

/// 32 KiB, which is still in the nearest cache but one.
const MAX_BITS: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_are_there_in_any_case_and_few_others() {
        let of = |n: u32| n.wrapping_mul(0x9e37_79b1).to_le_bytes().map(|byte| byte | 0x40);
        let own: Vec<_> = (0..1000).map(of).collect();
        let pieces = Pieces::new(&own);
        assert!(own.iter().all(|piece| pieces.may_have(piece.map(|byte| byte | 0x20))));
        let others = (1000..11_000).filter(|n| pieces.may_have(of(*n))).count();
        assert!(others < 1000, "{others}");
    }
}
