//! What a socket brought in one read: from a stream, or datagrams.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::decoder::Decoder;
use super::intake::Intake;
use super::listener::{Format, Listener};
use super::local::Process;
use super::scrub::Suspects;
use super::session::Session;
use super::{Ingest, now};
use crate::batch::Ticket;
use crate::frame::{Chunks, ProtocolError, Step};
use crate::gate::{Reason, Refusal, Stage};
use crate::ids;
use crate::journal::Failed;
use crate::store::Rows;

/// What was done with a read.
#[derive(Debug)]
pub struct Taken {
    /// Bytes at the front of the buffer that are no longer needed.
    pub consumed: usize,
    /// Whether nothing whole is left in the buffer. Else there was no room in the batch: call
    /// again with what is left.
    pub drained: bool,
    /// How long not to read again, by the limits of the sender.
    pub wait: Duration,
    /// Tells when what was accepted is durable; `None` where nothing was.
    pub ticket: Option<Ticket>,
    /// Whether a message was turned away because of who sent it.
    pub refused: bool,
    /// What else must be durable first, where messages were copies of others.
    pub earlier: Vec<Ticket>,
    /// What to say to the sender when that, and all before it, is durable.
    pub answers: Vec<u8>,
    /// The number of messages that are answered with that, and all before it.
    pub answered: u64,
}

/// One datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'d> {
    /// Where it came from; the loopback address for a sender on this machine without one.
    pub peer: IpAddr,
    /// Which process sent it, where the kernel says so.
    pub process: Option<Process>,
    /// What there was room for.
    pub bytes: &'d [u8],
    /// The length it had, in bytes.
    pub len: usize,
}

/// The senders of datagrams that a listener remembers.
#[derive(Debug, Default)]
pub struct Peers {
    /// The chunks of messages of which others are missing.
    pub(super) chunks: Chunks<IpAddr>,
    /// The name of this machine, where all of them are on it.
    host: Option<Arc<str>>,
    pub(super) sessions: FxHashMap<IpAddr, Session>,
    /// When it was last noted what they had brought.
    pub(super) noted: Duration,
}

impl Peers {
    /// Those of a unix socket, on the machine called `host`.
    pub fn local(host: Arc<str>) -> Self {
        Self { host: Some(host), ..Self::default() }
    }
}

impl Ingest {
    /// Takes what a stream brought: `buffer` begins where the last call's `consumed` ended. `eof`
    /// says that no more will come.
    pub async fn stream(
        &self,
        session: &mut Session,
        decoder: &mut Decoder,
        buffer: &[u8],
        eof: bool,
    ) -> Taken {
        self.begin_receipts(session).await;
        let is_dialogue = decoder.is_dialogue();
        let fill = |rows: &mut Rows, ticket: &Ticket| {
            let at = now();
            self.refresh(session, at);
            let mut intake = Intake::new(self, session, rows, at).knowing(ticket); // of journals
            if let Some(heard) = &mut intake.heard {
                heard.has_more = buffer.len() >= MUCH;
            }
            // What is compressed shows no secret: that is looked for in each message.
            let mut suspects = if is_dialogue { None } else { Some(Suspects::of(buffer)) };
            let mut was_begun = decoder.is_holding();
            let (mut consumed, mut drained) = (0, false);
            while !drained && intake.has_room(self.batcher.max_bytes()) {
                let rest = buffer.get(consumed..).unwrap_or_default();
                match decoder.next(rest, eof) {
                    Step::More { consumed: more } => {
                        consumed += more;
                        drained = true;
                    }
                    Step::Message { bytes, consumed: more, original_len } => {
                        consumed += more;
                        let suspects = suspects.as_mut();
                        let mut suspects = suspects
                            .map_or_else(|| ids::suspects(bytes), |all| all.up_to(consumed));
                        if !is_dialogue && std::mem::take(&mut was_begun) {
                            suspects += ids::suspects(bytes); // some of it came before
                        }
                        session.begins_with(buffer, consumed, eof);
                        intake.inspector.look_ahead(buffer, bytes);
                        intake.message(session, bytes, original_len, suspects);
                    }
                }
            }
            session.framed.look(decoder);
            let (wait, accepted) = intake.finish(session);
            let is_of_sender = |(refusal, _): &(Refusal, u64)| is_of_sender(refusal.reason);
            let refused = intake.refused.iter().any(is_of_sender);
            let earlier = std::mem::take(&mut intake.copies.earlier);
            self.end_receipts(session, rows, accepted > 0);
            (consumed, drained, Came { wait, accepted, refused, earlier })
        };
        let (taken, ticket) = self.batcher.append_with(is_dialogue, fill).await;
        let (consumed, drained, Came { wait, accepted, refused, earlier }) = taken;
        // A batch without a message of this read may never be written.
        let ticket = (accepted > 0).then_some(ticket);
        let (answers, mut answered) = (decoder.answers(), 0);
        if let Some(own) = &mut session.own {
            ticket.iter().for_each(|ticket| own.waits(ticket));
            answered = own.came().saturating_sub(decoder.unanswered());
        }
        Taken { consumed, drained, wait, ticket, refused, earlier, answers, answered }
    }

    /// Books and notes a stream that broke the rules of its protocol.
    pub fn malformed(&self, session: &Session, error: &ProtocolError) {
        let refusal = Refusal::malformed(error.code);
        let reason = Reason::ALL.iter().position(|reason| *reason == refusal.reason);
        session.listener.account.block(reason.unwrap_or_default(), 1, 0);
        self.note_refusal(&refusal, 1, session.call(None));
        let failed = Failed {
            call: session.call(None),
            code: "MALFORMED_REQUEST",
            message: error.message.clone(),
            ..Failed::default()
        };
        self.note_failure(1, failed);
    }

    /// Takes datagrams that were received together. `peers` remembers their senders.
    pub async fn datagrams<'d>(
        &self,
        peers: &mut Peers,
        listener: &Arc<Listener>,
        datagrams: impl Iterator<Item = Datagram<'d>>,
        max_len: usize,
    ) {
        if peers.sessions.len() > MAX_PEERS {
            self.note_all_datagrams(peers);
            peers.sessions.clear(); // forgets no more than who they were
        }
        self.note_datagrams(peers);
        let Peers { sessions, host, chunks, .. } = peers;
        let mut datagrams = datagrams.peekable();
        let fill = |rows: &mut Rows, _: &Ticket| {
            let at = now();
            while let Some(Datagram { peer, .. }) = datagrams.peek() {
                let peer = *peer;
                let new = || match host {
                    Some(host) => Session::local(Arc::clone(listener), Arc::clone(host), None),
                    None => Session::new(Arc::clone(listener), peer, None),
                };
                let session = sessions.entry(peer).or_insert_with(new);
                self.refresh(session, at);
                let mut intake = Intake::new(self, session, rows, at);
                // Datagrams in a row of one sender are charged and booked together.
                while let Some(datagram) = datagrams.next_if(|next| next.peer == peer) {
                    session.set_process(datagram.process);
                    if listener.format == Format::Gelf {
                        let chunk = chunks.take(peer, datagram.bytes, self.elapsed());
                        intake.gelf(session, chunk, datagram, max_len);
                    } else {
                        intake.datagram(session, datagram, max_len);
                    }
                }
                intake.finish(session);
            }
        };
        // Nobody waits for datagrams to be durable: there is no one to tell.
        let ((), _ticket) = self.batcher.append_with(false, fill).await;
        self.book_given_up(peers, listener);
    }
}

/// What came of the messages of a read.
struct Came {
    wait: Duration,
    accepted: u64,
    refused: bool,
    earlier: Vec<Ticket>,
}

/// Whether a refusal is about the sender, and not about what or how much was sent.
fn is_of_sender(reason: Reason) -> bool {
    matches!(reason.stage(), Stage::Address | Stage::Country | Stage::Key)
}

/// Bytes of a read behind which there may be more at once.
const MUCH: usize = 32 << 10;

/// Sources of datagrams that are remembered at the same time.
const MAX_PEERS: usize = 16_384;
