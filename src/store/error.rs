//! What a store says when it does not do as it was told.

use std::sync::Arc;

use super::bytes::Damaged;
use crate::db;

/// Why the store did not do as it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine said no.
    #[error(transparent)]
    Db(#[from] db::Error),
    /// What was read is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The catalog names a segment whose file lacks a chunk.
    #[error("expected a chunk of segment {segment:016x}, but found none")]
    ChunkMissing {
        /// The segment.
        segment: u64,
    },
    /// A catalog row could not be written.
    #[error("expected a catalog row, but found damaged bytes: {0}")]
    Catalog(#[from] postcard::Error),
    /// It was found damaged before, and is not read.
    #[error("in quarantine: {reason}")]
    Quarantined {
        /// What was found.
        reason: Arc<str>,
    },
    /// Nothing of a segment is in quarantine.
    #[error("expected a segment in quarantine, but found that {segment:016x} is in none")]
    NotQuarantined {
        /// The segment.
        segment: u64,
    },
    /// A segment that was there is not any longer.
    #[error("expected segment {segment:016x}, but found it gone")]
    SegmentGone {
        /// The segment.
        segment: u64,
    },
    /// A backup is under way already.
    #[error("expected no other backup under way, but found one")]
    CheckpointHeld,
}

impl Error {
    /// What it means for whoever wanted to write.
    pub fn trouble(&self) -> db::Trouble {
        match self {
            Self::Db(error) => error.trouble(),
            _ => db::Trouble::Fatal,
        }
    }
}
