//! The map of a segment: made of the words of its blocks, and asked for a word.

use serde::{Deserialize, Serialize};

use super::super::bytes::Damaged;
use super::block_set::BlockSet;
use super::code::{Decoder, Encoder};
use super::token::Token;
use super::words::{BlockWords, MAX_WORDS};

/// What must be known of a segment's buckets to read one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMap {
    /// So many of the highest bits of a token are the number of its bucket.
    bits: u8,
    /// How many words each block has; `None` if it may have any.
    words: Vec<Option<u32>>,
}

/// The tokens that fall into a bucket, as integers of a block.
///
/// A block with `n` words scales a token to `0..256 * n`, so that of 256 tokens that it does not
/// have one scales to the same as one that it has. In a bucket the integers of all blocks stand
/// one behind the other as if they were one line: an integer of a block is counted from the place
/// where the block's begin.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// `256 * n`.
    range: u64,
    /// The least integer of the block in the bucket.
    first: u64,
    /// Where it stands in the line.
    start: u64,
}

impl TokenMap {
    /// The map of a segment whose blocks have these words, and its buckets in order.
    pub fn build(blocks: &[BlockWords]) -> (Self, Vec<Vec<u8>>) {
        let count = |block: &BlockWords| {
            block.0.as_ref().map(|words| u32::try_from(words.len()).unwrap_or(u32::MAX))
        };
        let words: Vec<Option<u32>> = blocks.iter().map(count).collect();
        let total: u64 = words.iter().flatten().map(|words| u64::from(*words)).sum();
        let map = Self { bits: bits(total), words };
        let mut left: Vec<&[u32]> =
            blocks.iter().map(|block| block.0.as_deref().unwrap_or_default()).collect();
        let mut encoder = Encoder::default();
        let mut buckets = Vec::new();
        for number in 0..map.buckets() {
            let mut last = None;
            for (scale, left) in map.scales(number).zip(&mut left) {
                let Some(scale) = scale else { continue };
                let here = left.iter().take_while(|token| map.number(**token) == number).count();
                let (here, after) = left.split_at_checked(here).unwrap_or_default();
                *left = after;
                for token in here {
                    let value = scale.place(*token);
                    if last != Some(value) {
                        encoder.push(value);
                        last = Some(value);
                    }
                }
            }
            buckets.push(encoder.finish(number));
        }
        (map, buckets)
    }

    /// How many blocks the segment has.
    pub fn blocks(&self) -> u32 {
        u32::try_from(self.words.len()).unwrap_or(u32::MAX)
    }

    /// How many buckets it has.
    pub fn buckets(&self) -> u32 {
        1 << self.bits.min(MAX_BITS)
    }

    /// The bucket that tells of `token`.
    pub fn bucket_of(&self, token: Token) -> u32 {
        self.number(token.0)
    }

    /// The blocks that may hold the word of `token`; `bucket` has the bytes of
    /// [its bucket](Self::bucket_of).
    ///
    /// # Errors
    ///
    /// When the bytes are not those of that bucket.
    pub fn lookup(&self, bucket: &[u8], token: Token) -> Result<BlockSet, Damaged> {
        if self.bits > MAX_BITS
            || self.words.iter().flatten().any(|words| *words as usize > MAX_WORDS)
        {
            return Err(Damaged("a map of tokens"));
        }
        let number = self.number(token.0);
        let mut decoder = Decoder::open(bucket, number)?;
        let mut found = BlockSet::none(self.blocks());
        let mut value = decoder.next()?;
        for (block, scale) in (0..).zip(self.scales(number)) {
            let Some(scale) = scale else {
                found.insert(block);
                continue;
            };
            let place = scale.place(token.0);
            while value.is_some_and(|value| value < place) {
                value = decoder.next()?;
            }
            if value == Some(place) {
                found.insert(block);
            }
        }
        Ok(found)
    }

    /// Says whether these are the bytes of bucket `number`.
    ///
    /// # Errors
    ///
    /// When they are not.
    pub fn check(bucket: &[u8], number: u32) -> Result<(), Damaged> {
        let mut decoder = Decoder::open(bucket, number)?;
        while decoder.next()?.is_some() {}
        Ok(())
    }

    fn number(&self, token: u32) -> u32 {
        u32::try_from(u64::from(token) >> (32 - self.bits.min(MAX_BITS))).unwrap_or(u32::MAX)
    }

    /// How each block scales the tokens of a bucket; `None` if it may have any word.
    fn scales(&self, number: u32) -> impl Iterator<Item = Option<Scale>> {
        let tokens = 1_u64 << (32 - self.bits.min(MAX_BITS));
        let (first, last) = (u64::from(number) * tokens, u64::from(number) * tokens + tokens - 1);
        let mut start = 0;
        self.words.iter().map(move |words| {
            let range = u64::from((*words)?) << RATE_BITS;
            let scale = Scale { range, first: scaled(first, range), start };
            if range > 0 {
                start += scaled(last, range) - scale.first + 1;
            }
            Some(scale)
        })
    }
}

impl Scale {
    /// Where a token stands in the line.
    fn place(self, token: u32) -> u64 {
        self.start + (scaled(u64::from(token), self.range) - self.first)
    }
}

/// What `token`, of 32 bits, is on a scale of `range`.
fn scaled(token: u64, range: u64) -> u64 {
    (token * range) >> 32
}

/// The bits of the buckets' numbers that make buckets of about [`BUCKET_BYTES`].
fn bits(words: u64) -> u8 {
    let bytes = words.saturating_mul(BITS_OF_A_WORD) / 8 / 10;
    let buckets = bytes.div_ceil(BUCKET_BYTES).max(1).next_power_of_two();
    u8::try_from(buckets.trailing_zeros()).unwrap_or(MAX_BITS).min(MAX_BITS)
}

/// One block in 2 to the power of this looks as if it had a word that it has not.
const RATE_BITS: u32 = 8;

/// Bytes of a bucket, at most about this and at least about half of it.
const BUCKET_BYTES: u64 = 4096;

/// What a word takes in a bucket, in tenths of a bit.
const BITS_OF_A_WORD: u64 = 96;

/// Bits that the number of a bucket may have.
const MAX_BITS: u8 = 24;
