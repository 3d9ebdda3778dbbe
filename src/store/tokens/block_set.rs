//! A set of blocks of one segment.

/// Blocks, by their number from 0. One past the end is never in it, whatever is inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSet {
    words: Vec<u64>,
    blocks: u32,
}

impl BlockSet {
    /// None of `blocks` blocks.
    pub fn none(blocks: u32) -> Self {
        Self { words: vec![0; blocks.div_ceil(64) as usize], blocks }
    }

    /// All of `blocks` blocks.
    pub fn all(blocks: u32) -> Self {
        let mut all = Self { words: vec![u64::MAX; blocks.div_ceil(64) as usize], blocks };
        if let Some(last) = all.words.last_mut() {
            *last >>= (64 - blocks % 64) % 64;
        }
        all
    }

    /// How many blocks the segment has.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Adds a block.
    pub fn insert(&mut self, block: u32) {
        if block < self.blocks
            && let Some(word) = self.words.get_mut((block / 64) as usize)
        {
            *word |= 1 << (block % 64);
        }
    }

    /// Whether a block is in it.
    pub fn contains(&self, block: u32) -> bool {
        self.words.get((block / 64) as usize).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    /// Whether no block is.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many blocks are.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Adds what is in `other`, a set of blocks of the same segment.
    pub fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Takes out what is not in `other`, a set of blocks of the same segment.
    pub fn intersect(&mut self, other: &Self) {
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
    }

    /// Its blocks, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.blocks).filter(|block| self.contains(*block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(blocks: u32, members: &BTreeSet<u32>) -> BlockSet {
        let mut set = BlockSet::none(blocks);
        members.iter().for_each(|block| set.insert(*block));
        set
    }

    proptest! {
        #[test]
        fn a_block_set_is_a_set(
            blocks in 0_u32..200,
            a in prop::collection::btree_set(0_u32..220, 0..80),
            b in prop::collection::btree_set(0_u32..220, 0..80),
        ) {
            let (one, other) = (set(blocks, &a), set(blocks, &b));
            let a: BTreeSet<u32> = a.into_iter().filter(|block| *block < blocks).collect();
            let b: BTreeSet<u32> = b.into_iter().filter(|block| *block < blocks).collect();
            prop_assert!(one.iter().eq(a.iter().copied()));
            prop_assert_eq!((one.len(), one.is_empty(), one.blocks()), (a.len(), a.is_empty(), blocks));
            let (mut union, mut both) = (one.clone(), one.clone());
            union.union(&other);
            both.intersect(&other);
            prop_assert!(union.iter().eq(a.union(&b).copied()));
            prop_assert!(both.iter().eq(a.intersection(&b).copied()));
            let mut all = BlockSet::all(blocks);
            prop_assert_eq!((all.len(), all.contains(blocks)), (blocks as usize, false));
            all.intersect(&one);
            prop_assert_eq!(all, one);
        }
    }
}
