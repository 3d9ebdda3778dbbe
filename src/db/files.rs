//! The engine's sealed files, as it knows them without opening one; and what damage looks like.

use std::path::PathBuf;

use rocksdb::{ErrorKind, IteratorMode, ReadOptions};

use super::{Db, Direction, Error, Family};

/// A sealed file of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// Where it is, or should be.
    pub path: PathBuf,
    /// Its first key.
    pub first: Vec<u8>,
    /// Its last key.
    pub last: Vec<u8>,
}

impl Db {
    /// The sealed files of a family, whether they are there or not.
    ///
    /// # Errors
    ///
    /// When the engine does not say.
    pub fn files(&self, family: Family) -> Result<Vec<TableFile>, Error> {
        let files = self.engine()?.db.live_files()?.into_iter();
        let own = files.filter(|file| file.column_family_name == family.name());
        let engine = self.path.join(super::ENGINE);
        Ok(own
            .map(|file| TableFile {
                path: engine.join(file.name.trim_start_matches('/')),
                first: file.start_key.unwrap_or_default(),
                last: file.end_key.unwrap_or_default(),
            })
            .collect())
    }

    /// Calls `each` with keys in `from..to` and their values, in order, until about `max_bytes`
    /// were read. Returns where to go on; `None` is the end. What is read takes no room in the
    /// cache from what is asked for often.
    ///
    /// # Errors
    ///
    /// When the iteration ended early: the entry behind those that `each` saw is damaged.
    pub fn read_through(
        &self,
        family: Family,
        from: &[u8],
        to: &[u8],
        max_bytes: usize,
        mut each: impl FnMut(&[u8], &[u8]),
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_verify_checksums(true);
        options.set_iterate_upper_bound(to);
        options.set_readahead_size(READ_AHEAD);
        let mode = IteratorMode::From(from, Direction::Forward);
        let mut read = 0;
        let engine = self.engine()?;
        for entry in engine.db.iterator_cf_opt(engine.family(family), options, mode) {
            let (key, value) = entry?;
            if read >= max_bytes {
                return Ok(Some(key.into_vec()));
            }
            read += key.len() + value.len();
            each(&key, &value);
        }
        Ok(None)
    }

    /// As [`get`](Self::get), past the cache.
    ///
    /// # Errors
    ///
    /// When it could not be read, or is damaged.
    pub fn read(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_verify_checksums(true);
        let engine = self.engine()?;
        Ok(engine.db.get_cf_opt(engine.family(family), key, &options)?)
    }
}

impl Error {
    /// Whether what was written is not there any longer, as it was: to try again is no use.
    pub fn is_damage(&self) -> bool {
        let Self::Engine(error) = self else { return false };
        match error.kind() {
            ErrorKind::Corruption => true,
            // A file that was deleted. Other errors of the system may pass.
            ErrorKind::IOError => error.as_ref().contains("No such file"),
            _ => false,
        }
    }
}

/// What is read from the disk at once, in bytes.
const READ_AHEAD: usize = 256 << 10;
