//! Reads the catalog, whole or as far as it can be: a damaged row is no reason not to start, and
//! none to take its segment for one that nobody needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracing::error;

use super::Error;
use super::recover::{CATALOG_FORMAT, SEGMENT, segment_key};
use super::segment::Segment;
use crate::db::{self, Db, Family};

/// What segments there are.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    /// Segments whose rows cannot be read, and why. Nothing is known of them but that they are.
    pub(super) lost: BTreeMap<u64, String>,
    /// Segments whose files are gone.
    pub(super) missing: BTreeSet<u64>,
    /// Segments that no row names.
    pub(super) orphans: BTreeSet<u64>,
    /// Whether any row may be one that could not be read: no segment can then be said to have none.
    pub(super) is_damaged: bool,
}

/// Reads the catalog of `db`.
pub(super) fn read(db: &Db) -> Result<Catalog, Error> {
    let files = Files::of(db)?;
    let mut catalog = Catalog::default();
    let scanned = db.scan(Family::Catalog, SEGMENT, |key, row| {
        match key.strip_prefix(SEGMENT).and_then(|id| id.try_into().ok()) {
            Some(id) => catalog.take(u64::from_be_bytes(id), row),
            None => error!(?key, "a key of the catalog is damaged and is passed over"),
        }
    });
    match scanned {
        Err(error) if error.is_damage() => {
            error!(%error, "the catalog is damaged: what can be read of it is used");
            catalog.is_damaged = true;
            for id in files.ids() {
                catalog.look_up(db, id)?;
            }
        }
        scanned => scanned?,
    }
    catalog.is_damaged |= !catalog.lost.is_empty();
    let known = catalog.segments.keys().copied();
    catalog.missing = known.filter(|id| !files.have(*id)).collect();
    catalog.orphans = files.ids().into_iter().filter(|id| !catalog.names(*id)).collect();
    Ok(catalog)
}

impl Catalog {
    /// The highest number that any segment has.
    pub(super) fn last_id(&self) -> Option<u64> {
        self.segments.keys().chain(self.lost.keys()).max().copied()
    }

    /// Whether a segment is known, and is not to be removed.
    pub(super) fn names(&self, id: u64) -> bool {
        self.segments.contains_key(&id) || self.lost.contains_key(&id)
    }

    fn take(&mut self, id: u64, row: &[u8]) {
        let known = row.split_first().filter(|(format, _)| **format == CATALOG_FORMAT);
        let segment = known.and_then(|(_, row)| postcard::from_bytes::<Segment>(row).ok());
        match segment.filter(|segment| segment.id == id && !segment.blocks.is_empty()) {
            Some(segment) => drop(self.segments.insert(id, Arc::new(segment))),
            None => {
                let what = "expected its row in the catalog, but found damaged bytes";
                self.lost.insert(id, what.to_owned());
            }
        }
    }

    /// Reads the row of a segment by itself, where all of them could not be read.
    fn look_up(&mut self, db: &Db, id: u64) -> Result<(), Error> {
        if self.names(id) {
            return Ok(());
        }
        match db.get(Family::Catalog, &segment_key(id)) {
            Ok(Some(row)) => self.take(id, &row),
            Ok(None) => {}
            Err(error) if error.is_damage() => drop(self.lost.insert(id, error.to_string())),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// The engine's files of segments: one for each, as a rule.
struct Files {
    /// First and last segment of files that are there.
    there: BTreeSet<(u64, u64)>,
    /// …and of those that should be.
    gone: BTreeSet<(u64, u64)>,
}

impl Files {
    fn of(db: &Db) -> Result<Self, Error> {
        let (there, gone) = db.files(Family::Segments)?.into_iter().partition(|f| f.path.exists());
        let ids = |file: db::TableFile| Some((id_of(&file.first)?, id_of(&file.last)?));
        let all = |files: Vec<_>| files.into_iter().filter_map(ids).collect();
        Ok(Self { there: all(there), gone: all(gone) })
    }

    /// The segments that files begin and end with.
    fn ids(&self) -> BTreeSet<u64> {
        self.there.union(&self.gone).flat_map(|(first, last)| [*first, *last]).collect()
    }

    /// Whether a segment can be in a file that is there, and is in none that is gone.
    fn have(&self, id: u64) -> bool {
        let holds = |(first, last): &(u64, u64)| (*first..=*last).contains(&id);
        let is_there = self.there.contains(&(id, id)) || self.there.iter().any(holds);
        is_there && !self.gone.iter().any(holds)
    }
}

fn id_of(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|id| u64::from_be_bytes(*id))
}
