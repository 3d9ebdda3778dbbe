//! Why the disk did not do as it was told.

use std::path::PathBuf;

/// Why the disk did not do as it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// RocksDB said no.
    #[error("{0}")]
    Engine(#[from] rocksdb::Error),
    /// A file of our own beside RocksDB's could not be used.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The processor cannot do what RocksDB was compiled for.
    #[error("expected a processor with {0}, but found one without")]
    Processor(&'static str),
    /// The folder has a part of a store, and not its marker.
    #[error(
        "{0}: expected the marker of a store beside it, `LOGTRACE`, but found none; if the store is \
         lost, restore it from a backup with `logtrace restore`"
    )]
    NoMarker(PathBuf),
    /// The marker is there and the store is not.
    #[error(
        "{0}: expected the store that the marker beside it names, but found no such file; \
         is it mounted? If it is lost, restore it from a backup with `logtrace restore`"
    )]
    Missing(PathBuf),
    /// There is no store, and none is to be made.
    #[error(
        "{0}: expected a store, as store.create is false, but found none; is it mounted? \
         To make a new one, start once with `--set store.create=true`"
    )]
    NotThere(PathBuf),
    /// RocksDB's list of its own files cannot be read.
    #[error(
        "{path}: expected a store with its list of files, but found it damaged: {error}; \
         restore it from a backup with `logtrace restore`"
    )]
    List {
        /// The folder with RocksDB's files.
        path: PathBuf,
        /// What RocksDB said.
        error: String,
    },
    /// A newer version wrote this store.
    #[error("{path}: expected a store of format {known} or older, but found format {found}")]
    Newer {
        /// The marker.
        path: PathBuf,
        /// The format that this version writes.
        known: u32,
        /// The format found.
        found: u32,
    },
    /// Another process has the store open.
    #[error("{path}: expected a store that nobody uses, but found it held by process {pid}")]
    Held {
        /// The data folder.
        path: PathBuf,
        /// Who holds it, as far as it is known.
        pid: String,
    },
    /// The engine could not be opened again yet.
    #[error("expected an open store, but found one that waits for room to be opened again")]
    Closed,
    /// The engine could only be opened for reading.
    #[error("expected a store that can be written to, but found one that waits for room")]
    ReadOnly,
    /// The engine was opened again since what the write rests on was read.
    #[error("expected the store as it was read, but found it opened again")]
    Reopened,
    /// The change could not be recorded, and so was not made.
    #[error("expected to record the change, but could not: {0}")]
    Unrecorded(String),
    /// A write failed before, and what is on disk is not known.
    #[error("expected a disk that writes what it is told, but found one that failed")]
    Failed,
    /// Readers held the engine for too long.
    #[error("expected the readers to let go of the store, but they did not")]
    Busy,
}
