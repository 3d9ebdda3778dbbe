//! The groups that the rows of one source are in, by number.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::bitmap::Bitmap;
use super::key;
use super::memory::Share;
use super::reading::{NO_HINT, Reading};
use super::select::{Selector, Stop};

/// Which of a source's rows are in which groups.
#[derive(Debug)]
pub(super) struct Numbered {
    /// The group of each row; of rows that were not asked for, any.
    groups: Vec<u32>,
    /// Further groups of the same row: one that has several values is in several.
    more: FxHashMap<u32, Vec<u32>>,
    /// The key of each group.
    keys: Vec<Box<[u8]>>,
    /// The group of all for whose own there was no memory.
    rest: Option<u32>,
}

/// The memory that the groups of one source may take, before what is known of them is added to
/// that of others.
#[derive(Debug)]
pub(super) struct Room<'m> {
    share: Share<'m>,
    /// What the fold keeps for each group, in bytes.
    each: usize,
}

/// Groups while they are found.
struct Finding<'r, 'm> {
    numbered: Numbered,
    room: &'r mut Room<'m>,
    known: FxHashMap<Box<[u8]>, u32>,
    /// The group of each hint.
    hinted: Vec<u32>,
    key: Vec<u8>,
}

impl Numbered {
    /// One group of all rows.
    pub(super) fn one(rows: u32) -> Self {
        let groups = vec![0; rows as usize];
        Self { groups, more: FxHashMap::default(), keys: vec![Box::from([])], rest: None }
    }

    /// The rows of `within` by their values in a field; those that have none are a group, too.
    pub(super) fn of(
        reading: &Reading,
        selector: &mut Selector<'_>,
        within: &Bitmap,
        room: &mut Room<'_>,
    ) -> Result<Self, Stop> {
        let numbered = Self { groups: vec![NONE; within.rows() as usize], ..Self::empty() };
        let (known, hinted) = (FxHashMap::default(), Vec::new());
        let mut finding = Finding { numbered, room, known, hinted, key: Vec::new() };
        reading.each(selector, within, &mut |row, hint, value| {
            if finding.numbered.is_full(row) {
                return;
            }
            let known = finding.hinted.get(hint as usize).copied().filter(|group| *group != NONE);
            let group = known.unwrap_or_else(|| {
                finding.key.clear();
                key::put(&mut finding.key, Some(value));
                let group = finding.group();
                finding.remember(hint, group);
                group
            });
            finding.numbered.put(row, group, finding.room);
        })?;
        let mut without = None;
        for row in within.iter() {
            if finding.numbered.groups.get(row as usize) == Some(&NONE) {
                let group = *without.get_or_insert_with(|| {
                    finding.key.clear();
                    key::put(&mut finding.key, None);
                    finding.group()
                });
                finding.numbered.put(row, group, finding.room);
            }
        }
        Ok(finding.numbered)
    }

    /// The rows of `within` by what group of this and what group of `other` they are in.
    pub(super) fn and(&self, other: &Self, within: &Bitmap, room: &mut Room<'_>) -> Self {
        let mut both = Self { groups: vec![NONE; within.rows() as usize], ..Self::empty() };
        let mut known: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for row in within.iter() {
            for a in self.of_row(row) {
                for b in other.of_row(row) {
                    if both.is_full(row) {
                        break;
                    }
                    let is_rest = self.rest == Some(a) || other.rest == Some(b);
                    let known = (!is_rest).then(|| known.entry((a, b)));
                    let group = match known {
                        Some(Entry::Occupied(known)) => *known.get(),
                        Some(Entry::Vacant(new)) => {
                            let key = [self.key(a), other.key(b)].concat();
                            *new.insert(both.new_group(&key, room))
                        }
                        None => both.rest_group(),
                    };
                    both.put(row, group, room);
                }
            }
        }
        both
    }

    /// The groups of a row.
    pub(super) fn of_row(&self, row: u32) -> impl Iterator<Item = u32> {
        let first = self.groups.get(row as usize).copied().filter(|group| *group != NONE);
        let more = if self.more.is_empty() { None } else { self.more.get(&row) };
        first.into_iter().chain(more.into_iter().flatten().copied())
    }

    /// The keys of all groups, in the order of their numbers; nothing in place of that of all which
    /// there was no memory for.
    pub(super) fn into_keys(self) -> impl Iterator<Item = Option<Box<[u8]>>> {
        let rest = self.rest;
        let named = move |(number, key)| (rest != Some(number)).then_some(key);
        (0..).zip(self.keys).map(named)
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn empty() -> Self {
        Self { groups: Vec::new(), more: FxHashMap::default(), keys: Vec::new(), rest: None }
    }

    fn key(&self, group: u32) -> &[u8] {
        self.keys.get(group as usize).map_or(&[], |key| key)
    }

    /// Whether a row is in as many groups as it may be.
    fn is_full(&self, row: u32) -> bool {
        !self.more.is_empty()
            && self.more.get(&row).is_some_and(|more| more.len() + 1 >= MAX_GROUPS)
    }

    /// The number of a group that is new; that of the rest, where there is no memory for it.
    fn new_group(&mut self, key: &[u8], room: &mut Room<'_>) -> u32 {
        if !room.share.take(key.len() * 2 + GROUP_BYTES + room.each) {
            return self.rest_group();
        }
        self.keys.push(key.into());
        u32::try_from(self.keys.len() - 1).unwrap_or(NONE)
    }

    fn rest_group(&mut self) -> u32 {
        let (keys, rest) = (&mut self.keys, &mut self.rest);
        *rest.get_or_insert_with(|| {
            keys.push(Box::from([]));
            u32::try_from(keys.len() - 1).unwrap_or(NONE)
        })
    }

    /// Puts a row in a group, once; in no further one, where there is no memory to say so.
    fn put(&mut self, row: u32, group: u32, room: &mut Room<'_>) {
        match self.groups.get_mut(row as usize) {
            Some(first) if *first == NONE => *first = group,
            Some(first) if *first != group => {
                let more = self.more.entry(row).or_default();
                if !more.contains(&group) && room.share.take(MORE_BYTES) {
                    more.push(group);
                }
            }
            _ => {}
        }
    }
}

impl<'m> Room<'m> {
    /// As much as `share` has; beside a key `each` bytes are kept of a group.
    pub(super) const fn new(share: Share<'m>, each: usize) -> Self {
        Self { share, each }
    }
}

impl Finding<'_, '_> {
    /// The group of `key`.
    fn group(&mut self) -> u32 {
        if let Some(group) = self.known.get(&*self.key) {
            return *group;
        }
        let group = self.numbered.new_group(&self.key, self.room);
        if self.numbered.rest != Some(group) {
            self.known.insert(self.key.as_slice().into(), group);
        }
        group
    }

    fn remember(&mut self, hint: u32, group: u32) {
        if hint == NO_HINT {
            return;
        }
        let hint = hint as usize;
        if self.hinted.len() <= hint {
            self.hinted.resize(hint + 1, NONE);
        }
        if let Some(hinted) = self.hinted.get_mut(hint) {
            *hinted = group;
        }
    }
}

/// Groups that a row may be in: a sender can make arrays up, and those of several fields multiply.
const MAX_GROUPS: usize = 1000;

/// The memory that a group takes beside its key, in bytes, roughly.
const GROUP_BYTES: usize = 96;

/// The memory of one more group that a row is in, in bytes, roughly.
const MORE_BYTES: usize = 16;

/// No group.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Memory;

    #[test]
    fn groups_that_there_is_no_memory_for_are_one() {
        let memory = Memory::new(10_000);
        let mut room = Room::new(Share::new(&memory), 100);
        let numbered = Numbered { groups: vec![NONE; 1000], ..Numbered::empty() };
        let (known, hinted) = (FxHashMap::default(), Vec::new());
        let mut finding = Finding { numbered, room: &mut room, known, hinted, key: Vec::new() };
        for row in 0..1000_u32 {
            finding.key = row.to_le_bytes().to_vec();
            let group = finding.group();
            finding.numbered.put(row, group, finding.room);
        }
        let numbered = finding.numbered;
        let rest = numbered.rest.unwrap();
        assert!(numbered.len() < 60, "{}", numbered.len());
        assert_eq!(numbered.of_row(999).collect::<Vec<_>>(), [rest]);
        assert_eq!(numbered.of_row(0).collect::<Vec<_>>(), [0]);
        let both = numbered.and(&numbered, &Bitmap::all(1000), &mut room);
        let rest = both.rest.unwrap();
        assert_eq!(both.of_row(999).collect::<Vec<_>>(), [rest]);
        assert_eq!(both.into_keys().filter(Option::is_none).count(), 1);
        drop(room);
        assert!(Share::new(&memory).take(10_000), "all memory is given back");
    }
}
