//! Whether the daemon is ready, and what it waits for if not.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Ready while nobody holds a [`Latch`] of it. Clones are the same readiness.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Held>>);

/// Keeps the daemon from being ready until it is dropped. Whoever must become ready, or is in
/// trouble, holds one.
#[derive(Debug)]
#[must_use = "the daemon is ready once it is dropped"]
pub struct Latch {
    readiness: Readiness,
    number: u64,
}

#[derive(Debug, Default)]
struct Held {
    /// Why, by the number of the latch.
    reasons: BTreeMap<u64, String>,
    next: u64,
}

impl Readiness {
    /// Not ready from now on, for this reason: a few words without secrets and paths.
    pub fn hold(&self, reason: impl Into<String>) -> Latch {
        let mut held = self.0.lock();
        let number = held.next;
        held.next += 1;
        held.reasons.insert(number, reason.into());
        Latch { readiness: self.clone(), number }
    }

    /// Why it is not ready, the oldest reason first; empty if it is.
    pub fn reasons(&self) -> Vec<String> {
        self.0.lock().reasons.values().cloned().collect()
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.readiness.0.lock().reasons.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_nobody_holds_it() {
        let readiness = Readiness::default();
        assert!(readiness.reasons().is_empty());
        let first = readiness.hold("opening the store");
        let second = readiness.hold("the disk is full");
        assert_eq!(readiness.reasons(), ["opening the store", "the disk is full"]);
        drop(first);
        assert_eq!(readiness.reasons(), ["the disk is full"]);
        drop(second);
        assert!(readiness.reasons().is_empty());
    }
}
