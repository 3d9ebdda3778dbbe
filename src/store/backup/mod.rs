//! Backups of a store in a folder, and the way back.
//!
//! ```text
//!  a folder of backups
//!    LOGTRACE-BACKUP          "format 1": says what it is
//!    20261121T083448Z.json    a backup: its time, and name, size and BLAKE3 of each file in it
//!    files/<BLAKE3>           the files themselves, each once, for all backups that have it
//! ```
//!
//! What is backed up is a checkpoint ([`Db::checkpoint`](crate::db::Db::checkpoint)): sealed
//! segments are files that never change, so that a second backup copies only what came since. The
//! hashes of names, keys and secrets are in it as they are in the store.
//!
//! # Invariants
//!
//! * *A backup without its manifest is none*: the manifest is written last, and whole or not at
//!   all. Nothing that an earlier backup needs is ever written over.
//! * *Never half restored*: every byte is compared with its hash before the first file is where a
//!   daemon would look for it, and then all come there by one rename.

mod error;
mod folder;
mod make;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

pub use self::error::BackupError;
pub use self::folder::list;
pub use self::make::{Done, Options, backup};
pub use self::manifest::{Entry, Manifest};
pub use self::restore::{check, restore};

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that are done.
    pub files: usize,
    /// Files in all.
    pub all_files: usize,
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes in all.
    pub all_bytes: u64,
    /// Of the bytes that are done, those that had to be copied.
    pub copied_bytes: u64,
}
