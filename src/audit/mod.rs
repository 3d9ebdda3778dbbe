//! The record of changes: who changed what, in an order that nobody can change afterwards.
//!
//! Every change is an entry. Entries are the leaves of a Merkle tree (RFC 6962), and each carries
//! the hash of the one before; now and then the root is signed. Whoever keeps one of those
//! checkpoints elsewhere can prove later that nothing before it was changed, dropped or reordered.
//!
//! ```text
//!  change ──▶ gate, store ──Write──▶ [log]: one entry more ──▶ one synced batch: change and entry
//!                                      │
//!                                      └── every so many entries: [note], a signed checkpoint
//! ```
//!
//! # Who writes an entry
//!
//! [`Audit::change`] runs a change; what it commits carries its entry in the same batch, so that
//! neither is there without the other. What it says of old and new values is taken from what is
//! written, with secrets left out. [`Audit::record`] writes an entry of something that writes
//! nothing itself, such as an export. Segments that are sealed, merged and dropped say so in the
//! batch that does it ([`Remark`](crate::db::Remark)): their hashes are entries as well.
//!
//! # Where it is kept
//!
//! Family `audit`; numbers are big endian, so that they sort:
//!
//! | key               | value                                                   |
//! |-------------------|---------------------------------------------------------|
//! | `e`, number       | the entry: canonical JSON, sorted names, no white space |
//! | `n`, level, number| the hash of a node that is whole; level 0 is an entry's |
//! | `a`, number       | empty: the entry is of somebody's doing                 |
//! | `c`, size         | the signed checkpoint of so many entries                |
//! | `k`, number       | a public key that signed, the first first               |
//! | `o`               | the origin: the name of this log                        |
//!
//! The private key is a file beside the store, which backups do not have: who finds one cannot
//! sign. It is the owner's alone, and no log or error has it.
//!
//! # Invariants
//!
//! * *Nothing is deleted*, and no entry is written twice.
//! * *An entry is durable before its change is answered.*
//! * *Nothing that verifies needs the daemon*: [`verify`] reads files, and `tests/verify` has the
//!   same in Python.

mod bundle;
mod config;
mod csv;
mod details;
mod entry;
mod keyfile;
mod log;
mod note;
mod proof;
mod rows;
mod search;
#[cfg(test)]
mod tests;
mod tree;
pub mod verify;

pub use self::bundle::{BundleError, Extent};
pub use self::config::Config;
pub use self::csv::Rows;
pub use self::entry::{Act, Entry, Who};
pub use self::log::Audit;
pub use self::note::{Checkpoint, PublicKey, SignedNote};
pub use self::proof::{is_consistent, root_by_inclusion};
pub use self::search::{Filter, Page};
pub use self::tree::Hash;

use crate::db;

/// Why an entry could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The store failed.
    #[error(transparent)]
    Db(#[from] db::Error),
    /// What is kept of the log is not what was written.
    #[error("audit: expected {expected}, but found {found}")]
    Damaged {
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file of the private key cannot be used.
    #[error("{path}: expected the private key of the audit log, but found {found}")]
    Key {
        /// The file.
        path: std::path::PathBuf,
        /// What is there.
        found: String,
    },
    /// The system has no random numbers.
    #[error("expected random bytes from the system, but found: {0}")]
    Random(#[from] getrandom::Error),
}

impl AuditError {
    pub(crate) fn damaged(expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Damaged { expected: expected.into(), found: found.to_string() }
    }
}
