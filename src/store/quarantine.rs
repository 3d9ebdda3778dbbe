//! What was found damaged: set aside, so that it is neither read again nor taken for empty.
//!
//! A mark lies in the `catalog` family under `quarantine/`, segment, block; it outlives a restart,
//! and goes with its segment. Readers of a marked block get an error that says so, and their
//! answers are partial.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tracing::{error, info, warn};

use super::catalog::Catalog;
use super::segment::Segment;
use super::view::Source;
use super::{Error, Store, Usage};
use crate::db::{Db, Family, Write};

/// Damage that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The segment.
    pub segment: u64,
    /// The block; `None` is all of the segment.
    pub block: Option<u32>,
    /// The project, where it is known.
    pub project: Option<Arc<str>>,
    /// What was found.
    pub reason: Arc<str>,
}

/// All marks.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    marks: RwLock<BTreeMap<(u64, u32), Arc<str>>>,
    /// Stand for segments whose rows in the catalog cannot be read: they have no blocks, and may
    /// hold rows of any project and time.
    lost: RwLock<BTreeMap<u64, Arc<Segment>>>,
}

impl Store {
    /// Sets a block aside, or a whole segment, whose damage a reader met. Errors that are not of
    /// damage are passed over, and so is damage that is known.
    pub fn report_damage(&self, segment: u64, block: Option<u32>, error: &Error) {
        if error.is_damage() && self.state.read().segments.contains_key(&segment) {
            self.quarantine.set(&self.db, segment, block, &error.to_string());
        }
    }

    /// All that was set aside, by segment.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        let state = self.state.read();
        let marks = self.quarantine.marks.read();
        let each = marks.iter().map(|((segment, block), reason)| Quarantined {
            segment: *segment,
            block: (*block != WHOLE).then_some(*block),
            project: state.segments.get(segment).map(|segment| Arc::clone(&segment.project)),
            reason: Arc::clone(reason),
        });
        each.collect()
    }

    /// Reads all of a segment that was set aside, and takes it back if nothing is wrong with it any
    /// longer; returns what still is.
    ///
    /// # Errors
    ///
    /// When nothing of it was set aside, or the catalog could not be changed.
    pub fn lift(&self, segment: u64) -> Result<Vec<Quarantined>, Error> {
        let own = |mark: &Quarantined| mark.segment == segment;
        let mut marked = self.quarantined();
        marked.retain(own);
        if marked.is_empty() {
            return Err(Error::NotQuarantined { segment });
        }
        let found = self.state.read().segments.get(&segment).cloned();
        // One whose row is lost can only come back with its row, which is read at start.
        let Some(found) = found else { return Ok(marked) };
        let verified = self.verify(&found, |_| true);
        if let Some(error) = &verified.tokens {
            self.mend_tokens(segment, error);
        }
        let mut damage = verified.damage;
        damage.extend(self.damaged_tombstones(&found));
        let mut write = Write::default();
        self.quarantine.forget(segment, &mut write);
        self.db.commit(&write)?;
        self.quarantine.forgotten(segment);
        for (block, error) in damage {
            self.quarantine.set(&self.db, segment, Some(block), &error.to_string());
        }
        let mut left = self.quarantined();
        left.retain(own);
        if left.is_empty() {
            info!(segment, "nothing is wrong with a segment any longer, and it is read again");
        }
        Ok(left)
    }

    /// Refuses a source that was set aside.
    ///
    /// # Errors
    ///
    /// [`Error::Quarantined`], with the reason.
    pub fn admit(&self, source: &Source) -> Result<(), Error> {
        let Source::Block(segment, block) = source else { return Ok(()) };
        match self.quarantine.reason(segment.id, *block) {
            None => Ok(()),
            Some(reason) => Err(Error::Quarantined { reason }),
        }
    }

    /// Stand-ins for lost segments that may hold rows of any project.
    pub(super) fn lost(&self) -> impl Iterator<Item = Source> {
        let lost: Vec<_> = self.quarantine.lost.read().values().cloned().collect();
        lost.into_iter().map(|segment| Source::Block(segment, 0))
    }
}

impl Usage {
    /// What is to be said of damage, if there is any.
    pub fn damage(&self) -> Option<String> {
        let count = self.quarantined_segments;
        (count > 0).then(|| format!("damaged segments in quarantine: {count}"))
    }
}

impl Error {
    /// Whether what was written is not there any longer, as it was: to read it again is no use.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::ChunkMissing { .. } => true,
            Self::Db(error) => error.is_damage(),
            _ => false,
        }
    }
}

impl Quarantine {
    /// The marks that `db` has, but for segments that are gone, whose marks are removed; and those
    /// of what the catalog says is wrong.
    pub(super) fn load(db: &Db, catalog: &Catalog) -> Result<Self, Error> {
        let own = Self::default();
        let (mut marks, mut stale) = (BTreeMap::new(), Write::default());
        let scanned = db.scan(Family::Catalog, PREFIX, |key, reason| {
            match place_of(key, PREFIX) {
                // A lost one is marked anew, if it still is lost.
                Some((segment, block)) if catalog.segments.contains_key(&segment) => {
                    marks.insert((segment, block), String::from_utf8_lossy(reason).into());
                }
                _ => stale.delete(Family::Catalog, key.to_vec()),
            }
        });
        if let Err(error) = scanned {
            // What they say is found again.
            warn!(%error, "cannot read which segments are in quarantine");
        } else if !stale.is_empty() {
            db.commit(&stale)?;
        }
        *own.marks.write() = marks;
        for id in &catalog.missing {
            own.set(db, *id, None, "expected its file, but found none");
        }
        for (id, reason) in &catalog.lost {
            own.set(db, *id, None, reason);
            own.lost.write().insert(*id, Arc::new(Segment::lost(*id)));
        }
        Ok(own)
    }

    /// Why a block was set aside, if it was.
    pub(super) fn reason(&self, segment: u64, block: u32) -> Option<Arc<str>> {
        let marks = self.marks.read();
        marks.get(&(segment, WHOLE)).or_else(|| marks.get(&(segment, block))).cloned()
    }

    /// How many segments have a mark.
    pub(super) fn segments(&self) -> u64 {
        let marks = self.marks.read();
        let mut segments: Vec<u64> = marks.keys().map(|(segment, _)| *segment).collect();
        segments.dedup();
        segments.len() as u64
    }

    /// Marks a block, or a whole segment.
    pub(super) fn set(&self, db: &Db, segment: u64, block: Option<u32>, reason: &str) {
        let place = (segment, block.unwrap_or(WHOLE));
        {
            let mut marks = self.marks.write();
            if marks.contains_key(&place) || marks.contains_key(&(segment, WHOLE)) {
                return;
            }
            marks.insert(place, reason.into());
        }
        error!(segment, block, reason, "damage: in quarantine, and answers are partial");
        let mut write = Write::default();
        write.put(Family::Catalog, key(PREFIX, place), reason.as_bytes());
        if let Err(error) = db.commit(&write) {
            // It is found again after a restart.
            warn!(segment, %error, "cannot write down what is in quarantine");
        }
    }

    /// Adds to `write` that the marks of a segment go.
    pub(super) fn forget(&self, segment: u64, write: &mut Write<'_>) {
        for place in self.marks.read().range((segment, 0)..=(segment, WHOLE)).map(|(at, _)| at) {
            write.delete(Family::Catalog, key(PREFIX, *place));
        }
    }

    /// Forgets the marks of a segment that are no longer on disk.
    pub(super) fn forgotten(&self, segment: u64) {
        self.marks.write().retain(|(other, _), _| *other != segment);
    }
}

/// The catalog key of what is kept of a block beside its segment's row.
pub(super) fn key(prefix: &[u8], (segment, block): (u64, u32)) -> Vec<u8> {
    [prefix, &segment.to_be_bytes(), &block.to_be_bytes()].concat()
}

/// The block that such a key is of.
pub(super) fn place_of(key: &[u8], prefix: &[u8]) -> Option<(u64, u32)> {
    let (segment, block) = key.strip_prefix(prefix)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*segment), u32::from_be_bytes(block.try_into().ok()?)))
}

/// What the keys of marks begin with.
const PREFIX: &[u8] = b"quarantine/";

/// Stands for all blocks of a segment.
const WHOLE: u32 = u32::MAX;
