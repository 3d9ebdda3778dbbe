//! Keys and lists as they lie in the store.
//!
//! | key                   | value                                              |
//! |-----------------------|----------------------------------------------------|
//! | `gate/pepper`         | 32 bytes                                           |
//! | `key/<id>`            | `{"version":1,"record":{"hash":"…","key":{…}}}`    |
//! | `list/<kind>/<net>`   | `{"version":1,"record":{…}}`                       |
//! | `hour/<id>`           | the same: what the key of that id spent of its hour |
//! | `project/<name>`      | `{"version":1,"record":{…}}`                       |
//! | `organization/<name>` | `{"version":1,"record":{…}}`                       |
//! | `used/…`, `usage/…`   | what keys were used for: see `usage`               |
//! | `rule/<id>`           | `{"version":1,"record":{…}}`                       |
//!
//! A record with a field that is not known here is refused, not read without it: it may be the
//! one that keeps somebody out.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::GateError;
use super::key_info::KeyInfo;
use super::lists::{ListEntry, ListKind};
use super::quota::Hour;
use super::rule::Rule;
use super::tenancy::{OrganizationInfo, ProjectInfo};
use crate::db::{Db, Family, Write, read_record, write_record};
use crate::pepper::Pepper;

/// The form in which records are written.
pub(super) const VERSION: u32 = 1;

/// The part of the store that belongs to the gate. Every change is synced when it returns.
pub(super) struct Records {
    db: Arc<Db>,
}

/// A key as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord {
    #[serde(with = "hex")]
    pub(super) hash: blake3::Hash,
    /// The hash of the secret before the last rotation.
    #[serde(rename = "previous_hash", with = "hex::option")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<blake3::Hash>,
    pub(super) key: KeyInfo,
}

impl Records {
    pub(super) fn new(db: Arc<Db>) -> Self {
        Self { db }
    }

    /// Where they are.
    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// The pepper, if it was ever made.
    pub(super) fn pepper(&self) -> Result<Option<Pepper>, GateError> {
        let Some(bytes) = self.db.meta_get(PEPPER)? else { return Ok(None) };
        let found = format!("{} bytes", bytes.len());
        let pepper = Pepper::restore(&bytes);
        pepper.map(Some).ok_or_else(|| GateError::Record { record: shown(PEPPER), found })
    }

    pub(super) fn put_pepper(&self, pepper: &Pepper) -> Result<(), GateError> {
        Ok(self.db.meta_put(PEPPER, pepper.as_bytes())?)
    }

    pub(super) fn keys(&self) -> Result<Vec<KeyRecord>, GateError> {
        self.scan(KEYS)
    }

    pub(super) fn put_key(&self, key: &KeyRecord) -> Result<(), GateError> {
        self.put(&format!("{KEYS}{}", key.key.id), key)
    }

    pub(super) fn projects(&self) -> Result<Vec<ProjectInfo>, GateError> {
        self.scan(PROJECTS)
    }

    pub(super) fn put_project(&self, project: &ProjectInfo) -> Result<(), GateError> {
        self.put(&format!("{PROJECTS}{}", project.name), project)
    }

    pub(super) fn delete_project(&self, name: &str) -> Result<(), GateError> {
        Ok(self.db.meta_delete(format!("{PROJECTS}{name}").as_bytes())?)
    }

    pub(super) fn organizations(&self) -> Result<Vec<OrganizationInfo>, GateError> {
        self.scan(ORGANIZATIONS)
    }

    pub(super) fn put_organization(&self, made: &OrganizationInfo) -> Result<(), GateError> {
        self.put(&format!("{ORGANIZATIONS}{}", made.name), made)
    }

    pub(super) fn delete_organization(&self, name: &str) -> Result<(), GateError> {
        Ok(self.db.meta_delete(format!("{ORGANIZATIONS}{name}").as_bytes())?)
    }

    pub(super) fn entries(&self) -> Result<Vec<ListEntry>, GateError> {
        self.scan(LISTS)
    }

    pub(super) fn put_entry(&self, entry: &ListEntry) -> Result<(), GateError> {
        self.put(&place(entry), entry)
    }

    /// Deletes entries, all with one sync.
    pub(super) fn delete_entries<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e ListEntry>,
    ) -> Result<(), GateError> {
        let mut write = Write::default();
        for entry in entries {
            write.delete(Family::Meta, place(entry).into_bytes());
        }
        if write.is_empty() { Ok(()) } else { Ok(self.db.commit(&write)?) }
    }

    pub(super) fn rules(&self) -> Result<Vec<Rule>, GateError> {
        self.scan(RULES)
    }

    /// Writes rules, all with one sync.
    pub(super) fn put_rules(&self, rules: &[Rule]) -> Result<(), GateError> {
        let mut write = Write::default();
        for rule in rules {
            let record = write_record(VERSION, rule);
            write.put(Family::Meta, format!("{RULES}{}", rule.id).into_bytes(), record);
        }
        Ok(self.db.commit(&write)?)
    }

    pub(super) fn delete_rule(&self, id: &str) -> Result<(), GateError> {
        Ok(self.db.meta_delete(format!("{RULES}{id}").as_bytes())?)
    }

    /// What each key spent of its hour, by id. One that cannot be read is as good as none.
    pub(super) fn hours(&self) -> Result<Vec<(String, Hour)>, GateError> {
        let pairs = self.db.meta_scan(HOURS.as_bytes())?;
        let hour = |(key, value): (Vec<u8>, Vec<u8>)| {
            let id = shown(key.get(HOURS.len()..)?);
            Some((id, read_record(VERSION, &value).ok()?))
        };
        Ok(pairs.into_iter().filter_map(hour).collect())
    }

    /// Lets what a key spent of its hour go with the next commit.
    pub(super) fn ride_hour(&self, id: &str, hour: Hour) {
        self.db.ride(format!("{HOURS}{id}").into_bytes(), write_record(VERSION, hour));
    }

    /// Makes durable what rides.
    pub(super) fn carry(&self) -> Result<(), GateError> {
        Ok(self.db.carry()?)
    }

    fn put<T: Serialize>(&self, key: &str, record: T) -> Result<(), GateError> {
        Ok(self.db.meta_put(key.as_bytes(), &write_record(VERSION, record))?)
    }

    fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>, GateError> {
        let pairs = self.db.meta_scan(prefix.as_bytes())?;
        pairs.iter().map(|(key, value)| read(key, value)).collect()
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, GateError> {
    read_record(VERSION, value).map_err(|found| GateError::Record { record: shown(key), found })
}

/// The key of an entry in the store.
fn place(entry: &ListEntry) -> String {
    let kind = match entry.list {
        ListKind::Allow => "allow",
        ListKind::Block => "block",
    };
    format!("{LISTS}{kind}/{}", entry.net)
}

fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// Hashes as hex text.
mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &blake3::Hash, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hash.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<blake3::Hash, D::Error> {
        blake3::Hash::from_hex(String::deserialize(from)?).map_err(D::Error::custom)
    }

    /// The same for a hash that may be absent.
    pub(super) mod option {
        use serde::{Deserialize, Deserializer, Serializer};

        pub(in crate::gate::records) fn serialize<S: Serializer>(
            hash: &Option<blake3::Hash>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match hash {
                Some(hash) => super::serialize(hash, to),
                None => to.serialize_none(),
            }
        }

        pub(in crate::gate::records) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<blake3::Hash>, D::Error> {
            #[derive(Deserialize)]
            struct Hash(#[serde(with = "super")] blake3::Hash);
            Ok(Option::<Hash>::deserialize(from)?.map(|Hash(hash)| hash))
        }
    }
}

const PEPPER: &[u8] = b"gate/pepper";

const KEYS: &str = "key/";

const PROJECTS: &str = "project/";

const ORGANIZATIONS: &str = "organization/";

const LISTS: &str = "list/";

const RULES: &str = "rule/";
const HOURS: &str = "hour/";
