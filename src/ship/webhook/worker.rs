//! Takes events in, and makes the calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::queue::Ticket;
use super::records::Delivery;
use super::{DISK_PAUSE, Event, GivenUp, MAX_GIVEN_UP, Order, Webhooks, message_id};
use crate::db;
use crate::ship::backoff::Backoff;
use crate::ship::clock::now;

/// How an attempt ended.
enum Outcome {
    Taken,
    /// To be tried again after so long.
    Later(Duration),
    Dead(GivenUp),
    /// The webhook or the delivery is not there any more.
    Gone,
}

impl Webhooks {
    /// Delivers until `stop`; what is not delivered by then waits on disk for the next start.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let Some(mut inbox) = self.inbox.lock().take() else { return };
        let mut attempts = JoinSet::new();
        let mut orders = Vec::new();
        let mut last_number = 0;
        loop {
            let free = MAX_ATTEMPTS.saturating_sub(attempts.len());
            for ticket in self.queue.lock().take_due(Instant::now(), free) {
                attempts.spawn(Arc::clone(&self).attempt(ticket));
            }
            let next = self.queue.lock().next_due(Instant::now());
            let next = next.unwrap_or_else(|| Instant::now() + IDLE).into();
            tokio::select! {
                () = stop.cancelled() => break,
                _ = receive(&mut inbox, &mut orders) => self.take_in(&mut orders, &mut last_number).await,
                Some(ended) = attempts.join_next() => match ended {
                    Ok((ticket, outcome)) => self.settle(ticket, &outcome),
                    Err(error) => warn!(%error, "an attempt at a webhook failed"),
                },
                () = sleep_until(next) => {}
            }
            self.publish();
        }
        // What came last is written down, for the next start.
        inbox.close();
        while receive(&mut inbox, &mut orders).await > 0 {
            self.take_in(&mut orders, &mut last_number).await;
        }
        attempts.shutdown().await;
    }

    /// Writes orders down as deliveries, and lets those wait for their turn.
    async fn take_in(self: &Arc<Self>, orders: &mut Vec<Order>, last_number: &mut u64) {
        let (mut events, mut followed) = (Vec::new(), None);
        for order in orders.drain(..) {
            match order {
                Order::Notify(event) => events.push(event),
                Order::Followed(more, next) => {
                    events.extend(more);
                    followed = Some(next);
                }
                Order::Retry(webhook) => self.unbury(&webhook).await,
            }
        }
        let new = self.addressed(&events, last_number);
        self.write_down(new, followed).await;
    }

    /// Events to those who want to know of them.
    fn addressed(&self, events: &[Event], last_number: &mut u64) -> Vec<(Ticket, Delivery)> {
        let mut new = Vec::new();
        let mut coming: BTreeMap<String, usize> = BTreeMap::new();
        for Event { name, project, at, body } in events {
            for record in self.known.read().values().filter(|r| r.wants(name, project)) {
                let webhook = &record.webhook.id;
                let coming = coming.entry(webhook.clone()).or_default();
                let max = self.config.max_queued.saturating_sub(*coming);
                let has_room = self.queue.lock().has_room(webhook, max);
                let Some(id) = message_id().ok().filter(|_| has_room) else {
                    self.count("dropped");
                    continue;
                };
                *coming += 1;
                let clock = u64::try_from(now().as_micros()).unwrap_or_default();
                *last_number = clock.max(*last_number + 1);
                let ticket = Ticket { number: *last_number, webhook: webhook.clone() };
                new.push((ticket, Delivery::new(id, name, at, body)));
            }
        }
        new
    }

    /// Puts deliveries on disk; on one without room, as soon as there is some. Meanwhile further
    /// events wait in the channel, which is bounded.
    async fn write_down(self: &Arc<Self>, new: Vec<(Ticket, Delivery)>, followed: Option<u64>) {
        let new = Arc::new(new);
        while !new.is_empty() || followed.is_some() {
            let (own, batch) = (Arc::clone(self), Arc::clone(&new));
            let put = move || {
                let batch = batch.iter().map(|(t, d)| (t.webhook.as_str(), t.number, d));
                own.records.put_deliveries(batch, followed)
            };
            match spawn_blocking(put).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) if error.trouble() != db::Trouble::Fatal => {
                    debug!(%error, "deliveries cannot be written down; it is tried again");
                    tokio::time::sleep(DISK_PAUSE).await;
                }
                _ => {
                    new.iter().for_each(|_| self.count("dropped"));
                    return;
                }
            }
        }
        let mut queue = self.queue.lock();
        let due = Instant::now();
        new.iter().for_each(|(ticket, _)| queue.put(ticket.clone(), due));
    }

    /// Lets what was given up for `webhook` be tried again.
    async fn unbury(self: &Arc<Self>, webhook: &str) {
        let numbers = self.queue.lock().unbury(webhook);
        for number in numbers {
            let (own, ticket) = (Arc::clone(self), Ticket { number, webhook: webhook.to_owned() });
            let revive = move || {
                let Some(delivery) = own.records.delivery(&ticket.webhook, number)? else {
                    return Ok(None);
                };
                let delivery = Delivery { attempts: 0, due: 0, dead: false, ..delivery };
                own.records.put_deliveries([(ticket.webhook.as_str(), number, &delivery)], None)?;
                Ok::<_, db::Error>(Some(ticket))
            };
            match spawn_blocking(revive).await {
                Ok(Ok(Some(ticket))) => self.queue.lock().put(ticket, Instant::now()),
                Ok(Ok(None)) => {}
                other => warn!(?other, "a delivery that was given up cannot be tried again"),
            }
        }
    }

    async fn attempt(self: Arc<Self>, ticket: Ticket) -> (Ticket, Outcome) {
        let outcome = self.attempted(&ticket).await.unwrap_or_else(|error| {
            // The disk has no room or lost it; what was there is tried again.
            warn!(%error, webhook = ticket.webhook, "a delivery cannot be read or written");
            Outcome::Later(self.config.max_retry)
        });
        (ticket, outcome)
    }

    async fn attempted(self: &Arc<Self>, ticket: &Ticket) -> Result<Outcome, db::Error> {
        let Some(record) = self.record(&ticket.webhook) else { return Ok(Outcome::Gone) };
        let found = self.on_disk(ticket, |own, t| own.records.delivery(&t.webhook, t.number));
        let Some(mut delivery) = found.await? else { return Ok(Outcome::Gone) };
        let answer = self.call(&record, &delivery.id, delivery.body.clone()).await;
        let (error, retry_after, is_gone) = match answer {
            Ok(answer) if answer.is_taken() => {
                self.on_disk(ticket, |own, t| own.records.delete_delivery(&t.webhook, t.number))
                    .await?;
                return Ok(Outcome::Taken);
            }
            Ok(answer) => {
                let error = format!("expected status 200 to 299, but found {}", answer.status);
                (error, answer.retry_after, answer.status == GONE)
            }
            Err(error) => (error.to_string(), None, false),
        };
        debug!(webhook = ticket.webhook, error, "a webhook was not delivered");
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.error = Some(error);
        delivery.dead = is_gone || delivery.attempts >= self.config.max_attempts;
        let backoff = Backoff { first: self.config.first_retry, max: self.config.max_retry };
        let wait = backoff.after(delivery.attempts).max(retry_after.unwrap_or_default());
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        delivery.due = now().plus(micros).as_micros();
        let given_up = || GivenUp {
            webhook: ticket.webhook.clone(),
            project: record.webhook.project.clone(),
            event: delivery.event.clone(),
            attempts: delivery.attempts,
            error: delivery.error.clone().unwrap_or_default(),
        };
        let outcome = if delivery.dead { Outcome::Dead(given_up()) } else { Outcome::Later(wait) };
        self.on_disk(ticket, move |own, t| match own.record(&t.webhook) {
            // It may have been removed while it was called.
            None => Ok(()),
            Some(_) => {
                own.records.put_deliveries([(t.webhook.as_str(), t.number, &delivery)], None)
            }
        })
        .await?;
        Ok(outcome)
    }

    async fn on_disk<T: Send + 'static>(
        self: &Arc<Self>,
        ticket: &Ticket,
        work: impl FnOnce(&Self, &Ticket) -> Result<T, db::Error> + Send + 'static,
    ) -> Result<T, db::Error> {
        let (own, ticket) = (Arc::clone(self), ticket.clone());
        let done = spawn_blocking(move || work(&own, &ticket)).await;
        done.unwrap_or(Err(db::Error::Closed))
    }

    fn settle(self: &Arc<Self>, ticket: Ticket, outcome: &Outcome) {
        let mut queue = self.queue.lock();
        queue.done(&ticket);
        match outcome {
            Outcome::Gone => {}
            Outcome::Taken => self.count("delivered"),
            Outcome::Later(wait) => {
                self.count("failed");
                if self.known.read().contains_key(&ticket.webhook) {
                    queue.put(ticket, Instant::now() + *wait);
                }
            }
            Outcome::Dead(delivery) => {
                self.count("failed");
                self.count("dead");
                let mut given_up = self.given_up.lock();
                if given_up.len() < MAX_GIVEN_UP {
                    given_up.push(delivery.clone());
                }
                drop(given_up);
                warn!(webhook = ticket.webhook, "a delivery was given up");
                if let Some(oldest) = queue.bury(&ticket) {
                    let own = Arc::clone(self);
                    let forget =
                        move || own.records.delete_delivery(&oldest.webhook, oldest.number);
                    drop(spawn_blocking(forget));
                }
            }
        }
    }
}

/// Takes what waits; how many.
async fn receive(inbox: &mut Receiver<Order>, orders: &mut Vec<Order>) -> usize {
    inbox.recv_many(orders, MAX_AT_ONCE).await
}

/// Attempts at the same time.
const MAX_ATTEMPTS: usize = 32;

/// Events that are written down at once.
const MAX_AT_ONCE: usize = 256;

/// How long to sleep where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// The receiver says that it will never want another.
const GONE: u16 = 410;
