//! Puts down whom reads were from.

use std::sync::Arc;
use std::time::Duration;

use super::decoder::Decoder;
use super::sender::Sender;
use super::session::Session;
use super::source::Source;
use super::{Ingest, now};
use crate::event::Event;
use crate::frame::Delimited;
use crate::senders::{Framing, Hearing, Place};
use crate::store::Origin;
use crate::time::Timestamp;

/// How the messages of a connection are told apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Framed {
    by: Option<Framing>,
    /// What was wrong with that so far.
    errors: u64,
    /// Whether there was more of it since whom it was from was last put down.
    is_wrong: bool,
    /// Whether it was told apart in another way before, since then.
    is_mixed: bool,
}

/// Whom messages were from, which is not put down yet: as long as there is more to read at once,
/// each of many hosts is put down once for several reads.
#[derive(Debug)]
pub(super) struct Heard {
    hearing: Hearing,
    /// Who sent all of them.
    pub(super) sender: Option<Sender>,
    /// When the first of them came, by a clock that nobody sets.
    since: Duration,
    /// Reads that they came in.
    reads: u32,
    /// Whether there may be more to read at once.
    pub(super) has_more: bool,
}

impl Heard {
    /// Takes note of an event, received `at`.
    #[inline]
    pub(super) fn note(&mut self, event: &Event<'_>, source: &Source<'_>, at: Timestamp) {
        self.hearing.note(event, source.raw, at, source.original_len.is_some());
    }
}

impl Framed {
    /// Looks how a stream was cut by now.
    pub(super) fn look(&mut self, decoder: &Decoder) {
        let before = self.by;
        self.by = decoder.told_apart().map(|by| match by {
            Delimited::Counted => Framing::Counted,
            Delimited::Lines => Framing::Lines,
            Delimited::Nul => Framing::Nul,
        });
        self.is_mixed |= before.is_some() && self.by.is_some() && before != self.by;
        let errors = decoder.errors().total();
        self.is_wrong |= errors > self.errors;
        self.errors = errors;
    }
}

impl Ingest {
    /// Goes on with whom the last reads of a session were from, or begins anew; `None` where nobody
    /// wants to know.
    pub(super) fn listen(&self, session: &mut Session) -> Option<Heard> {
        if let Some(held) = session.held.take() {
            return Some(*held);
        }
        let hearing = self.senders.listen()?;
        Some(Heard { hearing, sender: None, since: self.elapsed(), reads: 0, has_more: false })
    }

    /// Puts down whom messages were from that `sender` sent, up to `at`, if not all of those noted
    /// before were.
    pub(super) fn hear_others(
        &self,
        session: &mut Session,
        heard: &mut Heard,
        sender: &Sender,
        at: Timestamp,
    ) {
        let is_other = |other: &Sender| !Arc::ptr_eq(&other.origin, &sender.origin);
        if heard.sender.as_ref().is_some_and(is_other) {
            self.hear(session, heard, at);
        }
    }

    /// Ends a read.
    pub(super) fn end_listening(&self, session: &mut Session, mut heard: Heard, at: Timestamp) {
        heard.reads += 1;
        let lasts = self.elapsed().saturating_sub(heard.since);
        if heard.has_more && heard.reads < MAX_READS && lasts < MAX_WAIT {
            heard.has_more = false;
            session.held = Some(Box::new(heard));
            return;
        }
        self.hear(session, &mut heard, at);
        self.senders.done(Some(heard.hearing));
    }

    /// Puts down whom a connection was from that has nothing more to read just now.
    pub fn rest(&self, session: &mut Session) {
        if let Some(mut heard) = session.held.take() {
            self.hear(session, &mut heard, now());
            self.senders.done(Some(heard.hearing));
        }
    }

    fn hear(&self, session: &mut Session, heard: &mut Heard, at: Timestamp) {
        let Some(sender) = heard.sender.take().filter(|_| !heard.hearing.is_empty()) else {
            return;
        };
        let Origin { project, key, listener, peer, auth } = &*sender.origin;
        let framed = &mut session.framed;
        let place = Place {
            project,
            key: key.as_ref(),
            listener,
            protocol: &session.listener.protocol,
            peer: *peer,
            auth: *auth,
            framing: framed.by,
            is_misframed: std::mem::take(&mut framed.is_wrong),
            is_mixed: std::mem::take(&mut framed.is_mixed),
        };
        self.senders.hear(&place, &mut heard.hearing, at, self.elapsed());
    }
}

/// Reads of which it is put down together whom they were from.
const MAX_READS: u32 = 8;

/// How long that may take.
const MAX_WAIT: Duration = Duration::from_millis(500);
