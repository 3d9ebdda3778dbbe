//! Opening a store: what the catalog and the stage say, and what a crash left behind.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use tracing::{error, info, warn};

use super::cache::Read;
use super::catalog::{self, Catalog};
use super::checkpoints::{self, Checkpoints};
use super::chunk::Packer;
use super::column::Payload;
use super::deletes::Deletes;
use super::known::Known;
use super::mends::Mends;
use super::merge::Merger;
use super::missing::{self, Missing};
use super::quarantine::Quarantine;
use super::retention::Kept;
use super::sealer::{OPEN_BYTES, Sealer};
use super::segment::Segment;
use super::staged::Staged;
use super::tokens::Words;
use super::{Config, Error, State, Store, Writer};
use crate::db::{Db, Family, Space, Trouble, Write};

/// See [`Store::open`].
pub(super) fn open(db: Arc<Db>, config: Config) -> Result<Store, Error> {
    let folder = db.path().join("tmp");
    // Files that were being made when the daemon ended; none was brought in.
    let _absent = fs::remove_dir_all(&folder).is_err();
    // On a disk without room it is made once it is needed.
    let _no_room = fs::create_dir_all(&folder).is_err();
    checkpoints::forget(&db);
    let catalog = catalog::read(&db)?;
    let mut missing = Missing::read(&db);
    let mut found = Found::read(&db, missing::synced(&db), &mut missing)?;
    if let Some(id) = catalog.last_id() {
        found.next_segment = found.next_segment.max(id + 1);
    }
    // Where something is missing, the rows of a segment may be what is left of it.
    let orphans = orphans(&db, &catalog, missing.batches() > 0)?;
    found.next_segment = orphans.map_or(found.next_segment, |id| found.next_segment.max(id + 1));
    let quarantine = Quarantine::load(&db, &catalog)?;
    set_aside(&db, &catalog, &quarantine);
    let segments = catalog.segments;
    let deletes = Deletes::load(&db, &segments, &quarantine)?;
    info!(segments = segments.len(), staged = found.staged.len(), "store opened");
    let Found { staged, next_batch, next_id, .. } = found;
    let state = State { staged, segments, condemned: Vec::new() };
    let next_segment = Arc::new(AtomicU64::new(found.next_segment));
    let writer = Writer {
        next_batch,
        next_id,
        packer: Packer::new(LEVEL),
        scratch: Payload::default(),
        words: Words::default(),
        turned_up: BTreeSet::new(),
        known: Known::read(&db)?,
        synced: next_batch,
        marked: 0,
    };
    let cached_bytes = config.column_cache.as_u64();
    let retention = Kept::open(config.retention.clone(), &db)?;
    let store = Store {
        db,
        config,
        retention,
        state: RwLock::new(state),
        writer: Mutex::new(writer),
        sealing: Mutex::new(Sealer::new(LEVEL, false, OPEN_BYTES, Arc::clone(&next_segment))),
        merging: Mutex::new(Merger::new(&next_segment)),
        next_segment,
        staged_total: AtomicU64::new(0),
        checkpoints: Checkpoints::default(),
        read: Read::new(cached_bytes),
        quarantine,
        deletes,
        mends: Mends::default(),
        missing: RwLock::new(missing),
    };
    if found.is_uncounted {
        store.count_anew();
    }
    Ok(store)
}

impl Store {
    /// Opens the engine anew where it is [latched](Db::latched), or its files were taken away, so
    /// that it writes again, and reads back what is there: a commit that was refused may have been
    /// done. Queries go on.
    ///
    /// # Errors
    ///
    /// When there is still no room, or the catalog cannot be read. It can be called again.
    pub fn reopen(&self) -> Result<(), Error> {
        // In the order in which a seal and a stage take them.
        let _sealing = self.sealing.lock();
        let writer = &mut *self.writer.lock();
        if self.db.latched().is_none() && self.db.is_in_place() {
            return Ok(()); // somebody else has done it
        }
        self.db.reopen()?;
        // Until what is shown is what is there, nothing may be written.
        self.read_back(writer).inspect_err(|error| self.db.latch(error.trouble()))
    }

    /// Makes way for something small on a disk that is full: throws the ballast overboard, and
    /// opens the engine anew where it takes no more writes.
    ///
    /// # Errors
    ///
    /// When that was not enough.
    pub fn make_way(&self) -> Result<(), Error> {
        let free = Space::of(self.db.path()).unwrap_or_default().free;
        let latched = self.db.latched();
        if (latched.is_some() || free < SMALL) && self.db.release_ballast() {
            info!("the ballast is thrown overboard to make way for a commit");
        }
        latched.map_or(Ok(()), |_| self.reopen())
    }

    fn read_back(&self, writer: &mut Writer) -> Result<(), Error> {
        // Segments that no row names are left for the next start: somebody may be merging.
        let catalog = catalog::read(&self.db)?;
        let mut missing = self.missing.read().clone();
        let found = Found::read(&self.db, writer.synced, &mut missing)?;
        *self.missing.write() = missing;
        let turned_up = self.turned_up(&found);
        // They lie in a log that may never have been synced.
        let mut write = Write::default();
        for batch in &turned_up {
            write.put(Family::Stage, batch.number.to_be_bytes().to_vec(), &*batch.chunk);
        }
        if !turned_up.is_empty() {
            self.db.commit(&write)?;
        }
        let deletes = Deletes::load(&self.db, &catalog.segments, &self.quarantine)?;
        self.deletes.take_over(deletes);
        writer.turned_up.extend(turned_up.iter().map(|batch| batch.number));
        writer.next_batch = writer.next_batch.max(found.next_batch);
        writer.next_id = writer.next_id.max(found.next_id);
        let state = &mut *self.state.write();
        state.staged = found.staged;
        let known = std::mem::take(&mut state.segments);
        // Who reads a segment holds the one that was known: it must be told from one that nobody
        // reads.
        let same = |(id, new): (u64, Arc<Segment>)| (id, known.get(&id).cloned().unwrap_or(new));
        state.segments = catalog.segments.into_iter().map(same).collect();
        Ok(())
    }

    /// The batches that were refused and are there all the same.
    fn turned_up(&self, found: &Found) -> Vec<Arc<Staged>> {
        let state = self.state.read();
        let known: BTreeSet<u64> = state.staged.iter().map(|batch| batch.number).collect();
        found.staged.iter().filter(|batch| !known.contains(&batch.number)).cloned().collect()
    }

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

/// What is staged, and the next numbers, as the disk has it.
struct Found {
    staged: VecDeque<Arc<Staged>>,
    next_segment: u64,
    next_batch: u64,
    next_id: u64,
    /// Whether the next numbers could not be read, or were never written.
    is_uncounted: bool,
}

impl Found {
    /// Reads it. Batches before `synced` were acknowledged; those that are not there are `missing`.
    fn read(db: &Db, synced: u64, missing: &mut Missing) -> Result<Self, Error> {
        let Stage { staged, numbers, damaged } = stage(db)?;
        let next = next(db)?;
        let (next_segment, mut next_batch, mut next_id) = next.unwrap_or_default();
        let lost = missing::gaps(next_batch, &numbers, synced);
        missing.add(db, &lost);
        if let Some(last) = staged.back() {
            next_id = next_id.max(last.first_id + last.rows as u64);
        }
        if let Some(last) = numbers.last() {
            next_batch = next_batch.max(last + 1);
        }
        next_batch = next_batch.max(synced);
        if damaged || !lost.is_empty() {
            next_id += IDS_OF_A_BATCH; // their ids are taken, whichever they are
        }
        Ok(Self { staged, next_segment, next_batch, next_id, is_uncounted: next.is_none() })
    }
}

/// What the `stage` family holds.
#[derive(Default)]
struct Stage {
    staged: VecDeque<Arc<Staged>>,
    /// The numbers of all batches, readable or not, in order.
    numbers: Vec<u64>,
    /// Whether some could not be read.
    damaged: bool,
}

fn stage(db: &Db) -> Result<Stage, Error> {
    let mut stage = Stage::default();
    db.scan(Family::Stage, b"", |key, chunk| {
        let Ok(number) = key.try_into().map(u64::from_be_bytes) else { return };
        stage.numbers.push(number);
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
pub(super) fn next(db: &Db) -> Result<Option<(u64, u64, u64)>, Error> {
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
/// None is removed while the catalog is damaged, as its row may be one that cannot be read, and
/// where they are to be kept.
fn orphans(db: &Db, catalog: &Catalog, is_kept: bool) -> Result<Option<u64>, Error> {
    let mut last = None;
    for id in catalog.orphans.iter().copied() {
        last = Some(id);
        if catalog.is_damaged || is_kept {
            warn!(segment = id, "a segment that no catalog row names is kept, unseen");
            continue;
        }
        info!(segment = id, "removing a segment that was not committed");
        if let Err(error) = db.drop_segments(&id.to_be_bytes(), &(id + 1).to_be_bytes()) {
            // Nobody sees it; it is removed at a start that finds room.
            if error.trouble() == Trouble::Fatal && !error.is_damage() {
                return Err(error.into());
            }
            warn!(segment = id, %error, "cannot remove it yet");
        }
    }
    Ok(last)
}

/// Sets the segments aside whose files the engine could not open.
fn set_aside(db: &Db, catalog: &Catalog, quarantine: &Quarantine) {
    for file in db.damage().files.iter().filter(|file| file.family == Family::Segments) {
        let id = |key: &[u8]| key.first_chunk().map(|id| u64::from_be_bytes(*id));
        let (first, last) = (id(&file.first_key), id(&file.last_key));
        for id in first.into_iter().chain(last).collect::<BTreeSet<_>>() {
            if catalog.segments.contains_key(&id) {
                quarantine.set(db, id, None, &file.why);
            }
        }
    }
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

/// Room that something small takes, with the files that the engine makes when it is opened.
const SMALL: u64 = 8 << 20;

/// zstd's level while events arrive: higher ones cost far more than they save.
pub(super) const LEVEL: i32 = 1;
