//! The counters that account for every message.
//!
//! ```text
//!  received = stored + blocked{reason} + failed{reason} + in flight
//! ```
//!
//! An [`Account`] keeps the sum: each change is one step under its lock, so that whoever reads it,
//! at any moment, finds both sides equal. The lock is taken once for the messages of a read and
//! once for those of a batch, never for a single one.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

/// The accounts of all listeners and keys.
#[derive(Debug)]
pub struct Ledger {
    reasons: &'static [&'static str],
    listeners: RwLock<BTreeMap<Arc<str>, Arc<Account>>>,
    keys: RwLock<BTreeMap<Arc<str>, Arc<Account>>>,
    max_keys: usize,
}

/// What became of the messages of one listener or key.
#[derive(Debug)]
pub struct Account(Mutex<Counts>);

/// The state of an [`Account`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came.
    pub received: u64,
    /// Messages in the synced log.
    pub stored: u64,
    /// Messages on their way there.
    pub in_flight: u64,
    /// Messages that the gate turned away, by reason, in the ledger's order of reasons.
    pub blocked: Vec<u64>,
    /// Messages that could not be kept, by [`Failure`].
    pub failed: [u64; Failure::ALL.len()],
    /// Bytes of the messages that came.
    pub received_bytes: u64,
}

/// Why a message could not be kept, though the gate had let it pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// It held nothing: an empty datagram.
    Empty,
    /// A call whose body could not be read, or a log in it that is no event.
    Malformed,
    /// It was over a limit of size or number that applies to whole calls.
    TooLarge,
    /// The disk did not take it.
    Store,
    /// It was a copy of one that is stored, and its sender is told that it is.
    Duplicate,
    /// A part of it did not come in time.
    Incomplete,
}

impl Ledger {
    /// A ledger whose messages are blocked for one of `reasons`. Of keys past `max_keys` there is
    /// one account for all.
    pub fn new(reasons: &'static [&'static str], max_keys: usize) -> Self {
        Self { reasons, listeners: RwLock::default(), keys: RwLock::default(), max_keys }
    }

    /// The account of a listener; made at the first call, so that its series start at zero.
    pub fn listener(&self, name: &str) -> Arc<Account> {
        self.account(&self.listeners, name, usize::MAX)
    }

    /// The account of a key, by its public id.
    pub fn key(&self, id: &str) -> Arc<Account> {
        self.account(&self.keys, id, self.max_keys)
    }

    /// All reasons for which a message can be blocked.
    pub fn reasons(&self) -> &'static [&'static str] {
        self.reasons
    }

    /// The accounts of all listeners, by name.
    pub fn listeners(&self) -> Vec<(Arc<str>, Counts)> {
        snapshot(&self.listeners)
    }

    /// The accounts of keys, by public id.
    pub fn keys(&self) -> Vec<(Arc<str>, Counts)> {
        snapshot(&self.keys)
    }

    /// Notes that `n` messages of a listener and of a key are in the synced log, or that the disk
    /// did not take them. Names that have no account are the daemon's own.
    pub fn settle(&self, listener: &str, key: Option<&str>, n: u64, stored: bool) {
        let keys = key.and_then(|key| {
            let keys = self.keys.read();
            keys.get(key).or_else(|| keys.get(OTHER)).cloned()
        });
        let listener = self.listeners.read().get(listener).cloned();
        for account in listener.into_iter().chain(keys) {
            account.settle(n, stored);
        }
    }

    fn account(
        &self,
        of: &RwLock<BTreeMap<Arc<str>, Arc<Account>>>,
        name: &str,
        max: usize,
    ) -> Arc<Account> {
        if let Some(account) = of.read().get(name) {
            return Arc::clone(account);
        }
        let mut accounts = of.write();
        let name = if accounts.len() < max || accounts.contains_key(name) { name } else { OTHER };
        let new = || Arc::new(Account::new(self.reasons.len()));
        Arc::clone(accounts.entry(name.into()).or_insert_with(new))
    }
}

impl Account {
    fn new(reasons: usize) -> Self {
        Self(Mutex::new(Counts {
            received: 0,
            stored: 0,
            in_flight: 0,
            blocked: vec![0; reasons],
            failed: [0; Failure::ALL.len()],
            received_bytes: 0,
        }))
    }

    /// `n` messages of `bytes` came and are on their way to the store.
    pub fn accept(&self, n: u64, bytes: u64) {
        let counts = &mut *self.0.lock();
        counts.received += n;
        counts.received_bytes += bytes;
        counts.in_flight += n;
    }

    /// `n` messages came and were blocked, for the reason of that number.
    pub fn block(&self, reason: usize, n: u64, bytes: u64) {
        let counts = &mut *self.0.lock();
        counts.received += n;
        counts.received_bytes += bytes;
        if let Some(blocked) = counts.blocked.get_mut(reason) {
            *blocked += n;
        }
    }

    /// `n` messages came and could not be kept.
    pub fn fail(&self, failure: Failure, n: u64, bytes: u64) {
        let counts = &mut *self.0.lock();
        counts.received += n;
        counts.received_bytes += bytes;
        if let Some(failed) = counts.failed.get_mut(failure as usize) {
            *failed += n;
        }
    }

    /// The state at this moment.
    pub fn counts(&self) -> Counts {
        self.0.lock().clone()
    }

    fn settle(&self, n: u64, stored: bool) {
        let counts = &mut *self.0.lock();
        counts.in_flight = counts.in_flight.saturating_sub(n);
        if stored {
            counts.stored += n;
        } else if let Some(failed) = counts.failed.get_mut(Failure::Store as usize) {
            *failed += n;
        }
    }
}

impl Counts {
    /// Whether both sides of the ledger are equal.
    pub fn adds_up(&self) -> bool {
        let sum = |counts: &[u64]| counts.iter().sum::<u64>();
        self.received == self.stored + self.in_flight + sum(&self.blocked) + sum(&self.failed)
    }
}

impl Failure {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::Malformed,
        Self::TooLarge,
        Self::Store,
        Self::Duplicate,
        Self::Incomplete,
    ];

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Malformed => "MALFORMED",
            Self::TooLarge => "TOO_LARGE",
            Self::Duplicate => "DUPLICATE",
            Self::Store => "STORE",
            Self::Incomplete => "INCOMPLETE",
        }
    }
}

fn snapshot(accounts: &RwLock<BTreeMap<Arc<str>, Arc<Account>>>) -> Vec<(Arc<str>, Counts)> {
    let accounts = accounts.read();
    accounts.iter().map(|(name, account)| (Arc::clone(name), account.counts())).collect()
}

/// The account of the keys that have none of their own.
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_equal_after_every_step() {
        let ledger = Ledger::new(&["A", "B"], 1);
        let (listener, key) = (ledger.listener("tcp"), ledger.key("key_1"));
        let check = || assert!(listener.counts().adds_up() && key.counts().adds_up());
        listener.accept(10, 100);
        key.accept(10, 100);
        check();
        listener.block(1, 3, 30);
        listener.fail(Failure::Empty, 2, 0);
        check();
        ledger.settle("tcp", Some("key_1"), 6, true);
        ledger.settle("tcp", Some("key_1"), 4, false);
        check();
        let counts = listener.counts();
        assert_eq!((counts.received, counts.stored, counts.in_flight), (15, 6, 0));
        assert_eq!((counts.blocked, counts.failed), (vec![0, 3], [2, 0, 0, 4, 0, 0]));
    }

    #[test]
    fn rl_07_keys_past_the_bound_share_an_account() {
        let ledger = Ledger::new(&[], 2);
        for n in 0..100 {
            ledger.key(&format!("key_{n}")).accept(1, 1);
            ledger.settle("gone", Some(&format!("key_{n}")), 1, true);
        }
        let keys = ledger.keys();
        assert_eq!(keys.len(), 3);
        assert_eq!(keys.iter().map(|(_, counts)| counts.stored).sum::<u64>(), 100);
    }
}
