//! Which blocks a query need not open: each segment is asked once, by whichever thread comes first.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::needs::Needs;
use super::segment_index::SegmentIndex;
use crate::kql::Prepared;
use crate::store::tokens::BlockSet;
use crate::store::{Error, Source, Store};

/// What a query needs of a block, and the blocks of the segments asked so far that may have it.
#[derive(Debug)]
pub(super) struct Lookup {
    needs: Needs,
    /// By segment; `None` where all may, because nothing is known.
    found: Mutex<HashMap<u64, Option<Arc<BlockSet>>>>,
}

impl Lookup {
    /// What `query` needs.
    pub(super) fn new(query: &Prepared) -> Self {
        Self::of(Needs::of(query))
    }

    /// For who needs nothing that can be looked up.
    pub(super) fn nothing() -> Self {
        Self::of(Needs::Nothing)
    }

    /// Whether `source` may have a row that matches. An index that cannot be read does not make an
    /// answer partial: the blocks are opened instead. `damaged` hears of it.
    pub(super) fn may_hold(
        &self,
        store: &Store,
        source: &Source,
        damaged: impl FnOnce(&Error),
    ) -> bool {
        let Source::Block(segment, block) = source else { return true };
        // A segment that the catalog lost has no index: that its rows are missing is to be said.
        let blocks = segment.blocks.len();
        let is_indexed = blocks > 0 && segment.tokens.blocks() as usize == blocks;
        if self.needs == Needs::Nothing || !is_indexed {
            return true;
        }
        let known = self.found.lock().get(&segment.id).cloned();
        let blocks = known.unwrap_or_else(|| {
            let found = self.needs.may_hold(&mut SegmentIndex::new(store, segment));
            let found = found.inspect_err(damaged).ok().map(Arc::new);
            self.found.lock().insert(segment.id, found.clone());
            found
        });
        blocks.is_none_or(|blocks| blocks.contains(*block))
    }

    fn of(needs: Needs) -> Self {
        Self { needs, found: Mutex::default() }
    }
}
