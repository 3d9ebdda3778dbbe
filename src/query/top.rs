//! The best rows so far, and no more than are asked for.

use std::collections::BinaryHeap;

/// A row that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pick {
    /// Its place in the order: the lowest comes first.
    pub(super) key: (i64, i64),
    /// The number of its source.
    pub(super) source: usize,
    pub(super) row: u32,
}

/// The first `limit` rows by their keys.
#[derive(Debug)]
pub(super) struct Top {
    limit: usize,
    /// The last of them on top.
    heap: BinaryHeap<Pick>,
    has_more: bool,
}

impl Top {
    /// Room for `limit` rows, at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new(), has_more: false }
    }

    /// Takes a row in, in place of the last one if there is no room.
    pub(super) fn push(&mut self, pick: Pick) {
        if self.heap.len() < self.limit {
            self.heap.push(pick);
            return;
        }
        self.has_more = true;
        if let Some(mut last) = self.heap.peek_mut()
            && pick < *last
        {
            *last = pick;
        }
    }

    /// The key that another row must be below to be taken in, once there is no room.
    pub(super) fn bar(&self) -> Option<(i64, i64)> {
        self.heap.peek().filter(|_| self.heap.len() >= self.limit).map(|last| last.key)
    }

    /// Says that there may be rows that were not even looked at.
    pub(super) fn leave(&mut self) {
        self.has_more = true;
    }

    /// The rows in their order, and whether there may be more.
    pub(super) fn finish(self) -> (Vec<Pick>, bool) {
        (self.heap.into_sorted_vec(), self.has_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_of_all(
            keys in prop::collection::vec((0_i64..9, 0_i64..9), 0..60),
            limit in 1_usize..20,
        ) {
            let mut top = Top::new(limit);
            for (row, key) in (0..).zip(&keys) {
                top.push(Pick { key: *key, source: 0, row });
            }
            let is_full = top.bar().is_some();
            let (picks, has_more) = top.finish();
            let mut want = keys.clone();
            want.sort_unstable();
            want.truncate(limit);
            prop_assert_eq!(picks.iter().map(|pick| pick.key).collect::<Vec<_>>(), want);
            prop_assert_eq!(is_full, keys.len() >= limit);
            prop_assert_eq!(has_more, keys.len() > limit);
        }
    }
}
