//! The files of our own beside RocksDB's: the marker that says "here is a store, of this format",
//! and the process that holds it.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Error;

/// The on-disk format that this version writes: 1 is all of the first release, and in 2 large batches are
/// staged with each column compressed. It reads both.
pub(super) const FORMAT: u32 = 2;

/// Whether a store is to be made in `path`: only where nothing of one is there. What else lies there,
/// such as the log of whoever starts it, stays as it is.
pub(super) fn examine(path: &Path) -> Result<bool, Error> {
    // Logs are for nobody else on the machine. A folder that is there keeps its mode.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Error::File { path: path.to_owned(), error })?;
    let marker = path.join(MARKER);
    match fs::read_to_string(&marker) {
        Ok(text) => {
            let found = text.trim().strip_prefix("format ").and_then(|n| n.parse().ok());
            match found {
                Some(found) if found > FORMAT => {
                    Err(Error::Newer { path: marker, known: FORMAT, found })
                }
                // An empty marker is one that a power cut met while it was being written.
                _ if path.join("db").join("CURRENT").exists() => Ok(false),
                _ => Err(Error::Missing(path.join("db").join("CURRENT"))),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let db = path.join("db");
            // A first start that was cut short leaves `db` and no marker: nothing was accepted yet.
            let begun = db.join("CURRENT").exists();
            let left = OF_A_STORE.iter().map(|name| path.join(name)).find(|left| left.exists());
            left.filter(|_| !begun).map_or(Ok(true), |left| Err(Error::NoMarker(left)))
        }
        Err(error) => Err(Error::File { path: marker, error }),
    }
}

/// Whether a store is where one was opened before.
pub(super) fn is_there(path: &Path) -> bool {
    path.join(MARKER).exists() && path.join("db").join("CURRENT").exists()
}

/// Device and number of the folder with RocksDB's files.
pub(super) fn place(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path.join("db")).ok()?;
    Some((found.dev(), found.ino()))
}

/// Writes the marker, and this process's id.
pub(super) fn write(path: &Path) -> Result<(), Error> {
    stamp(path)?;
    // Only told to whoever finds the store held: no reason not to open it on a full disk.
    let _full = fs::write(path.join(PID), format!("{}\n", std::process::id())).is_err();
    Ok(())
}

/// Writes the marker, synced, where it does not stand already.
pub(super) fn stamp(path: &Path) -> Result<(), Error> {
    let (marker, draft) = (path.join(MARKER), path.join(DRAFT));
    let text = format!("format {FORMAT}\n");
    if fs::read_to_string(&marker).ok().as_ref() != Some(&text) {
        fs::write(&draft, &text)
            .and_then(|()| fs::File::open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &marker))
            .and_then(|()| fs::File::open(path)?.sync_all())
            .map_err(|error| Error::File { path: marker, error })?;
    }
    Ok(())
}

/// Says who holds the store, where that is why it did not open.
pub(super) fn explain(path: &Path, error: rocksdb::Error) -> Error {
    let text = error.to_string();
    if !(text.contains("lock hold by") || text.contains("While lock file")) {
        return Error::Engine(error);
    }
    let pid = fs::read_to_string(path.join(PID)).unwrap_or_default();
    let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
    Error::Held { path: PathBuf::from(path), pid }
}

/// What lies in the folder of a store beside its marker, from its first start on; in one that is being
/// restored; and in one of backups.
const OF_A_STORE: [&str; 9] = [
    PID,
    "SYNCED",
    "ANSWERED",
    "BALLAST",
    "audit.key",
    "webhooks.key",
    "lists",
    "restoring",
    "LOGTRACE-BACKUP",
];

const MARKER: &str = "LOGTRACE";
const DRAFT: &str = "LOGTRACE.new";
const PID: &str = "logtrace.pid";
