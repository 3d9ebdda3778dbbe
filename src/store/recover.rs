//! Opening a store: what the catalog and the stage say, and what a crash left behind.

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use tracing::{error, info};

use super::catalog::{self, Catalog};
use super::checkpoints::{self, Checkpoints};
use super::chunk::Packer;
use super::column::Payload;
use super::deletes::Deletes;
use super::merge::Merger;
use super::quarantine::Quarantine;
use super::sealer::Sealer;
use super::segment::Segment;
use super::staged::Staged;
use super::{Config, Error, State, Store, Writer};
use crate::db::{self, Db, Family};

/// See [`Store::open`].
pub(super) fn open(db: Arc<Db>, config: Config) -> Result<Store, Error> {
    let folder = db.path().join("tmp");
    // Files that were being made when the daemon ended; none was brought in.
    let _absent = fs::remove_dir_all(&folder).is_err();
    fs::create_dir_all(&folder).map_err(|error| db::Error::File { path: folder.clone(), error })?;
    checkpoints::forget(&db);
    let catalog = catalog::read(&db)?;
    let Stage { staged, last_number, damaged } = stage(&db)?;
    let next = next(&db)?;
    let (mut next_segment, mut next_batch, mut next_id) = next.unwrap_or_default();
    if let Some(last) = staged.back() {
        next_id = next_id.max(last.first_id + last.rows as u64);
    }
    if let Some(last_number) = last_number {
        next_batch = next_batch.max(last_number + 1);
    }
    if damaged {
        next_id += IDS_OF_A_BATCH; // its ids are taken, whichever they are
    }
    if let Some(id) = catalog.last_id() {
        next_segment = next_segment.max(id + 1);
    }
    let orphans = drop_orphans(&db, &catalog)?;
    next_segment = orphans.map_or(next_segment, |last| next_segment.max(last + 1));
    let quarantine = Quarantine::load(&db, &catalog)?;
    let segments = catalog.segments;
    let deletes = Deletes::load(&db, &segments, &quarantine)?;
    info!(segments = segments.len(), staged = staged.len(), "store opened");
    let state = State { staged, segments, condemned: Vec::new() };
    let next_segment = Arc::new(AtomicU64::new(next_segment));
    let packer = Packer::new(LEVEL);
    let store = Store {
        db,
        config,
        state: RwLock::new(state),
        writer: Mutex::new(Writer { next_batch, next_id, packer, scratch: Payload::default() }),
        sealing: Mutex::new(Sealer::new(LEVEL, Arc::clone(&next_segment))),
        merging: Mutex::new(Merger::new(&next_segment)),
        next_segment,
        staged_total: AtomicU64::new(0),
        checkpoints: Checkpoints::default(),
        quarantine,
        deletes,
    };
    if next.is_none() {
        store.count_anew();
    }
    Ok(store)
}

impl Store {
    /// Leaves all ids out that rows may have, where the next one cannot be read.
    fn count_anew(&self) {
        let state = self.state.read();
        let blocks = state.segments.values().flat_map(|segment| &segment.blocks);
        let last = blocks.map(|block| block.ids.1).max();
        drop(state);
        if last.is_some() || !self.quarantined().is_empty() {
            let last = u64::try_from(last.unwrap_or(0)).unwrap_or(0);
            let mut writer = self.writer.lock();
            writer.next_id = writer.next_id.max(last + IDS_OF_A_BATCH);
            error!(next = writer.next_id, "the next id could not be read: some are left out");
        }
    }
}

/// The catalog key of a segment.
pub(super) fn segment_key(id: u64) -> Vec<u8> {
    [SEGMENT, &id.to_be_bytes()].concat()
}

/// The catalog row of a segment.
pub(super) fn catalog_row(segment: &Segment) -> Result<Vec<u8>, Error> {
    let mut row = vec![CATALOG_FORMAT];
    row.extend(postcard::to_stdvec(segment)?);
    Ok(row)
}

/// What is kept under [`NEXT`]: the next segment, batch and event id, once batches are gone that
/// would have told.
pub(super) fn next_value(segment: u64, batch: u64, id: u64) -> Vec<u8> {
    [segment, batch, id].iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// What the `stage` family holds.
#[derive(Default)]
struct Stage {
    staged: VecDeque<Arc<Staged>>,
    /// The number of the last batch, readable or not.
    last_number: Option<u64>,
    /// Whether some could not be read.
    damaged: bool,
}

fn stage(db: &Db) -> Result<Stage, Error> {
    let mut stage = Stage::default();
    db.scan(Family::Stage, b"", |key, chunk| {
        let Ok(number) = key.try_into().map(u64::from_be_bytes) else { return };
        stage.last_number = Some(number);
        match Staged::read(number, chunk) {
            Ok(batch) => stage.staged.push_back(Arc::new(batch)),
            // Left where it is: the next version may know how to mend it.
            Err(error) => {
                stage.damaged = true;
                error!(number, %error, "a staged batch is damaged and is passed over");
            }
        }
    })?;
    Ok(stage)
}

/// What is kept under [`NEXT`], unless it cannot be read or was never written.
fn next(db: &Db) -> Result<Option<(u64, u64, u64)>, Error> {
    let value = match db.get(Family::Catalog, NEXT) {
        Err(error) if error.is_damage() => None,
        value => value?,
    };
    let value = value.unwrap_or_default();
    let number = |at: usize| {
        let bytes = value.get(at * 8..at * 8 + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_be_bytes)
    };
    Ok(number(0).zip(number(1)).zip(number(2)).map(|((segment, batch), id)| (segment, batch, id)))
}

/// Removes segments that no catalog row names: brought in just before a crash, their batches are
/// still staged. Returns the last one's id.
///
/// None is removed while the catalog is damaged: its row may be one that cannot be read.
fn drop_orphans(db: &Db, catalog: &Catalog) -> Result<Option<u64>, Error> {
    let mut last = None;
    for id in catalog.orphans.iter().copied() {
        if !catalog.is_damaged {
            info!(segment = id, "removing a segment that was not committed");
            db.drop_segments(&id.to_be_bytes(), &(id + 1).to_be_bytes())?;
        }
        last = Some(id);
    }
    Ok(last)
}

/// The first byte of a catalog row.
pub(super) const CATALOG_FORMAT: u8 = 1;

/// Where it is kept how late retention took it to be.
pub(super) const CLOCK: &[u8] = b"clock";

/// Where the next numbers are kept.
pub(super) const NEXT: &[u8] = b"next";

/// What the keys of segments begin with.
pub(super) const SEGMENT: &[u8] = b"segment/";

/// More than any batch has rows.
const IDS_OF_A_BATCH: u64 = 1 << 32;

/// zstd's level while events arrive: higher ones cost far more than they save.
pub(super) const LEVEL: i32 = 1;
