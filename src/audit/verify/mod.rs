//! Whether a log is as it was signed, told by itself: no daemon, no network.
//!
//! Three things are held against each other: the entries, the hashes that are kept of them, and
//! the roots that were signed. An entry that is not as its hash says was changed; one that has not
//! its own number, or does not follow the one before, is where another was. Who changed all of
//! that is found by the next signed root, if they have not the key; and who has the key, or cut the
//! end off, by a checkpoint that was kept elsewhere: an anchor.
//!
//! The time of entries is what the clock said. A clock that was moved is told, and proves nothing.

mod chain;
mod data;
mod members;
mod tarred;

pub use self::data::{Segments, data};
pub use self::tarred::bundle;

use super::note::{PublicKey, SignedNote};

/// What is taken for true before it begins.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys that may have signed; where there is none, those that come with the log.
    pub keys: Vec<PublicKey>,
    /// A checkpoint that was kept elsewhere.
    pub anchor: Option<SignedNote>,
}

/// A log that is as it was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Which log.
    pub origin: String,
    /// The first entry.
    pub from: u64,
    /// The number behind that of the last.
    pub to: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// Entries that a checkpoint covers.
    pub signed: u64,
    /// Keys that signed.
    pub keys: Vec<String>,
    /// Segments whose hashes were compared.
    pub segments: u64,
    /// What somebody should know all the same.
    pub notes: Vec<String>,
}

/// Why a log cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// The first entry that was changed, dropped or reordered, if it is known.
    pub entry: Option<u64>,
    /// What is wrong, in a sentence.
    pub what: String,
}

impl Fault {
    fn new(what: impl Into<String>) -> Self {
        Self { entry: None, what: what.into() }
    }

    fn at(entry: u64, what: impl Into<String>) -> Self {
        Self { entry: Some(entry), what: what.into() }
    }
}

#[cfg(test)]
mod tests;
