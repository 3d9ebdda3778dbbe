//! Who may pass.
//!
//! The checks are made in the order of SPEC §2.4, the cheap ones and those that shield the key
//! check first. The gate makes those that it can make alone; `net` and `api` make the calls.
//!
//! | stage   | asked by                                | refuses with                          |
//! |---------|-----------------------------------------|---------------------------------------|
//! | address | [`Gate::admit_peer`]                    | `IP_BLOCKLISTED`                      |
//! | country | the same                                | `GEO_BLOCKED`                         |
//! | form    | decoders; [`Refusal::malformed`]        | `MALFORMED_REQUEST`                   |
//! | content | [`Gate::agent_verdicts`], [`Gate::content`] | `USER_AGENT_BLOCKED`, `ABUSE_…`, `SQL_…` |
//! | key     | [`Gate::key_of`], then [`Gate::check`]  | `INVALID_API_KEY` to `IP_NOT_ALLOWED` |
//! | limits  | [`Gate::connect`], [`Gate::grant`]      | `RATE_LIMIT_EXCEEDED`                 |
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
//! * *A refused client learns nothing of the reason*: a stream is not answered and stays open
//!   whatever the key, as it may carry others; over HTTP one whose address is blocked is answered as
//!   one without a key ([`Told`]). That a blocked address is cut, it sees from the cut.
//! * *Loopback always gets in*: no block that is added may hold a loopback address, and those of
//!   a file are passed over.

mod addresses;
mod admin;
mod admit;
mod allowance;
mod automatic;
mod carrier;
mod charge;
mod config;
mod connections;
mod content;
mod error;
mod expiry;
mod filter;
mod fingerprint;
mod geo;
mod history;
mod key;
mod key_info;
mod keys;
mod limited;
mod limits;
mod list_admin;
mod list_file;
mod lists;
mod project;
mod quota;
mod range;
mod range_table;
mod rate;
mod reason;
mod records;
mod refusal;
mod reload;
mod requests;
mod required;
mod rotation;
mod rule;
mod rule_admin;
mod rules;
mod scope;
mod secret;
mod source;
mod tenancy;
#[cfg(test)]
mod tests;
mod threat;
mod tier;
mod trial;
mod usage;
mod use_of_keys;

pub use self::allowance::{Allowance, Offer, Tally};
pub use self::automatic::Punished;
pub use self::carrier::{CertificateName, Label};
pub use self::charge::{Charge, LIMIT_RULES, Subject};
pub use self::config::{Config, DefaultLimits, Network, Problem, nets};
pub use self::connections::Connection;
pub use self::content::{Content, Found};
pub use self::error::GateError;
pub use self::fingerprint::{Traits, fingerprint};
pub use self::geo::{Countries, CountriesError, Country};
pub use self::history::{Histories, Refused};
pub use self::key::Key;
pub use self::key_info::{KeyInfo, NewKey};
pub use self::limited::{LimitNotice, Over};
pub use self::limits::{Limits, Policy};
pub use self::list_admin::{NewListEntry, SWEEP};
pub use self::list_file::ListFileError;
pub use self::lists::{ListEntry, ListKind, ListSource, Match, Origin};
pub use self::project::Project;
pub use self::quota::{Moment, Quota};
pub use self::range::{holds_loopback, parse_net};
pub use self::reason::{Reason, Stage, Told};
pub use self::refusal::{Refusal, RuleId};
pub use self::requests::Requested;
pub use self::rotation::{PreviousSecret, Rotation};
pub use self::rule::{Abuse, Action, Rule, RuleKind};
pub use self::rules::Verdicts;
pub use self::scope::{Environment, Scope, Scopes};
pub use self::secret::Secret;
pub use self::source::{SourceConfig, SourceState};
pub use self::tenancy::{NewPlace, OrganizationInfo, ProjectInfo};
pub use self::threat::{History, threat_score};
pub use self::tier::{Hourly, RequestKind, Requests, Tier};
pub use self::trial::Trial;
pub use self::usage::{HourOfUse, Spent, Used};

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::sync::watch;

use self::addresses::Addresses;
use self::allowance::By;
use self::automatic::Automatic;
use self::charge::{Named, Payer, Payers, Rates, Rules};
use self::connections::Sources;
use self::keys::Keys;
use self::limited::Limited;
use self::lists::Lists;
use self::project::Projects;
use self::range::{bits, source};
use self::range_table::RangeTable;
use self::records::Records;
use self::reload::Live;
use self::rules::Rules as Written;
use self::tenancy::Tenancy;
use self::usage::Usage;
use crate::db::Db;
use crate::pepper::Pepper;
use crate::time::{Timestamp, text as rfc3339};

/// Decides who may pass. Shared by all threads.
#[derive(Debug)]
pub struct Gate {
    lists: ArcSwap<Lists>,
    rules: ArcSwap<Written>,
    countries: ArcSwapOption<Countries>,
    automatic: Automatic,
    /// Proxies that are trusted to name their clients.
    proxies: ArcSwap<RangeTable<()>>,
    /// What became of files and URLs of lists.
    sources_read: Mutex<Vec<SourceState>>,
    keys: ArcSwap<Keys>,
    generation: AtomicU64,
    /// Tells those who wait of every new generation.
    changes: watch::Sender<u64>,
    /// What a reload may change, beside lists and rules.
    live: ArcSwap<Live>,
    pepper: Pepper,
    records: Records,
    usage: Usage,
    tenancy: ArcSwap<Tenancy>,
    /// Held while keys or lists are changed.
    change: Mutex<()>,
    /// Where a key has none of its own.
    key_limits: Limits,
    /// Where a key has none of its own, and where there is no key.
    policy: Policy,
    projects: Projects,
    streams: Addresses,
    datagrams: Addresses,
    limited: Limited,
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
        let usage = Usage::open(records.db())?;
        let mut tenancy = Tenancy::new(records.organizations()?, records.projects()?, now);
        let projects = Projects::new(&config.limits.project, &config.limits.projects);
        let keys = read_keys(&records, config, &projects, &mut tenancy)?;
        if let Some(net) = config.networks.iter().find(|net| keys.by_id(&net.key).is_none()) {
            return Err(GateError::NetworkKey(net.key.clone()));
        }
        // What the configuration lists comes last, and so counts.
        let lists = Lists::new(records.entries()?.into_iter().chain(config.entries(now)));
        let rules = Written::open(config, records.rules()?)?;
        let automatic = Automatic::new(&rules.automatic);
        let pepper = pepper(&records, keys.len())?;
        let rates = Rates::new(&config.limits.address);
        Ok(Self {
            lists: ArcSwap::from_pointee(lists),
            rules: ArcSwap::from_pointee(rules),
            countries: ArcSwapOption::empty(),
            automatic,
            proxies: ArcSwap::default(),
            sources_read: Mutex::default(),
            keys: ArcSwap::from_pointee(keys),
            generation: AtomicU64::new(1),
            changes: watch::Sender::new(1),
            live: ArcSwap::from_pointee(Live::new(config)),
            pepper,
            records,
            usage,
            tenancy: ArcSwap::from_pointee(tenancy),
            change: Mutex::default(),
            key_limits: config.limits.key.clone(),
            policy: config.policy,
            projects,
            limited: Limited::default(),
            streams: Addresses::new(rates, config.max_tracked_addresses),
            datagrams: Addresses::new(rates, config.max_tracked_addresses),
            sources: {
                let Limits { connections, shadow, .. } = config.limits.address;
                connections.map(|max| Arc::new(Sources::new(max, shadow)))
            },
        })
    }

    /// Changes with every change of keys or lists. Only good to be compared with an earlier one.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The key with this secret, revoked and expired ones too. Takes equally long for all secrets
    /// that there are not.
    pub fn key_of(&self, secret: &[u8]) -> Option<Arc<Key>> {
        let hash = secret::hash(&self.pepper, secret)?;
        self.keys.load().by_hash(&hash).cloned()
    }

    /// The key with this public id.
    pub fn key_by_id(&self, id: &str) -> Option<Arc<Key>> {
        self.keys.load().by_id(id).cloned()
    }

    /// The public id of the key that a client certificate stands for: the first of its names that
    /// stands for one.
    pub fn certificate_key(&self, names: &[CertificateName]) -> Option<Arc<str>> {
        let keys = self.keys.load();
        names.iter().find_map(|name| keys.by_certificate(name)).cloned()
    }

    /// The public id of the key that a label in a server name stands for.
    pub fn label_key(&self, label: &Label) -> Option<Arc<str>> {
        self.keys.load().by_label(label).cloned()
    }

    /// The key of the longest source network that holds this address.
    pub fn network_key(&self, peer: IpAddr) -> Option<Arc<Key>> {
        let live = self.live.load();
        let id = live.networks.find(bits(peer), |_, _| true)?.1;
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

    /// The limits of a project, for those who send into it without a key.
    pub fn project(&self, name: &str) -> Arc<Project> {
        self.projects.get(name)
    }

    /// What of a read may pass by the limits. `at` is the time since the gate was opened, by a
    /// clock that nobody sets.
    ///
    /// All of it passes under [`Policy::Pace`], and the caller reads again only after
    /// [`Charge::wait`]; a limit of 0 lets nothing pass whatever the policy.
    pub fn grant(&self, who: Who<'_>, at: Duration) -> Allowance {
        self.with_payers(who, at, |payers| charge::grant(payers, self.policy_of(who), at))
    }

    /// Charges what passed of a read, to those whom [`grant`](Self::grant) asked for it.
    pub fn settle(&self, who: Who<'_>, allowance: &Allowance, at: Duration) -> Charge {
        let (policy, tally) = (allowance.policy, allowance.tally());
        let mut over = Over { shed: tally.shed, queued: tally.queued, ..Over::default() };
        over.sampled = tally.sampled;
        let mut spells = Vec::new();
        let charge = self.with_payers(who, at, |payers| {
            let charge = charge::settle(payers, allowance, at);
            let subject = |place: usize| Some(payers.get(place)?.as_ref()?.subject.to_subject());
            if let Some(By { payer, rule }) = tally.by {
                spells.extend(subject(payer).map(|subject| (subject, rule, false, over)));
            } else if let (Some(place), Some(rule)) = (charge.slowest, charge.rule) {
                let over = Over { paced: tally.passed, ..over };
                spells.extend(subject(place).map(|subject| (subject, rule, false, over)));
            }
            for (place, shadow) in charge.shadow.iter().enumerate() {
                let Some((rule, shed)) = *shadow else { continue };
                let over = Over { shed, ..Over::default() };
                spells.extend(subject(place).map(|subject| (subject, rule, true, over)));
            }
            charge
        });
        for (subject, rule, is_shadow, over) in spells {
            self.limited.note(&subject, rule, policy, is_shadow, over, at);
        }
        charge
    }

    /// Who has come to be over a limit, or is no longer, since the last call; and how many more
    /// there were than could be noted. Called once a second.
    pub fn limit_notices(&self, at: Duration) -> (Vec<LimitNotice>, u64) {
        self.limited.tell(at)
    }

    fn policy_of(&self, who: Who<'_>) -> Policy {
        match who.key.map_or(self.policy, |key| key.policy()) {
            // Nobody can be asked to send datagrams more slowly.
            Policy::Pace if who.datagrams => Policy::Drop,
            policy => policy,
        }
    }

    fn with_payers<R>(&self, who: Who<'_>, at: Duration, then: impl FnOnce(&Payers<'_>) -> R) -> R {
        let key = who.key.and_then(|key| key.payer());
        let project = who.project.payer();
        let addresses = if who.datagrams { &self.datagrams } else { &self.streams };
        let rates = addresses.rates();
        if rates.is_unlimited() {
            return then(&[key, project, None]);
        }
        addresses.with(source(who.peer), at, |levels| {
            let subject = Named::Address(who.peer);
            then(&[key, project, Some(Payer { rates, levels, rules: &Rules::ADDRESS, subject })])
        })
    }
}

/// Who sends, as the limits see it.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The key.
    pub key: Option<&'a Arc<Key>>,
    /// The project that it is sent into.
    pub project: &'a Arc<Project>,
    /// The source address.
    pub peer: IpAddr,
    /// Whether it comes as datagrams. Their address is charged apart from the streams of the same
    /// address, because anyone can write it; and they cannot be paced.
    pub datagrams: bool,
}

/// All keys, with what they spent of this hour. The projects that they name are there.
fn read_keys(
    records: &Records,
    config: &Config,
    projects: &Projects,
    tenancy: &mut Tenancy,
) -> Result<Keys, GateError> {
    let mut keys = Keys::default();
    for record in records.keys()? {
        let project = projects.get(&record.key.project);
        if record.key.revoked_at.is_none() {
            tenancy.name_project(&record.key.project, record.key.created_at);
        }
        keys.put(Key::new(record, &config.limits.key, config.policy, project));
    }
    for (id, hour) in records.hours()? {
        if let Some(key) = keys.by_id(&id) {
            *key.hour().lock() = hour.recovered();
        }
    }
    Ok(keys)
}

/// What secrets are hashed with; made where there is none, and no key either.
fn pepper(records: &Records, keys: usize) -> Result<Pepper, GateError> {
    match records.pepper()? {
        Some(pepper) => Ok(pepper),
        None if keys > 0 => Err(GateError::PepperLost { keys }),
        None => {
            let pepper = Pepper::draw()?;
            records.put_pepper(&pepper)?;
            Ok(pepper)
        }
    }
}
