//! Changes of keys.
//!
//! A change is in the store before it is in force: what was answered survives a crash, and what
//! could not be written is not in force either. One change is made at a time.

use std::sync::Arc;

use super::Gate;
use super::error::GateError;
use super::key::Key;
use super::key_info::{KeyInfo, NewKey};
use super::keys::Keys;
use super::records::KeyRecord;
use super::scope::Scopes;
use super::secret::{self, Secret, draw_id};
use super::tenancy::Tenancy;
use crate::time::Timestamp;

impl Gate {
    /// Makes a key. Its secret is returned, and kept nowhere.
    ///
    /// # Errors
    ///
    /// What was asked makes no sense, there are too many keys, or the store or the system failed.
    pub fn create_key(&self, new: NewKey, now: Timestamp) -> Result<(KeyInfo, Secret), GateError> {
        let _change = self.change.lock();
        self.create(new, now)
    }

    /// Makes the first key, with every scope, on a store that has none; `None` on any other.
    ///
    /// # Errors
    ///
    /// The store or the system failed.
    pub fn bootstrap(&self, now: Timestamp) -> Result<Option<Secret>, GateError> {
        let _change = self.change.lock();
        if self.keys.load().len() > 0 {
            return Ok(None);
        }
        let name = "bootstrap".to_owned();
        let new = NewKey { name, scopes: Scopes::all(), ..NewKey::default() };
        Ok(Some(self.create(new, now)?.1))
    }

    /// Every key, the oldest first; revoked and expired ones too.
    pub fn keys(&self) -> Vec<KeyInfo> {
        let mut keys: Vec<_> = self.keys.load().iter().map(|key| key.info().clone()).collect();
        keys.sort_by_key(|key| key.created_at);
        keys
    }

    /// The public ids of some keys.
    pub fn key_ids(&self, wanted: impl Fn(&KeyInfo) -> bool) -> Vec<String> {
        let keys = self.keys.load();
        let wanted = keys.iter().map(|key| key.info()).filter(|info| wanted(info));
        wanted.map(|info| info.id.clone()).collect()
    }

    /// The secrets of the keys that are `wanted`, as they are shown: those that they have, and had
    /// before the last rotation.
    pub fn masked_keys(&self, wanted: impl Fn(&KeyInfo) -> bool) -> Vec<String> {
        let keys = self.keys.load();
        let wanted = keys.iter().map(|key| key.info()).filter(|info| wanted(info));
        let masked = wanted.flat_map(|info| {
            let before = info.previous.as_ref().map(|previous| &previous.masked);
            std::iter::once(&info.masked).chain(before)
        });
        masked.cloned().collect()
    }

    /// Takes a key back, at once and on open connections too. Once revoked it stays as it is.
    ///
    /// # Errors
    ///
    /// There is no such key, or the store failed.
    pub fn revoke_key(&self, id: &str, now: Timestamp) -> Result<KeyInfo, GateError> {
        let _change = self.change.lock();
        let keys = self.keys.load();
        let key = keys.by_id(id).ok_or_else(|| GateError::UnknownKey(id.to_owned()))?;
        if key.info().revoked_at.is_some() {
            return Ok(key.info().clone());
        }
        let info = KeyInfo { revoked_at: Some(now), ..key.info().clone() };
        let (hash, previous) = (key.hash(), key.previous());
        self.records.put_key(&KeyRecord { hash, previous, key: info.clone() })?;
        self.put_key(&keys, key.revoked(info.clone()));
        Ok(info)
    }

    fn create(&self, new: NewKey, now: Timestamp) -> Result<(KeyInfo, Secret), GateError> {
        let keys = self.keys.load();
        if keys.len() >= MAX_KEYS {
            return Err(GateError::Full { of: "keys", max: MAX_KEYS });
        }
        let secret = Secret::draw(new.environment)?;
        let hash = secret::hash(&self.pepper, secret.reveal().as_bytes());
        let hash = hash.expect("a secret that was drawn has the length of one");
        let mut id = draw_id()?;
        while keys.by_id(&id).is_some() {
            id = draw_id()?;
        }
        let info = new.into_info(id, secret.masked(), now)?;
        let mut tenancy = Tenancy::clone(&self.tenancy.load());
        tenancy.check(&info.project, info.environment)?;
        free(&keys, &info)?;
        let record = KeyRecord { hash, previous: None, key: info.clone() };
        self.records.put_key(&record)?;
        tenancy.name_project(&info.project, now);
        self.tenancy.store(Arc::new(tenancy));
        let project = self.projects.get(&info.project);
        self.put_key(&keys, Key::new(record, &self.key_limits, self.policy, project));
        Ok((info, secret))
    }

    pub(super) fn put_key(&self, keys: &Keys, key: Key) {
        let mut keys = keys.clone();
        keys.put(key);
        self.keys.store(Arc::new(keys));
        self.changed();
    }
}

/// Sees that what stands for a key stands for no other that is good.
fn free(keys: &Keys, info: &KeyInfo) -> Result<(), GateError> {
    let of_certificate = info
        .certificates
        .iter()
        .filter_map(|name| Some(("certificates", keys.by_certificate(name)?)));
    let of_label = info.label.iter().filter_map(|label| Some(("label", keys.by_label(label)?)));
    for (field, id) in of_certificate.chain(of_label) {
        let is_good = |key: &&Arc<Key>| key.info().revoked_at.is_none();
        if let Some(key) = keys.by_id(id).filter(is_good) {
            return Err(GateError::Taken { field, id: key.id().to_owned() });
        }
    }
    Ok(())
}

/// The most keys that there may be.
const MAX_KEYS: usize = 1_000_000;
