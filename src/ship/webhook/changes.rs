//! Follows the record of changes: each entry of somebody's doing is an event.
//!
//! Where it got to is written down in the batch that writes the deliveries down. So each entry is
//! told of at least once, and, short of a webhook that has no room, exactly once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Event, GOVERNING, Order, Webhooks, body};
use crate::audit::{Audit, AuditError, Entry};

impl Webhooks {
    /// Tells of what is recorded in `audit`, until `stop`. A store that was never followed is from
    /// now on.
    pub async fn follow(self: Arc<Self>, audit: Arc<Audit>, stop: CancellationToken) {
        let mut from = None;
        loop {
            let (own, log) = (Arc::clone(&self), Arc::clone(&audit));
            let read = spawn_blocking(move || own.read_on(&log, from)).await;
            let read = read.map_err(|error| error.to_string());
            match read.and_then(|read| read.map_err(|error| error.to_string())) {
                Ok((events, next)) => {
                    let is_all = from == Some(next);
                    from = Some(next);
                    if !is_all {
                        // Waits for room: what is recorded is not dropped.
                        if self.orders.send(Order::Followed(events, next)).await.is_err() {
                            return;
                        }
                        continue;
                    }
                }
                Err(error) => warn!(%error, "the record of changes cannot be followed"),
            }
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// What was recorded since, and the number of the first entry behind that.
    fn read_on(&self, audit: &Audit, from: Option<u64>) -> Result<(Vec<Event>, u64), AuditError> {
        let from = match from {
            Some(from) => from,
            None => match self.records.followed()? {
                Some(from) => from,
                None => audit.size()?,
            },
        };
        let entries = audit.following(from, MAX_AT_ONCE)?;
        let next = entries.last().map_or(from, |entry| entry.index + 1);
        let events = entries.into_iter().filter(|entry| Entry::is_of_somebody(&entry.event));
        Ok((events.map(Event::from).collect(), next))
    }
}

impl From<Entry> for Event {
    fn from(entry: Entry) -> Self {
        let named = |side: &str| entry.details.get(side)?.get("project")?.as_str();
        let project = named("new").or_else(|| named("old")).unwrap_or(GOVERNING).to_owned();
        let name = entry.event.clone();
        let at = entry.time.clone();
        let data: Value = json!(entry);
        Self { body: body(&name, &at, &data), name, project, at }
    }
}

/// Entries that are read at once.
const MAX_AT_ONCE: usize = 256;

/// How often is looked whether there are more.
const INTERVAL: Duration = Duration::from_millis(500);
