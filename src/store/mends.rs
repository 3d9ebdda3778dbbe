//! Token maps that were found damaged. Nothing is lost with one, as more blocks are read without
//! it; and all that it says can be told from its blocks, so the next merge writes it anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{info, warn};

use super::segment::Segment;
use super::{Error, Store};

/// The segments whose token maps are to be written anew. Not kept over a restart: whoever meets the
/// damage tells again.
#[derive(Debug, Default)]
pub(super) struct Mends(Mutex<BTreeSet<u64>>);

impl Store {
    /// Says that the token map of a segment was found damaged.
    pub(super) fn mend_tokens(&self, segment: u64, error: &Error) {
        if error.is_damage() && self.mends.0.lock().insert(segment) {
            warn!(segment, %error, "the token map of a segment is damaged; it will be made anew");
        }
    }

    /// A segment whose token map is to be made anew, of those that `may` be rewritten.
    pub(super) fn to_mend(&self, may: impl Fn(u64) -> bool) -> Option<Arc<Segment>> {
        let state = self.state.read();
        let mut mends = self.mends.0.lock();
        mends.retain(|segment| state.segments.contains_key(segment));
        let next = mends.iter().find(|segment| may(**segment))?;
        state.segments.get(next).cloned()
    }

    /// Says that it was.
    pub(super) fn mended(&self, segment: u64) {
        if self.mends.0.lock().remove(&segment) {
            info!(segment, "the token map of a segment was made anew");
        }
    }
}
