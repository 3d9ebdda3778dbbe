//! What is kept with batches of what their senders may send again.

use std::sync::Arc;

use super::staged::Staged;
use super::{identities, receipts};
use crate::db::{self, Db, Write};

/// What is kept of both: events that have an id, and messages that await their acknowledgement.
#[derive(Debug)]
pub(super) struct Known {
    identities: identities::Kept,
    receipts: receipts::Kept,
}

impl Known {
    pub(super) fn read(db: &Db) -> Result<Self, db::Error> {
        Ok(Self { identities: identities::Kept::read(db)?, receipts: receipts::Kept::read(db)? })
    }

    /// Writes those of batches: of such too as turned up after they were refused, since what was
    /// written of `meta` was taken back then.
    pub(super) fn put_all(&mut self, write: &mut Write<'_>, batches: &[Arc<Staged>]) {
        for batch in batches {
            self.identities.put(write, batch.number, &batch.identities);
            self.receipts.put(write, batch.number, &batch.receipts);
        }
    }
}
