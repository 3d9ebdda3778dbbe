//! What is said of segments as they come and go, for whoever records it: a segment that is gone,
//! and a hole in time, can then be told from one that was taken out.
//!
//! The hash of a segment is the BLAKE3 over its chunks, in the order of their keys: of each the key,
//! its length in eight bytes, little endian, and the chunk.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Error;
use super::recover::SEGMENT;
use super::segment::Segment;
use crate::db::{Db, Family, Remark};
use crate::time::{DAY, Timestamp};

/// The ids of all segments that the catalog names, in order.
///
/// # Errors
///
/// The catalog cannot be read.
pub fn segment_ids(db: &Db) -> Result<Vec<u64>, Error> {
    let mut ids = Vec::new();
    db.scan(Family::Catalog, SEGMENT, |key, _| {
        ids.extend(key.last_chunk().map(|id| u64::from_be_bytes(*id)));
    })?;
    Ok(ids)
}

/// The hash of a segment as it lies on the disk, in hex.
///
/// # Errors
///
/// It cannot be read.
pub fn segment_hash(db: &Db, id: u64) -> Result<String, Error> {
    let mut hash = Witness::default();
    let (from, to) = (id.to_be_bytes(), id.saturating_add(1).to_be_bytes());
    db.scan_range(Family::Segments, &from, &to, |key, chunk| {
        hash.add(key, chunk);
        ControlFlow::Continue(())
    })?;
    Ok(hash.finish().to_hex().to_string())
}

/// The hash of a segment, chunk by chunk.
#[derive(Debug, Default)]
pub(super) struct Witness {
    hasher: blake3::Hasher,
    /// What is still to be hashed: most chunks are small, and many of its own blocks the hash does at
    /// once.
    waiting: Vec<u8>,
}

impl Witness {
    pub(super) fn add(&mut self, key: &[u8], chunk: &[u8]) {
        let len = (chunk.len() as u64).to_le_bytes();
        [key, &len, chunk].into_iter().for_each(|bytes| self.take(bytes));
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > AT_ONCE {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        match bytes.len() < AT_ONCE {
            true => self.waiting.extend_from_slice(bytes),
            false => _ = self.hasher.update(bytes),
        }
    }

    pub(super) fn finish(mut self) -> blake3::Hash {
        self.hasher.update(&self.waiting).finalize()
    }
}

/// That segments were made of staged batches.
pub(super) fn sealed(made: &[Segment]) -> Remark {
    remark("segment.sealed", None, Some(made.iter().map(new).collect()))
}

/// That segments stand in place of others.
pub(super) fn merged(old: &[Arc<Segment>], made: &[Arc<Segment>]) -> Remark {
    let made = made.iter().map(|segment| new(segment)).collect();
    remark("segment.merged", Some(old.iter().map(gone).collect()), Some(made))
}

/// That segments are past their retention.
pub(super) fn expired(due: &[Arc<Segment>]) -> Remark {
    remark("segment.expired", Some(due.iter().map(gone).collect()), None)
}

/// That rows were deleted, and segments that had no others.
pub(super) fn deleted(
    rows: u64,
    touched: impl Iterator<Item = u64>,
    empty: &[Arc<Segment>],
) -> Remark {
    let touched: Vec<_> = touched.map(|id| format!("{id:016x}")).collect();
    Remark {
        new: Some(json!({"rows": rows, "in": touched})),
        ..remark("segment.rows_deleted", Some(empty.iter().map(gone).collect()), None)
    }
}

fn remark(event: &'static str, old: Option<Vec<Value>>, new: Option<Vec<Value>>) -> Remark {
    let (old, new) = (old.map(Value::Array), new.map(Value::Array));
    Remark { event, resource: "segments".to_owned(), old, new }
}

fn new(segment: &Segment) -> Value {
    let mut new = told(segment);
    if let (Some(new), Some(hash)) = (new.as_object_mut(), segment.hash) {
        new.insert("hash".to_owned(), hash.to_hex().to_string().into());
    }
    new
}

fn gone(segment: &Arc<Segment>) -> Value {
    told(segment)
}

fn told(segment: &Segment) -> Value {
    let day = Timestamp::from_micros(segment.day.saturating_mul(DAY)).to_string();
    json!({
        "segment": format!("{:016x}", segment.id),
        "project": &*segment.project,
        "day": day.split('T').next(),
        "rows": segment.rows,
    })
}

/// Bytes that are hashed together.
const AT_ONCE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_all_chunks_in_a_row() {
        let sizes = [0, 1, 700, AT_ONCE - 30, AT_ONCE - 1, AT_ONCE, 3 * AT_ONCE + 7, 5];
        let mut witness = Witness::default();
        let mut all = Vec::new();
        for (number, size) in (0_u64..).zip(sizes) {
            let (key, chunk) = (number.to_be_bytes(), vec![b'a'; size]);
            witness.add(&key, &chunk);
            all.extend([&key[..], &(size as u64).to_le_bytes(), &chunk].concat());
        }
        assert_eq!(witness.finish(), blake3::hash(&all));
    }
}
