//! Groups of events by some key, and what is known of each; bounded in number and in memory.
//!
//! Where more groups come than there is room for, the smaller half of those that are there is
//! summed as the rest. So the large ones stay, whenever they come; what a group had counted before
//! it was once among the small ones is in the rest.

use rustc_hash::FxHashMap;

use super::memory::Share;

/// What is known of a group.
pub(super) trait State: Default + Send {
    /// Adds what is known of more of its events.
    fn merge(&mut self, other: Self);

    /// How large it is: the smaller ones are given up.
    fn weight(&self) -> u64;

    /// The memory that it takes beside its own size, in bytes, roughly.
    fn bytes(&self) -> usize;
}

/// Groups by their keys.
#[derive(Debug)]
pub(super) struct Groups<'m, S> {
    groups: FxHashMap<Box<[u8]>, S>,
    limit: usize,
    share: Share<'m>,
    rest: Rest<S>,
}

/// The groups that are not kept.
#[derive(Debug, Default)]
pub(super) struct Rest<S> {
    /// All of them, as one.
    pub(super) state: S,
    /// Whether there are any: then those that are kept may be short of events that are in here.
    pub(super) is_used: bool,
}

/// A group and its key.
pub(super) type Keyed<S> = (Box<[u8]>, S);

impl<'m, S: State> Groups<'m, S> {
    /// Room for about `limit` groups, and no more memory than `share` has.
    pub(super) fn new(limit: usize, share: Share<'m>) -> Self {
        Self { groups: FxHashMap::default(), limit, share, rest: Rest::default() }
    }

    /// Adds what is known of more events of the group `key`.
    pub(super) fn add(&mut self, key: &[u8], state: S) {
        if let Some(known) = self.groups.get_mut(key) {
            let before = known.bytes();
            known.merge(state);
            let after = known.bytes();
            if after < before {
                self.share.give(before - after);
            } else if !self.share.take(after - before) {
                // It is there already: what is short is taken from others.
                self.give_up_half();
            }
            return;
        }
        if self.groups.len() >= self.limit.saturating_mul(SLACK) {
            self.give_up_half();
        }
        let size = size(key, &state);
        if !self.share.take(size) {
            self.give_up_half();
            if !self.share.take(size) {
                self.rest.is_used = true;
                return self.rest.state.merge(state);
            }
        }
        self.groups.insert(key.into(), state);
    }

    /// Adds what is known of events of which nobody knows the group.
    pub(super) fn add_rest(&mut self, state: S) {
        self.rest.is_used = true;
        self.rest.state.merge(state);
    }

    /// More memory of the same, for as long as it is held.
    pub(super) const fn more_room(&self) -> Share<'m> {
        self.share.another()
    }

    /// Adds what another thread found.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { groups, rest, share, .. } = other;
        drop(share);
        groups.into_iter().for_each(|(key, state)| self.add(&key, state));
        self.rest.is_used |= rest.is_used;
        self.rest.state.merge(rest.state);
    }

    /// The largest `limit` groups, the largest first; all others are in the rest.
    pub(super) fn finish(self) -> (Vec<Keyed<S>>, Rest<S>) {
        let Self { groups, limit, mut rest, share: _ } = self;
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_unstable_by(|(a_key, a), (b_key, b)| {
            b.weight().cmp(&a.weight()).then_with(|| a_key.cmp(b_key))
        });
        for (_, state) in groups.drain(limit.min(groups.len())..) {
            rest.is_used = true;
            rest.state.merge(state);
        }
        (groups, rest)
    }

    fn give_up_half(&mut self) {
        let mut weights: Vec<u64> = self.groups.values().map(S::weight).collect();
        let half = weights.len() / 2;
        if half == 0 {
            return;
        }
        let (_, bar, _) = weights.select_nth_unstable(half);
        let mut left = half;
        let bar = *bar;
        for (key, state) in self.groups.extract_if(|_, state| {
            let goes = left > 0 && state.weight() <= bar;
            left -= usize::from(goes);
            goes
        }) {
            self.share.give(size(&key, &state));
            self.rest.is_used = true;
            self.rest.state.merge(state);
        }
    }
}

fn size<S: State>(key: &[u8], state: &S) -> usize {
    key.len() + size_of::<S>() + ENTRY_BYTES + state.bytes()
}

/// For each group that is kept in the end, how many are kept on the way.
const SLACK: usize = 2;

/// The memory that a group takes beside key and state, in bytes, roughly.
const ENTRY_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Memory;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Default, PartialEq)]
    struct Count(u64);

    impl State for Count {
        fn merge(&mut self, other: Self) {
            self.0 += other.0;
        }

        fn weight(&self) -> u64 {
            self.0
        }

        fn bytes(&self) -> usize {
            usize::try_from(self.0).unwrap()
        }
    }

    proptest! {
        /// No event is lost, none is counted twice, and with room for all there is no rest.
        #[test]
        fn groups_and_rest_are_all_there_is(
            adds in prop::collection::vec((0_u8..40, 1_u64..9), 0..200),
            limit in 1_usize..50,
            room in prop::sample::select(vec![100_usize, 1_000, 1_000_000]),
            split in 0_usize..200,
        ) {
            let memory = Memory::new(room);
            let mut want = BTreeMap::<u8, u64>::new();
            let (mut one, mut other) =
                (Groups::new(limit, Share::new(&memory)), Groups::new(limit, Share::new(&memory)));
            for (number, (key, count)) in adds.iter().enumerate() {
                *want.entry(*key).or_default() += count;
                let groups = if number < split { &mut one } else { &mut other };
                groups.add(&[*key], Count(*count));
            }
            one.merge(other);
            let (groups, rest) = one.finish();
            prop_assert!(groups.len() <= limit);
            prop_assert!(groups.is_sorted_by(|a, b| a.1.0 >= b.1.0));
            let sum: u64 = groups.iter().map(|(_, state)| state.0).sum();
            prop_assert_eq!(sum + rest.state.0, want.values().sum::<u64>());
            prop_assert_eq!(rest.is_used, rest.state.0 > 0);
            for (key, state) in &groups {
                prop_assert!(state.0 <= want[&key[0]]);
            }
            if room == 1_000_000 && want.len() <= limit {
                prop_assert!(!rest.is_used);
            }
            prop_assert!(Share::new(&memory).take(room), "all memory is given back");
        }
    }

    #[test]
    fn a_large_group_stays_though_it_comes_late() {
        let memory = Memory::default();
        let mut groups = Groups::new(10, Share::new(&memory));
        for number in 0_u64..10_000 {
            groups.add(&number.to_le_bytes(), Count(1));
            if number > 9_000 {
                groups.add(b"large", Count(3));
            }
        }
        let (groups, rest) = groups.finish();
        assert_eq!((groups.len(), &*groups[0].0), (10, &b"large"[..]));
        assert!(groups[0].1.0 >= 2_000 && rest.is_used);
    }
}
