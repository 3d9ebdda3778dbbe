//! All keys, by the hash of their secret and by their id.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::key::Key;

/// An immutable table of keys; a change makes another.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    by_hash: HashMap<blake3::Hash, Arc<Key>>,
    by_id: BTreeMap<Arc<str>, Arc<Key>>,
}

impl Keys {
    pub(super) fn by_hash(&self, hash: &blake3::Hash) -> Option<&Arc<Key>> {
        self.by_hash.get(hash)
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<Key>> {
        self.by_id.get(id)
    }

    /// Adds a key, or puts it in place of the one with its id.
    pub(super) fn put(&mut self, key: Key) {
        let key = Arc::new(key);
        self.by_hash.insert(key.hash(), Arc::clone(&key));
        self.by_id.insert(key.id().into(), key);
    }

    /// Every key, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.by_id.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
