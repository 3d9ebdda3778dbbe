//! A set of rows of one source.

use std::ops::Range;

/// Rows, by their number from 0. One past the end is never in it, whatever is inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    rows: u32,
}

impl Bitmap {
    /// None of `rows` rows.
    pub(super) fn none(rows: u32) -> Self {
        Self { words: vec![0; rows.div_ceil(64) as usize], rows }
    }

    /// All of `rows` rows.
    pub(super) fn all(rows: u32) -> Self {
        let mut words = vec![u64::MAX; rows.div_ceil(64) as usize];
        if let Some(last) = words.last_mut() {
            *last >>= (64 - rows % 64) % 64;
        }
        Self { words, rows }
    }

    /// How many rows there are, in it or not.
    pub(super) const fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) fn insert(&mut self, row: u32) {
        if row < self.rows
            && let Some(word) = self.words.get_mut((row / 64) as usize)
        {
            *word |= 1 << (row % 64);
        }
    }

    pub(super) fn remove(&mut self, row: u32) {
        if let Some(word) = self.words.get_mut((row / 64) as usize) {
            *word &= !(1 << (row % 64));
        }
    }

    pub(super) fn contains(&self, row: u32) -> bool {
        self.words.get((row / 64) as usize).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many rows are in it.
    pub(super) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Adds what is in `other`.
    pub(super) fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Takes out what is in `other`.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// Its rows, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0_u32..).step_by(64).zip(&self.words).flat_map(|(first, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let row = (left != 0).then(|| first + left.trailing_zeros());
                left &= left.wrapping_sub(1);
                row
            })
        })
    }

    /// Its rows in `range`, in order.
    pub(super) fn within(&self, range: Range<u32>) -> impl Iterator<Item = u32> {
        let Range { start, end } = range;
        (start..end.min(self.rows)).filter(|row| self.contains(*row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn bitmap(rows: u32, members: &BTreeSet<u32>) -> Bitmap {
        let mut bitmap = Bitmap::none(rows);
        members.iter().for_each(|row| bitmap.insert(*row));
        bitmap
    }

    proptest! {
        #[test]
        fn a_bitmap_is_a_set(
            rows in 0_u32..200,
            a in prop::collection::btree_set(0_u32..220, 0..80),
            b in prop::collection::btree_set(0_u32..220, 0..80),
            range in (0_u32..220, 0_u32..220),
        ) {
            let (one, other) = (bitmap(rows, &a), bitmap(rows, &b));
            let (a, b) = (&a.range(..rows).collect::<BTreeSet<_>>(), &b.range(..rows).collect());
            prop_assert!(one.iter().eq(a.iter().map(|row| **row)));
            prop_assert_eq!((one.len(), one.is_empty()), (a.len(), a.is_empty()));
            prop_assert!(Bitmap::all(rows).iter().eq(0..rows));
            prop_assert!((0..220).all(|row| one.contains(row) == a.contains(&row)));
            let within: Vec<u32> = one.within(range.0..range.1).collect();
            let want = a.iter().map(|row| **row).filter(|row| (range.0..range.1).contains(row));
            prop_assert!(within.into_iter().eq(want));
            let (mut union, mut difference) = (one.clone(), one);
            union.union(&other);
            difference.subtract(&other);
            let mut removed = union.clone();
            (0..220).filter(|row| other.contains(*row)).for_each(|row| removed.remove(row));
            prop_assert!(removed.iter().eq(a.difference(b).map(|row| **row)));
            prop_assert!(union.iter().eq(a.union(b).map(|row| **row)));
            prop_assert!(difference.iter().eq(a.difference(b).map(|row| **row)));
        }
    }
}
