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
pub(super) struct Witness(blake3::Hasher);

impl Witness {
    pub(super) fn add(&mut self, key: &[u8], chunk: &[u8]) {
        self.0.update(key).update(&(chunk.len() as u64).to_le_bytes()).update(chunk);
    }

    pub(super) fn finish(&self) -> blake3::Hash {
        self.0.finalize()
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
