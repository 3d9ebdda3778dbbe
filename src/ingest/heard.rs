//! Puts down whom a read was from.

use super::Ingest;
use super::decoder::Decoder;
use super::sender::Sender;
use super::session::Session;
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
    /// Whether there was more of it in the last read.
    is_wrong: bool,
    /// Whether it was told apart in another way before.
    is_mixed: bool,
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
        self.is_mixed = before.is_some() && self.by.is_some() && before != self.by;
        let errors = decoder.errors().total();
        self.is_wrong = errors > self.errors;
        self.errors = errors;
    }
}

impl Ingest {
    /// Puts down who was heard in messages in a row of one sender.
    pub(super) fn hear(
        &self,
        session: &Session,
        sender: &Sender,
        hearing: Option<&mut Hearing>,
        at: Timestamp,
    ) {
        let Some(hearing) = hearing.filter(|hearing| !hearing.is_empty()) else { return };
        let Origin { project, key, listener, peer, auth } = &*sender.origin;
        let protocol = &session.listener.protocol;
        let framed = session.framed;
        let place = Place {
            project,
            key: key.as_ref(),
            listener,
            protocol,
            peer: *peer,
            auth: *auth,
            framing: framed.by,
            is_misframed: framed.is_wrong,
            is_mixed: framed.is_mixed,
        };
        self.senders.hear(&place, hearing, at, self.elapsed());
    }
}
