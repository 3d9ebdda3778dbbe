//! Columns and heads of blocks that queries read not long ago, as they are in memory.
//!
//! Reading a column means to decompress and unpack all of it; who looks at the same blocks again, as
//! dashboards do, finds it here. What merges and the scrubber read is not kept.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::column::Column;
use super::segment::ChunkAt;
use super::view::RowHead;

/// What was read of blocks, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Read(Cache<(u64, ChunkAt), Kept, Bytes>);

/// Something that was read of a block.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Column(Arc<Column>),
    Head(Arc<RowHead>),
}

/// Weighs by memory.
#[derive(Clone, Debug)]
struct Bytes;

impl Read {
    /// Room for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).max(1);
        Self(Cache::with_weighter(items, bytes, Bytes))
    }

    pub(super) fn get(&self, segment: u64, at: ChunkAt) -> Option<Kept> {
        self.0.get(&(segment, at))
    }

    pub(super) fn keep(&self, segment: u64, at: ChunkAt, read: Kept) {
        self.0.insert((segment, at), read);
    }
}

impl Weighter<(u64, ChunkAt), Kept> for Bytes {
    fn weight(&self, _: &(u64, ChunkAt), read: &Kept) -> u64 {
        let bytes = match read {
            Kept::Column(column) => column.memory(),
            Kept::Head(head) => head.memory(),
        };
        bytes as u64 + ENTRY
    }
}

/// Bytes of a usual column of a block.
const USUAL: u64 = 64 << 10;

/// Bytes of an entry beside what it keeps.
const ENTRY: u64 = 128;
