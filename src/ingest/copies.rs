//! The events of a read that were stored lately.

use super::Ingest;
use super::identities::Claim;
use super::session::Session;
use crate::batch::Ticket;
use crate::event::Event;
use crate::metrics::Failure;

/// Copies of events that were stored lately, found in a body.
#[derive(Debug, Default)]
pub(super) struct Copies<'a> {
    /// What tells when the batch is durable that is filled; without it no event is taken for a copy.
    pub(super) ticket: Option<&'a Ticket>,
    /// Their places.
    pub(super) known: Vec<usize>,
    /// What tells when that is durable of which they are copies, where it is not.
    pub(super) earlier: Vec<Ticket>,
}

impl Copies<'_> {
    /// Whether an event for `project` is new, where it has an id.
    pub(super) fn claim(&self, ingest: &Ingest, project: &str, event: &Event<'_>) -> Option<Claim> {
        let (identity, ticket) = (event.identity.as_ref()?, self.ticket?);
        Some(ingest.identities.claim(project, identity, ticket))
    }

    /// Books one: its place, its bytes, and what it waits for.
    pub(super) fn add(
        &mut self,
        session: &Session,
        place: Option<usize>,
        bytes: u64,
        ticket: Option<Ticket>,
    ) {
        session.listener.account.fail(Failure::Duplicate, 1, bytes);
        self.known.extend(place);
        self.wait_for(ticket);
    }

    /// Notes what has to be durable before copies may be answered.
    pub(super) fn wait_for(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            if !self.earlier.iter().any(|other| other.is_same(&ticket)) {
                self.earlier.push(ticket);
            }
        }
    }
}
