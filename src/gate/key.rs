//! A key as the hot path uses it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use super::charge::{Levels, Named, Payer, Rates, Rules};
use parking_lot::Mutex;

use super::connections::{Entered, enter};
use super::key_info::KeyInfo;
use super::limits::{Limits, Policy};
use super::project::Project;
use super::quota::Hour;
use super::range::{Range, bits};
use super::range_table::RangeTable;
use super::reason::Reason;
use super::records::KeyRecord;
use super::refusal::Refusal;
use super::scope::{Environment, Scope};
use super::usage::Account;
use crate::time::{DAY, Timestamp};

/// A key and all that is counted of it.
///
/// Every change of a key makes a new one of these; what it spent, how many connections it has and
/// that it was revoked is shared by all of one id, so that a connection that holds an old one
/// cannot pass with it.
pub struct Key {
    info: KeyInfo,
    hash: blake3::Hash,
    /// The hash of the secret before the last rotation.
    previous: Option<blake3::Hash>,
    allow: RangeTable<()>,
    policy: Policy,
    rates: Rates,
    max_connections: Option<u32>,
    project: Arc<Project>,
    end: Arc<End>,
    state: Arc<State>,
}

/// When a secret of a key ends.
#[derive(Debug)]
struct End {
    at: Timestamp,
    rule: &'static str,
    /// The latest time at which it was seen to have ended, in microseconds.
    seen: AtomicI64,
}

/// What every [`Key`] of one id shares.
#[derive(Debug)]
struct State {
    levels: Levels,
    connections: AtomicU32,
    /// Its requests within the hour.
    hour: Mutex<Hour>,
    revoked: AtomicBool,
    /// What it was used for, once it was.
    account: OnceLock<Arc<Account>>,
}

impl Key {
    /// A key with limits and policy of its own, or else these.
    pub(super) fn new(
        record: KeyRecord,
        limits: &Limits,
        policy: Policy,
        project: Arc<Project>,
    ) -> Self {
        let KeyRecord { hash, previous, key: info } = record;
        let limits = info.limits.as_ref().unwrap_or(limits);
        Self {
            hash,
            previous,
            allow: RangeTable::new(info.allow.iter().map(|net| (Range::of(*net), ()))),
            policy: info.policy.unwrap_or(info.tier.policy(policy)),
            rates: Rates::new(limits),
            max_connections: limits.connections,
            project,
            state: Arc::new(State {
                levels: Levels::default(),
                connections: AtomicU32::new(0),
                hour: Mutex::default(),
                revoked: AtomicBool::new(info.revoked_at.is_some()),
                account: OnceLock::new(),
            }),
            end: Arc::new(End::of_key(&info)),
            info,
        }
    }

    /// This key, taken back; so is every other of the same id, at once.
    pub(super) fn revoked(&self, info: KeyInfo) -> Self {
        self.state.revoked.store(true, Ordering::Release);
        self.with(info)
    }

    /// This key with a new secret.
    pub(super) fn rotated(
        &self,
        info: KeyInfo,
        hash: blake3::Hash,
        previous: blake3::Hash,
    ) -> Self {
        let end = Arc::new(End::of_key(&info));
        Self { hash, end, previous: Some(previous), ..self.with(info) }
    }

    /// This key as it is known by the secret that it had before, if it had one.
    pub(super) fn before_rotation(&self) -> Option<Self> {
        let (hash, previous) = (self.previous?, self.info.previous.as_ref()?);
        let at = if previous.has_ended { Timestamp::MIN } else { previous.until };
        let end = Arc::new(End { at, rule: "key:rotated", seen: AtomicI64::new(i64::MIN) });
        Some(Self { hash, end, previous: None, ..self.with(self.info.clone()) })
    }

    /// This key, of which something else is known now.
    pub(super) fn with(&self, info: KeyInfo) -> Self {
        Self {
            info,
            previous: self.previous,
            end: Arc::clone(&self.end),
            hash: self.hash,
            allow: self.allow.clone(),
            policy: self.policy,
            rates: self.rates,
            max_connections: self.max_connections,
            project: Arc::clone(&self.project),
            state: Arc::clone(&self.state),
        }
    }

    /// Its public id.
    pub fn id(&self) -> &str {
        &self.info.id
    }

    /// The project it belongs to.
    pub fn project(&self) -> &str {
        &self.info.project
    }

    /// The limits of that project.
    pub fn budget(&self) -> &Arc<Project> {
        &self.project
    }

    /// All that may be known of it.
    pub fn info(&self) -> &KeyInfo {
        &self.info
    }

    /// What happens over its limits.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// How many connections it has open.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Whether it may be used for this, from there, now, in the order of SPEC §2.4.
    pub(super) fn check(
        &self,
        environment: Option<Environment>,
        scope: Scope,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.state.revoked.load(Ordering::Acquire) {
            return Err(Refusal::fixed(Reason::ApiKeyRevoked, "key:revoked"));
        }
        if self.has_expired(now) {
            return Err(Refusal::fixed(Reason::ApiKeyExpired, self.end.rule));
        }
        if environment.is_some_and(|environment| environment != self.info.environment) {
            return Err(Refusal::environment_mismatch());
        }
        if !self.info.scopes.contains(scope) {
            return Err(Refusal::fixed(Reason::ScopeMissing, scope.rule()));
        }
        if !self.allow.is_empty() && self.allow.find(bits(peer), |_, ()| true).is_none() {
            return Err(Refusal::fixed(Reason::IpNotAllowed, "key:allowlist"));
        }
        Ok(())
    }

    /// Whether the secret that it is known by has ended. One that was seen to have stays so when the
    /// clock is set back a little; when it is set back by more than a day, what it showed before is
    /// taken to have been wrong.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        let (micros, seen) = (now.as_micros(), &self.end.seen);
        if now >= self.end.at {
            seen.fetch_max(micros, Ordering::Relaxed);
            return true;
        }
        let seen = seen.load(Ordering::Relaxed);
        seen > micros && seen.saturating_sub(micros) <= DAY
    }

    pub(super) fn previous(&self) -> Option<blake3::Hash> {
        self.previous
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        self.hash
    }

    /// Its requests within the hour.
    pub(super) fn hour(&self) -> &Mutex<Hour> {
        &self.state.hour
    }

    /// What it was used for, once that was looked up.
    pub(super) fn account(&self) -> &OnceLock<Arc<Account>> {
        &self.state.account
    }

    /// Who pays for what this key sends; `None` if it has no limit.
    pub(super) fn payer(&self) -> Option<Payer<'_>> {
        let Self { info, rates, state, .. } = self;
        (!rates.is_unlimited()).then_some(Payer {
            rates: *rates,
            levels: &state.levels,
            rules: &Rules::KEY,
            subject: Named::Key(&info.id),
        })
    }

    /// Counts a connection, unless it has as many as it may.
    pub(super) fn enter(&self) -> Entered {
        enter(&self.state.connections, self.max_connections, self.rates.is_shadow())
    }

    /// Counts down a connection that was counted.
    pub(super) fn leave(&self) {
        self.state.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl End {
    fn of_key(info: &KeyInfo) -> Self {
        let seen = info.lapsed_at.map_or(i64::MIN, Timestamp::as_micros);
        Self { at: info.expires_at, rule: "key:expired", seen: AtomicI64::new(seen) }
    }
}

impl std::fmt::Debug for Key {
    /// Shows what may be known of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("info", &self.info).finish_non_exhaustive()
    }
}
