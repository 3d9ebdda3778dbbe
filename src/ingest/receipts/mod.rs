//! Knows messages that come again because their sender did not hear that they are stored.
//!
//! The protocols here number messages anew on each connection, or in each window; so a message is
//! known by who sent it and by what it says. That alone would take two that are alike for one. But
//! a sender that heard no answer sends on its next connection, first of all and in order, all that
//! was not answered. So:
//!
//! ```text
//!  a connection   1 2 3 4 5 6 7 8│         what it has brought: 1 to 4 are answered, and their
//!                 ───────┬ ──────┴         sender has shown that it knows; 5 and 6 are answered,
//!                        └ kept            7 and 8 not yet: 5 to 8 are kept
//!  it breaks              5 6 7 8          this is what it leaves
//!  another one              6 7 8 9 10     begins with 6, and goes on as what was left:
//!  of that sender           ═════ ────     6 to 8 are copies, 9 and 10 are new
//! ```
//!
//! # Invariants
//!
//! * *Only what is stored has copies*: what is kept of a message is written in one with its row
//!   ([`Rows::receive`](crate::store::Rows::receive)), and a copy is answered when that is durable.
//! * *One copy at most*: what is left can be taken for a copy's once.
//! * *A live connection has no copies*: only what a broken one left is compared, and only from the
//!   start of a connection, as long as it goes on in order.
//! * *What is still read is waited for*: a new connection begins when those before it of its sender
//!   were found alive, or have ended, however long a slow disk holds them up.
//! * *Who repeats itself is believed*: what bears no time of its own is taken for a copy only behind
//!   others, or where it is the very first message that was not answered.
//! * *What is forgotten comes twice*, and is never lost: all that is kept is bounded.

mod left;
mod others;
mod own;
mod search;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use self::left::{Lefts, Waiting};
pub use self::others::Life;
use self::others::Open;
pub(super) use self::own::Own;
use super::intake::Intake;
use super::session::Session;
use super::source::Source;
use super::{Ingest, now};
use crate::batch::Ticket;
use crate::event::{AuthMethod, Event};
use crate::gate::Connection;
use crate::store::{Answered, Left, Origin, Rows, Told};

/// What broken connections have left, and how much is kept of open ones.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    seed: OnceLock<u64>,
    /// Where it is written down how much was answered.
    answered: OnceLock<Answered>,
    lefts: Mutex<Lefts>,
    open: Mutex<Open>,
    /// Messages of which something is kept for a connection.
    kept: AtomicUsize,
}

impl Receipts {
    /// What messages are known by is made with this.
    fn seed(&self) -> u64 {
        *self.seed.get_or_init(random)
    }

    /// Who is at the other end: one address, or one certificate wherever it is, whatever its listener
    /// is called.
    fn source(&self, session: &Session) -> u64 {
        let protocol = session.listener.protocol.split('/').next().unwrap_or_default();
        let mut bytes = protocol.as_bytes().to_vec();
        bytes.push(0);
        match session.certificate() {
            Some(key) => bytes.extend(key.as_bytes()),
            None => match session.peer {
                IpAddr::V4(peer) => bytes.extend(peer.octets()),
                IpAddr::V6(peer) => bytes.extend(peer.octets()),
            },
        }
        xxh3_64_with_seed(&bytes, self.seed())
    }

    /// What is put into what a message of this origin is known by: it is not the same for another
    /// project or key.
    fn of_origin(&self, origin: &Origin) -> u64 {
        let key = origin.key.as_deref().unwrap_or_default();
        let auth = origin.auth.map(AuthMethod::as_str).unwrap_or_default();
        let parts = [&*origin.project, key, auth];
        parts.iter().fold(self.seed(), |seed, part| xxh3_64_with_seed(part.as_bytes(), seed))
    }
}

impl Ingest {
    /// Takes over what connections left that ended with the daemon before this one, the oldest
    /// first, the number that it was made with, and how much was answered.
    pub fn expect_again(&self, seed: u64, lefts: Vec<Left>, answered: Option<(Answered, Told)>) {
        let _first = self.receipts.seed.set(seed);
        let (answered, mut told) = answered.unzip();
        let mut known = self.receipts.lefts.lock();
        for left in lefts {
            let answered = told.as_mut().and_then(|told| told.remove(&left.connection));
            self.batcher.forget(known.add(Waiting::of(left, answered)));
        }
        self.batcher.forget(known.forget_late(now()));
        if let Some(answered) = answered {
            let _first = self.receipts.answered.set(answered);
        }
    }

    /// Begins a connection whose sender may send again what it is not told is stored; what is
    /// returned is to be told of its socket.
    pub fn expect_copies(&self, session: &mut Session) -> Arc<Life> {
        let source = self.receipts.source(session);
        let number = session.connection.as_ref().map_or(0, Connection::number);
        let life = Arc::clone(&session.life.insert((source, Arc::new(Life::new(number)))).1);
        self.receipts.open.lock().add(source, &life);
        life
    }

    /// Whether all that a connection has brought is answered.
    pub fn is_answered(&self, session: &Session) -> bool {
        session.own.as_ref().is_none_or(|own| own.is_answered())
    }

    /// Notes how many of the messages of a session were answered.
    pub fn answered(&self, session: &mut Session, messages: u64) {
        match (&mut session.own, session.left) {
            (Some(own), _) => own.answered(messages, self.elapsed()),
            (None, Some((source, connection))) => {
                self.receipts.lefts.lock().answered(source, connection, messages);
            }
            (None, None) => {}
        }
    }

    /// Whether the sender of a connection, who has ended it, may have gone before it read the last
    /// answer.
    pub fn may_be_unheard(&self, session: &Session) -> bool {
        session.own.as_ref().is_some_and(|own| own.is_just_answered(self.elapsed()))
    }

    /// Notes that it was gone.
    pub fn unheard(&self, session: &mut Session) {
        session.own.iter_mut().for_each(|own| own.unheard());
    }

    /// Notes that a connection has ended; `is_clean` says that its sender knows all that it was
    /// told, or could not be told more.
    pub fn ended(&self, session: &mut Session, is_clean: bool) {
        if let Some(own) = session.own.take() {
            self.leave(session, own, is_clean);
        }
        // Now others know what it left.
        if let Some((source, life)) = session.life.take() {
            drop(life);
            self.receipts.open.lock().tidy(source);
        }
    }

    fn leave(&self, session: &mut Session, own: Box<Own>, is_clean: bool) {
        self.receipts.kept.fetch_sub(own.len(), Ordering::Relaxed);
        let (source, ids) = (own.source(), own.ids());
        session.left = Some((source, own.connection()));
        let is_clean = is_clean && own.is_answered();
        let waiting = own.leave(now()).filter(|_| !is_clean);
        let mut lefts = self.receipts.lefts.lock();
        self.batcher.forget(lefts.forget_late(now()));
        match waiting {
            Some(waiting) => self.batcher.forget(lefts.add(waiting)),
            None => {
                lefts.remove(source, &ids);
                self.batcher.forget(ids);
            }
        }
    }

    /// Begins a read of a session whose sender is answered.
    pub(super) async fn begin_receipts(&self, session: &mut Session) {
        let Some((source, life)) = &session.life else { return };
        life.begin();
        if let Some(own) = &mut session.own {
            let before = own.len();
            let known = own.confirm(self.elapsed());
            self.receipts.kept.fetch_sub(before - own.len(), Ordering::Relaxed);
            if !known.is_empty() {
                self.receipts.lefts.lock().remove(own.source(), &known);
                self.batcher.forget(known);
            }
            return;
        }
        let connection = random();
        let slot = self.receipts.answered.get().and_then(|all| all.slot(connection));
        session.own = Some(Box::new(Own::new(connection, *source, slot)));
        // What another of its sender's brought may come again: it is known when that has ended. One
        // that was let in just before this one may not have begun.
        sleep(BEGUN).await;
        let mut others = self.receipts.open.lock().ask(*source, life);
        let mut began = self.elapsed();
        while !others.is_empty() {
            sleep(LOOK_EVERY).await;
            if self.is_held() {
                began = self.elapsed(); // nothing ends on a disk without room
            }
            let waited = self.elapsed().saturating_sub(began);
            others.retain(|other| !other.is_settled(waited));
        }
    }

    /// Ends a read whose rows are in `rows`, if there are any: what they are known by goes with
    /// them.
    pub(super) fn end_receipts(&self, session: &mut Session, rows: &mut Rows, has_rows: bool) {
        let Some(own) = &mut session.own else { return };
        let kept = self.receipts.kept.fetch_add(own.grown(), Ordering::Relaxed);
        let most = match kept {
            0..MAX_KEPT => usize::MAX,
            MAX_KEPT..TOO_MANY_KEPT => MIN_KEPT,
            TOO_MANY_KEPT.. => 0,
        };
        let before = own.len();
        own.keep(most);
        self.receipts.kept.fetch_sub(before - own.len(), Ordering::Relaxed);
        if has_rows {
            own.write(rows, now().as_micros());
        }
    }
}

impl Intake<'_> {
    /// Whether the message that an event is of was stored before, and comes again; then it is booked.
    pub(super) fn is_again(
        &mut self,
        session: &mut Session,
        event: &Event<'_>,
        source: Source<'_>,
    ) -> bool {
        let (Some(run), Some(own)) = (&self.run, &mut session.own) else { return false };
        let receipts = &self.ingest.receipts;
        let hash = |seed: u64| {
            let seed = seed ^ source.original_len.unwrap_or_default();
            xxh3_64_with_seed(source.raw, seed).max(1)
        };
        if own.begin_event(&run.sender.origin, |origin| receipts.of_origin(origin), hash) {
            let has_time = event.timestamp.is_some();
            own.look(|id, search| receipts.lefts.lock().look(search, id, has_time, now()));
        }
        if !own.is_copy() {
            return false;
        }
        own.stored();
        let tickets: Vec<Ticket> = own.waits_for().collect();
        self.copies.add(session, source.place, source.bytes, None);
        self.copies.wait_for(tickets);
        true
    }
}

/// A number that no other connection has.
fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| xxh3_64(&now().as_micros().to_le_bytes()))
}

/// Messages of which something may be kept for open connections: 8 MiB of it. Above, each
/// connection keeps few, and above twice as many nothing.
const MAX_KEPT: usize = 1 << 20;

/// How long a connection that was let in may take to begin.
const BEGUN: Duration = Duration::from_millis(5);

/// How often a connection looks whether others have ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

const TOO_MANY_KEPT: usize = 2 * MAX_KEPT;

/// Messages that a connection keeps where there are too many in all.
const MIN_KEPT: usize = 1024;
