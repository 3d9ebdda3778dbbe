//! Senders on disk: in `meta`, under `sender/`, each as JSON.
//!
//! What is new of a sender is written within [`PATIENCE`] of it, and at the end; that it is overdue,
//! or no longer, at once. Who is killed in between knows senders as quiet for a shorter time than
//! they are: late, and never wrong.

use super::record::Record;
use crate::db::{Db, Error, Family, Write};

/// Reads them, each quiet for as long as it was.
pub(super) fn read(db: &Db, at: u64) -> Result<Vec<Record>, Error> {
    let read = |value: &[u8]| {
        let mut record: Record = serde_json::from_slice(value).ok()?;
        record.heard_at = at.saturating_sub(record.quiet);
        (record.counted_at, record.is_written) = (record.heard_at, true);
        Some(record)
    };
    let entries = db.meta_scan(PREFIX)?;
    // One that cannot be read is learned anew.
    Ok(entries.iter().filter_map(|(_, value)| read(value)).collect())
}

/// Writes what is said of them; without a value one is forgotten.
pub(super) fn write(db: &Db, entries: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), Error> {
    let mut write = Write::default();
    for (place, value) in entries {
        let key = [PREFIX, &place].concat();
        match value {
            Some(value) => write.put(Family::Meta, key, value),
            None => write.delete(Family::Meta, key),
        }
    }
    if write.is_empty() { Ok(()) } else { db.commit(&write) }
}

/// A record as it is written.
pub(super) fn encoded(record: &mut Record, at: u64) -> Vec<u8> {
    (record.quiet, record.is_written) = (record.quiet(at), true);
    serde_json::to_vec(record).expect("records have text for keys")
}

/// How long what is new may wait to be written, in milliseconds.
pub(super) const PATIENCE: u64 = 5 * 60_000;

const PREFIX: &[u8] = b"sender/";
