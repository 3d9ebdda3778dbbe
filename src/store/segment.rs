//! A sealed segment: many blocks of one project and day, in one immutable file.
//!
//! ```text
//!  key  = segment id (8), column (2), block (4), all big endian
//!  column 0 is a block's head: ids, origins, runs, times; column n + 1 is the n-th of `names`;
//!  column 65535 is the token map: the number of a bucket stands in place of a block's
//! ```
//!
//! Column before block, so that reading one column of all blocks reads the file in order. What is
//! known of a segment without opening it lies in the `catalog` family, and in memory.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::block_columns::BlockColumns;
use super::chunk::Packer;
use super::column::Payload;
use super::digest::Digest;
use super::rows::{Rows, put_times};
use super::sealer::{DAYS_EARLY, DAYS_LATE};
use super::staged::{Opened, span};
use super::tokens::{BlockWords, TokenMap, Words};
use crate::time::DAY;

/// A segment's row in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its id: the first eight bytes of its keys.
    pub id: u64,
    /// The project that all its rows belong to.
    pub project: Arc<str>,
    /// The day that it is kept by, in days since the epoch.
    pub day: i64,
    /// The times of the earliest and latest row, in microseconds since the epoch.
    pub times: (i64, i64),
    /// Rows in all blocks.
    pub rows: u64,
    /// Bytes of the values before encoding.
    pub raw_bytes: u64,
    /// Bytes of the chunks on disk.
    pub stored_bytes: u64,
    /// The names of its columns.
    pub names: Vec<Box<str>>,
    /// What is known of each block.
    pub blocks: Vec<Block>,
    /// Where the words of the blocks are looked up.
    pub tokens: TokenMap,
    /// The level that zstd compressed it at.
    pub level: i32,
    /// The hash over its chunks, where it was just made; it is kept by who records it.
    #[serde(skip)]
    pub(super) hash: Option<blake3::Hash>,
}

/// What is known of a block without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// How many rows.
    pub rows: u32,
    /// The times of its earliest and latest row, in microseconds since the epoch.
    pub times: (i64, i64),
    /// The least and the greatest id of its rows.
    pub ids: (i64, i64),
    /// The columns that have a value in some row.
    pub columns: BlockColumns,
}

/// Gathers the blocks of a segment and their chunks.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) segment: Segment,
    names: FxHashMap<Box<str>, u16>,
    /// In the order they were made; sorted when written.
    chunks: Vec<(ChunkAt, Vec<u8>)>,
    /// The words of each block.
    words: Vec<BlockWords>,
}

/// What encoding a block needs beside the block.
#[derive(Debug)]
pub(super) struct Tools {
    packer: Packer,
    payload: Payload,
    pub(super) words: Words,
}

/// Where a chunk lies in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChunkAt {
    column: u16,
    block: u32,
}

impl Segment {
    /// Whether a row of the segment may lie in `from..=to` (microseconds).
    pub fn overlaps(&self, from: i64, to: i64) -> bool {
        self.times.0 <= to && self.times.1 >= from
    }

    /// Where the buckets of its token map lie.
    pub(super) fn buckets(&self) -> impl Iterator<Item = ChunkAt> {
        (0..self.tokens.buckets()).map(ChunkAt::bucket)
    }

    /// Where its chunks lie, but for the token map.
    pub(super) fn chunks(&self) -> impl Iterator<Item = ChunkAt> {
        (0..).zip(&self.blocks).flat_map(|(number, block)| {
            let columns = block.columns.iter().map(move |c| ChunkAt::column(c.name, number));
            columns.chain([ChunkAt::head(number)])
        })
    }

    /// Stands for a segment of which only the id is known.
    pub(super) fn lost(id: u64) -> Self {
        let mut segment = Builder::new(id, "".into(), i64::MIN, 0).segment;
        segment.times = (i64::MIN, i64::MAX);
        segment
    }

    /// Whether a row of the segment may have been received in `from..=to` (microseconds): the day
    /// that a row is kept by is not far from the day it was received.
    pub fn may_be_received(&self, from: i64, to: i64) -> bool {
        let day = |days: i64| self.day.saturating_add(days).saturating_mul(DAY);
        day(-DAYS_EARLY) <= to && from < day(DAYS_LATE + 1)
    }

    /// The key of a chunk.
    pub(super) fn key(id: u64, at: ChunkAt) -> [u8; 14] {
        let mut key = [0; 14];
        let (first, rest) = key.split_at_mut(8);
        let (second, third) = rest.split_at_mut(2);
        first.copy_from_slice(&id.to_be_bytes());
        second.copy_from_slice(&at.column.to_be_bytes());
        third.copy_from_slice(&at.block.to_be_bytes());
        key
    }
}

impl ChunkAt {
    /// The head of a block.
    pub(super) fn head(block: u32) -> Self {
        Self { column: 0, block }
    }

    /// The number of the bucket of the token map that it is, if it is one.
    pub(super) fn bucket_number(self) -> Option<u32> {
        (self.column == u16::MAX).then_some(self.block)
    }

    /// Its block.
    pub(super) fn block(self) -> u32 {
        self.block
    }

    /// Where the chunk of a key lies.
    pub(super) fn of_key(key: &[u8]) -> Option<Self> {
        let (column, block) = key.get(8..)?.split_first_chunk()?;
        let block = u32::from_be_bytes(block.try_into().ok()?);
        Some(Self { column: u16::from_be_bytes(*column), block })
    }

    /// A column of a block.
    pub(super) fn column(name: u16, block: u32) -> Self {
        Self { column: name + 1, block }
    }

    /// A bucket of the token map.
    pub(super) fn bucket(number: u32) -> Self {
        Self { column: u16::MAX, block: number }
    }
}

impl Builder {
    pub(super) fn new(id: u64, project: Arc<str>, day: i64, level: i32) -> Self {
        let segment = Segment {
            id,
            project,
            day,
            times: (i64::MAX, i64::MIN),
            rows: 0,
            raw_bytes: 0,
            stored_bytes: 0,
            names: Vec::new(),
            blocks: Vec::new(),
            tokens: TokenMap::default(),
            level,
            hash: None,
        };
        Self { segment, names: FxHashMap::default(), chunks: Vec::new(), words: Vec::new() }
    }

    /// Whether there is no room for the names of another block.
    pub(super) fn too_wide(&self) -> bool {
        self.segment.names.len() > MAX_NAMES
    }

    /// Encodes `rows` as the next block. `ids` has the id of each row.
    pub(super) fn add(&mut self, rows: &Rows, ids: &[i64], tools: &mut Tools) {
        let digest = rows.digest(&mut tools.words);
        let Tools { packer, payload, .. } = tools;
        let block = u32::try_from(self.segment.blocks.len()).expect("far fewer blocks");
        payload.clear();
        rows.encode_head(payload);
        put_times(payload, ids);
        self.store(ChunkAt::head(block), packer.pack(payload.parts()));
        for (name, column) in rows.columns() {
            let number = self.name(name);
            payload.clear();
            column.encode(payload);
            self.store(ChunkAt::column(number, block), packer.pack(payload.parts()));
        }
        self.end_block(rows.times(), ids, rows.bytes() as u64, digest);
    }

    /// Makes a block of a staged batch as it is written, of which this is known.
    pub(super) fn add_written(&mut self, batch: &Opened, digest: Digest, tools: &mut Tools) {
        let Tools { packer, payload, .. } = tools;
        let block = u32::try_from(self.segment.blocks.len()).expect("far fewer blocks");
        let (ids, head) = (batch.ids(), batch.written_head());
        payload.clear();
        payload.soft.extend_from_slice(head.soft.0);
        payload.hard.extend_from_slice(head.hard.0);
        put_times(payload, &ids);
        self.store(ChunkAt::head(block), packer.pack(payload.parts()));
        for (name, _) in &digest.columns {
            let Some(chunk) = batch.chunk(name, packer) else { continue };
            let number = self.name(name);
            self.store(ChunkAt::column(number, block), chunk);
        }
        self.end_block(&batch.head.times, &ids, batch.raw_bytes, digest);
    }

    fn end_block(&mut self, times: &[i64], ids: &[i64], raw: u64, digest: Digest) {
        let columns = digest.columns.into_iter().map(|(name, row)| row.named(self.name(&name)));
        let columns = BlockColumns::from(columns.collect::<Vec<_>>());
        self.words.push(digest.words);
        let rows = times.len();
        let (times, ids) = (span(times), span(ids));
        let segment = &mut self.segment;
        segment.times = (segment.times.0.min(times.0), segment.times.1.max(times.1));
        segment.rows += rows as u64;
        segment.raw_bytes += raw;
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        segment.blocks.push(Block { rows, times, ids, columns });
    }

    /// The segment, and its chunks in the order of their keys.
    pub(super) fn finish(mut self) -> (Segment, Vec<(ChunkAt, Vec<u8>)>) {
        let (tokens, buckets) = TokenMap::build(&self.words);
        for (number, bucket) in (0..).zip(buckets) {
            self.store(ChunkAt::bucket(number), bucket);
        }
        self.segment.tokens = tokens;
        self.chunks.sort_unstable_by_key(|(at, _)| *at);
        self.segment.blocks.shrink_to_fit();
        (self.segment, self.chunks)
    }

    fn store(&mut self, at: ChunkAt, chunk: Vec<u8>) {
        self.segment.stored_bytes += chunk.len() as u64;
        self.chunks.push((at, chunk));
    }

    fn name(&mut self, name: &str) -> u16 {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let number = u16::try_from(self.segment.names.len()).expect("a segment is closed before");
        self.names.insert(name.into(), number);
        self.segment.names.push(name.into());
        number
    }
}

impl Tools {
    /// For zstd's `level`, and to find the shortest forms if what is written is kept for long.
    pub(super) fn new(level: i32, is_final: bool) -> Self {
        Self {
            packer: Packer::new(level),
            payload: Payload { is_final, ..Payload::default() },
            words: Words::default(),
        }
    }
}

/// Names after which a segment takes no further block; one adds those of two batches at most, since
/// a group of rows is closed as soon as it has as many as a batch may have.
const MAX_NAMES: usize = 60_000;
