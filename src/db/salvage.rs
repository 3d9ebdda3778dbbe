//! Opening a store that is damaged: strictly at first, then with as little leniency as opens it.
//!
//! Measured with RocksDB 11.8.1, a thousand records of 1 kB in the log and three ingested files:
//!
//! | what                                   | strictly                       | leniently                 |
//! |----------------------------------------|--------------------------------|---------------------------|
//! | bit or 4 KiB flipped in a log          | refused: `checksum mismatch`   | 976 records, says nothing |
//! | log cut by 1 octet, by 40 kB, deleted  | 999, 961, 0 records, no error  | the same                  |
//! | file cut, emptied, deleted, bad index  | refused, file named            | its keys only fail        |
//! | bit in a data block of a file          | opens; reads of it fail        | the same                  |
//! | bit in MANIFEST, MANIFEST gone         | refused                        | refused                   |
//! | MANIFEST cut                           | opens without the newest files | the same                  |
//! | a log that is not the last, gone       | refused: `Missing WAL`         | the others, not verified  |
//!
//! Where `paranoid_checks` are off, damage in a log is skipped in every recovery mode. The logs are
//! therefore set aside before anything lenient is tried; what is missing afterwards is found by the
//! numbers of the batches, and by the number that was last known to be synced.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{DB, DBRecoveryMode};
use tracing::error;

use super::options::{self, Options};
use super::trouble::is_of_the_disk;
use super::{Error, Family, marker};

/// What was found to be damaged when the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Where the write-ahead logs were set aside, as they were found.
    pub logs: Option<PathBuf>,
    /// Files whose keys cannot be read.
    pub files: Vec<DamagedFile>,
}

/// A file of sorted keys that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// Its name, as in RocksDB's folder.
    pub name: String,
    /// Whose keys it has.
    pub family: Family,
    /// Its first key.
    pub first_key: Vec<u8>,
    /// Its last key.
    pub last_key: Vec<u8>,
    /// What is wrong with it.
    pub why: String,
}

/// Opens the engine of the store in `folder`; says what could not be read of it.
pub(super) fn open(
    folder: &Path,
    options: &Options,
    create: bool,
    stage: u64,
) -> Result<(DB, Damage), Error> {
    let engine = options::engine(options, create);
    let path = folder.join("db");
    let open = |engine: &rocksdb::Options| {
        DB::open_cf_descriptors(engine, &path, options::families(options, stage))
    };
    let strictly = match open(&engine) {
        Ok(db) => return Ok((db, Damage::default())),
        Err(error) => error,
    };
    let Some(kind) = Kind::of(&strictly) else {
        return Err(marker::explain(folder, strictly));
    };
    if kind == Kind::List {
        return Err(Error::List { path, error: strictly.to_string() });
    }
    let logs =
        set_logs_aside(folder).map_err(|error| Error::File { path: folder.into(), error })?;
    error!(error = %strictly, logs = %logs.display(), "the store is damaged: it is opened leniently, and the logs are kept as they were found");
    let mut lenient = engine;
    lenient.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
    // Or one that is gone, or shorter than it is known to have been, would be waited for for ever.
    lenient.set_track_and_verify_wals_in_manifest(false);
    let salvaged = open(&lenient).or_else(|_| {
        lenient.set_paranoid_checks(false);
        open(&lenient)
    });
    let db = salvaged.map_err(|error| marker::explain(folder, error))?;
    // What was salvaged is written out, so that the damaged log is not read again.
    for family in Family::ALL {
        let written = db.cf_handle(family.name()).map(|family| db.flush_cf(family));
        if let Some(Err(error)) = written {
            error!(%error, "cannot write out what was salvaged; it is salvaged again at the next start");
        }
    }
    let files = damaged_files(&db, &path)?;
    Ok((db, Damage { logs: Some(logs), files }))
}

/// The write-ahead logs in `path`.
pub(super) fn logs(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "log"))
}

/// What an error of opening is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A write-ahead log.
    Log,
    /// A file of sorted keys.
    File,
    /// The list of files, MANIFEST, or CURRENT, which names it.
    List,
}

impl Kind {
    fn of(error: &rocksdb::Error) -> Option<Self> {
        let text: &str = error.as_ref();
        let is_corrupt = error.kind() == rocksdb::ErrorKind::Corruption;
        match text {
            // RocksDB writes these files as well.
            _ if is_of_the_disk(text) => None,
            _ if is_corrupt && text.contains(".sst") => Some(Self::File),
            _ if text.contains("MANIFEST-") || text.contains("CURRENT") => Some(Self::List),
            _ if is_corrupt => Some(Self::Log),
            _ => None,
        }
    }
}

/// Copies the write-ahead logs into a folder of their own.
fn set_logs_aside(folder: &Path) -> io::Result<PathBuf> {
    let salvage = folder.join("salvage");
    let free = (1..).map(|n| salvage.join(format!("logs-{n}"))).find(|path| !path.exists());
    let path = free.unwrap_or(salvage);
    fs::create_dir_all(&path)?;
    for log in logs(&folder.join("db")) {
        fs::copy(&log, path.join(log.file_name().unwrap_or_default()))?;
    }
    Ok(path)
}

/// The files that are not as they were written, as far as it is seen without reading all of them.
fn damaged_files(db: &DB, path: &Path) -> Result<Vec<DamagedFile>, Error> {
    let mut damaged = Vec::new();
    for file in db.live_files()? {
        let Some(family) = Family::ALL.into_iter().find(|f| f.name() == file.column_family_name)
        else {
            continue;
        };
        let (Some(first_key), Some(last_key)) = (file.start_key, file.end_key) else { continue };
        let len =
            fs::metadata(path.join(file.name.trim_start_matches('/'))).map(|found| found.len());
        let why = match len {
            Err(error) => Some(error.to_string()),
            Ok(len) if len != file.size as u64 => {
                Some(format!("expected {} bytes, but found {len}", file.size))
            }
            Ok(_) => db.cf_handle(family.name()).and_then(|family| {
                db.get_cf(family, &first_key).err().map(|error| error.to_string())
            }),
        };
        if let Some(why) = why {
            error!(file = %file.name, family = family.name(), %why, "a file of the store cannot be read");
            damaged.push(DamagedFile { name: file.name, family, first_key, last_key, why });
        }
    }
    Ok(damaged)
}
