//! RocksDB at arm's length: column families, a synced batch, ingested files.
//!
//! Nothing above this module names `rocksdb`, so that another engine would touch these files only.
//!
//! | family     | keys                    | written by                                        |
//! |------------|-------------------------|---------------------------------------------------|
//! | `stage`    | batch number            | [`Db::commit`], many times a second, soon deleted |
//! | `segments` | segment id and more     | [`Db::ingest`] only; whole segments are dropped   |
//! | `catalog`  | what segments there are | [`Db::commit`]                                    |
//! | `meta`     | keys, lists, settings   | [`Db::meta_put`]                                  |
//! | `audit`    | the record of changes   | reserved                                          |
//!
//! # Invariants
//!
//! * *Acknowledged is durable*: when [`Db::commit`] returns `Ok`, the write-ahead log is synced.
//! * *Opening never makes a new store by mistake*: one is only made in a folder that holds none of
//!   our own marker and is empty (RocksDB, asked to create what is missing, deletes what it does
//!   not know).

mod checkpoint;
mod files;
mod marker;
mod options;
mod sst;

pub use self::checkpoint::{ENGINE, FORMAT, mark};
pub use self::files::TableFile;
pub use self::options::Options;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rocksdb::{DB, Direction, IngestExternalFileOptions, IteratorMode, WriteBatch, WriteOptions};

/// A part of the store with options of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Batches as they were acknowledged, until they are sealed.
    Stage,
    /// Sealed segments.
    Segments,
    /// What segments there are.
    Catalog,
    /// Keys, lists, settings.
    Meta,
    /// The record of changes.
    Audit,
}

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
    /// The folder holds files and none of them is our marker.
    #[error("{0}: expected an empty folder or a store, but found other files")]
    NotAStore(PathBuf),
    /// The marker is there and the store is not.
    #[error("{0}: expected the store that its marker names, but found none")]
    Missing(PathBuf),
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
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Several changes that become durable together or not at all.
#[derive(Default)]
pub struct Write<'a>(Vec<Change<'a>>);

struct Change<'a> {
    family: Family,
    key: Cow<'a, [u8]>,
    /// `None` deletes the key.
    value: Option<Cow<'a, [u8]>>,
}

/// An open store.
pub struct Db {
    inner: DB,
    path: PathBuf,
}

impl Db {
    /// Opens the store in the folder `path`, and makes one where there is none.
    ///
    /// # Errors
    ///
    /// See [`Error`]; a store that another process holds, that a newer version wrote, or that lost
    /// its files is refused.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let create = marker::examine(path)?;
        let engine = path.join("db");
        let families = options::families(options);
        let inner = DB::open_cf_descriptors(&options::engine(options, create), &engine, families)
            .map_err(|error| marker::explain(path, error))?;
        marker::write(path)?;
        Ok(Self { inner, path: path.to_owned() })
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes `write` durable: it is in the synced write-ahead log when this returns.
    ///
    /// # Errors
    ///
    /// When it could not be written; it may still turn up after a restart.
    pub fn commit(&self, write: &Write<'_>) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        for Change { family, key, value } in &write.0 {
            match value {
                Some(value) => batch.put_cf(self.family(*family), key, value),
                None => batch.delete_cf(self.family(*family), key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.inner.write_opt(batch, &options)?)
    }

    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// When it could not be read, or is damaged.
    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.inner.get_cf(self.family(family), key)?)
    }

    /// Calls `each` with every key that begins with `prefix`, and its value, in order.
    ///
    /// # Errors
    ///
    /// When the iteration ended early: what `each` saw is then not all.
    pub fn scan(
        &self,
        family: Family,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Error> {
        let mode = IteratorMode::From(prefix, Direction::Forward);
        for entry in self.inner.iterator_cf(self.family(family), mode) {
            let (key, value) = entry?;
            if !key.starts_with(prefix) {
                break;
            }
            each(&key, &value);
        }
        Ok(())
    }

    /// The first key at or after `from`.
    ///
    /// # Errors
    ///
    /// When it could not be read.
    pub fn first_key(&self, family: Family, from: &[u8]) -> Result<Option<Box<[u8]>>, Error> {
        let mode = IteratorMode::From(from, Direction::Forward);
        let entry = self.inner.iterator_cf(self.family(family), mode).next().transpose()?;
        Ok(entry.map(|(key, _)| key))
    }

    /// Writes `entries`, in ascending order of their keys, into a file at `path` and moves that
    /// into `segments`.
    ///
    /// # Errors
    ///
    /// When there are none, the keys do not ascend or overlap what is there, or the disk is full.
    pub fn ingest<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        path: &Path,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error> {
        sst::write(path, entries)?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        let family = self.family(Family::Segments);
        Ok(self.inner.ingest_external_file_cf_opts(family, &options, vec![path])?)
    }

    /// Drops all keys of `segments` in `from..to`: whole files first, which rewrites nothing.
    ///
    /// # Errors
    ///
    /// When the engine refuses.
    pub fn drop_segments(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let family = self.family(Family::Segments);
        self.inner.delete_file_in_range_cf(family, from, to)?;
        if self.first_key(Family::Segments, from)?.is_some_and(|key| *key < *to) {
            self.inner.delete_range_cf(family, from, to)?;
        }
        Ok(())
    }

    /// Puts a synced entry into `meta`.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn meta_put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let mut write = Write::default();
        write.put(Family::Meta, key, value);
        self.commit(&write)
    }

    /// Deletes an entry of `meta`, synced.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn meta_delete(&self, key: &[u8]) -> Result<(), Error> {
        let mut write = Write::default();
        write.delete(Family::Meta, key);
        self.commit(&write)
    }

    /// An entry of `meta`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn meta_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.get(Family::Meta, key)
    }

    /// All entries of `meta` whose keys begin with `prefix`, in order.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan).
    pub fn meta_scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        self.scan(Family::Meta, prefix, |key, value| {
            entries.push((key.to_owned(), value.to_owned()));
        })?;
        Ok(entries)
    }

    fn family(&self, family: Family) -> &rocksdb::ColumnFamily {
        self.inner.cf_handle(family.name()).expect("opened with every family")
    }
}

impl<'a> Write<'a> {
    /// Sets `key` to `value`.
    pub fn put(
        &mut self,
        family: Family,
        key: impl Into<Cow<'a, [u8]>>,
        value: impl Into<Cow<'a, [u8]>>,
    ) {
        self.0.push(Change { family, key: key.into(), value: Some(value.into()) });
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes `key`.
    pub fn delete(&mut self, family: Family, key: impl Into<Cow<'a, [u8]>>) {
        self.0.push(Change { family, key: key.into(), value: None });
    }
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 5] =
        [Self::Stage, Self::Segments, Self::Catalog, Self::Meta, Self::Audit];

    /// Its name in RocksDB.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Segments => "segments",
            Self::Catalog => "catalog",
            Self::Meta => "meta",
            Self::Audit => "audit",
        }
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("path", &self.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("changes", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
