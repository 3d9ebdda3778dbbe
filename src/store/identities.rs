//! What tells the latest events from copies of themselves, where their senders gave them an id: kept
//! beside the batch that holds them, and written with it.
//!
//! ```text
//!  meta: identity/NUMBER = (id, content), 8 bytes each, for every such row of batch NUMBER
//! ```
//!
//! So a copy is known for one exactly if what it is a copy of is there. The oldest are forgotten:
//! a copy comes soon, or not at all.

use std::collections::VecDeque;

use super::identity::Identity;
use super::{Error, Store};
use crate::db::{self, Db, Family, Write};

/// The batches whose identities are kept, the oldest first, and how many each has.
#[derive(Debug, Default)]
pub(super) struct Kept {
    batches: VecDeque<(u64, usize)>,
    total: usize,
}

impl Store {
    /// What the latest events are known by, the oldest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn identities(&self) -> Result<Vec<Identity>, Error> {
        let entries = self.db.meta_scan(PREFIX)?;
        Ok(entries.iter().flat_map(|(_, value)| decode(value)).collect())
    }
}

impl Kept {
    pub(super) fn read(db: &Db) -> Result<Self, db::Error> {
        let mut kept = Self::default();
        for (key, value) in db.meta_scan(PREFIX)? {
            if let Some((_, number)) = key.split_last_chunk() {
                kept.add(u64::from_be_bytes(*number), value.len() / LEN);
            }
        }
        Ok(kept)
    }

    /// Writes those of a batch, and forgets the oldest where there are too many.
    pub(super) fn put(&mut self, write: &mut Write<'_>, number: u64, identities: &[Identity]) {
        if identities.is_empty() {
            return;
        }
        let bytes = |one: &Identity| [one.id.to_le_bytes(), one.content.to_le_bytes()].concat();
        write.put(Family::Meta, key(number), identities.iter().flat_map(bytes).collect::<Vec<_>>());
        // A batch that was refused comes again under its number.
        if self.batches.back().is_none_or(|(last, _)| *last < number) {
            self.add(number, identities.len());
        }
        while self.total > MAX_IDENTITIES && self.batches.len() > 1 {
            let Some((oldest, count)) = self.batches.pop_front() else { return };
            self.total -= count;
            write.delete(Family::Meta, key(oldest));
        }
    }

    fn add(&mut self, number: u64, count: usize) {
        self.batches.push_back((number, count));
        self.total += count;
    }
}

fn key(number: u64) -> Vec<u8> {
    [PREFIX, &number.to_be_bytes()].concat()
}

fn decode(value: &[u8]) -> impl Iterator<Item = Identity> {
    let (numbers, _) = value.as_chunks::<8>();
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs.iter().map(|[id, content]| Identity {
        id: u64::from_le_bytes(*id),
        content: u64::from_le_bytes(*content),
    })
}

/// Identities that are kept: of some minutes of a busy store, or of weeks of others.
pub const MAX_IDENTITIES: usize = 500_000;

/// Bytes of one.
const LEN: usize = 16;

const PREFIX: &[u8] = b"identity/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Options;

    #[test]
    fn the_oldest_are_forgotten_and_the_others_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &Options::default()).unwrap();
        let mut kept = Kept::default();
        let one = |id| Identity { id, content: !id };
        let mut put = |number, identities: &[Identity]| {
            let mut write = Write::default();
            kept.put(&mut write, number, identities);
            db.commit(&write).unwrap();
        };
        put(1, &[one(1), one(2)]);
        put(1, &[one(1), one(2)]);
        put(2, &[]);
        put(3, &vec![one(3); MAX_IDENTITIES - 2]);
        put(4, &[one(4)]);
        let found = Kept::read(&db).unwrap();
        assert_eq!(found.batches, [(3, MAX_IDENTITIES - 2), (4, 1)]);
        assert_eq!((found.total, kept.total), (MAX_IDENTITIES - 1, MAX_IDENTITIES - 1));
        let last = db.meta_scan(PREFIX).unwrap().pop().unwrap().1;
        assert_eq!(decode(&last).collect::<Vec<_>>(), [one(4)]);
    }
}
