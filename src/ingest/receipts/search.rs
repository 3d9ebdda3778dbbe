//! Where a connection is in what others left.

use std::sync::Arc;

use crate::store::Slot;

/// How a connection is compared with what broken ones of its sender left.
#[derive(Debug)]
pub(super) struct Search {
    /// Who its sender is.
    pub(super) source: u64,
    /// Where its next message is expected: the connection that left it, and the place there.
    pub(super) at: Option<(u64, usize)>,
    /// Whether the messages before that place were surely copies.
    pub(super) is_sure: bool,
    /// Whether the message before was surely the last copy of a list.
    pub(super) is_next: bool,
    /// How often it may yet be looked for a message that is not where it was expected.
    pub(super) scans: u32,
    /// Messages that may yet come which are in no list, because they are not stored.
    pub(super) missing: Option<usize>,
    /// Whether nothing is expected any longer.
    pub(super) is_over: bool,
    /// Connections all of whose messages have come again.
    pub(super) done: Vec<u64>,
    /// Connections some of whose messages have, and where it is written down how many of theirs were
    /// answered: with the first answer here that no longer says it.
    pub(super) touched: Vec<(u64, Vec<Arc<Slot>>)>,
}

impl Search {
    pub(super) fn new(source: u64) -> Self {
        Self {
            source,
            at: None,
            is_sure: false,
            is_next: false,
            scans: MAX_SCANS,
            missing: None,
            is_over: false,
            done: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Notes that a message of another connection has come again.
    pub(super) fn touch(&mut self, connection: u64, slots: &[Arc<Slot>]) {
        if self.touched.last().is_none_or(|(last, _)| *last != connection) {
            self.touched.push((connection, slots.to_vec()));
        }
    }

    /// Notes that messages here are answered, and with them those that they are copies of.
    pub(super) fn answered(&mut self) {
        let touched = self.touched.drain(..);
        touched.for_each(|(_, slots)| slots.iter().for_each(|slot| slot.void()));
    }
}

/// How often a connection may look through all that was left. A sender's workers that share their
/// windows go on elsewhere now and then.
const MAX_SCANS: u32 = 64;
