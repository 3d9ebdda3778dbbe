//! A picture of the whole store at one moment, beside it, for backups.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rocksdb::checkpoint::Checkpoint;

use super::{Db, Error, marker};

/// The on-disk format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = marker::FORMAT;

/// The folder of the engine's files in a data folder.
pub const ENGINE: &str = "db";

impl Db {
    /// Makes the folder `to`, which is not there yet, with all that was committed before. Files
    /// that never change are linked and cost no room on the same file system; they go on taking it
    /// when the store drops them, until the folder is removed.
    ///
    /// # Errors
    ///
    /// When the folder is there, or the disk does not take it.
    pub fn checkpoint(&self, to: &Path) -> Result<(), Error> {
        if let Some(parent) = to.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.map_err(|error| Error::File { path: parent.to_owned(), error })?;
        }
        let engine = self.engine()?;
        let made = Checkpoint::new(&engine.db).and_then(|made| made.create_checkpoint(to));
        if made.is_err() {
            // What a failed one left is of no use to anyone.
            let _none = fs::remove_dir_all(to.with_extension("tmp")).is_err();
        }
        Ok(made?)
    }
}

/// Marks `path` as a data folder, whose engine's files were put there by other means than
/// [`Db::open`].
///
/// # Errors
///
/// When the marker could not be written.
pub fn mark(path: &Path) -> Result<(), Error> {
    marker::stamp(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Family, Options, Write};

    #[test]
    fn a_checkpoint_is_a_store_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("one"), &Options::default()).unwrap();
        db.meta_put(b"a", b"1").unwrap();
        let file = folder.path().join("x.sst");
        db.ingest(&file, [(b"k", b"v")]).unwrap();
        let two = folder.path().join("two");
        db.checkpoint(&two.join(ENGINE)).unwrap();
        db.meta_put(b"a", b"2").unwrap();
        db.drop_segments(b"k", b"l").unwrap();
        assert!(db.checkpoint(&two.join(ENGINE)).is_err(), "never into another");
        mark(&two).unwrap();
        let picture = Db::open(&two, &Options::default()).unwrap();
        assert_eq!(picture.meta_get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(picture.get(Family::Segments, b"k").unwrap().as_deref(), Some(&b"v"[..]));
        let mut write = Write::default();
        write.delete(Family::Segments, b"k".as_slice());
        picture.commit(&write).unwrap();
    }
}
