//! Changes of keys and lists.
//!
//! A change is in the store before it is in force: what was answered survives a crash, and what
//! could not be written is not in force either. One change is made at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ipnet::IpNet;

use super::Gate;
use super::error::GateError;
use super::key::Key;
use super::key_info::{KeyInfo, NewKey};
use super::keys::Keys;
use super::lists::{ListEntry, ListKind, Lists, Origin};
use super::range::Range;
use super::records::KeyRecord;
use super::scope::Scopes;
use super::secret::{Secret, draw_id};
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

    /// The entries of a list, by address; those that have expired and were not swept yet too.
    pub fn lists(&self, list: ListKind) -> Vec<ListEntry> {
        self.lists.load().iter(list).cloned().collect()
    }

    /// Puts a network on a list, in place of the entry that it has there.
    ///
    /// Without an expiry a block lasts as long as is configured, and an allowance for good.
    /// [`Timestamp::MAX`] blocks for good.
    ///
    /// # Errors
    ///
    /// A block would hold a loopback address (`0.0.0.0/0` and `::/0` do), the note is too long, the
    /// configuration lists the network, the list is full, or the store failed.
    pub fn add_entry(
        &self,
        list: ListKind,
        net: IpNet,
        expires_at: Option<Timestamp>,
        note: &str,
        now: Timestamp,
    ) -> Result<ListEntry, GateError> {
        let range = Range::of(net);
        if list == ListKind::Block && range.touches_loopback() {
            return Err(GateError::invalid("net", "a network without a loopback address", net));
        }
        if note.len() > MAX_NOTE || note.chars().any(char::is_control) {
            let expected = format!("at most {MAX_NOTE} bytes without control characters");
            return Err(GateError::invalid("note", expected, format_args!("{} bytes", note.len())));
        }
        if let Some(end) = expires_at.filter(|end| *end <= now) {
            return Err(GateError::invalid("expires_at", "a time to come", end));
        }
        let _change = self.change.lock();
        let lists = self.lists.load();
        match lists.get(list, range) {
            Some(entry) if entry.origin == Origin::Config => {
                return Err(GateError::Configured(entry.net));
            }
            None if lists.len(list) >= MAX_ENTRIES => {
                return Err(GateError::Full { of: "entries", max: MAX_ENTRIES });
            }
            _ => {}
        }
        let expires_at = match list {
            ListKind::Allow => expires_at,
            ListKind::Block => expires_at.or_else(|| Some(self.block_until(now))),
        };
        let (net, note, origin) = (range.net(), note.to_owned(), Origin::Added);
        let entry = ListEntry { list, net, expires_at, note, created_at: now, origin };
        self.records.put_entry(&entry)?;
        self.put_lists(lists.with(entry.clone()));
        Ok(entry)
    }

    /// Takes a network off a list, and returns the entry that it had there.
    ///
    /// # Errors
    ///
    /// It is not on the list, the configuration lists it, or the store failed.
    pub fn remove_entry(&self, list: ListKind, net: IpNet) -> Result<ListEntry, GateError> {
        let range = Range::of(net);
        let _change = self.change.lock();
        let lists = self.lists.load();
        let entry = lists.get(list, range).ok_or(GateError::NotListed(range.net()))?.clone();
        if entry.origin == Origin::Config {
            return Err(GateError::Configured(entry.net));
        }
        self.records.delete_entry(&entry)?;
        self.put_lists(lists.retain(|other| other.list != list || other.net != entry.net));
        Ok(entry)
    }

    /// Forgets entries that have expired, [`SWEEP`] at most, and returns how many. They have not
    /// counted since they expired: this only makes room, and is called now and then.
    ///
    /// # Errors
    ///
    /// The store failed; what it has forgotten is forgotten.
    pub fn sweep(&self, now: Timestamp) -> Result<usize, GateError> {
        let _change = self.change.lock();
        let lists = self.lists.load();
        let both = lists.iter(ListKind::Allow).chain(lists.iter(ListKind::Block));
        let dead: Vec<_> = both.filter(|entry| !entry.is_live(now)).take(SWEEP).collect();
        let mut gone = HashSet::new();
        let mut result = Ok(());
        for entry in dead {
            result = self.records.delete_entry(entry);
            if result.is_err() {
                break;
            }
            gone.insert((entry.list, entry.net));
        }
        if !gone.is_empty() {
            self.put_lists(lists.retain(|entry| !gone.contains(&(entry.list, entry.net))));
        }
        result.map(|()| gone.len())
    }

    fn create(&self, new: NewKey, now: Timestamp) -> Result<(KeyInfo, Secret), GateError> {
        let keys = self.keys.load();
        if keys.len() >= MAX_KEYS {
            return Err(GateError::Full { of: "keys", max: MAX_KEYS });
        }
        let secret = Secret::draw(new.environment)?;
        let hash = self.pepper.hash(secret.reveal().as_bytes());
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
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn put_lists(&self, lists: Lists) {
        self.lists.store(Arc::new(lists));
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn block_until(&self, now: Timestamp) -> Timestamp {
        now.plus(i64::try_from(self.block_expiry.as_micros()).unwrap_or(i64::MAX))
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

/// The most entries that one sweep forgets.
pub const SWEEP: usize = 1000;

/// The most keys that there may be.
const MAX_KEYS: usize = 1_000_000;

/// The most entries of one list.
const MAX_ENTRIES: usize = 1_000_000;

/// The longest note, in bytes.
const MAX_NOTE: usize = 500;
