//! A sealed segment as an index: its token map, and what the catalog knows of its blocks.

use super::needs::Index;
use crate::store::tokens::{BlockSet, Token};
use crate::store::{Block, Error, Segment, Store};

/// What is known of the blocks of a segment.
#[derive(Clone, Copy, Debug)]
pub struct SegmentIndex<'s> {
    store: &'s Store,
    segment: &'s Segment,
}

impl<'s> SegmentIndex<'s> {
    /// The index of a segment of `store`.
    pub fn new(store: &'s Store, segment: &'s Segment) -> Self {
        Self { store, segment }
    }

    fn blocks_that(self, is_one: impl Fn(&Block) -> bool) -> BlockSet {
        let mut found = BlockSet::none(self.blocks());
        for (number, block) in (0..).zip(&self.segment.blocks) {
            if is_one(block) {
                found.insert(number);
            }
        }
        found
    }
}

impl Index for SegmentIndex<'_> {
    type Error = Error;

    fn blocks(&self) -> u32 {
        u32::try_from(self.segment.blocks.len()).unwrap_or(u32::MAX)
    }

    fn holding(&mut self, word: Token) -> Result<BlockSet, Error> {
        self.store.blocks_with(self.segment, word)
    }

    fn between(&self, from: i64, to: i64) -> BlockSet {
        self.blocks_that(|block| block.times.0 <= to && block.times.1 >= from)
    }

    fn received(&self, from: i64, to: i64) -> BlockSet {
        let is_near = self.segment.may_be_received(from, to);
        if is_near { BlockSet::all(self.blocks()) } else { BlockSet::none(self.blocks()) }
    }

    fn with_id(&self, id: i64) -> BlockSet {
        self.blocks_that(|block| block.ids.0 <= id && block.ids.1 >= id)
    }
}
