//! GELF datagrams: whole messages, and those that come in chunks.

use std::borrow::Cow;
use std::time::Duration;

use super::Ingest;
use super::intake::Intake;
use super::listener::Listener;
use super::reads::{Datagram, Peers};
use super::session::Session;
use crate::frame::{Chunk, InflateError, VALIDITY, datagram, gelf_payload};
use crate::ids;
use crate::journal::{Call, Failed, shown};
use crate::metrics::Failure;

impl Intake<'_> {
    /// Takes what a datagram is, or completes: a message, or nothing yet.
    pub(super) fn gelf(
        &mut self,
        session: &mut Session,
        chunk: Chunk<'_>,
        Datagram { bytes: raw, .. }: Datagram<'_>,
        max_len: usize,
    ) {
        let message = match chunk {
            Chunk::Whole(message) => Cow::Borrowed(message),
            Chunk::Last(message) => Cow::Owned(message),
            Chunk::Part => return,
            Chunk::Bad { what } => {
                return self.spoiled(session, raw, Failure::Malformed, what.to_owned());
            }
        };
        let json = match gelf_payload(&message, max_len) {
            Ok(json) => json,
            Err(error) => {
                let failure = match error {
                    InflateError::TooLarge { .. } => Failure::TooLarge,
                    _ => Failure::Malformed,
                };
                return self.spoiled(session, &message, failure, error.to_string());
            }
        };
        match datagram(&json, max_len) {
            ([], _) => session.listener.account.fail(Failure::Empty, 1, 0),
            (bytes, original_len) => {
                self.message(session, bytes, original_len, ids::suspects(bytes));
            }
        }
    }

    /// Books and notes a message that cannot be read.
    fn spoiled(&self, session: &Session, raw: &[u8], failure: Failure, message: String) {
        let bytes = raw.len() as u64;
        session.listener.account.fail(failure, 1, bytes);
        let failed = Failed {
            call: session.call(None),
            code: "GELF_UNREADABLE",
            message,
            request_bytes: bytes,
            sample: Some(shown(raw, SAMPLE)),
            ..Failed::default()
        };
        self.ingest.note_failure(1, failed);
    }
}

impl Ingest {
    /// Gives up messages of which a chunk did not come in time. Called now and then where nothing
    /// comes.
    pub fn expire_chunks(&self, peers: &mut Peers, listener: &Listener) {
        peers.chunks.expire(self.elapsed());
        self.book_given_up(peers, listener);
    }

    /// Gives up all messages of which a chunk is missing: no more will come.
    pub fn end_chunks(&self, peers: &mut Peers, listener: &Listener) {
        peers.chunks.expire(Duration::MAX);
        self.book_given_up(peers, listener);
    }

    /// Books and notes what was given up.
    pub(super) fn book_given_up(&self, peers: &mut Peers, listener: &Listener) {
        let (count, bytes) = peers.chunks.given_up();
        if count == 0 {
            return;
        }
        listener.account.fail(Failure::Incomplete, count, bytes);
        let seconds = VALIDITY.as_secs();
        let failed = Failed {
            call: Call {
                target: listener.name.to_string(),
                method: listener.protocol.clone(),
                is_forgeable: true,
                ..Call::default()
            },
            code: "GELF_INCOMPLETE",
            message: format!(
                "expected all chunks of a message within {seconds} seconds, but found some missing"
            ),
            ..Failed::default()
        };
        self.note_failure(count, failed);
    }
}

/// Bytes of a message that cannot be read which its note in the journal shows.
const SAMPLE: usize = 256;
