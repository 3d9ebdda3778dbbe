//! What every test of the gate begins with.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::db::{self, Db};
use crate::gate::{Charge, Config, Gate, Key, KeyInfo, NewKey, Scope, Secret, Tally, Who};
use crate::time::Timestamp;

thread_local! {
    /// The folders of this test's stores: removed when its thread ends.
    static DIRS: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

/// The time at which the tests begin.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// A new, empty store.
pub(super) fn test_db() -> Arc<Db> {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), &db::Options::default()).unwrap();
    DIRS.with_borrow_mut(|dirs| dirs.push(dir));
    Arc::new(db)
}

/// A gate over a new store, with this configuration, in JSON.
pub(super) fn gate(config: &str) -> Gate {
    open(config, &test_db())
}

/// A gate over this store.
pub(super) fn open(config: &str, db: &Arc<Db>) -> Gate {
    let config: Config = serde_json::from_str(config).unwrap();
    Gate::open(&config, Arc::clone(db), NOW).unwrap()
}

/// A new key: `{"name":"test","scopes":["write:logs"]}` and what `more` says.
pub(super) fn create(gate: &Gate, more: &str) -> (KeyInfo, Secret) {
    let mut new: NewKey = serde_json::from_str(more).unwrap();
    "test".clone_into(&mut new.name);
    if new.scopes.is_empty() {
        new.scopes = [Scope::WriteLogs].into_iter().collect();
    }
    gate.create_key(new, NOW).unwrap()
}

/// As [`create`], as the hot path sees it.
pub(super) fn key(gate: &Gate, more: &str) -> Arc<Key> {
    gate.key_by_id(&create(gate, more).0.id).unwrap()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// So many seconds after [`NOW`].
pub(super) fn after(seconds: i64) -> Timestamp {
    NOW.plus(seconds * crate::time::SECOND)
}

/// Charges a read of so many plain events, of so many bytes together.
pub(super) fn charge(
    gate: &Gate,
    key: Option<&Arc<Key>>,
    peer: IpAddr,
    [events, bytes]: [u64; 2],
    at: Duration,
) -> (Tally, Charge) {
    charge_as(gate, key, peer, [events, bytes], at, false)
}

/// The same, as datagrams if so.
pub(super) fn charge_as(
    gate: &Gate,
    key: Option<&Arc<Key>>,
    peer: IpAddr,
    [events, bytes]: [u64; 2],
    at: Duration,
    datagrams: bool,
) -> (Tally, Charge) {
    let project = gate.project(key.map_or("default", |key| key.project()));
    let who = Who { key, project: &project, peer, datagrams };
    let mut allowance = gate.grant(who, at);
    for n in 0..events {
        let rest = if n == 0 { bytes % events } else { 0 };
        allowance.offer(bytes / events + rest, || false);
    }
    let charge = gate.settle(who, &allowance, at);
    (allowance.tally().clone(), charge)
}
