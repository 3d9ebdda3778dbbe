//! RocksDB, opened: for writing, or only for reading where there is no room to do more.

use std::fs;
use std::path::Path;

use rocksdb::{ColumnFamily, DB, WriteBatch, WriteOptions};
use rustix::fs::{Advice, fadvise};
use tracing::{info, warn};

use super::options::{self, Options};
use super::salvage::{self, Damage};
use super::space::{self, Space};
use super::{Error, Family, Write, marker};

/// The engine of a store.
pub(super) struct Engine {
    pub(super) db: DB,
    writable: bool,
    pub(super) damage: Damage,
}

impl Engine {
    /// Opens the engine of the store in `folder`. Where there is no room for that, it is opened for
    /// reading, and why is returned beside it.
    pub(super) fn open(
        folder: &Path,
        options: &Options,
        create: bool,
    ) -> Result<(Self, Option<Error>), Error> {
        match Self::open_to_write(folder, options, create) {
            Ok(engine) => Ok((engine, None)),
            Err(error) if !create && error.is_of_the_disk() => {
                warn!(%error, "the store is opened for reading only");
                Ok((Self::open_to_read(folder, options)?, Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    fn open_to_write(folder: &Path, options: &Options, create: bool) -> Result<Self, Error> {
        let path = folder.join("db");
        let logs = log_bytes(&path);
        let free = Space::of(folder).map_or(u64::MAX, |space| space.free);
        let is_tight = free < logs.saturating_mul(2) + ROOM_TO_OPEN;
        if is_tight && space::release_ballast(folder) {
            info!(free, "the disk is full: its ballast is thrown overboard to open the store");
        }
        // Replayed logs that do not fit into the memory of the family are written out at once,
        // which takes as much room as they have.
        let stage = if is_tight { logs + logs / 4 } else { 0 };
        sync_logs(&path)?;
        let (db, damage) = salvage::open(folder, options, create, stage)?;
        let engine = Self { db, writable: true, damage };
        if stage > options.write_buffer.as_u64() {
            let bytes = options.write_buffer.as_u64().to_string();
            let stage = engine.family(Family::Stage);
            engine.db.set_options_cf(stage, &[("write_buffer_size", &bytes)])?;
        }
        Ok(engine)
    }

    fn open_to_read(folder: &Path, options: &Options) -> Result<Self, Error> {
        let engine = options::engine(options, false);
        let families = options::families(options, 0);
        let db = DB::open_cf_descriptors_read_only(&engine, folder.join("db"), families, false)
            .map_err(|error| marker::explain(folder, error))?;
        Ok(Self { db, writable: false, damage: Damage::default() })
    }

    /// Makes `writes` durable, all of them or none.
    pub(super) fn commit(&self, writes: &[&Write<'_>]) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        for change in writes.iter().flat_map(|write| write.changes()) {
            match &change.value {
                Some(value) => batch.put_cf(self.family(change.family), &change.key, value),
                None => batch.delete_cf(self.family(change.family), &change.key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.writable()?.write_opt(batch, &options)?)
    }

    /// The engine, if it can be written to.
    pub(super) fn writable(&self) -> Result<&DB, Error> {
        if self.writable { Ok(&self.db) } else { Err(Error::ReadOnly) }
    }

    pub(super) fn family(&self, family: Family) -> &ColumnFamily {
        self.db.cf_handle(family.name()).expect("opened with every family")
    }
}

/// Bytes of the write-ahead logs in `path`.
fn log_bytes(path: &Path) -> u64 {
    salvage::logs(path).filter_map(|log| Some(fs::metadata(log).ok()?.len())).sum()
}

/// What is read from the logs counts as synced from then on, and a process that was killed may have
/// ended before it had synced the end of them.
///
/// Where a sync failed before, the system may have in its memory what the disk does not have, and
/// says of it that it is synced. So it forgets the logs: they are read from the disk.
fn sync_logs(path: &Path) -> Result<(), Error> {
    for log in salvage::logs(path) {
        let synced = fs::File::open(&log).and_then(|file| {
            file.sync_data()?;
            // A file system that does not know how keeps it in memory for good, or has none there.
            let _kept = fadvise(&file, 0, None, Advice::DontNeed).is_err();
            Ok(())
        });
        synced.map_err(|error| Error::File { path: log, error })?;
    }
    Ok(())
}

/// Bytes that opening takes beside what the logs do.
const ROOM_TO_OPEN: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use std::io::{IoSliceMut, Write as _};

    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use super::*;

    /// On a real disk: a folder of files in memory has no other place to read them from.
    #[test]
    fn st_08_logs_are_read_from_the_disk() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = folder.path().join("000004.log");
        let mut log = fs::File::create(&path).unwrap();
        log.write_all(&[7; 3 * 4096 + 1]).unwrap();
        let log = fs::File::open(path).unwrap();
        let in_memory = || {
            let mut bytes = [0; 64];
            preadv2(&log, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT)
        };
        if in_memory() == Err(Errno::OPNOTSUPP) {
            return println!("not shown: the file system of /var/tmp cannot tell");
        }
        assert_eq!(in_memory(), Ok(64));
        // To ask begins to read it, which may be done at once.
        let is_forgotten = (0..100).any(|_| {
            sync_logs(folder.path()).unwrap();
            in_memory() == Err(Errno::AGAIN)
        });
        assert!(is_forgotten);
    }
}
