//! Events on disk: staged as they are acknowledged, sealed into segments soon after.
//!
//! ```text
//!  Rows ──stage──▶ staged batch ──seal──▶ segment of blocks ──merge──▶ fewer, larger ──expire──▶ gone
//!                  (synced WAL)           (ingested file)             ones
//!                       └──────── Source ─▶ View ────────┘  what queries read
//! ```
//!
//! A staged batch and a sealed block hold the same columns in the same encoding. A staged batch is
//! one chunk, written once with a synced log and deleted when it is sealed; a block is a chunk for
//! each column, so that a query reads only those it needs.
//!
//! # Invariants
//!
//! * *Acknowledged is durable*: [`Store::stage`] returns after the sync.
//! * *Each event once*: sealing commits with one synced batch, catalog rows in and staged batches
//!   out, and the same is done to what readers see under one lock. A file that was brought in
//!   before a crash and that no catalog row names is removed at start.
//! * *Damage is an error of one source*, never a panic and never silence.

mod answered;
pub mod backup;
mod block_columns;
mod bytes;
mod cache;
mod catalog;
mod checkpoints;
mod chunk;
mod clock;
mod column;
mod config;
mod deletes;
mod digest;
mod error;
mod head;
mod identities;
mod identity;
mod known;
mod mends;
mod merge;
mod missing;
mod octets;
mod origin;
mod quarantine;
mod receipts;
mod recover;
mod retention;
mod row_set;
mod rows;
mod scrub;
mod sealer;
mod segment;
mod services;
mod staged;
mod timeline;
pub mod tokens;
mod view;
mod witness;

pub use self::answered::{Answered, Slot, Told};
pub use self::block_columns::{BlockColumn, BlockColumns};
pub use self::bytes::Damaged;
pub use self::checkpoints::{CHECKPOINT_LEASE, Checkpoint};
pub use self::column::{Column, Cutter};
pub use self::config::{Config, Days, Retention};
pub use self::deletes::{Deleted, Tombstones};
pub use self::error::Error;
pub use self::head::RowHead;
pub use self::identities::MAX_IDENTITIES;
pub use self::identity::Identity;
pub use self::merge::Merge;
pub use self::origin::{Origin, Run};
pub use self::quarantine::Quarantined;
pub use self::receipts::{HOLE, Left, MAX_RECEIPTS, Receipt};
pub use self::retention::RetentionSet;
pub use self::row_set::RowSet;
pub use self::rows::Rows;
pub use self::scrub::ScrubPlace;
pub use self::segment::{Block, Segment};
pub use self::staged::Staged;
pub use self::timeline::Timeline;
pub use self::view::{Source, View};
pub use self::witness::{segment_hash, segment_ids};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use self::checkpoints::Checkpoints;
use self::chunk::Packer;
use self::column::Payload;
use self::deletes::Deletes;
use self::known::Known;
use self::mends::Mends;
use self::merge::Merger;
use self::missing::Missing;
use self::quarantine::Quarantine;
use self::recover::{CLOCK, NEXT, catalog_row, next_value, segment_key};
use self::retention::Kept;
use self::sealer::Sealer;
use self::tokens::Words;
use crate::db::{self, Db, Family, Write};
use crate::failpoint;
use crate::time::{DAY, Timestamp};

/// The events of all projects.
#[derive(Debug)]
pub struct Store {
    db: Arc<Db>,
    config: Config,
    retention: Kept,
    /// What readers see. Held for writing only while a commit becomes visible.
    state: RwLock<State>,
    writer: Mutex<Writer>,
    /// Held by whoever seals or expires, and by whoever merges while that becomes visible.
    sealing: Mutex<Sealer>,
    /// Held by whoever merges.
    merging: Mutex<Merger>,
    next_segment: Arc<AtomicU64>,
    /// Bytes of the values that were staged since the start.
    staged_total: AtomicU64,
    checkpoints: Checkpoints,
    /// What queries read of blocks.
    read: cache::Read,
    quarantine: Quarantine,
    deletes: Deletes,
    mends: Mends,
    missing: RwLock<Missing>,
}

#[derive(Debug, Default)]
struct State {
    staged: VecDeque<Arc<Staged>>,
    segments: BTreeMap<u64, Arc<Segment>>,
    /// No longer seen by new readers; dropped once the last reader is done.
    condemned: Vec<Arc<Segment>>,
}

#[derive(Debug)]
struct Writer {
    next_batch: u64,
    next_id: u64,
    packer: Packer,
    scratch: Payload,
    words: Words,
    /// Batches that were refused, were found to be there when the engine was opened anew, and are
    /// put again by whoever does not know.
    turned_up: BTreeSet<u64>,
    /// What rows and messages are known by that may come again.
    known: Known,
    /// The number after that of the last batch that is synced.
    synced: u64,
    /// The same as it was last written down.
    marked: u64,
}

/// How much there is, for metrics and health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Batches that are not sealed yet.
    pub staged_batches: u64,
    /// Bytes of them before compression.
    pub staged_bytes: u64,
    /// Events in them.
    pub staged_rows: u64,
    /// Sealed segments.
    pub segments: u64,
    /// Bytes of their chunks.
    pub segment_bytes: u64,
    /// Events in them that were not deleted.
    pub segment_rows: u64,
    /// Segments that are set aside, whole or in part.
    pub quarantined_segments: u64,
}

impl Store {
    /// Opens the store in `db`: finds what is staged and sealed, and removes what a crash left.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read.
    pub fn open(db: Arc<Db>, config: Config) -> Result<Self, Error> {
        recover::open(db, config)
    }

    /// Makes `batches` durable, together, and visible. Empty ones are passed over.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn stage<'r>(&self, batches: impl IntoIterator<Item = &'r Rows>) -> Result<(), Error> {
        let batches: Vec<_> = batches.into_iter().filter(|rows| !rows.is_empty()).collect();
        let packed = self.pack(batches.iter().copied());
        self.put(&packed)?;
        self.digest(packed.iter().zip(batches));
        Ok(())
    }

    /// Numbers and packs `batches` for [`put`](Self::put). Empty ones are passed over.
    pub fn pack<'r>(&self, batches: impl IntoIterator<Item = &'r Rows>) -> Vec<Arc<Staged>> {
        let writer = &mut *self.writer.lock();
        let mut staged = Vec::new();
        for rows in batches.into_iter().filter(|rows| !rows.is_empty()) {
            let (number, id) = (writer.next_batch, writer.next_id);
            let batch = Staged::pack(number, id, rows, &mut writer.packer, &mut writer.scratch);
            // Numbers are taken even when the write fails: a refused batch may still turn up in the
            // log, and another must not bear its number.
            (writer.next_batch, writer.next_id) = (number + 1, id + rows.len() as u64);
            staged.push(Arc::new(batch));
        }
        staged
    }

    /// Makes packed batches durable, together, and visible. Those that were refused may be put
    /// again, as they are, after a [`reopen`](Self::reopen): under its number a batch is there
    /// once, however often it is put.
    ///
    /// # Errors
    ///
    /// When they could not be written; none of them is then visible, and none is to be
    /// acknowledged.
    pub fn put(&self, batches: &[Arc<Staged>]) -> Result<(), Error> {
        let writer = &mut *self.writer.lock();
        let mut write = Write::default();
        let new = |batch: &&Arc<Staged>| !writer.turned_up.contains(&batch.number);
        let new: Vec<_> = batches.iter().filter(new).collect();
        for batch in &new {
            write.put(Family::Stage, batch.number.to_be_bytes().to_vec(), &*batch.chunk);
        }
        writer.known.put_all(&mut write, batches);
        if write.is_empty() {
            writer.turned_up.clear();
            return Ok(());
        }
        self.db.commit(&write)?;
        failpoint::reached("stage-committed");
        writer.turned_up.clear();
        writer.synced = new.last().map_or(writer.synced, |last| last.number + 1);
        let bytes = new.iter().map(|staged| staged.raw_bytes as u64).sum();
        self.staged_total.fetch_add(bytes, Ordering::Relaxed);
        self.state.write().staged.extend(new.into_iter().cloned());
        Ok(())
    }

    /// Tells what sealing has to know of batches that are [`put`](Self::put), of the rows that each was
    /// packed from. It is read back of those of which it is not told in time.
    pub fn digest<'r>(&self, batches: impl IntoIterator<Item = (&'r Arc<Staged>, &'r Rows)>) {
        let words = &mut self.writer.lock().words;
        batches.into_iter().for_each(|(staged, rows)| staged.digest(rows, words));
    }

    /// Turns everything staged into segments.
    ///
    /// # Errors
    ///
    /// When it could not be written; what is staged then stays so.
    pub fn seal(&self) -> Result<(), Error> {
        let sealer = &mut *self.sealing.lock();
        let batches: Vec<_> = self.state.read().staged.iter().cloned().collect();
        if batches.is_empty() {
            return Ok(());
        }
        sealer.begin();
        for batch in &batches {
            sealer.add(batch)?;
        }
        // Ids are taken even when the seal fails: its files may be there, and its commit may turn
        // up after a restart.
        let segments = self.folder().and_then(|folder| sealer.finish(&self.db, &folder))?;
        failpoint::reached("seal-ingested");
        let last = batches.last().expect("not empty");
        let next_segment = self.next_segment.load(Ordering::Relaxed);
        let next = next_value(next_segment, last.number + 1, last.first_id + last.rows as u64);
        let mut write = Write::default();
        write.put(Family::Catalog, NEXT, next);
        for segment in &segments {
            write.put(Family::Catalog, segment_key(segment.id), catalog_row(segment)?);
        }
        write.remark(witness::sealed(&segments));
        for batch in &batches {
            write.delete(Family::Stage, batch.number.to_be_bytes().to_vec());
        }
        self.db.commit(&write)?;
        failpoint::reached("seal-committed");
        let mut state = self.state.write();
        state.staged.drain(..batches.len());
        state.segments.extend(segments.into_iter().map(|s| (s.id, Arc::new(s))));
        Ok(())
    }

    /// Drops the segments of days that are past their retention, and those dropped before that no
    /// reader needs any longer. Returns how many were condemned.
    ///
    /// # Errors
    ///
    /// When the catalog could not be changed.
    pub fn expire(&self, now: Timestamp) -> Result<usize, Error> {
        let _one_at_a_time = self.sealing.lock();
        let Some(now) = self.believed(now)? else { return Ok(0) };
        let due = self.past_retention(now);
        if !due.is_empty() {
            let mut write = Write::default();
            due.iter().for_each(|s| write.delete(Family::Catalog, segment_key(s.id)));
            write.remark(witness::expired(&due));
            failpoint::reached("expire-begun");
            due.iter().for_each(|segment| self.forget_marks(segment, &mut write));
            self.db.commit(&write)?;
            failpoint::reached("expire-committed");
            let mut state = self.state.write();
            due.iter().for_each(|segment| drop(state.segments.remove(&segment.id)));
            state.condemned.extend(due.iter().cloned());
        }
        let condemned = due.len();
        drop(due);
        self.drop_condemned()?;
        Ok(condemned)
    }

    /// Whether anything is past its retention, or was and is still to be dropped.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let before = self.time_before().unwrap_or_default();
        let now = clock::believed(now, self.newest_day(), before);
        now.is_some_and(|now| !self.past_retention(now).is_empty())
            || !self.state.read().condemned.is_empty()
    }

    /// Everything that may hold a row of `project` in `from..=to` (microseconds), the newest
    /// first.
    pub fn sources(&self, project: &str, from: i64, to: i64) -> Vec<Source> {
        let state = self.state.read();
        let in_time = |(first, last): (i64, i64)| first <= to && last >= from;
        let is_own = |staged: &&Arc<Staged>| staged.rows_of(project) > 0 && in_time(staged.times);
        let staged = state.staged.iter().filter(is_own);
        let mut sources: Vec<_> = staged.cloned().map(Source::Staged).collect();
        for segment in state.segments.values() {
            if *segment.project == *project && segment.overlaps(from, to) {
                for (number, block) in (0..).zip(&segment.blocks) {
                    if in_time(block.times) {
                        sources.push(Source::Block(Arc::clone(segment), number));
                    }
                }
            }
        }
        drop(state);
        sources.extend(self.lost());
        sources.sort_by_key(|source| std::cmp::Reverse(source.times().1));
        sources
    }

    /// Opens a source for reading.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is damaged or was found so before.
    pub fn view(&self, source: &Source) -> Result<View<'_>, Error> {
        self.admit(source)?;
        View::open(self, source)
    }

    /// Bytes of what is not sealed yet, before compression.
    pub fn staged_bytes(&self) -> u64 {
        self.state.read().staged.iter().map(|staged| staged.raw_bytes as u64).sum()
    }

    /// Bytes of the values that were staged since the start.
    pub fn staged_total(&self) -> u64 {
        self.staged_total.load(Ordering::Relaxed)
    }

    /// How much there is.
    pub fn usage(&self) -> Usage {
        let state = self.state.read();
        let sum = |of: fn(&Segment) -> u64| state.segments.values().map(|s| of(s)).sum();
        Usage {
            staged_batches: state.staged.len() as u64,
            staged_bytes: state.staged.iter().map(|staged| staged.raw_bytes as u64).sum(),
            staged_rows: state.staged.iter().map(|staged| staged.rows as u64).sum(),
            segments: state.segments.len() as u64,
            segment_bytes: sum(|segment| segment.stored_bytes),
            segment_rows: sum(|segment| segment.rows)
                - self.deletes.rows(|id| state.segments.contains_key(&id)),
            quarantined_segments: self.quarantine.segments(),
        }
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The disk that it is on.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Where files are made before they are brought in.
    fn folder(&self) -> Result<PathBuf, Error> {
        let path = self.db.path().join("tmp");
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(path),
            Err(error) => Err(db::Error::File { path, error }.into()),
        }
    }

    /// The segments that are past their retention at this time.
    fn past_retention(&self, now: Timestamp) -> Vec<Arc<Segment>> {
        let is_past = |segment: &Segment, day: i64| {
            let kept = self.retention.of(&segment.project).as_micros();
            let kept = i64::try_from(kept).unwrap_or(i64::MAX);
            (day + 1).saturating_mul(DAY) < now.plus(-kept).as_micros()
        };
        let state = self.state.read();
        let newest_first = || state.segments.values().rev();
        let days = clock::days_kept_by(now, newest_first().map(|segment| segment.day));
        let due = newest_first().zip(days).filter(|(segment, day)| is_past(segment, *day));
        due.map(|(segment, _)| Arc::clone(segment)).collect()
    }

    /// How late it is for retention; kept, so that it is known after a restart.
    fn believed(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let (before, newest) = (self.time_before()?, self.newest_day());
        let Some(now) = clock::believed(now, newest, before) else { return Ok(None) };
        if newest.is_some() && clock::is_worth_keeping(now, before) {
            let mut write = Write::default();
            write.put(Family::Catalog, CLOCK, now.as_micros().to_be_bytes().to_vec());
            self.db.commit(&write)?;
        }
        Ok(Some(now))
    }

    /// How late it was for retention the last time that was kept.
    fn time_before(&self) -> Result<Option<Timestamp>, Error> {
        let kept = self.db.get(Family::Catalog, CLOCK)?;
        let kept = kept.as_deref().and_then(|kept| kept.try_into().ok()).map(i64::from_be_bytes);
        Ok(kept.map(Timestamp::from_micros))
    }

    /// The newest day that anything sealed is kept by.
    fn newest_day(&self) -> Option<i64> {
        self.state.read().segments.values().map(|segment| segment.day).max()
    }

    fn drop_condemned(&self) -> Result<(), Error> {
        let unused: Vec<Arc<Segment>> = {
            let mut state = self.state.write();
            let held = |segment: &Arc<Segment>| Arc::strong_count(segment) > 1;
            let (kept, unused) = state.condemned.drain(..).partition(held);
            state.condemned = kept;
            unused
        };
        let mut result = Ok(());
        for segment in unused {
            let id = segment.id;
            let (from, to) = (id.to_be_bytes(), (id + 1).to_be_bytes());
            if let Err(error) = self.db.drop_segments(&from, &to) {
                self.state.write().condemned.push(segment); // the next round tries again
                result = Err(error.into());
            } else {
                self.deletes.forgotten(id);
                self.quarantine.forgotten(id);
            }
            failpoint::reached("expire-dropped");
        }
        result
    }
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
