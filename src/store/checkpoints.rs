//! The checkpoint that a backup is copied from: one at a time, and not for ever, because what the
//! store drops meanwhile goes on taking room.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::{info, warn};

use super::{Error, Store};
use crate::db::Db;

/// A checkpoint that somebody copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its name, for [`Store::keep_checkpoint`] and [`Store::drop_checkpoint`].
    pub id: String,
    /// The folder of the engine's files.
    pub path: PathBuf,
}

/// The checkpoint that there is, and until when.
#[derive(Debug, Default)]
pub(super) struct Checkpoints(Mutex<Option<(Checkpoint, Instant)>>);

impl Store {
    /// Makes a checkpoint of everything acknowledged so far. It is removed [`CHECKPOINT_LEASE`]
    /// after it was last [kept](Self::keep_checkpoint).
    ///
    /// # Errors
    ///
    /// When there is one, or the disk does not take it.
    pub fn checkpoint(&self) -> Result<Checkpoint, Error> {
        let mut current = self.checkpoints.0.lock();
        remove_expired(&mut current);
        if current.is_some() {
            return Err(Error::CheckpointHeld);
        }
        let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
        let path = folder(&self.db).join(&id);
        let path = std::path::absolute(&path).unwrap_or(path);
        self.db.checkpoint(&path)?;
        let made = Checkpoint { id, path };
        *current = Some((made.clone(), Instant::now() + CHECKPOINT_LEASE));
        Ok(made)
    }

    /// Keeps a checkpoint for another [`CHECKPOINT_LEASE`]; says whether it is there.
    pub fn keep_checkpoint(&self, id: &str) -> bool {
        let mut current = self.checkpoints.0.lock();
        let held = current.as_mut().filter(|(held, _)| held.id == id);
        held.map(|(_, until)| *until = Instant::now() + CHECKPOINT_LEASE).is_some()
    }

    /// Removes a checkpoint; says whether it was there.
    pub fn drop_checkpoint(&self, id: &str) -> bool {
        let mut current = self.checkpoints.0.lock();
        let held = current.take_if(|(held, _)| held.id == id);
        held.map(|(held, _)| remove(&held.path)).is_some()
    }

    /// Removes the checkpoint, if there is one, because the disk has no room: what the store drops
    /// would go on taking it. The backup that it is for fails, and is to be made again later.
    pub fn give_up_checkpoint(&self) {
        if let Some((held, _)) = self.checkpoints.0.lock().take() {
            warn!(checkpoint = held.id, "the disk has no room: a backup gives way");
            remove(&held.path);
        }
    }

    /// Removes a checkpoint that nobody has kept for long.
    pub fn sweep_checkpoints(&self) {
        remove_expired(&mut self.checkpoints.0.lock());
    }
}

/// Removes what a daemon left that was killed.
pub(super) fn forget(db: &Db) {
    let folder = folder(db);
    if folder.exists() {
        remove(&folder);
    }
}

fn remove_expired(current: &mut Option<(Checkpoint, Instant)>) {
    if let Some((held, _)) = current.take_if(|(_, until)| *until <= Instant::now()) {
        info!(checkpoint = held.id, "a backup was not ended, and its checkpoint is removed");
        remove(&held.path);
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        warn!(path = %path.display(), %error, "cannot remove a checkpoint");
    }
}

fn folder(db: &Db) -> PathBuf {
    db.path().join(FOLDER)
}

/// How long a checkpoint is kept after somebody last asked for it.
pub const CHECKPOINT_LEASE: Duration = Duration::from_secs(600);

/// The folder of checkpoints in the data folder.
const FOLDER: &str = "checkpoints";
