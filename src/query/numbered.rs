//! The groups that the rows of one source are in, by number.

use rustc_hash::FxHashMap;

use super::bitmap::Bitmap;
use super::key;
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
}

/// Groups while they are found.
struct Finding {
    numbered: Numbered,
    known: FxHashMap<Box<[u8]>, u32>,
    /// The group of each hint.
    hinted: Vec<u32>,
    key: Vec<u8>,
}

impl Numbered {
    /// One group of all rows.
    pub(super) fn one(rows: u32) -> Self {
        let groups = vec![0; rows as usize];
        Self { groups, more: FxHashMap::default(), keys: vec![Box::from([])] }
    }

    /// The rows of `within` by their values in a field; those that have none are a group, too.
    pub(super) fn of(
        reading: &Reading,
        selector: &mut Selector<'_>,
        within: &Bitmap,
    ) -> Result<Self, Stop> {
        let numbered = Self { groups: vec![NONE; within.rows() as usize], ..Self::empty() };
        let (known, hinted) = (FxHashMap::default(), Vec::new());
        let mut finding = Finding { numbered, known, hinted, key: Vec::new() };
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
            finding.numbered.put(row, group);
        })?;
        let mut without = None;
        for row in within.iter() {
            if finding.numbered.groups.get(row as usize) == Some(&NONE) {
                let group = *without.get_or_insert_with(|| {
                    finding.key.clear();
                    key::put(&mut finding.key, None);
                    finding.group()
                });
                finding.numbered.put(row, group);
            }
        }
        Ok(finding.numbered)
    }

    /// The rows of `within` by what group of this and what group of `other` they are in.
    pub(super) fn and(&self, other: &Self, within: &Bitmap) -> Self {
        let mut both = Self { groups: vec![NONE; within.rows() as usize], ..Self::empty() };
        let mut known: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for row in within.iter() {
            for a in self.of_row(row) {
                for b in other.of_row(row) {
                    if both.is_full(row) {
                        break;
                    }
                    let next = u32::try_from(both.keys.len()).unwrap_or(NONE);
                    let group = *known.entry((a, b)).or_insert(next);
                    if group == next {
                        both.keys.push([self.key(a), other.key(b)].concat().into());
                    }
                    both.put(row, group);
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

    /// The keys of all groups, in the order of their numbers.
    pub(super) fn into_keys(self) -> Vec<Box<[u8]>> {
        self.keys
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn empty() -> Self {
        Self { groups: Vec::new(), more: FxHashMap::default(), keys: Vec::new() }
    }

    fn key(&self, group: u32) -> &[u8] {
        self.keys.get(group as usize).map_or(&[], |key| key)
    }

    /// Whether a row is in as many groups as it may be.
    fn is_full(&self, row: u32) -> bool {
        !self.more.is_empty()
            && self.more.get(&row).is_some_and(|more| more.len() + 1 >= MAX_GROUPS)
    }

    /// Puts a row in a group, once.
    fn put(&mut self, row: u32, group: u32) {
        match self.groups.get_mut(row as usize) {
            Some(first) if *first == NONE => *first = group,
            Some(first) if *first != group => {
                let more = self.more.entry(row).or_default();
                if !more.contains(&group) {
                    more.push(group);
                }
            }
            _ => {}
        }
    }
}

impl Finding {
    /// The group of `key`.
    fn group(&mut self) -> u32 {
        if let Some(group) = self.known.get(&*self.key) {
            return *group;
        }
        let group = u32::try_from(self.numbered.keys.len()).unwrap_or(NONE);
        self.numbered.keys.push(self.key.as_slice().into());
        self.known.insert(self.key.as_slice().into(), group);
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

/// No group.
const NONE: u32 = u32::MAX;
