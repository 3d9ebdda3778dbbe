//! Opening a store: what the catalog and the stage say, and what a crash left behind.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use tracing::{error, info};

use super::checkpoints::{self, Checkpoints};
use super::chunk::Packer;
use super::column::Payload;
use super::merge::Merger;
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
    let segments = catalog(&db)?;
    let Stage { staged, last_number, damaged } = stage(&db)?;
    let (mut next_segment, mut next_batch, mut next_id) = next(&db)?;
    if let Some(last) = staged.back() {
        next_id = next_id.max(last.first_id + last.rows as u64);
    }
    if let Some(last_number) = last_number {
        next_batch = next_batch.max(last_number + 1);
    }
    if damaged {
        next_id += IDS_OF_A_BATCH; // its ids are taken, whichever they are
    }
    if let Some(id) = segments.last_key_value().map(|(id, _)| *id) {
        next_segment = next_segment.max(id + 1);
    }
    let orphans = drop_orphans(&db, &segments)?;
    next_segment = orphans.map_or(next_segment, |last| next_segment.max(last + 1));
    info!(segments = segments.len(), staged = staged.len(), "store opened");
    let state = State { staged, segments, condemned: Vec::new() };
    let next_segment = Arc::new(AtomicU64::new(next_segment));
    let packer = Packer::new(LEVEL);
    Ok(Store {
        db,
        config,
        state: RwLock::new(state),
        writer: Mutex::new(Writer { next_batch, next_id, packer, scratch: Payload::default() }),
        sealing: Mutex::new(Sealer::new(LEVEL, Arc::clone(&next_segment))),
        merging: Mutex::new(Merger::new(&next_segment)),
        next_segment,
        staged_total: AtomicU64::new(0),
        checkpoints: Checkpoints::default(),
    })
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

fn catalog(db: &Db) -> Result<BTreeMap<u64, Arc<Segment>>, Error> {
    let mut segments = BTreeMap::new();
    let mut damaged = Vec::new();
    db.scan(Family::Catalog, SEGMENT, |key, row| {
        let segment = row.split_first().filter(|(format, _)| **format == CATALOG_FORMAT);
        match segment.and_then(|(_, row)| postcard::from_bytes::<Segment>(row).ok()) {
            Some(segment) => drop(segments.insert(segment.id, Arc::new(segment))),
            None => damaged.push(key.to_vec()),
        }
    })?;
    match damaged.is_empty() {
        true => Ok(segments),
        // Going on would take the segment for an orphan and remove it.
        false => Err(Error::Catalog(postcard::Error::DeserializeBadEncoding)),
    }
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

fn next(db: &Db) -> Result<(u64, u64, u64), Error> {
    let value = db.get(Family::Catalog, NEXT)?.unwrap_or_default();
    let number = |at: usize| {
        let bytes = value.get(at * 8..at * 8 + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    };
    Ok((number(0), number(1), number(2)))
}

/// Removes segments that no catalog row names: brought in just before a crash, their batches are
/// still staged. Returns the last one's id.
fn drop_orphans(db: &Db, segments: &BTreeMap<u64, Arc<Segment>>) -> Result<Option<u64>, Error> {
    let (mut from, mut last) = (0_u64, None);
    while let Some(key) = db.first_key(Family::Segments, &from.to_be_bytes())? {
        let Some(id) = key.first_chunk().map(|id| u64::from_be_bytes(*id)) else { break };
        if !segments.contains_key(&id) {
            info!(segment = id, "removing a segment that was not committed");
            db.drop_segments(&id.to_be_bytes(), &(id + 1).to_be_bytes())?;
            last = Some(id);
        }
        from = id + 1;
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
const SEGMENT: &[u8] = b"segment/";

/// More than any batch has rows.
const IDS_OF_A_BATCH: u64 = 1 << 32;

/// zstd's level while events arrive: higher ones cost far more than they save.
pub(super) const LEVEL: i32 = 1;
