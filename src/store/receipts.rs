//! What tells messages that were stored, and whose senders may not know it, from copies of them: kept
//! beside the batch that holds their rows, and written with it.
//!
//! ```text
//!  meta: receipt/CONNECTION FIRST = batch, source, time, acknowledged, what each is known by
//! ```
//!
//! All numbers have 8 bytes. The messages of a connection are numbered from 0 on; `FIRST` is the
//! number of the first one in an entry, and all before `acknowledged` are known to be acknowledged.
//! So a copy is known for one exactly if what it is a copy of is there. What was acknowledged is
//! forgotten with the next batch of its connection, and the oldest where there is too much.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use super::recover;
use super::{Error, Store};
use crate::db::{self, Db, Family, Write};

/// Whose messages are to be known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The connection; no other ever has that id.
    pub connection: u64,
    /// Who is at its other end: the same for all connections of one sender.
    pub source: u64,
    /// When, in microseconds since the epoch.
    pub at: i64,
    /// The number of the first message.
    pub first: u64,
    /// The number of the first message whose acknowledgement its sender may not know.
    pub acknowledged: u64,
}

/// What a connection left behind that ended with the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its id.
    pub connection: u64,
    /// Who was at its other end.
    pub source: u64,
    /// When the last of its messages came, in microseconds since the epoch.
    pub at: i64,
    /// The number of the first of its messages.
    pub first: u64,
    /// What its messages are known by, in order; [`HOLE`] for one that is not there.
    pub messages: Vec<u64>,
}

/// What the messages of a batch are known by.
#[derive(Clone, Debug, Default)]
pub(super) struct Receipts {
    /// Each with how many of `messages` are its own.
    parts: Vec<(Receipt, usize)>,
    messages: Vec<u64>,
    /// Connections of which nothing need be known any longer.
    pub(super) ended: Vec<u64>,
}

/// What is kept: by the order in which it came, and where that is of each connection.
#[derive(Debug, Default)]
pub(super) struct Kept {
    entries: BTreeMap<u64, Entry>,
    connections: FxHashMap<u64, VecDeque<u64>>,
    next: u64,
    total: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    connection: u64,
    first: u64,
    count: usize,
}

impl Store {
    /// What connections left behind that ended with the daemon, the oldest first. What is said to be
    /// in a batch that is not there is left out.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn receipts(&self) -> Result<Vec<Left>, Error> {
        let sealed = recover::next(&self.db)?.map_or(0, |(_, batch, _)| batch);
        let missing = self.missing.read().clone();
        let staged = self.state.read().staged.iter().map(|staged| staged.number).collect();
        let staged: BTreeSet<u64> = staged;
        let is_there = |batch: u64| match batch < sealed {
            true => !missing.has(batch),
            false => staged.contains(&batch),
        };
        let mut lefts: FxHashMap<u64, (u64, Vec<Read>)> = FxHashMap::default();
        for (key, value) in self.db.meta_scan(PREFIX)? {
            let Some(read) = Read::of(&key, &value) else { continue };
            let left = lefts.entry(read.receipt.connection).or_default();
            left.0 = left.0.max(read.receipt.acknowledged);
            if is_there(read.batch) {
                left.1.push(read);
            }
        }
        let mut lefts: Vec<_> =
            lefts.into_values().filter_map(|(from, reads)| left(from, &reads)).collect();
        lefts.sort_by_key(|left| (left.at, left.connection));
        Ok(lefts)
    }

    /// A number that nobody else knows, always the same: what messages are known by is made with it.
    ///
    /// # Errors
    ///
    /// There is none yet, and none could be written.
    pub fn receipt_seed(&self) -> Result<u64, Error> {
        let kept = self.db.get(Family::Meta, SEED)?;
        if let Some(seed) = kept.as_deref().and_then(|seed| seed.try_into().ok()) {
            return Ok(u64::from_le_bytes(seed));
        }
        let seed = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
        let mut write = Write::default();
        write.put(Family::Meta, SEED, seed.to_le_bytes().to_vec());
        self.db.commit(&write)?;
        Ok(seed)
    }
}

impl Receipts {
    pub(super) fn push(&mut self, receipt: Receipt, messages: impl IntoIterator<Item = u64>) {
        let before = self.messages.len();
        self.messages.extend(messages);
        self.parts.push((receipt, self.messages.len() - before));
    }

    pub(super) fn clear(&mut self) {
        self.parts.clear();
        self.messages.clear();
        self.ended.clear();
    }
}

impl Kept {
    pub(super) fn read(db: &Db) -> Result<Self, db::Error> {
        let mut kept = Self::default();
        let entries = db.meta_scan(PREFIX)?;
        let mut found: Vec<_> =
            entries.iter().filter_map(|(key, value)| Read::of(key, value)).collect();
        found.sort_by_key(|read| (read.batch, read.receipt.first));
        for Read { receipt, messages, .. } in &found {
            kept.add(receipt, messages.len());
        }
        Ok(kept)
    }

    /// Writes those of a batch, forgets what was acknowledged, and the oldest where there are too
    /// many.
    pub(super) fn put(&mut self, write: &mut Write<'_>, batch: u64, receipts: &Receipts) {
        let mut rest = receipts.messages.as_slice();
        for (receipt, count) in &receipts.parts {
            let (messages, more) = rest.split_at_checked(*count).unwrap_or_default();
            rest = more;
            self.forget(write, receipt.connection, receipt.acknowledged);
            if self.add(receipt, messages.len()) {
                write.put(Family::Meta, key(receipt), value(batch, receipt, messages));
            }
        }
        for connection in &receipts.ended {
            self.forget(write, *connection, u64::MAX);
        }
        while self.total > MAX_RECEIPTS && self.entries.len() > 1 {
            let Some((_, oldest)) = self.entries.first_key_value() else { return };
            let end = oldest.first.saturating_add(oldest.count as u64);
            self.forget(write, oldest.connection, end);
        }
    }

    /// Says whether there is anything to write. A batch that was refused comes again.
    fn add(&mut self, receipt: &Receipt, count: usize) -> bool {
        let Receipt { connection, first, .. } = *receipt;
        if count == 0 {
            return false;
        }
        let of = self.connections.entry(connection).or_default();
        let last = of.back().and_then(|order| self.entries.get(order));
        if last.is_none_or(|last| last.first < first) {
            of.push_back(self.next);
            self.entries.insert(self.next, Entry { connection, first, count });
            self.next += 1;
            self.total += count;
        }
        true
    }

    /// Forgets the messages of a connection before this one.
    fn forget(&mut self, write: &mut Write<'_>, connection: u64, acknowledged: u64) {
        let Some(of) = self.connections.get_mut(&connection) else { return };
        while let Some(order) = of.front() {
            if let Some(Entry { first, count, .. }) = self.entries.get(order).copied() {
                if first.saturating_add(count as u64) > acknowledged {
                    return;
                }
                self.entries.remove(order);
                self.total -= count;
                write.delete(Family::Meta, key_of(connection, first));
            }
            of.pop_front();
        }
        self.connections.remove(&connection);
    }
}

/// An entry as it lies on disk.
struct Read {
    batch: u64,
    receipt: Receipt,
    messages: Vec<u64>,
}

impl Read {
    fn of(key: &[u8], value: &[u8]) -> Option<Self> {
        let (connection, first) = key.strip_prefix(PREFIX)?.split_first_chunk()?;
        let (numbers, _) = value.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let (batch, source) = (numbers.next()?, numbers.next()?);
        let (at, acknowledged) = (numbers.next()?.cast_signed(), numbers.next()?);
        let receipt = Receipt {
            connection: u64::from_be_bytes(*connection),
            source,
            at,
            first: u64::from_be_bytes(first.try_into().ok()?),
            acknowledged,
        };
        Some(Self { batch, receipt, messages: numbers.collect() })
    }
}

/// The messages of a connection from that number on, with holes where some are not there: their
/// batch was not written, and they come again.
fn left(from: u64, reads: &[Read]) -> Option<Left> {
    let Receipt { connection, source, .. } = reads.first()?.receipt;
    let mut left = Left { connection, source, at: i64::MIN, first: from, messages: Vec::new() };
    for Read { receipt, messages, .. } in reads {
        left.at = left.at.max(receipt.at);
        let at = usize::try_from(receipt.first.saturating_sub(from)).unwrap_or(usize::MAX);
        let known = usize::try_from(from.saturating_sub(receipt.first)).unwrap_or(usize::MAX);
        let new = messages.get(known..).unwrap_or_default();
        let holes = at.saturating_sub(left.messages.len()).min(MAX_HOLES);
        left.messages.extend(std::iter::repeat_n(HOLE, holes));
        left.messages.extend(new);
    }
    left.messages.iter().any(|message| *message != HOLE).then_some(left)
}

fn key(receipt: &Receipt) -> Vec<u8> {
    key_of(receipt.connection, receipt.first)
}

fn key_of(connection: u64, first: u64) -> Vec<u8> {
    [PREFIX, &connection.to_be_bytes(), &first.to_be_bytes()].concat()
}

fn value(batch: u64, receipt: &Receipt, messages: &[u64]) -> Vec<u8> {
    let head = [batch, receipt.source, receipt.at.cast_unsigned(), receipt.acknowledged];
    head.iter().chain(messages).flat_map(|number| number.to_le_bytes()).collect()
}

/// Stands for a message that is not stored, or not to be known again.
pub const HOLE: u64 = 0;

/// Messages of which is kept what they are known by: 8 MiB of it.
pub const MAX_RECEIPTS: usize = 1 << 20;

/// Messages in a row of which it is known that they are not there: as many as a window has.
const MAX_HOLES: usize = 65_536;

const PREFIX: &[u8] = b"receipt/";

const SEED: &[u8] = b"receipt-seed";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Options;

    fn receipt(connection: u64, first: u64, acknowledged: u64) -> Receipt {
        Receipt { connection, source: 7, at: 1, first, acknowledged }
    }

    fn batch(receipt: Receipt, messages: impl IntoIterator<Item = u64>) -> Receipts {
        let mut receipts = Receipts::default();
        receipts.push(receipt, messages);
        receipts
    }

    #[test]
    fn what_was_acknowledged_is_forgotten_and_the_oldest_where_there_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &Options::default()).unwrap();
        let mut kept = Kept::default();
        let mut put = |number, receipts: &Receipts| {
            let mut write = Write::default();
            kept.put(&mut write, number, receipts);
            db.commit(&write).unwrap();
            let read = Kept::read(&db).unwrap();
            assert_eq!(read.total, kept.total);
            let entries = |kept: &Kept| kept.entries.values().copied().collect::<Vec<_>>();
            assert_eq!(entries(&read), entries(&kept));
            db.meta_scan(PREFIX).unwrap().len()
        };
        assert_eq!(put(1, &batch(receipt(1, 0, 0), [11, 12])), 1);
        assert_eq!(put(1, &batch(receipt(1, 0, 0), [11, 12])), 1, "it was refused, and put again");
        assert_eq!(put(2, &batch(receipt(1, 2, 1), [13])), 2);
        assert_eq!(put(3, &batch(receipt(2, 0, 0), [21])), 3);
        assert_eq!(put(4, &batch(receipt(1, 3, 2), [14])), 3);
        let ended = Receipts { ended: vec![1], ..Receipts::default() };
        assert_eq!(put(5, &ended), 1);
        assert_eq!(put(6, &batch(receipt(3, 0, 0), vec![1; MAX_RECEIPTS])), 1);
    }

    #[test]
    fn what_is_not_there_is_a_hole() {
        let read = |first, messages: &[u64]| Read {
            batch: 1,
            receipt: receipt(1, first, 0),
            messages: messages.to_vec(),
        };
        let messages = |from, reads: &[Read]| left(from, reads).map(|left| left.messages);
        assert_eq!(messages(0, &[]), None);
        assert_eq!(messages(0, &[read(0, &[1, 2])]), Some(vec![1, 2]));
        assert_eq!(messages(1, &[read(0, &[1, 2]), read(2, &[3])]), Some(vec![2, 3]));
        assert_eq!(messages(2, &[read(4, &[5]), read(6, &[7])]), Some(vec![0, 0, 5, 0, 7]));
        assert_eq!(messages(2, &[read(0, &[1, 2])]), None);
        assert_eq!(messages(0, &[read(0, &[HOLE])]), None);
        let far = messages(0, &[read(1 << 40, &[5])]).unwrap();
        assert_eq!((far.len(), far.last()), (MAX_HOLES + 1, Some(&5)));
    }
}
