//! Columns and heads of blocks that queries read not long ago.
//!
//! Who looks at the same blocks again, as dashboards do, finds them here as they lie on disk but for
//! the compression. What merges and the scrubber read is not kept.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::column::Column;
use super::head::RowHead;
use super::segment::ChunkAt;
use super::timeline::Timeline;

/// What was read of blocks, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Read(Cache<(u64, ChunkAt, What), Kept, Bytes>);

/// Something that was read of a block.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Column(Arc<Column>),
    Head(Arc<RowHead>),
    Timeline(Arc<Timeline>),
}

/// What of a chunk is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// All of it.
    Whole,
    /// When its rows are.
    Timeline,
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

    pub(super) fn get(&self, segment: u64, at: ChunkAt, what: What) -> Option<Kept> {
        self.0.get(&(segment, at, what))
    }

    pub(super) fn keep(&self, segment: u64, at: ChunkAt, read: Kept) {
        let what = match read {
            Kept::Column(_) | Kept::Head(_) => What::Whole,
            Kept::Timeline(_) => What::Timeline,
        };
        self.0.insert((segment, at, what), read);
    }
}

impl Weighter<(u64, ChunkAt, What), Kept> for Bytes {
    fn weight(&self, _: &(u64, ChunkAt, What), read: &Kept) -> u64 {
        let bytes = match read {
            Kept::Column(column) => column.memory(),
            Kept::Head(head) => head.memory(),
            Kept::Timeline(timeline) => timeline.memory(),
        };
        bytes as u64 + bytes as u64 / SLACK + ENTRY
    }
}

/// Bytes of a usual column of a block.
const USUAL: u64 = 64 << 10;

/// One byte in so many is added for what lies unused around them: memory is handed out in classes of
/// size, and entries that come and go leave gaps.
const SLACK: u64 = 4;

/// Bytes of an entry beside what it keeps.
const ENTRY: u64 = 128;
