//! What goes with the next commit, and costs no sync of its own.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::engine::Engine;
use super::{Db, Error, Family, Write};

/// Entries of `meta` that wait for a commit, the last of each key.
#[derive(Debug, Default)]
pub(super) struct Riding(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

/// Those that one commit takes along.
struct Riders(BTreeMap<Vec<u8>, Vec<u8>>);

impl Riding {
    fn take(&self) -> Riders {
        Riders(std::mem::take(&mut *self.0.lock()))
    }

    /// Lets those of a commit that failed wait for another.
    fn put_back(&self, riders: Riders) {
        let mut waiting = self.0.lock();
        for (key, value) in riders.0 {
            waiting.entry(key).or_insert(value); // what came since is newer
        }
    }
}

impl Riders {
    fn write(&self) -> Write<'_> {
        let mut write = Write::default();
        for (key, value) in &self.0 {
            write.put(Family::Meta, key, value);
        }
        write
    }
}

impl Db {
    /// Puts an entry of `meta` into the next commit, whatever that is: it costs no sync of its own.
    /// Only for what may be lost when no commit comes after it, and what few keys name.
    pub fn ride(&self, key: Vec<u8>, value: Vec<u8>) {
        self.riding.0.lock().insert(key, value);
    }

    /// Commits `writes`, and what rides with them; that waits for another where they are refused.
    pub(super) fn commit_riding(
        &self,
        engine: &Engine,
        writes: &[&Write<'_>],
    ) -> Result<(), Error> {
        let riders = self.riding.take();
        let done = {
            let riding = riders.write();
            let all: Vec<_> = writes.iter().copied().chain([&riding]).collect();
            engine.commit(&all)
        };
        if done.is_err() {
            self.riding.put_back(riders);
        }
        done
    }

    /// Makes durable what [rides](Self::ride), if there is anything.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit); it then rides on.
    pub fn carry(&self) -> Result<(), Error> {
        if self.riding.0.lock().is_empty() {
            return Ok(());
        }
        self.commit_all(None, &[])
    }
}
