//! Who may pass.
//!
//! The checks are made in the order of SPEC §2.4, the cheap ones and those that shield the key
//! check first. The gate makes those that it can make alone; `net` and `api` make the calls.
//!
//! | stage   | asked by                                | refuses with                          |
//! |---------|-----------------------------------------|---------------------------------------|
//! | address | [`Gate::admit_peer`]                    | `IP_BLOCKLISTED`                      |
//! | country | not made yet                            | `GEO_BLOCKED`                         |
//! | form    | decoders; [`Refusal::malformed`]        | `MALFORMED_REQUEST`                   |
//! | content | not made yet                            | `USER_AGENT_BLOCKED`, `ABUSE_…`, `SQL_…` |
//! | key     | [`Gate::key_of`], then [`Gate::check`]  | `INVALID_API_KEY` to `IP_NOT_ALLOWED` |
//! | limits  | [`Gate::connect`], [`Gate::charge`]     | `RATE_LIMIT_EXCEEDED`                 |
//!
//! # Life of a connection
//!
//! It is admitted by its address before a byte is read, and counted by [`Gate::connect`]. Once a
//! read it compares [`Gate::generation`] with what it saw last; if that changed it calls
//! [`Gate::admit_peer`] again and asks for its key anew. Then it checks the key and charges what
//! it read. A key that is revoked is refused even to a connection that forgot to compare.
//!
//! # Invariants
//!
//! * *No lock by key*: keys and lists are immutable tables behind a pointer that a change swaps.
//!   The only lock on the way of an event is that of its address's shard, where addresses have
//!   limits.
//! * *Bounded*: addresses are kept up to a configured number; keys and entries have limits.
//! * *A forged source harms itself*: what datagrams spend, whose source address anyone can write,
//!   is kept apart from what streams from that address spend.
//! * *Loopback always gets in*: no block may hold a loopback address.

mod addresses;
mod admin;
mod charge;
mod config;
mod connections;
mod error;
mod fingerprint;
mod history;
mod key;
mod key_info;
mod keys;
mod limits;
mod lists;
mod range;
mod range_table;
mod rate;
mod reason;
mod records;
mod refusal;
mod rfc3339;
mod scope;
mod secret;
#[cfg(test)]
mod tests;
mod threat;

pub use self::admin::SWEEP;
pub use self::charge::Charge;
pub use self::config::{Config, DefaultLimits, Network, Problem};
pub use self::connections::Connection;
pub use self::error::GateError;
pub use self::fingerprint::{Traits, fingerprint};
pub use self::history::{Histories, Refused};
pub use self::key::Key;
pub use self::key_info::{KeyInfo, NewKey};
pub use self::limits::{Limits, Policy};
pub use self::lists::{ListEntry, ListKind, Origin};
pub use self::range::parse_net;
pub use self::reason::{Reason, Stage};
pub use self::refusal::{Refusal, RuleId};
pub use self::scope::{Environment, Scope, Scopes};
pub use self::secret::Secret;
pub use self::threat::{History, threat_score};

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use self::addresses::Addresses;
use self::charge::{Load, Payer, Rates, Rules};
use self::connections::Sources;
use self::keys::Keys;
use self::lists::Lists;
use self::range::{Range, bits, source};
use self::range_table::RangeTable;
use self::records::Records;
use self::secret::Pepper;
use crate::db::Db;
use crate::time::Timestamp;

/// Decides who may pass. Shared by all threads.
#[derive(Debug)]
pub struct Gate {
    lists: ArcSwap<Lists>,
    keys: ArcSwap<Keys>,
    generation: AtomicU64,
    /// The key ids of source networks.
    networks: RangeTable<String>,
    pepper: Pepper,
    records: Records,
    /// Held while keys or lists are changed.
    change: Mutex<()>,
    /// Where a key has none of its own.
    key_limits: Limits,
    /// Where a key has none of its own, and where there is no key.
    policy: Policy,
    block_expiry: Duration,
    streams: Addresses,
    datagrams: Addresses,
    /// Open connections by address, where those have a limit.
    sources: Option<Arc<Sources>>,
}

impl Gate {
    /// Loads keys and lists; makes the pepper if there is none and no key either.
    ///
    /// # Errors
    ///
    /// The configuration makes no sense, a record cannot be read, or the store or the system
    /// failed.
    pub fn open(config: &Config, db: Arc<Db>, now: Timestamp) -> Result<Self, GateError> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(problem.into());
        }
        let records = Records::new(db);
        let mut keys = Keys::default();
        for record in records.keys()? {
            let limits = &config.limits.key;
            keys.put(Key::new(record.key, record.hash, limits, config.policy));
        }
        if let Some(net) = config.networks.iter().find(|net| keys.by_id(&net.key).is_none()) {
            return Err(GateError::NetworkKey(net.key.clone()));
        }
        // What the configuration lists comes last, and so counts.
        let lists = Lists::new(records.entries()?.into_iter().chain(config.entries(now)));
        let pepper = match records.pepper()? {
            Some(pepper) => pepper,
            None if keys.len() > 0 => return Err(GateError::PepperLost { keys: keys.len() }),
            None => {
                let pepper = Pepper::draw()?;
                records.put_pepper(&pepper)?;
                pepper
            }
        };
        let networks = config.networks.iter().map(|net| (Range::of(net.source), net.key.clone()));
        let rates = Rates::new(&config.limits.address);
        Ok(Self {
            lists: ArcSwap::from_pointee(lists),
            keys: ArcSwap::from_pointee(keys),
            generation: AtomicU64::new(1),
            networks: RangeTable::new(networks),
            pepper,
            records,
            change: Mutex::default(),
            key_limits: config.limits.key.clone(),
            policy: config.policy,
            block_expiry: config.block_expiry,
            streams: Addresses::new(rates, config.max_tracked_addresses),
            datagrams: Addresses::new(rates, config.max_tracked_addresses),
            sources: config.limits.address.connections.map(|max| Arc::new(Sources::new(max))),
        })
    }

    /// Changes with every change of keys or lists. Only good to be compared with an earlier one.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether an address may come in at all: allowlist, then blocklist. An IPv4-mapped IPv6
    /// address is the IPv4 address.
    ///
    /// # Errors
    ///
    /// It may not; the rule names the longest range that blocks it.
    pub fn admit_peer(&self, peer: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        self.lists.load().admit(peer, now)
    }

    /// The key with this secret, revoked and expired ones too. Takes equally long for all secrets
    /// that there are not.
    pub fn key_of(&self, secret: &[u8]) -> Option<Arc<Key>> {
        let hash = self.pepper.hash(secret)?;
        self.keys.load().by_hash(&hash).cloned()
    }

    /// The key with this public id.
    pub fn key_by_id(&self, id: &str) -> Option<Arc<Key>> {
        self.keys.load().by_id(id).cloned()
    }

    /// The key of the longest source network that holds this address.
    pub fn network_key(&self, peer: IpAddr) -> Option<Arc<Key>> {
        let id = self.networks.find(bits(peer), |_| true)?;
        self.key_by_id(id)
    }

    /// Whether a key may be used for this, from there, now: not revoked, not expired, with the
    /// scope, from an address on its allowlist, in this order.
    ///
    /// # Errors
    ///
    /// The first of these that it is not.
    pub fn check(
        &self,
        key: &Key,
        scope: Scope,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        key.check(None, scope, peer, now)
    }

    /// As [`check`](Self::check), at a place that belongs to one environment; asked after expiry.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and when the key belongs to another environment.
    pub fn check_in(
        &self,
        environment: Environment,
        key: &Key,
        scope: Scope,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        key.check(Some(environment), scope, peer, now)
    }

    /// Counts a connection, as one of its address and of its key, until the value is dropped. A
    /// connection that learns its key later calls [`Connection::claim`].
    ///
    /// # Errors
    ///
    /// The address or the key has as many open as it may.
    pub fn connect(&self, key: Option<&Arc<Key>>, peer: IpAddr) -> Result<Connection, Refusal> {
        let mut connection = Connection::open(self.sources.as_ref(), source(peer))?;
        if let Some(key) = key {
            connection.claim(key)?;
        }
        Ok(connection)
    }

    /// Charges what a read from a stream brought to its key and its address. `at` is the time since
    /// the gate was opened, by a clock that nobody sets.
    ///
    /// All of it passes under [`Policy::Pace`], and the caller reads again only after
    /// [`Charge::wait`]; a limit of 0 lets nothing pass whatever the policy.
    pub fn charge(
        &self,
        key: Option<&Arc<Key>>,
        peer: IpAddr,
        events: u64,
        bytes: u64,
        at: Duration,
    ) -> Charge {
        let policy = key.map_or(self.policy, |key| key.policy());
        pay(&self.streams, key, peer, Load { events, bytes }, policy, at)
    }

    /// As [`charge`](Self::charge), for datagrams: they cannot be paced, so what is over the limit
    /// is dropped. Their address is charged apart from the streams of the same address, because
    /// anyone can write it.
    pub fn charge_datagrams(
        &self,
        key: Option<&Arc<Key>>,
        peer: IpAddr,
        events: u64,
        bytes: u64,
        at: Duration,
    ) -> Charge {
        pay(&self.datagrams, key, peer, Load { events, bytes }, Policy::Drop, at)
    }
}

fn pay(
    addresses: &Addresses,
    key: Option<&Arc<Key>>,
    peer: IpAddr,
    load: Load,
    policy: Policy,
    at: Duration,
) -> Charge {
    let key = key.and_then(|key| key.payer());
    let rates = addresses.rates();
    if rates.is_unlimited() {
        return load.charge([key, None], policy, at);
    }
    addresses.with(source(peer), at, |levels| {
        load.charge([key, Some(Payer { rates, levels, rules: &Rules::ADDRESS })], policy, at)
    })
}
