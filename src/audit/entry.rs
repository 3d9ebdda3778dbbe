//! What is kept of a change.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::tree::Hash;
use crate::ids;
use crate::time::Timestamp;

/// Who makes a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// A user, or a key as it is shown: `lt_live_8f3a…5b2c`; `daemon` for the daemon itself.
    pub actor: String,
    /// What the actor is known by for good: the public id of a key, or of a user.
    pub operator: Option<String>,
    /// Where the call came from.
    pub address: Option<IpAddr>,
}

/// What is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Act {
    /// Such as `api_key.created`: what is changed, and what becomes of it.
    pub event: String,
    /// What exactly, such as `api_key/key_0123456789ab`. Where it is empty, it is taken from what
    /// is written.
    pub resource: String,
    /// What was there before; where it is `None`, taken from what is written over.
    pub old: Option<Value>,
    /// What is there from now on; where it is `None`, taken from what is written.
    pub new: Option<Value>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// A user, or a key as it is shown.
    pub actor: String,
    /// Where the call came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// `old` and `new`.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// What was done.
    pub event: String,
    /// Its number, from 0.
    pub index: u64,
    /// What the actor is known by for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The hash of the entry before, in hex; of the first, zeros.
    pub previous: String,
    /// To what.
    pub resource: String,
    /// When, in RFC 3339.
    pub time: String,
    /// The form of the entry.
    pub version: u32,
}

impl Who {
    /// The daemon itself.
    pub fn daemon() -> Self {
        Self { actor: "daemon".to_owned(), ..Self::default() }
    }

    /// Somebody who works on the data folder while no daemon does.
    pub fn local(user: &str) -> Self {
        Self { actor: format!("local:{user}"), ..Self::default() }
    }
}

impl Act {
    /// An event of this name, about this resource.
    pub fn new(event: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { event: event.into(), resource: resource.into(), old: None, new: None }
    }

    /// With what was there before.
    #[must_use]
    pub fn old(self, old: impl Into<Value>) -> Self {
        Self { old: Some(old.into()), ..self }
    }

    /// With what is there from now on.
    #[must_use]
    pub fn new_value(self, new: impl Into<Value>) -> Self {
        Self { new: Some(new.into()), ..self }
    }
}

impl Entry {
    /// The entry at place `index` behind one whose hash is `previous`.
    pub(super) fn new(index: u64, previous: Hash, time: Timestamp, who: &Who, act: Act) -> Self {
        let details = [("old", act.old), ("new", act.new)];
        let details =
            details.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self {
            actor: clean(&who.actor, MAX_ACTOR),
            address: who.address,
            details: details.collect(),
            event: clean(&act.event, MAX_EVENT),
            index,
            operator: who.operator.as_deref().map(|operator| clean(operator, MAX_ACTOR)),
            previous: previous.to_string(),
            resource: clean(&act.resource, MAX_RESOURCE),
            time: time.to_string(),
            version: VERSION,
        }
    }

    /// As it is hashed and kept: JSON with sorted names and no white space.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&json!(self)).expect("text and numbers make JSON")
    }

    /// Reads what is kept.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Whether it tells of somebody's doing, and not of the store's own order.
    pub fn is_of_somebody(event: &str) -> bool {
        !event.starts_with("segment.")
    }
}

/// Text of callers, without secrets and not longer than this.
pub(super) fn clean(text: &str, max: usize) -> String {
    let text = ids::scrub(text.as_bytes());
    let text = String::from_utf8_lossy(&text);
    let end = text.floor_char_boundary(max);
    text.split_at(end).0.to_owned()
}

/// The form of entries.
const VERSION: u32 = 1;

const MAX_ACTOR: usize = 256;

const MAX_EVENT: usize = 64;

const MAX_RESOURCE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_in_one_form() {
        let secret = "lt_live_0123456789abcdef0123456789abcdef";
        let who = Who {
            actor: secret.to_owned(),
            operator: Some("key_1".to_owned()),
            address: Some("192.0.2.1".parse().unwrap()),
        };
        let act =
            Act::new("api_key.created", "api_key/key_2").new_value(json!({"b": 1.0, "a": []}));
        let entry = Entry::new(3, Hash([1; 32]), Timestamp::from_micros(0), &who, act);
        let bytes = entry.to_bytes();
        insta::assert_snapshot!(String::from_utf8_lossy(&bytes), @r#"{"actor":"lt_live_0123…cdef","address":"192.0.2.1","details":{"new":{"a":[],"b":1.0}},"event":"api_key.created","index":3,"operator":"key_1","previous":"0101010101010101010101010101010101010101010101010101010101010101","resource":"api_key/key_2","time":"1970-01-01T00:00:00.000Z","version":1}"#);
        assert_eq!(Entry::read(&bytes).unwrap(), entry);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clean("größe", 3), "gr");
        assert_eq!(clean("größe", 4), "grö");
        assert_eq!(clean("a", 9), "a");
    }
}
