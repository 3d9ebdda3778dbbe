//! Webhooks: receivers that are told of events by a signed call.
//!
//! ```text
//!  notify ─▶ [channel] ─▶ worker ─▶ delivery/… in the store ─▶ attempt ─▶ gone
//!                                         ▲                       │
//!                                         └── later, up to N ◀────┘ ─▶ given up, kept to be seen
//! ```
//!
//! A call carries `webhook-id`, `webhook-timestamp` and `webhook-signature` (Standard Webhooks), and
//! the body `{"type":"api_key.created","timestamp":"…","data":{…}}`.
//!
//! The record of changes is followed by itself ([`Webhooks::follow`]): its entries need nobody to
//! notify of them.
//!
//! # Invariants
//!
//! * *Nobody waits*: [`Webhooks::notify`] puts an event into a bounded channel and returns. Where
//!   there is no room, the event is counted as dropped.
//! * *At least once*: a delivery is on disk before its first attempt and until a receiver took it,
//!   so that neither a restart nor a receiver that was away loses it. A receiver that took it when
//!   the daemon was killed sees it again, under the same `webhook-id`.
//! * *Bounded*: deliveries of a webhook, attempts at each, attempts at a time, those given up.
//! * *A receiver that is slow or away holds up nobody else.*

mod changes;
mod pattern;
mod queue;
mod records;
mod sealed;
mod secret;
#[cfg(test)]
mod tests;
mod worker;

pub use self::pattern::{Pattern, PatternError};
pub use self::records::{Delivery, Webhook};
pub use self::secret::{Secret, SecretError};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use self::queue::Queue;
use self::records::{Records, WebhookRecord};
use super::clock::now;
use super::config::Webhooks as Config;
use super::outbound::{Answer, Headers, Outbound, OutboundError};
use crate::db;
use crate::metrics::Shipping;
use crate::store::Store;

/// All webhooks, and what is on its way to them.
#[derive(Debug)]
pub struct Webhooks {
    records: Records,
    known: RwLock<BTreeMap<String, Arc<WebhookRecord>>>,
    outbound: Outbound,
    config: Config,
    metrics: Shipping,
    orders: Sender<Order>,
    /// Taken by the worker.
    inbox: Mutex<Option<Receiver<Order>>>,
    queue: Mutex<Queue>,
    /// What was given up, for whoever tells people.
    given_up: Mutex<Vec<GivenUp>>,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The id of its webhook.
    pub webhook: String,
    /// The project of that.
    pub project: String,
    /// What it was to tell of.
    pub event: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
}

/// A webhook that is to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where its receiver is.
    pub url: String,
    /// Which events it is told of.
    pub events: Vec<Pattern>,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// The project whose events it is told of; the caller's, unless said otherwise.
    #[serde(default)]
    pub project: Option<String>,
}

/// How a webhook is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// Deliveries that wait or are under way.
    pub queued: usize,
    /// Deliveries that were given up and are kept.
    pub dead: usize,
}

/// Why something could not be done with webhooks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// There is none of that id.
    #[error("expected the id of a webhook, but found {0:?}")]
    Unknown(String),
    /// There are as many as may be.
    #[error("expected at most {0} webhooks, but found as many")]
    Full(usize),
    /// Its URL may not be called.
    #[error(transparent)]
    Url(#[from] OutboundError),
    /// Something else about it makes no sense.
    #[error("expected {expected}, but found {found}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// How many there were.
        found: usize,
    },
    /// A secret goes over TLS alone.
    #[error("expected the URL of a receiver with https, but found one without")]
    NoTls,
    /// The receiver did not take it.
    #[error("expected a status of 200 to 299, but found {0}")]
    Refused(u16),
    /// The disk did not take it.
    #[error(transparent)]
    Db(#[from] db::Error),
    /// The system gave no random bytes.
    #[error("expected random bytes, but {0}")]
    Random(#[from] getrandom::Error),
}

/// What the worker is told.
#[derive(Debug)]
enum Order {
    Notify(Event),
    /// Those of the record of changes, and the number of the first entry behind them.
    Followed(Vec<Event>, u64),
    Retry(String),
}

/// What happened.
#[derive(Debug)]
struct Event {
    name: String,
    project: String,
    /// When, in RFC 3339.
    at: String,
    /// What is posted.
    body: String,
}

impl Webhooks {
    /// Those of `store`, and what an earlier run left on its way to them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn open(
        store: Arc<Store>,
        outbound: Outbound,
        config: Config,
        metrics: Shipping,
    ) -> Result<Self, db::Error> {
        let records = Records::open(store)?;
        let known = records.webhooks()?.into_iter();
        let known: BTreeMap<_, _> =
            known.map(|record| (record.webhook.id.clone(), Arc::new(record))).collect();
        let mut queue = Queue::default();
        for (webhook, number, delivery) in records.deliveries()? {
            let ticket = queue::Ticket { number, webhook };
            match known.contains_key(&ticket.webhook) {
                true => queue.restore(ticket, &delivery, now().as_micros(), config.max_retry),
                false => records.delete_delivery(&ticket.webhook, number)?,
            }
        }
        let (orders, inbox) = channel(MAX_ORDERS);
        let (known, inbox, queue) =
            (RwLock::new(known), Mutex::new(Some(inbox)), Mutex::new(queue));
        let given_up = Mutex::default();
        let own =
            Self { records, known, outbound, config, metrics, orders, inbox, queue, given_up };
        own.publish();
        Ok(own)
    }

    /// Makes a webhook of `project`, durable when this returns. The secret is shown to nobody again.
    ///
    /// # Errors
    ///
    /// When something about it makes no sense, there are too many, or the disk does not take it.
    pub fn create(
        &self,
        new: NewWebhook,
        project: &str,
    ) -> Result<(Webhook, Secret), WebhookError> {
        let invalid = |field, expected, found| WebhookError::Invalid { field, expected, found };
        if !(1..=MAX_PATTERNS).contains(&new.events.len()) {
            return Err(invalid("events", "1 to 32 events", new.events.len()));
        }
        if new.note.len() > MAX_NOTE {
            return Err(invalid("note", "a note of at most 1024 bytes", new.note.len()));
        }
        self.outbound.check(&new.url)?;
        let mut id = [0; 8];
        getrandom::fill(&mut id)?;
        let webhook = Webhook {
            id: format!("wh_{:016x}", u64::from_be_bytes(id)),
            project: project.to_owned(),
            url: new.url,
            events: new.events,
            note: new.note,
            created_at: now().to_string(),
        };
        let secret = Secret::draw()?;
        let record = WebhookRecord { webhook: webhook.clone(), secret: Some(secret.clone()) };
        let mut known = self.known.write();
        if known.len() >= self.config.max {
            return Err(WebhookError::Full(self.config.max));
        }
        self.records.put_webhook(&record)?;
        drop(known.insert(webhook.id.clone(), Arc::new(record)));
        Ok((webhook, secret))
    }

    /// All of them, by id.
    pub fn list(&self) -> Vec<(Webhook, State)> {
        let known = self.known.read();
        known
            .values()
            .map(|record| (record.webhook.clone(), self.state(&record.webhook.id)))
            .collect()
    }

    /// One of them.
    pub fn show(&self, id: &str) -> Option<(Webhook, State)> {
        let record = self.record(id)?;
        Some((record.webhook.clone(), self.state(id)))
    }

    /// What is on its way to one of them or was given up, the oldest first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn deliveries(&self, id: &str) -> Result<Vec<Delivery>, WebhookError> {
        Ok(self.records.deliveries_of(id)?)
    }

    /// Removes one of them, with all that is on its way to it; durable when this returns.
    ///
    /// # Errors
    ///
    /// When there is none, or the disk does not take it.
    pub fn remove(&self, id: &str) -> Result<Webhook, WebhookError> {
        let mut known = self.known.write();
        let record = known.get(id).ok_or_else(|| WebhookError::Unknown(id.to_owned()))?;
        self.records.delete_webhook(id)?;
        let webhook = record.webhook.clone();
        drop(known.remove(id));
        drop(known);
        self.queue.lock().forget(id);
        self.publish();
        Ok(webhook)
    }

    /// Tries again, from the beginning, what was given up.
    ///
    /// # Errors
    ///
    /// When there is no such webhook.
    pub fn retry(&self, id: &str) -> Result<State, WebhookError> {
        let unknown = || WebhookError::Unknown(id.to_owned());
        let (_, state) = self.show(id).ok_or_else(unknown)?;
        if self.orders.try_send(Order::Retry(id.to_owned())).is_err() {
            self.count("dropped");
        }
        Ok(state)
    }

    /// Tells those who want to know that `event` happened in `project`, with `data`. Returns at
    /// once; who is not a webhook's business, is not told.
    pub fn notify(&self, event: &str, project: &str, data: &Value) {
        let is_wanted = self.known.read().values().any(|record| record.wants(event, project));
        if !is_wanted {
            return;
        }
        let at = now().to_string();
        let body = body(event, &at, data);
        if body.len() > MAX_BODY {
            return self.count("dropped");
        }
        let event = Event { name: event.to_owned(), project: project.to_owned(), at, body };
        if self.orders.try_send(Order::Notify(event)).is_err() {
            self.count("dropped");
        }
    }

    /// What was given up since the last call: a bounded number of deliveries.
    pub fn given_up(&self) -> Vec<GivenUp> {
        std::mem::take(&mut *self.given_up.lock())
    }

    /// Makes one call to the receiver of a webhook now, of event `webhook.test`.
    ///
    /// # Errors
    ///
    /// There is no such webhook, or its receiver could not be called.
    pub async fn test(&self, id: &str) -> Result<Answer, WebhookError> {
        let record = self.record(id).ok_or_else(|| WebhookError::Unknown(id.to_owned()))?;
        let body = body("webhook.test", &now().to_string(), &json!({"webhook": id}));
        Ok(self.call(&record, &message_id()?, body).await?)
    }

    /// Hands a secret to the receiver of a webhook, now and once, over TLS alone: it is kept in no
    /// queue and on no disk.
    ///
    /// # Errors
    ///
    /// There is no such webhook in `project`, its receiver is not called over TLS, could not be
    /// called, or did not take it.
    pub async fn hand_over(
        &self,
        id: &str,
        project: &str,
        event: &str,
        data: &Value,
    ) -> Result<(), WebhookError> {
        let own = |record: &Arc<WebhookRecord>| record.webhook.project == project;
        let record = self.record(id).filter(own);
        let record = record.ok_or_else(|| WebhookError::Unknown(id.to_owned()))?;
        if !record.webhook.url.starts_with("https://") {
            return Err(WebhookError::NoTls);
        }
        let answer =
            self.call(&record, &message_id()?, body(event, &now().to_string(), data)).await?;
        match answer.status {
            200..=299 => Ok(()),
            status => Err(WebhookError::Refused(status)),
        }
    }

    /// Makes a call, signed.
    async fn call(
        &self,
        record: &WebhookRecord,
        id: &str,
        body: String,
    ) -> Result<Answer, OutboundError> {
        let timestamp = now().as_micros().div_euclid(crate::time::SECOND);
        let secret = record.secret.as_ref().ok_or(OutboundError::SecretLost)?;
        let signature = secret.sign(id, timestamp, body.as_bytes());
        let texts = [("webhook-id", id.to_owned()), ("webhook-signature", signature)];
        let mut headers: Headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("webhook-timestamp"), timestamp.into()),
        ];
        headers.extend(texts.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
        }));
        self.outbound.post(&record.webhook.url, headers, Bytes::from(body)).await
    }

    fn record(&self, id: &str) -> Option<Arc<WebhookRecord>> {
        self.known.read().get(id).cloned()
    }

    fn state(&self, id: &str) -> State {
        let (queued, dead) = self.queue.lock().counts(Some(id));
        State { queued, dead }
    }

    fn count(&self, result: &str) {
        self.metrics.webhook_deliveries.with_label_values(&[result]).inc();
    }

    /// Shows how much is on its way.
    fn publish(&self) {
        let (queued, dead) = self.queue.lock().counts(None);
        self.metrics.webhook_queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.metrics.webhook_dead.set(i64::try_from(dead).unwrap_or(i64::MAX));
    }
}

impl WebhookRecord {
    /// Whether it is told of `event` in `project`.
    fn wants(&self, event: &str, project: &str) -> bool {
        let Webhook { project: own, events, .. } = &self.webhook;
        (own == project || own == GOVERNING) && events.iter().any(|pattern| pattern.matches(event))
    }
}

/// What is posted.
fn body(event: &str, at: &str, data: &Value) -> String {
    json!({"type": event, "timestamp": at, "data": data}).to_string()
}

/// A new id of a delivery.
fn message_id() -> Result<String, getrandom::Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(format!("msg_{:032x}", u128::from_be_bytes(id)))
}

/// The project whose webhooks are told of all others (SPEC §1).
const GOVERNING: &str = "default";

/// Events that wait for the worker.
const MAX_ORDERS: usize = 1024;

/// Deliveries that were given up and are still to be told of.
const MAX_GIVEN_UP: usize = 256;

/// The longest body, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// Patterns of a webhook.
const MAX_PATTERNS: usize = 32;

/// The longest note, in bytes.
const MAX_NOTE: usize = 1024;

/// How long to wait before the disk is asked again to take what came.
const DISK_PAUSE: Duration = Duration::from_secs(1);
