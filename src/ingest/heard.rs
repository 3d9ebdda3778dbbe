//! Puts down whom a read was from.

use super::Ingest;
use super::sender::Sender;
use super::session::Session;
use crate::senders::{Hearing, Place};
use crate::store::Origin;
use crate::time::Timestamp;

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
        let Origin { project, key, listener, peer, .. } = &*sender.origin;
        let protocol = &session.listener.protocol;
        let place = Place { project, key: key.as_ref(), listener, protocol, peer: *peer };
        self.senders.hear(&place, hearing, at, self.elapsed());
    }
}
