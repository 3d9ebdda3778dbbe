//! A map of bounded size: it forgets what was not heard of for longest, half of it at a time.

use std::collections::HashMap;
use std::hash::Hash;

/// At most [`MAX_SUBJECTS`] values, by what was heard of last.
#[derive(Debug)]
pub struct Aging<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Default> Aging<K, V> {
    /// The value of `key`, which is heard of now.
    pub fn get(&mut self, key: K) -> &mut V {
        // First, so that whoever makes room is not forgotten with others.
        let known = self.old.remove(&key);
        if !self.young.contains_key(&key) && self.young.len() >= MAX_SUBJECTS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert_with(|| known.unwrap_or_default())
    }

    /// The value of `key`, if it is known; it is not heard of by that.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Every key, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.young.keys().chain(self.old.keys())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> Default for Aging<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

/// The most values that are kept.
pub const MAX_SUBJECTS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_heard_of_stays_also_who_makes_room() {
        let mut map = Aging::default();
        *map.get(0) = 7;
        // As many as there is room for; the next one that is not among the last half makes some.
        for key in 1..MAX_SUBJECTS {
            map.get(key);
        }
        assert_eq!(*map.get(0), 7);
        map.get(MAX_SUBJECTS);
        assert_eq!(map.peek(&1), None, "not heard of again");
        assert_eq!(map.peek(&0), Some(&7));
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for() {
        let mut map: Aging<usize, ()> = Aging::default();
        for key in 0..100_000 {
            map.get(key);
            map.get(key / 3);
            assert!(map.len() <= MAX_SUBJECTS);
        }
        assert_eq!(map.keys().count(), map.len());
    }
}
