//! Webhooks and their deliveries as they lie in the store.
//!
//! | key                              | value                                  |
//! |----------------------------------|----------------------------------------|
//! | `webhook/<id>`                   | `{"version":1,"record":{…}}`           |
//! | `delivery/<webhook>/<number>`    | `{"version":1,"record":{…}}`           |
//! | `webhooks/followed`              | `{"version":1,"record":<number>}`      |
//!
//! A field that is not known here is passed over, and one that is missing has its default: a
//! delivery is worth more than a strict reader.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::pattern::Pattern;
use super::sealed::Seal;
use super::secret::Secret;
use crate::db::{self, Family, Write};
use crate::store::Store;

/// A webhook and its secret.
#[derive(Clone, Debug)]
pub(super) struct WebhookRecord {
    pub(super) webhook: Webhook,
    /// `None` where the key is lost that it was sealed with.
    pub(super) secret: Option<Secret>,
}

/// A webhook as it is stored.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    webhook: Webhook,
    /// Sealed; as it is in a store of an earlier version.
    secret: String,
}

/// A receiver of events, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its public id.
    pub id: String,
    /// The project whose events it is told of; one of project `default` is told of all.
    pub project: String,
    /// Where its receiver is.
    pub url: String,
    /// Which events.
    pub events: Vec<Pattern>,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// When it was made, in RFC 3339.
    #[serde(default)]
    pub created_at: String,
}

/// One event on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The id that its receiver sees, the same at each attempt.
    pub id: String,
    /// The event.
    pub event: String,
    /// When it came to be, in RFC 3339.
    pub created_at: String,
    /// Attempts that failed.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried again, in microseconds since the epoch.
    #[serde(default)]
    pub due: i64,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it was given up.
    #[serde(default)]
    pub dead: bool,
    /// What is posted.
    pub body: String,
}

/// The part of the store that belongs to webhooks. Every change is synced when it returns.
pub(super) struct Records {
    store: Arc<Store>,
    seal: Seal,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    record: T,
}

impl Delivery {
    /// One that waits for its first attempt.
    pub(super) fn new(id: String, event: &str, at: &str, body: &str) -> Self {
        let (event, created_at, body) = (event.to_owned(), at.to_owned(), body.to_owned());
        Self { id, event, created_at, attempts: 0, due: 0, error: None, dead: false, body }
    }
}

impl Records {
    /// Those of `store`, with the key beside it.
    pub(super) fn open(store: Arc<Store>) -> Result<Self, db::Error> {
        let seal = Seal::open(store.db().path())?;
        Ok(Self { store, seal })
    }

    /// All of them. Secrets that are not sealed yet are, from now on.
    pub(super) fn webhooks(&self) -> Result<Vec<WebhookRecord>, db::Error> {
        let pairs = self.store.db().meta_scan(WEBHOOKS.as_bytes())?;
        let mut records = Vec::new();
        for Kept { webhook, secret: kept } in pairs.iter().filter_map(|(k, v)| read(k, v)) {
            let secret = self.seal.reveal(&webhook.id, &kept);
            if secret.is_none() {
                warn!(webhook = webhook.id, "the secret of a webhook is lost: make it anew");
            }
            let record = WebhookRecord { webhook, secret };
            if Seal::is_plain(&kept) && record.secret.is_some() {
                self.put_webhook(&record)?;
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Keeps a webhook, and its secret if it has one.
    pub(super) fn put_webhook(&self, record: &WebhookRecord) -> Result<(), db::Error> {
        let WebhookRecord { webhook, secret: Some(secret) } = record else { return Ok(()) };
        let key = format!("{WEBHOOKS}{}", webhook.id);
        let secret = self.seal.close(&webhook.id, secret);
        let kept = Kept { webhook: webhook.clone(), secret };
        self.store.db().meta_put(key.as_bytes(), &written(&kept))
    }

    /// Removes a webhook, and all that is on its way to it.
    pub(super) fn delete_webhook(&self, id: &str) -> Result<(), db::Error> {
        let mut write = Write::default();
        write.delete(Family::Meta, format!("{WEBHOOKS}{id}").into_bytes());
        for (key, _) in self.store.db().meta_scan(format!("{DELIVERIES}{id}/").as_bytes())? {
            write.delete(Family::Meta, key);
        }
        self.store.db().commit(&write)
    }

    /// All deliveries: webhook, number, and what there is to know.
    pub(super) fn deliveries(&self) -> Result<Vec<(String, u64, Delivery)>, db::Error> {
        let pairs = self.store.db().meta_scan(DELIVERIES.as_bytes())?;
        let delivery = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let place = std::str::from_utf8(key).ok()?.strip_prefix(DELIVERIES)?;
            let (webhook, number) = place.split_once('/')?;
            let number = u64::from_str_radix(number, 16).ok()?;
            Some((webhook.to_owned(), number, read(key, value)?))
        };
        Ok(pairs.iter().filter_map(delivery).collect())
    }

    /// The deliveries of one webhook, the oldest first.
    pub(super) fn deliveries_of(&self, webhook: &str) -> Result<Vec<Delivery>, db::Error> {
        let pairs = self.store.db().meta_scan(format!("{DELIVERIES}{webhook}/").as_bytes())?;
        Ok(pairs.iter().filter_map(|(key, value)| read(key, value)).collect())
    }

    pub(super) fn delivery(
        &self,
        webhook: &str,
        number: u64,
    ) -> Result<Option<Delivery>, db::Error> {
        let key = place(webhook, number);
        let value = self.store.db().meta_get(key.as_bytes())?;
        Ok(value.and_then(|value| read(key.as_bytes(), &value)))
    }

    /// The number of the entry that the record of changes is followed from.
    pub(super) fn followed(&self) -> Result<Option<u64>, db::Error> {
        let value = self.store.db().meta_get(FOLLOWED)?;
        Ok(value.and_then(|value| read(FOLLOWED, &value)))
    }

    /// Puts deliveries down, and how far the record of changes was `followed`: all or none.
    pub(super) fn put_deliveries<'d>(
        &self,
        deliveries: impl IntoIterator<Item = (&'d str, u64, &'d Delivery)>,
        followed: Option<u64>,
    ) -> Result<(), db::Error> {
        let mut write = Write::default();
        if let Some(followed) = followed {
            write.put(Family::Meta, FOLLOWED, written(&followed));
        }
        for (webhook, number, delivery) in deliveries {
            write.put(Family::Meta, place(webhook, number).into_bytes(), written(delivery));
        }
        self.store.db().commit(&write)
    }

    pub(super) fn delete_delivery(&self, webhook: &str, number: u64) -> Result<(), db::Error> {
        self.store.db().meta_delete(place(webhook, number).as_bytes())
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

fn place(webhook: &str, number: u64) -> String {
    format!("{DELIVERIES}{webhook}/{number:016x}")
}

fn written<T: Serialize>(record: &T) -> Vec<u8> {
    let versioned = Versioned { version: VERSION, record };
    serde_json::to_vec(&versioned).expect("records have text for keys")
}

/// A record, unless it cannot be read: the others are not to suffer for it.
fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Option<T> {
    match serde_json::from_slice::<Versioned<T>>(value) {
        Ok(versioned) if versioned.version <= VERSION => Some(versioned.record),
        Ok(_) | Err(_) => {
            let key = String::from_utf8_lossy(key);
            warn!(%key, "a record cannot be read and is passed over");
            None
        }
    }
}

const VERSION: u32 = 1;

const WEBHOOKS: &str = "webhook/";

const DELIVERIES: &str = "delivery/";

const FOLLOWED: &[u8] = b"webhooks/followed";
