//! Rows that were deleted: not shown from the moment on, and gone from the disk with the next merge
//! of their segment.
//!
//! Which they are lies in the `catalog` family under `tombstone/`, segment, block, and in memory. A
//! segment whose rows are all deleted is dropped at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tracing::error;

use super::bytes::Damaged;
use super::quarantine::{Quarantine, key, place_of};
use super::recover::segment_key;
use super::row_set::RowSet;
use super::segment::Segment;
use super::view::Source;
use super::{Error, Store, witness};
use crate::db::{Db, Family, Write};
use crate::failpoint;

/// The deleted rows of a segment, by block; no set is empty.
pub type Tombstones = BTreeMap<u32, Arc<RowSet>>;

/// The deleted rows of all segments.
#[derive(Debug, Default)]
pub(super) struct Deletes(RwLock<BTreeMap<u64, Arc<Tombstones>>>);

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows that were there and are not any longer.
    pub rows: u64,
    /// Segments that had no others, and were dropped.
    pub segments: u64,
}

impl Store {
    /// The deleted rows of a block, if there are any. What the catalog counts of it counts them too.
    pub fn tombstones(&self, segment: u64, block: u32) -> Option<Arc<RowSet>> {
        self.deletes.0.read().get(&segment)?.get(&block).cloned()
    }

    /// The deleted rows of a segment, if there are any.
    ///
    /// A merge writes the rows that are left and commits while it holds `sealing`; there it
    /// compares this with what it had read, for rows that were deleted meanwhile.
    pub fn tombstones_of(&self, segment: u64) -> Option<Arc<Tombstones>> {
        self.deletes.0.read().get(&segment).cloned()
    }

    /// The deleted rows of a source, if there are any.
    pub fn deleted(&self, source: &Source) -> Option<Arc<RowSet>> {
        match source {
            Source::Staged(_) => None,
            Source::Block(segment, block) => self.tombstones(segment.id, *block),
        }
    }

    /// The id of the last row that was acknowledged; lower ones may come to be sealed later.
    pub fn last_id(&self) -> i64 {
        self.writer.lock().next_id.cast_signed() - 1
    }

    /// Deletes rows of sealed blocks, all of them or none: when this returns, they are durably gone
    /// from every answer to come.
    ///
    /// # Errors
    ///
    /// [`Error::SegmentGone`] when a segment is not there any longer, as its rows may be in another:
    /// they are to be looked for again. Others when it could not be written.
    pub fn delete(&self, rows: &BTreeMap<(u64, u32), RowSet>) -> Result<Deleted, Error> {
        let _one_at_a_time = self.sealing.lock();
        let (mut write, mut deleted) = (Write::default(), Deleted::default());
        let mut after: BTreeMap<u64, Tombstones> = BTreeMap::new();
        for ((segment, block), rows) in rows.iter().filter(|(_, rows)| !rows.is_empty()) {
            let of_segment = after.entry(*segment).or_insert_with(|| {
                self.tombstones_of(*segment).map(|known| (*known).clone()).unwrap_or_default()
            });
            let known = of_segment.entry(*block).or_default();
            let before = known.len();
            let mut all = RowSet::clone(known);
            all.union(rows);
            deleted.rows += all.len() - before;
            write.put(Family::Catalog, key(PREFIX, (*segment, *block)), all.to_bytes());
            *known = Arc::new(all);
        }
        if deleted.rows == 0 {
            return Ok(deleted);
        }
        let mut empty = Vec::new();
        for (id, of_segment) in &after {
            let segment = self.state.read().segments.get(id).cloned();
            let segment = segment.ok_or(Error::SegmentGone { segment: *id })?;
            if of_segment.values().map(|rows| rows.len()).sum::<u64>() >= segment.rows {
                write.delete(Family::Catalog, segment_key(*id));
                self.forget_marks(&segment, &mut write);
                empty.push(segment);
            }
        }
        write.remark(witness::deleted(deleted.rows, after.keys().copied(), &empty));
        failpoint::reached("delete-begun");
        self.db.commit(&write)?;
        failpoint::reached("delete-committed");
        // Whoever reads a dropped one to its end misses them as well.
        let news = after.into_iter().map(|(id, tombstones)| (id, Arc::new(tombstones)));
        self.deletes.0.write().extend(news);
        deleted.segments = empty.len() as u64;
        if !empty.is_empty() {
            let mut state = self.state.write();
            empty.iter().for_each(|segment| drop(state.segments.remove(&segment.id)));
            state.condemned.append(&mut empty);
        }
        if let Err(error) = self.drop_condemned() {
            error!(%error, "cannot drop a segment without rows yet");
        }
        Ok(deleted)
    }

    /// Adds to `write` that all goes which is kept of a segment beside its row.
    pub(super) fn forget_marks(&self, segment: &Segment, write: &mut Write<'_>) {
        self.quarantine.forget(segment.id, write);
        for block in (0..).take(segment.blocks.len()) {
            write.delete(Family::Catalog, key(PREFIX, (segment.id, block)));
        }
    }

    /// The blocks of a segment whose deleted rows cannot be read.
    pub(super) fn damaged_tombstones(&self, segment: &Segment) -> Vec<(u32, Error)> {
        let blocks = (0..).take(segment.blocks.len());
        let read = |block| read(&self.db, segment.id, block).err().map(|error| (block, error));
        blocks.filter_map(read).collect()
    }
}

impl Deletes {
    /// What `db` has, but for segments that are gone: that is removed. A block whose deleted rows
    /// cannot be read is set aside, for none of them may come back.
    pub(super) fn load(
        db: &Db,
        segments: &BTreeMap<u64, Arc<Segment>>,
        quarantine: &Quarantine,
    ) -> Result<Self, Error> {
        let mut found: BTreeMap<u64, Tombstones> = BTreeMap::new();
        let mut damaged = Vec::new();
        let mut stale = Write::default();
        let scanned = db.scan(Family::Catalog, PREFIX, |key, rows| match place_of(key, PREFIX) {
            Some((segment, block)) if segments.contains_key(&segment) => {
                match RowSet::from_bytes(rows) {
                    Ok(rows) => {
                        found.entry(segment).or_default().insert(block, Arc::new(rows));
                    }
                    Err(error) => damaged.push((segment, block, error.into())),
                }
            }
            _ => stale.delete(Family::Catalog, key.to_vec()),
        });
        match scanned {
            // Which rows could not be read is only known by asking for each.
            Err(error) if error.is_damage() => {
                for (segment, block) in segments.values().flat_map(|segment| {
                    (0..).take(segment.blocks.len()).map(|block| (segment.id, block))
                }) {
                    match read(db, segment, block) {
                        Ok(None) => {}
                        Ok(Some(rows)) => {
                            found.entry(segment).or_default().insert(block, Arc::new(rows));
                        }
                        Err(error) => damaged.push((segment, block, error)),
                    }
                }
            }
            Err(error) => return Err(error.into()),
            Ok(()) if !stale.is_empty() => db.commit(&stale)?,
            Ok(()) => {}
        }
        for (segment, block, error) in damaged {
            let reason = format!("its deleted rows cannot be read: {error}");
            quarantine.set(db, segment, Some(block), &reason);
        }
        let found = found.into_iter().map(|(id, tombstones)| (id, Arc::new(tombstones)));
        Ok(Self(RwLock::new(found.collect())))
    }

    /// Takes what another knows of the segments that it knows of: a deletion that was refused may
    /// have been done.
    pub(super) fn take_over(&self, other: Self) {
        self.0.write().extend(other.0.into_inner());
    }

    /// How many rows there are, in segments that `is_counted` says.
    pub(super) fn rows(&self, is_counted: impl Fn(u64) -> bool) -> u64 {
        let all = self.0.read();
        let counted = all.iter().filter(|(id, _)| is_counted(**id));
        counted.flat_map(|(_, tombstones)| tombstones.values()).map(|rows| rows.len()).sum()
    }

    /// Forgets a segment that nobody reads any longer.
    pub(super) fn forgotten(&self, segment: u64) {
        self.0.write().remove(&segment);
    }
}

/// The deleted rows of a block, from the disk.
fn read(db: &Db, segment: u64, block: u32) -> Result<Option<RowSet>, Error> {
    let rows = db.get(Family::Catalog, &key(PREFIX, (segment, block)))?;
    Ok(rows.map(|rows| RowSet::from_bytes(&rows)).transpose().map_err(|error: Damaged| error)?)
}

/// What the keys of deleted rows begin with.
const PREFIX: &[u8] = b"tombstone/";
