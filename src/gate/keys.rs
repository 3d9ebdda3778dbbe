//! All keys, by the hash of their secret and by their id.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::carrier::{CertificateName, Label};
use super::key::Key;

/// An immutable table of keys; a change makes another.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    by_hash: HashMap<Known, Arc<Key>>,
    by_id: BTreeMap<Arc<str>, Arc<Key>>,
    /// Ids by what stands for the key in a TLS handshake.
    by_certificate: HashMap<CertificateName, Arc<str>>,
    by_label: HashMap<Label, Arc<str>>,
}

/// The hash of a secret, as one that there is.
#[derive(Clone, Copy, Debug, Eq)]
struct Known(blake3::Hash);

impl Keys {
    pub(super) fn by_hash(&self, hash: &blake3::Hash) -> Option<&Arc<Key>> {
        self.by_hash.get(&Known(*hash))
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<Key>> {
        self.by_id.get(id)
    }

    /// Adds a key, or puts it in place of the one with its id.
    pub(super) fn put(&mut self, key: Key) {
        if let Some(old) = self.by_id.get(key.id()) {
            let gone = [Some(old.hash()), old.previous()];
            gone.iter().flatten().for_each(|hash| drop(self.by_hash.remove(&Known(*hash))));
        }
        let key = Arc::new(key);
        if let Some(before) = key.before_rotation() {
            self.by_hash.insert(Known(before.hash()), Arc::new(before));
        }
        let id: Arc<str> = key.id().into();
        let info = key.info();
        let is_good = info.revoked_at.is_none();
        for name in &info.certificates {
            name_key(&mut self.by_certificate, name, &id, is_good);
        }
        if let Some(label) = &info.label {
            name_key(&mut self.by_label, label, &id, is_good);
        }
        self.by_hash.insert(Known(key.hash()), Arc::clone(&key));
        self.by_id.insert(id, key);
    }

    /// The id of the key that a certificate stands for.
    pub(super) fn by_certificate(&self, name: &CertificateName) -> Option<&Arc<str>> {
        self.by_certificate.get(name)
    }

    /// The id of the key that a label stands for.
    pub(super) fn by_label(&self, label: &Label) -> Option<&Arc<str>> {
        self.by_label.get(label)
    }

    /// Every key, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.by_id.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl PartialEq for Known {
    /// Takes as long whatever differs.
    fn eq(&self, other: &Self) -> bool {
        #[cfg(test)]
        work::COMPARED.set(work::COMPARED.get() + 1);
        self.0 == other.0
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Has `name` stand for a key. For one that was revoked only where it stands for no other: its
/// holder is refused then, and not taken for someone without a key.
fn name_key<N: Clone + Eq + Hash>(
    names: &mut HashMap<N, Arc<str>>,
    name: &N,
    id: &Arc<str>,
    is_good: bool,
) {
    let holder = names.entry(name.clone()).or_insert_with(|| Arc::clone(id));
    if is_good {
        *holder = Arc::clone(id);
    }
}

/// What looking for a key costs, for the test that says it is the same for all that there are not.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        /// Hashes that were compared on this thread.
        pub(in crate::gate) static COMPARED: Cell<u64> = const { Cell::new(0) };
        /// Bytes that were hashed on this thread.
        pub(in crate::gate) static HASHED: Cell<u64> = const { Cell::new(0) };
    }
}
