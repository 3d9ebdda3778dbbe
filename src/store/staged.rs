//! A batch as it is acknowledged: one chunk under its number in the `stage` family.
//!
//! ```text
//!  payload   = format, first id, bytes of the values, origins, runs, times, columns, directory, its length (4 bytes)
//!  directory = how many columns, then the name of each, and the lengths of its two parts
//!  format    = 1 columns together | 2 columns apart: the hard part of each is a chunk
//! ```
//!
//! What is large enough to become a block as it is has its columns apart, as a block has them: they are
//! compressed once.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::bytes::{Damaged, Reader, put_bytes, put_varint};
use super::chunk::{Packer, Unpacker};
use super::column::{Column, Parts, Payload};
use super::digest::Digest;
use super::identity::Identity;
use super::origin::Origin;
use super::receipts::Receipts;
use super::rows::{Head, Rows};
use super::tokens::Words;
use crate::time::DAY;

/// A staged batch: what is known of it without opening it, and its chunk.
#[derive(Debug)]
pub struct Staged {
    /// Its number: batches are numbered in the order they were committed.
    pub(super) number: u64,
    /// The id of its first row; the others follow.
    pub(super) first_id: u64,
    /// How many rows.
    pub(super) rows: usize,
    /// The times of its earliest and latest row, in microseconds since the epoch.
    pub(super) times: (i64, i64),
    /// How many rows each project has.
    projects: FxHashMap<Arc<str>, u64>,
    /// Bytes of the values before they were encoded.
    pub(super) raw_bytes: usize,
    /// The compressed payload, as it lies on disk.
    pub(super) chunk: Arc<[u8]>,
    /// What its rows are known by, until it is on disk.
    pub(super) identities: Box<[Identity]>,
    /// What its messages are known by, until it is on disk.
    pub(super) receipts: Receipts,
    /// What its block has to know, once it is told.
    digest: Mutex<Option<Digest>>,
}

/// A staged batch, opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) first_id: u64,
    pub(super) raw_bytes: u64,
    pub(super) head: Head,
    payload: Payload,
    /// Whether each column is a chunk.
    is_apart: bool,
    /// Where the head lies in its two parts.
    head_at: (Range<usize>, Range<usize>),
    /// Where each column lies in the two parts of the payload.
    columns: FxHashMap<Box<str>, (Range<usize>, Range<usize>)>,
}

impl Staged {
    /// Packs `rows` under a number, with ids from `first_id` on. `scratch` is only memory.
    pub(super) fn pack(
        number: u64,
        first_id: u64,
        rows: &Rows,
        packer: &mut Packer,
        scratch: &mut Payload,
    ) -> Self {
        scratch.clear();
        let is_apart = rows.bytes() as u64 >= WHOLE_BYTES;
        scratch.soft.push(if is_apart { APART } else { TOGETHER });
        put_varint(&mut scratch.soft, first_id);
        put_varint(&mut scratch.soft, rows.bytes() as u64);
        rows.encode_head(scratch);
        // The directory comes last: it is then known how long each column became.
        let mut directory = Vec::new();
        put_varint(&mut directory, rows.columns().count() as u64);
        let mut apart = Payload::default();
        for (name, column) in rows.columns() {
            let (soft, hard) = scratch.lens();
            if is_apart {
                apart.clear();
                column.encode(&mut apart);
                scratch.hard.extend(packer.pack(apart.parts()));
            } else {
                column.encode(scratch);
            }
            put_bytes(&mut directory, name.as_bytes());
            put_varint(&mut directory, (scratch.soft.len() - soft) as u64);
            put_varint(&mut directory, (scratch.hard.len() - hard) as u64);
        }
        scratch.soft.extend_from_slice(&directory);
        let len = u32::try_from(directory.len()).expect("names are few and short");
        scratch.soft.extend_from_slice(&len.to_le_bytes());
        Self {
            number,
            first_id,
            rows: rows.len(),
            times: span(rows.times()),
            projects: by_project(rows.by_origin()),
            raw_bytes: rows.bytes(),
            chunk: packer.pack(scratch.parts()).into(),
            identities: rows.identities().into(),
            receipts: rows.receipts().clone(),
            digest: Mutex::default(),
        }
    }

    /// Reads back what lay under `number`.
    pub(super) fn read(number: u64, chunk: &[u8]) -> Result<Self, Damaged> {
        let opened = Opened::open(chunk, &mut Unpacker::new())?;
        Ok(Self {
            number,
            first_id: opened.first_id,
            rows: opened.head.times.len(),
            times: span(&opened.head.times),
            projects: by_project(opened.head.by_origin()),
            raw_bytes: usize::try_from(opened.raw_bytes).unwrap_or(usize::MAX),
            chunk: chunk.into(),
            identities: Box::default(),
            receipts: Receipts::default(),
            digest: Mutex::default(),
        })
    }
}

impl Staged {
    /// Tells what its block has to know, if it becomes one as it is: `rows` are those that it was made of.
    pub(super) fn digest(&self, rows: &Rows, words: &mut Words) {
        let is_of_one_day = self.times.0.div_euclid(DAY) == self.times.1.div_euclid(DAY);
        let is_one = self.projects.len() == 1 && is_of_one_day;
        if is_one && rows.bytes() as u64 >= WHOLE_BYTES {
            *self.digest.lock() = Some(rows.digest(words));
        }
    }

    /// What its block has to know, if that was told and not taken before.
    pub(super) fn take_digest(&self) -> Option<Digest> {
        self.digest.lock().take()
    }

    /// How many rows `project` has in it.
    pub fn rows_of(&self, project: &str) -> u64 {
        self.projects.get(project).copied().unwrap_or_default()
    }
}

impl Opened {
    pub(super) fn open(chunk: &[u8], unpacker: &mut Unpacker) -> Result<Self, Damaged> {
        let payload = unpacker.unpack(chunk)?;
        let mut parts = payload.parts();
        let is_apart = match parts.soft.byte()? {
            TOGETHER => false,
            APART => true,
            _ => return Err(Damaged("a batch of this format")),
        };
        let (first_id, raw_bytes) = (parts.soft.varint()?, parts.soft.varint()?);
        let start = payload.soft.len() - parts.soft.0.len();
        let head = Head::decode(&mut parts)?;
        let mut soft = payload.soft.len() - parts.soft.0.len();
        let mut hard = payload.hard.len() - parts.hard.0.len();
        let head_at = (start..soft, 0..hard);
        let (body, len) = parts.soft.0.split_last_chunk().ok_or(Damaged("a directory"))?;
        let len = u32::from_le_bytes(*len) as usize;
        let at = body.len().checked_sub(len).ok_or(Damaged("a directory"))?;
        let mut directory = Reader(body.get(at..).unwrap_or_default());
        let mut columns = FxHashMap::default();
        for _ in 0..directory.count()? {
            let name = directory.text()?.into();
            let soft = next_range(&mut directory, &mut soft, payload.soft.len())?;
            columns
                .insert(name, (soft, next_range(&mut directory, &mut hard, payload.hard.len())?));
        }
        Ok(Self { first_id, raw_bytes, head, payload, is_apart, head_at, columns })
    }

    /// The id of each row.
    pub(super) fn ids(&self) -> Vec<i64> {
        (self.first_id.cast_signed()..).take(self.head.times.len()).collect()
    }

    /// The names of its columns, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(|name| &**name)
    }

    /// Reads a column.
    pub(super) fn column(
        &self,
        name: &str,
        unpacker: &mut Unpacker,
    ) -> Result<Option<Column>, Damaged> {
        let Some(at) = self.columns.get(name) else { return Ok(None) };
        let parts = self.parts(at);
        if self.is_apart {
            return Column::decode(unpacker.unpack(parts.hard.0)?.parts()).map(Some);
        }
        Column::decode(parts).map(Some)
    }

    /// Reads all columns.
    pub(super) fn columns(
        &self,
        unpacker: &mut Unpacker,
    ) -> Result<Vec<(Box<str>, Column)>, Damaged> {
        let mut column = |name: &str| self.column(name, unpacker).map(Option::unwrap_or_default);
        self.names().map(|name| Ok((name.into(), column(name)?))).collect()
    }

    /// The chunk that a column is in a block.
    pub(super) fn chunk(&self, name: &str, packer: &mut Packer) -> Option<Vec<u8>> {
        let parts = self.parts(self.columns.get(name)?);
        Some(if self.is_apart { parts.hard.0.to_vec() } else { packer.pack(parts) })
    }

    /// The head as it is written.
    pub(super) fn written_head(&self) -> Parts<'_> {
        self.parts(&self.head_at)
    }

    fn parts(&self, (soft, hard): &(Range<usize>, Range<usize>)) -> Parts<'_> {
        let soft = Reader(self.payload.soft.get(soft.clone()).unwrap_or_default());
        let hard = Reader(self.payload.hard.get(hard.clone()).unwrap_or_default());
        Parts { soft, hard }
    }
}

/// The rows of each project, of those that have any.
fn by_project<'o>(
    origins: impl Iterator<Item = (&'o Arc<Origin>, u64)>,
) -> FxHashMap<Arc<str>, u64> {
    let mut projects = FxHashMap::default();
    for (origin, rows) in origins.filter(|(_, rows)| *rows > 0) {
        *projects.entry(Arc::clone(&origin.project)).or_default() += rows;
    }
    projects
}

/// The range of that length at `start`, which moves to its end.
fn next_range(
    directory: &mut Reader<'_>,
    start: &mut usize,
    most: usize,
) -> Result<Range<usize>, Damaged> {
    let len = usize::try_from(directory.varint()?).map_err(|_| Damaged("a length"))?;
    let end = start.checked_add(len).filter(|end| *end <= most).ok_or(Damaged("a column"))?;
    let range = *start..end;
    *start = end;
    Ok(range)
}

/// The least and the greatest of `times`.
pub(super) fn span(times: &[i64]) -> (i64, i64) {
    let wider = |(least, greatest): (i64, i64), time: &i64| (least.min(*time), greatest.max(*time));
    times.iter().fold((i64::MAX, i64::MIN), wider)
}

/// A staged batch of at least as much becomes a block as it is. To put its rows beside others of
/// their service makes them shorter, and costs more than all else that is done to seal them: that
/// is left to the first merge, which reads them anyway.
pub(super) const WHOLE_BYTES: u64 = if cfg!(test) { 1 << 10 } else { 512 << 10 };

// The first byte of a payload.
const TOGETHER: u8 = 1;
const APART: u8 = 2;

#[cfg(test)]
mod tests {
    use super::super::tests::{batch, origin};
    use super::*;

    #[test]
    fn columns_of_a_large_batch_lie_as_in_a_block() {
        let (mut packer, mut unpacker) = (Packer::new(1), Unpacker::new());
        for (rows, is_apart) in [(10, false), (300, true)] {
            let rows = batch(&origin("a"), 0..rows, 0);
            let staged = Staged::pack(1, 7, &rows, &mut packer, &mut Payload::default());
            let opened = Opened::open(&staged.chunk, &mut unpacker).unwrap();
            assert_eq!(opened.is_apart, is_apart);
            assert_eq!(opened.names().count(), rows.columns().count());
            for (name, column) in rows.columns() {
                let mut payload = Payload::default();
                column.encode(&mut payload);
                let chunk = opened.chunk(name, &mut packer).unwrap();
                assert_eq!(chunk, packer.pack(payload.parts()), "{name}");
                let read = opened.column(name, &mut unpacker).unwrap().unwrap();
                let mut again = Payload::default();
                read.encode(&mut again);
                assert_eq!((again.soft, again.hard), (payload.soft, payload.hard), "{name}");
            }
            assert!(opened.column("absent", &mut unpacker).unwrap().is_none());
        }
    }

    /// What a checksum lets through is an answer, or an error.
    #[test]
    fn a_column_that_is_no_chunk_is_an_error() {
        let (mut packer, mut unpacker) = (Packer::new(1), Unpacker::new());
        let rows = batch(&origin("a"), 0..300, 0);
        let staged = Staged::pack(1, 7, &rows, &mut packer, &mut Payload::default());
        let mut payload = unpacker.unpack(&staged.chunk).unwrap();
        payload.hard.iter_mut().for_each(|octet| *octet ^= 1);
        let opened = Opened::open(&packer.pack(payload.parts()), &mut unpacker);
        assert!(opened.is_ok_and(|opened| opened.column("message", &mut unpacker).is_err()));
        payload.soft[0] = 3;
        assert!(Opened::open(&packer.pack(payload.parts()), &mut unpacker).is_err());
    }
}
