//! RocksDB at arm's length: column families, a synced batch, ingested files.
//!
//! Nothing above this module names `rocksdb`, so that another engine would touch these files only.
//!
//! | family     | keys                    | written by                                        |
//! |------------|-------------------------|---------------------------------------------------|
//! | `stage`    | batch number            | [`Db::commit`], many times a second, soon deleted |
//! | `segments` | segment id and more     | [`Db::ingest`] only; whole segments are dropped   |
//! | `catalog`  | what segments there are | [`Db::commit`]                                    |
//! | `meta`     | keys, lists, settings, ids of events | [`Db::meta_put`], [`Db::commit`]     |
//! | `audit`    | the record of changes   | [`Db::commit_together`], never deleted            |
//!
//! # A disk that refuses
//!
//! Measured with RocksDB 11.8.1, on 96 MiB of tmpfs; what is built here rests on it:
//!
//! * A write-ahead log that found no room is never forgiven: every write is refused with the same
//!   error 45 s after 40 MiB came free, while `background-errors` stays 0. Reads go on. Closing
//!   takes 2 ms and opening again 110 ms; the refused write was not there, all others were.
//! * A file of keys made aside that finds no room refuses nothing else.
//! * Opening writes out what the logs hold, unless `avoid_flush_during_recovery` is set and the
//!   logs fit into the memory of the family: with 33 MB of logs, 16 MiB of memory and 16 MB free it
//!   was refused, for want of room. It could then still be opened for reading.
//! * A log takes room for the largest write buffer of all families, times 1.1, when it is made. The
//!   family `default` has one of 64 MiB unless told otherwise: 71 MB for an empty store.
//!
//! What a damaged store does is in `salvage`.
//!
//! So [`Db::reopen`] closes and opens, with memory for all logs; [`Error::trouble`] tells a disk
//! that will do again ([`Trouble::Full`] and others) from one that failed ([`Trouble::Fatal`]).
//! After a failed sync nobody knows what is on disk, and a second sync that succeeds says nothing
//! (fsyncgate): that is never retried, also where it failed while the engine was opened anew.
//!
//! # Invariants
//!
//! * *Acknowledged is durable*: when [`Db::commit`] returns `Ok`, the write-ahead log is synced.
//! * *Opening never makes a new store by mistake*: one is only made in a folder that holds none of
//!   our own marker and is empty (RocksDB, asked to create what is missing, deletes what it does
//!   not know).

mod checkpoint;
mod engine;
mod error;
mod files;
mod marker;
mod meta;
mod notes;
mod options;
mod private;
mod processor;
mod recorder;
mod refused;
mod riding;
mod salvage;
mod space;
mod sst;
mod trouble;
mod write;

pub use self::checkpoint::{ENGINE, FORMAT, mark};
pub use self::error::Error;
pub use self::files::TableFile;
pub use self::meta::{read_record, write_record};
pub use self::options::Options;
pub(crate) use self::private::{read_private, write_private};
pub use self::recorder::Recorder;
pub use self::salvage::{Damage, DamagedFile};
pub use self::space::{Ballast, DiskConfig, Space};
pub use self::trouble::Trouble;
pub use self::write::{Remark, Write};

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{MappedRwLockReadGuard, Mutex, RwLock, RwLockReadGuard};
use rocksdb::{Direction, IngestExternalFileOptions, IteratorMode};

use self::engine::Engine;
use self::refused::{Refused, put_back};
use self::riding::Riding;

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

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// An open store.
pub struct Db {
    /// `None` only where the engine was closed and could not be opened again yet. Held for reading
    /// no longer than one call of this module takes, and never twice by one thread.
    inner: RwLock<Option<Engine>>,
    path: PathBuf,
    is_new: bool,
    options: Options,
    /// Entries of `meta` that go with the next commit, whatever that is.
    riding: Riding,
    /// Why the engine takes no more writes.
    latched: Mutex<Option<Trouble>>,
    /// Device and number of the folder with RocksDB's files.
    place: Mutex<Option<(u64, u64)>>,
    /// How often the engine was opened.
    opened: AtomicU64,
    /// What is put back once it is opened again.
    refused: Mutex<Refused>,
}

impl Db {
    /// Opens the store in the folder `path`, and makes one where there is none. One on a disk that
    /// has no room at all can be read and is [latched](Self::latched).
    ///
    /// # Errors
    ///
    /// See [`Error`]; a store that another process holds, that a newer version wrote, or that lost
    /// its files is refused.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        processor::check()?;
        let create = marker::examine(path)?;
        let (engine, why) = Engine::open(path, options, create)?;
        if why.is_none() {
            marker::write(path)?;
        }
        let mut refused = Refused::read(path);
        let why = why.or_else(|| put_back(path, &engine, &mut refused).err());
        Ok(Self {
            inner: RwLock::new(Some(engine)),
            path: path.to_owned(),
            is_new: create,
            options: options.clone(),
            riding: Riding::default(),
            latched: Mutex::new(why.map(|error| error.trouble())),
            place: Mutex::new(marker::place(path)),
            opened: AtomicU64::new(1),
            refused: Mutex::new(refused),
        })
    }

    /// Whether there is a store in the folder `path`.
    pub fn is_there(path: &Path) -> bool {
        marker::is_there(path)
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its files are still where they were opened: not removed, and nothing mounted over
    /// them.
    pub fn is_in_place(&self) -> bool {
        *self.place.lock() == marker::place(&self.path) && marker::is_there(&self.path)
    }

    /// Why every write is refused, once one was. A full disk is forgiven by
    /// [`reopen`](Self::reopen), [`Trouble::Fatal`] by nothing but a new process.
    pub fn latched(&self) -> Option<Trouble> {
        *self.latched.lock()
    }

    /// Whether the store was made by this process.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What could not be read when the engine was opened.
    pub fn damage(&self) -> Damage {
        self.engine().map(|engine| engine.damage.clone()).unwrap_or_default()
    }

    /// What the file `name` in the data folder says, if it is there.
    pub fn note(&self, name: &str) -> Option<String> {
        notes::read(&self.path, name)
    }

    /// Makes the file `name` in the data folder say `text`, synced: all of it, or what it said
    /// before.
    ///
    /// # Errors
    ///
    /// When it could not be written.
    pub fn write_note(&self, name: &str, text: &str) -> Result<(), Error> {
        notes::write(&self.path, name, text)
    }

    /// Takes note that nothing can be written before a [`reopen`](Self::reopen).
    pub fn latch(&self, trouble: Trouble) {
        let mut latched = self.latched.lock();
        if *latched != Some(Trouble::Fatal) {
            *latched = Some(trouble);
        }
    }

    /// Throws the [`Ballast`] overboard. Says whether there was one.
    pub fn release_ballast(&self) -> bool {
        space::release_ballast(&self.path)
    }

    /// Whether files can be made, written and synced in the data folder, by doing so.
    ///
    /// # Errors
    ///
    /// They cannot.
    pub fn probe(&self) -> Result<(), Error> {
        space::probe(&self.path)
    }

    /// Closes the engine and opens it again, so that it writes again. Whoever reads meanwhile
    /// waits; where it cannot be opened for writing, they can read all the same.
    ///
    /// What was refused before may be there now: see [`commit`](Self::commit). What was refused of
    /// `meta` alone is not.
    ///
    /// # Errors
    ///
    /// When there is still no room, or readers held it for too long: it can be called again. Where
    /// the disk failed, the store is [latched](Self::latched) for good.
    pub fn reopen(&self) -> Result<(), Error> {
        let mut inner = self.inner.try_write_for(READERS_END).ok_or(Error::Busy)?;
        if self.latched() == Some(Trouble::Fatal) {
            return Err(Error::Failed);
        }
        // A folder that lost its store, or that another was mounted over, is not opened.
        if !marker::is_there(&self.path) {
            return Err(Error::Missing(self.path.join("db").join("CURRENT")));
        }
        drop(inner.take());
        let opened = Engine::open(&self.path, &self.options, false);
        let (engine, why) = opened.inspect_err(|error| self.latch(error.trouble()))?;
        let why = why.or_else(|| put_back(&self.path, &engine, &mut self.refused.lock()).err());
        *inner = Some(engine);
        self.opened.fetch_add(1, Ordering::Release);
        *self.place.lock() = marker::place(&self.path);
        *self.latched.lock() = why.as_ref().map(Error::trouble);
        why.map_or(Ok(()), Err)
    }

    /// Makes `write` durable: it is in the synced write-ahead log when this returns. Where the
    /// thread is [recorded](Self::recorded), that is done by the recorder.
    ///
    /// # Errors
    ///
    /// When it could not be written; it may still turn up after a restart or a
    /// [`reopen`](Self::reopen), unless it changes `meta`. Until then every other write is refused
    /// as well.
    pub fn commit(&self, write: &Write<'_>) -> Result<(), Error> {
        match recorder::take() {
            Some(recorder) => recorder.commit(self, write),
            None => self.commit_all(None, &[write]),
        }
    }

    /// Makes `writes` durable together, unless the engine was opened again since it was
    /// [opened](Self::opened) so often: what was read before may then not be what is there.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit), and [`Error::Reopened`].
    pub fn commit_together(&self, opened: u64, writes: &[&Write<'_>]) -> Result<(), Error> {
        self.commit_all(Some(opened), writes)
    }

    /// How often the engine was opened: what is read after this was asked is no older.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    fn commit_all(&self, opened: Option<u64>, writes: &[&Write<'_>]) -> Result<(), Error> {
        let engine = self.engine()?;
        // It is not opened again while it is held.
        if opened.is_some_and(|opened| opened != self.opened()) {
            return Err(Error::Reopened);
        }
        let done = self.commit_riding(&engine, writes);
        match &done {
            Ok(()) => self.done(writes),
            Err(error) => {
                // What was not even tried says nothing new.
                if !error.is_consequence() || self.latched().is_none() {
                    self.latch(error.trouble());
                }
                self.refuse(&engine, writes, error);
            }
        }
        done
    }

    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// When it could not be read, or is damaged.
    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let engine = self.engine()?;
        Ok(engine.db.get_cf(engine.family(family), key)?)
    }

    /// Calls `each` with every key that begins with `prefix`, and its value, in order. `each` must
    /// not call back.
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
        let engine = self.engine()?;
        let mode = IteratorMode::From(prefix, Direction::Forward);
        for entry in engine.db.iterator_cf(engine.family(family), mode) {
            let (key, value) = entry?;
            if !key.starts_with(prefix) {
                break;
            }
            each(&key, &value);
        }
        Ok(())
    }

    /// Calls `each` with every key that begins with `prefix` and is not after `from`, and its
    /// value, the last first, until it says to stop. `each` must not call back.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan).
    pub fn scan_back(
        &self,
        family: Family,
        prefix: &[u8],
        from: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let engine = self.engine()?;
        let mode = IteratorMode::From(from, Direction::Reverse);
        for entry in engine.db.iterator_cf(engine.family(family), mode) {
            let (key, value) = entry?;
            if !key.starts_with(prefix) || each(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` with every key in `from..to`, and its value, in order, until it says to stop.
    /// `each` must not call back.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan).
    pub fn scan_range(
        &self,
        family: Family,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let engine = self.engine()?;
        let mode = IteratorMode::From(from, Direction::Forward);
        for entry in engine.db.iterator_cf(engine.family(family), mode) {
            let (key, value) = entry?;
            if *key >= *to || each(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first key at or after `from`.
    ///
    /// # Errors
    ///
    /// When it could not be read.
    pub fn first_key(&self, family: Family, from: &[u8]) -> Result<Option<Box<[u8]>>, Error> {
        first_key(&*self.engine()?, family, from)
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
        let brought_in = sst::write(path, entries).and_then(|()| {
            let mut options = IngestExternalFileOptions::default();
            options.set_move_files(true);
            let engine = self.engine()?;
            let family = engine.family(Family::Segments);
            Ok(engine.writable()?.ingest_external_file_cf_opts(family, &options, vec![path])?)
        });
        if brought_in.is_err() {
            // On a full disk what was written of it is in the way of everything else.
            let _none = std::fs::remove_file(path).is_err();
        }
        brought_in
    }

    /// Drops all keys of `segments` in `from..to`: whole files first, which rewrites nothing.
    ///
    /// # Errors
    ///
    /// When the engine refuses.
    pub fn drop_segments(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let engine = self.engine()?;
        let (db, family) = (engine.writable()?, engine.family(Family::Segments));
        db.delete_file_in_range_cf(family, from, to)?;
        if first_key(&engine, Family::Segments, from)?.is_some_and(|key| *key < *to) {
            db.delete_range_cf(family, from, to)?;
        }
        Ok(())
    }

    fn engine(&self) -> Result<MappedRwLockReadGuard<'_, Engine>, Error> {
        RwLockReadGuard::try_map(self.inner.read(), Option::as_ref).map_err(|_| Error::Closed)
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

fn first_key(engine: &Engine, family: Family, from: &[u8]) -> Result<Option<Box<[u8]>>, Error> {
    let mode = IteratorMode::From(from, Direction::Forward);
    let entry = engine.db.iterator_cf(engine.family(family), mode).next().transpose()?;
    Ok(entry.map(|(key, _)| key))
}

/// How long a [`Db::reopen`] waits for readers to end.
const READERS_END: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
