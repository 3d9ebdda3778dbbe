//! Changes of `meta` that were refused, and what was there before them: a write that was refused may
//! lie in the log all the same, and would show once that is read again. Whoever was told that a key
//! or a list is as it was must find it so.
//!
//! What was there before is put back when the engine is opened again, by this process or, as it is
//! kept in a file beside the engine, by the next. What is staged or in the catalog is not: the store
//! makes visible what it finds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::engine::Engine;
use super::{Db, Error, Family, Write, notes, space};

/// What is put back.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Refused(BTreeMap<Place, Option<Vec<u8>>>);

/// Whether it is of `audit`, not of `meta`, and its key.
type Place = (bool, Vec<u8>);

impl Refused {
    /// What a process before this one left in `folder`.
    pub(super) fn read(folder: &Path) -> Self {
        let text = notes::read(folder, NOTE).unwrap_or_default();
        let entries: Vec<(Place, Option<Vec<u8>>)> =
            serde_json::from_str(&text).unwrap_or_default();
        Self(entries.into_iter().collect())
    }

    /// Keeps it in `folder` for the next process.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), Error> {
        if self.0.is_empty() {
            notes::remove(folder, NOTE);
            return Ok(());
        }
        let entries: Vec<_> = self.0.iter().collect();
        let text = serde_json::to_string(&entries).expect("a list has text");
        notes::write(folder, NOTE, &text)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes note of what is there before `writes`, which were refused. Says whether anything is
    /// to be put back that was not before.
    pub(super) fn add(&mut self, engine: &Engine, writes: &[&Write<'_>]) -> bool {
        let before = self.0.len();
        for place in places(writes) {
            // The first refusal is the only one that can be in the log: the others found it closed.
            if self.0.len() < MAX_PLACES
                && !self.0.contains_key(&place)
                && let Ok(value) = get(engine, &place)
            {
                self.0.insert(place, value);
            }
        }
        self.0.len() > before
    }

    /// Forgets what `writes`, which were done, made new. Says whether there was anything.
    pub(super) fn forget(&mut self, writes: &[&Write<'_>]) -> bool {
        let before = self.0.len();
        places(writes).for_each(|place| drop(self.0.remove(&place)));
        self.0.len() < before
    }

    /// Puts back what is not as it was, and forgets it.
    pub(super) fn undo(&mut self, engine: &Engine) -> Result<(), Error> {
        let mut write = Write::default();
        for (place, value) in &self.0 {
            if get(engine, place)? == *value {
                continue;
            }
            let (family, key) = (family(place), place.1.as_slice());
            match value {
                Some(value) => write.put(family, key, value.as_slice()),
                None => write.delete(family, key),
            }
        }
        if !write.is_empty() {
            engine.commit(&[&write])?;
        }
        drop(write);
        self.0.clear();
        Ok(())
    }
}

impl Db {
    /// Sees to it that what was refused does not show later.
    pub(super) fn refuse(&self, engine: &Engine, writes: &[&Write<'_>], error: &Error) {
        if matches!(error, Error::ReadOnly) {
            return; // nothing was tried
        }
        let mut refused = self.refused.lock();
        if !refused.add(engine, writes) {
            return;
        }
        let mut kept = refused.keep(&self.path);
        if kept.is_err() && space::release_ballast(&self.path) {
            kept = refused.keep(&self.path);
        }
        if let Err(error) = kept {
            warn!(%error, "a change that was refused may be there after a restart");
        }
    }

    /// Sees to it that what was done is not undone.
    pub(super) fn done(&self, writes: &[&Write<'_>]) {
        let mut refused = self.refused.lock();
        if !refused.is_empty()
            && refused.forget(writes)
            && let Err(error) = refused.keep(&self.path)
        {
            warn!(%error, "a change may be undone after a restart");
        }
    }
}

/// Puts back what was there before changes that were refused.
pub(super) fn put_back(folder: &Path, engine: &Engine, refused: &mut Refused) -> Result<(), Error> {
    if refused.is_empty() {
        return Ok(());
    }
    refused.undo(engine)?;
    refused.keep(folder)
}

/// What `writes` change, where it is of `meta`, and of `audit` beside it, alone.
fn places<'w>(writes: &'w [&Write<'_>]) -> impl Iterator<Item = Place> + 'w {
    let changes = || writes.iter().flat_map(|write| write.changes());
    let is_own = changes().any(|change| change.family == Family::Meta)
        && changes().all(|change| matches!(change.family, Family::Meta | Family::Audit));
    let own = changes().filter(move |_| is_own);
    own.map(|change| (change.family == Family::Audit, change.key.to_vec()))
}

fn get(engine: &Engine, place: &Place) -> Result<Option<Vec<u8>>, Error> {
    Ok(engine.db.get_cf(engine.family(family(place)), &place.1)?)
}

fn family((is_audit, _): &Place) -> Family {
    if *is_audit { Family::Audit } else { Family::Meta }
}

/// The file that keeps it.
const NOTE: &str = "REFUSED";

/// Far more than one batch changes; the rest of a larger one may show.
const MAX_PLACES: usize = 100_000;
