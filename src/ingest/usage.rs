//! What a connection, or an address that sends datagrams, has brought: noted once a minute and at
//! its end, so that an event costs nothing.

use std::sync::Arc;
use std::time::Duration;

use super::reads::Peers;
use super::sender::Sender;
use super::session::Session;
use super::{Ingest, now};
use crate::journal::{Access, Status};

/// What was accepted and is not noted yet.
#[derive(Debug, Default)]
pub(super) struct Usage {
    senders: Vec<Used>,
    /// When the first of it came, by a clock that nobody sets.
    since: Duration,
}

/// What was accepted of one sender.
#[derive(Debug)]
struct Used {
    /// Who; of those for whom there is no room, the first stands for all, without their key.
    sender: Sender,
    is_mixed: bool,
    events: u64,
    bytes: u64,
}

impl Usage {
    /// Adds what a sender brought.
    pub(super) fn add(&mut self, sender: &Sender, events: u64, bytes: u64, at: Duration) {
        if self.senders.is_empty() {
            self.since = at;
        }
        let is_full = self.senders.len() >= MAX_SENDERS;
        let known = self.senders.iter_mut().find(|used| {
            used.is_mixed && is_full || Arc::ptr_eq(&used.sender.origin, &sender.origin)
        });
        if let Some(used) = known {
            used.events += events;
            used.bytes += bytes;
        } else {
            let is_mixed = self.senders.len() + 1 == MAX_SENDERS;
            self.senders.push(Used { sender: sender.clone(), is_mixed, events, bytes });
        }
    }

    /// How long until what there is should be noted; `None` where there is nothing.
    pub(super) fn due(&self, at: Duration) -> Option<Duration> {
        let some = !self.senders.is_empty();
        some.then(|| PERIOD.saturating_sub(at.saturating_sub(self.since)))
    }
}

impl Ingest {
    /// Notes what a connection brought, if it is time to; says how long until it will be.
    pub fn note_minute(&self, session: &mut Session) -> Option<Duration> {
        let due = session.usage.due(self.elapsed())?;
        if due.is_zero() {
            self.note_usage(session, Status::Open);
            return None;
        }
        Some(due)
    }

    /// Notes what is left of a connection that has ended.
    pub fn note_end(&self, session: &mut Session) {
        self.rest(session);
        self.note_usage(session, Status::Closed);
    }

    /// Notes what senders of datagrams brought, where a minute is over.
    pub fn note_datagrams(&self, peers: &mut Peers) {
        if self.elapsed().saturating_sub(peers.noted) >= PERIOD {
            self.note_all_datagrams(peers);
        }
    }

    /// Notes all that senders of datagrams have brought, whenever that was.
    pub fn note_all_datagrams(&self, peers: &mut Peers) {
        peers.noted = self.elapsed();
        for session in peers.sessions.values_mut() {
            self.note_usage(session, Status::Open);
        }
    }

    fn note_usage(&self, session: &mut Session, status: Status) {
        let lasted = self.elapsed().saturating_sub(session.usage.since);
        for Used { sender, is_mixed, events, bytes } in std::mem::take(&mut session.usage.senders) {
            let key = sender.masked().filter(|_| !is_mixed).map(str::to_owned);
            let mut call = session.call(key);
            call.project = Some(Arc::clone(&sender.origin.project)).filter(|_| !is_mixed);
            self.note_access(Access {
                call,
                status,
                duration: lasted,
                request_bytes: bytes,
                events_accepted: events,
                ..Access::default()
            });
        }
    }

    /// Notes that a call was done.
    pub fn note_access(&self, access: Access) {
        if self.journal.accessed(now(), access) {
            self.gauges.journal_noted.with_label_values(&["access"]).inc();
        }
    }
}

/// How long what was accepted waits to be noted.
const PERIOD: Duration = Duration::from_secs(60);

/// Senders of one connection that are noted apart in a minute.
const MAX_SENDERS: usize = 16;
