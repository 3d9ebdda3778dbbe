//! The waist: every message of every door goes through here, `ingest(origin, bytes) → outcome`.
//!
//! ```text
//!  net ──bytes──▶ frame ──▶ parse ──▶ gate ──▶ batch ──▶ ticket
//!                                       └──▶ journal ──▶ batch
//! ```
//!
//! A door keeps a [`Session`] for each connection: who it is, and the key that it used last, so
//! that a key in every line costs a comparison. It hands over what it read; all messages of a read
//! go into one open batch, under one lock, and the limits are charged once for them.
//!
//! # Invariants
//!
//! * *Every message is accounted for*: it is accepted, blocked or failed in the ledger before the
//!   batch that holds it can be written.
//! * *Each message once*: what a sender sends again, because it did not hear that it is stored, is told
//!   from what it says twice, where its protocol lets it.
//! * *No secret is stored*: what looks like one is masked, wherever in a message it stands.

mod call;
mod clock;
mod content;
mod copies;
mod decoder;
mod gelf;
mod heard;
mod identities;
mod intake;
mod listener;
mod local;
mod notes;
mod people;
mod reads;
mod receipts;
mod refusing;
mod requests;
mod scrub;
mod sender;
mod session;
mod skew;
mod source;
mod spare;
mod steady;
mod tags;
#[cfg(test)]
pub(crate) mod testing;
mod usage;

pub use self::call::{CallOutcome, Cause, Rejected};
pub use self::clock::{moment, now};
pub use self::decoder::Decoder;
pub use self::listener::{Format, Listener};
pub use self::local::Process;
pub use self::people::only_project;
pub use self::reads::{Datagram, Peers, Taken};
pub use self::receipts::Life;
pub use self::sender::Sender;
pub use self::session::Session;
pub use self::steady::{lasting, steady};

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::info;

use self::identities::Identities;
use self::receipts::Receipts;
use crate::batch::Batcher;
use crate::gate::{Connection, Gate, GateError, Histories, LimitNotice, Punished, Refusal};
use crate::journal::{Call, Journal, Note};
use crate::memory::Budget;
use crate::metrics::{Gauges, Ledger};
use crate::senders::Senders;
use crate::store::Identity;

/// Everything that messages go through, shared by all doors.
#[derive(Debug)]
pub struct Ingest {
    gate: Arc<Gate>,
    batcher: Arc<Batcher>,
    ledger: Arc<Ledger>,
    journal: Arc<Journal>,
    /// Notes that are to be stored.
    notes: Mutex<VecDeque<Note>>,
    /// What was refused before.
    histories: Mutex<Histories>,
    /// What was stored lately, and may come again.
    identities: Identities,
    /// What was stored and may not be known to be.
    receipts: Receipts,
    /// Who came over a limit, or is no longer, for whoever tells others.
    limits_told: Mutex<Vec<LimitNotice>>,
    /// Who was heard, and when.
    senders: Arc<Senders>,
    /// What connections and calls take of the memory that all share.
    memory: Arc<Budget>,
    gauges: Gauges,
    /// Limits run by a clock that nobody sets.
    opened: Instant,
}

impl Ingest {
    /// The way from the doors to `batcher`.
    pub fn new(
        gate: Arc<Gate>,
        batcher: Arc<Batcher>,
        ledger: Arc<Ledger>,
        journal: Arc<Journal>,
        gauges: Gauges,
    ) -> Self {
        Self {
            gate,
            batcher,
            ledger,
            journal,
            notes: Mutex::default(),
            histories: Mutex::default(),
            identities: Identities::default(),
            receipts: Receipts::default(),
            limits_told: Mutex::default(),
            senders: Arc::new(Senders::none()),
            memory: Arc::new(Budget::unlimited()),
            gauges,
            opened: Instant::now(),
        }
    }

    /// The same, where connections and calls share this memory.
    pub fn within(self, memory: Arc<Budget>) -> Self {
        Self { memory, ..self }
    }

    /// The memory that all share.
    pub fn memory(&self) -> &Arc<Budget> {
        &self.memory
    }

    /// The same, which puts down there who was heard.
    pub fn heard_by(self, senders: Arc<Senders>) -> Self {
        Self { senders, ..self }
    }

    /// Takes over what the latest events of the store are known by, the oldest first.
    pub fn remember(&self, kept: &[Identity]) {
        self.identities.remember(kept);
    }

    /// The gate that it asks.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The ledger that it keeps.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The journals that it writes.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Who was heard, and when.
    pub fn senders(&self) -> &Arc<Senders> {
        &self.senders
    }

    /// What is shown of its state.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Whether nothing is stored for the time being, because the disk has no room.
    pub fn is_held(&self) -> bool {
        self.batcher.is_held()
    }

    /// Returns once nothing was stored for `patience` because the disk has no room.
    pub async fn held_for(&self, patience: Duration) {
        self.batcher.held_for(patience).await;
    }

    /// Whether a connection may be opened, asked before anything is read from it. `call` is what the
    /// journal is to say of it.
    ///
    /// # Errors
    ///
    /// It may not; this is noted in the journal. The client is told nothing.
    pub fn admit(&self, peer: IpAddr, call: impl Fn() -> Call) -> Result<Connection, Refusal> {
        let admitted = self.gate.admit_peer(peer, steady());
        if admitted.is_ok() {
            self.note_dry_countries(peer, &call);
        }
        let connected = admitted.and_then(|()| self.gate.connect(None, peer));
        match connected {
            Ok(mut connection) => {
                if let Some(rule) = connection.would_refuse() {
                    self.note_shadow(rule, 1, call());
                }
                Ok(connection)
            }
            Err(refusal) => {
                self.note_refusal(&refusal, 1, call());
                Err(refusal)
            }
        }
    }

    /// Whether a call may be made with this client software; `call` is what the journal is to say.
    ///
    /// # Errors
    ///
    /// It may not; this is noted in the journal. The client is told nothing.
    pub fn admit_software(&self, call: &Call) -> Result<(), Refusal> {
        let verdicts = self.gate.agent_verdicts(call.user_agent.as_deref(), HTTP, now());
        for dry in &verdicts.dry {
            self.note_dry(dry, 1, call.clone());
        }
        match verdicts.refusal {
            Some(refusal) => {
                self.note_refusal(&refusal, 1, call.clone());
                Err(refusal)
            }
            None => Ok(()),
        }
    }

    /// Blocks whom automatic rules have found. Called every second, where a disk may be waited for.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn punish(&self) -> Result<(), GateError> {
        for punished in self.gate.punish(lasting())? {
            let Punished { rule, net, note, dry_run } = &punished;
            info!(%rule, %net, %note, dry_run, "an automatic rule was reached");
            let action = if *dry_run { "would" } else { "block" };
            self.gauges.automatic.with_label_values(&[&**rule, action]).inc();
            if *dry_run {
                let peer = Some(net.addr());
                self.note_dry(&punished.refusal(), 1, Call { peer, ..Call::default() });
            }
        }
        Ok(())
    }

    fn note_dry_countries(&self, peer: IpAddr, call: &impl Fn() -> Call) {
        for dry in self.gate.country_verdicts(peer, now()).dry {
            self.note_dry(&dry, 1, call());
        }
    }

    /// The time since the start, by a clock that nobody sets.
    pub fn elapsed(&self) -> Duration {
        self.opened.elapsed()
    }
}

/// What rules call the listener of calls.
const HTTP: &str = "http";
