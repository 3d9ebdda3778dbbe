//! Blocks that are made of failures.
//!
//! Each automatic rule counts the failures of the last minutes by what it is about: an address, a
//! network, the beginning of a key. What has reached its threshold waits to be blocked: a block is
//! on disk before it is in force, and who counts here may hold a lock that messages wait for.
//!
//! # Whom it does not block
//!
//! * Nobody for datagrams, whose source anyone can write: they are not counted at all.
//! * Nobody on the allowlist, on this machine, or a trusted proxy.
//! * No address from which more keys are good than fail: a thousand senders behind one address are
//!   not to pay for one of them.
//! * No address or network from which any key is good for what came from others: who has a neighbour,
//!   or a key that begins like another, is not to pay for that.
//! * Nobody for a good key: keys are not blocked, only addresses that came with bad ones.
//!
//! # Invariants
//!
//! * *Bounded*: each rule tells so many apart as an [`Aging`] map holds, and forgets those it has not
//!   heard of for longest; a subject has [`MAX_MEMBERS`] at most, [`MAX_COMPARED`] where it only
//!   compares them. Of keys that fail only hashes are kept.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use parking_lot::Mutex;

use super::Gate;
use super::error::GateError;
use super::list_admin::NewListEntry;
use super::lists::ListKind;
use super::range::{Range, bits, source};
use super::reason::Reason;
use super::refusal::{Refusal, RuleId};
use super::rule::{Action, Rule, RuleKind};
use crate::aging::Aging;
use crate::time::Timestamp;

/// The automatic rules, and what they have seen.
#[derive(Debug, Default)]
pub(super) struct Automatic {
    /// Whether there are any rules.
    is_on: AtomicBool,
    state: Mutex<State>,
}

/// Whom an automatic rule would block or has blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Punished {
    /// The rule.
    pub rule: String,
    /// The network.
    pub net: IpNet,
    /// Why.
    pub note: String,
    /// Whether the rule only records it.
    pub dry_run: bool,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Watched>,
    /// Of its own in each process: nobody can choose keys that are taken for one.
    hasher: RandomState,
    /// The keys that were good at an address.
    good: Aging<u128, HashSet<String>>,
    due: Vec<(Arc<Rule>, Range, u64)>,
}

#[derive(Debug)]
struct Watched {
    rule: Arc<Rule>,
    subjects: Aging<Subject, Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Net(Range),
    Key(String),
}

/// What a rule has seen of a subject.
#[derive(Debug, Default)]
struct Seen {
    /// Failures by eighth of the window.
    counts: [u64; SLOTS],
    /// The eighth that was counted last.
    slot: i64,
    /// Different keys, by their hashes, and when each was last seen.
    keys: HashMap<u64, i64>,
    /// Different addresses, the same.
    sources: HashMap<u128, i64>,
    /// The last key, for those that are counted through.
    last: Option<String>,
}

impl Automatic {
    pub(super) fn new(rules: &[Arc<Rule>]) -> Self {
        let automatic = Self::default();
        automatic.watch(rules);
        automatic
    }

    /// Takes other rules; what was seen by those that stay is kept.
    pub(super) fn watch(&self, rules: &[Arc<Rule>]) {
        let mut state = self.state.lock();
        let mut before = std::mem::take(&mut state.rules);
        state.rules = rules
            .iter()
            .map(|rule| {
                let same = before.iter().position(|watched| watched.rule == *rule);
                let known = same.map(|at| before.swap_remove(at).subjects).unwrap_or_default();
                Watched { rule: Arc::clone(rule), subjects: known }
            })
            .collect();
        self.is_on.store(!state.rules.is_empty(), Ordering::Relaxed);
    }
}

impl Gate {
    /// Counts refusals of a stream or a call: `key` is masked. What is over a threshold by now is
    /// blocked by the next [`punish`](Self::punish).
    pub fn failed(
        &self,
        reason: Reason,
        peer: IpAddr,
        key: Option<&str>,
        count: u64,
        now: Timestamp,
    ) {
        if !self.automatic.is_on.load(Ordering::Relaxed) || !is_failure(reason) {
            return;
        }
        let mut state = self.automatic.state.lock();
        let State { rules, good, due, hasher } = &mut *state;
        let hash = key.map(|key| hasher.hash_one(key));
        let from = source(peer);
        for Watched { rule, subjects } in rules.iter_mut().filter(|w| w.rule.is_live(now)) {
            let Some(subject) = subject(rule.kind, peer, key) else { continue };
            let seen = subjects.get(subject);
            seen.count(rule, (from, key, hash), count, now);
            let reached = seen.reached(rule);
            if reached < u64::from(rule.threshold) || due.len() >= MAX_DUE {
                continue;
            }
            let bad = seen.keys.len();
            let is_shared = good.peek(&from).is_some_and(|good| good.len() > bad.max(1));
            let is_spared = |net: &Range| match rule.kind {
                RuleKind::Network => good.keys().any(|source| net.contains(*source)),
                RuleKind::KeyPrefix | RuleKind::ManyAddresses => good.peek(&net.start()).is_some(),
                _ => is_shared,
            };
            let nets = seen.punished(rule.kind, peer).into_iter().filter(|net| !is_spared(net));
            due.extend(nets.map(|net| (Arc::clone(rule), net, reached)));
            // It is counted from the beginning: after the block, or while it cannot be.
            *seen = Seen::default();
        }
    }

    /// Says that a good key came from an address.
    pub fn passed(&self, peer: IpAddr, key: &str) {
        if !self.automatic.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.automatic.state.lock();
        let keys = state.good.get(source(peer));
        if keys.len() < MAX_MEMBERS && !keys.contains(key) {
            keys.insert(key.to_owned());
        }
    }

    /// Blocks whom automatic rules have found since the last call, and says whom.
    ///
    /// # Errors
    ///
    /// The store failed; who was not blocked is again when failing goes on.
    pub fn punish(&self, now: Timestamp) -> Result<Vec<Punished>, GateError> {
        let due = std::mem::take(&mut self.automatic.state.lock().due);
        let mut done = Vec::new();
        for (rule, range, count) in due {
            let net = range.net();
            let spared = range.touches_loopback()
                || self.trusts_in(net)
                || self.lists.load().allows(net.addr(), now);
            let is_known =
                || self.lists.load().get(ListKind::Block, range).is_some_and(|e| e.is_live(now));
            if spared || is_known() {
                continue;
            }
            let window = humantime::format_duration(rule.window);
            let note = format!("{count} {} within {window}", what(rule.kind));
            let dry_run = rule.action == Action::DryRun;
            if !dry_run {
                let micros = i64::try_from(rule.duration.as_micros()).unwrap_or(i64::MAX);
                let expires_at = Some(now.plus(micros));
                let new =
                    NewListEntry { expires_at, note: note.clone(), rule: Some(rule.id.clone()) };
                self.add_entry(ListKind::Block, net, new, now)?;
            }
            done.push(Punished { rule: rule.id.clone(), net, note, dry_run });
        }
        Ok(done)
    }

    /// How far automatic rules have counted for an address: each rule, its count and its threshold.
    pub fn counted(&self, peer: IpAddr) -> Vec<(String, u64, u32)> {
        let state = self.automatic.state.lock();
        let of = |watched: &Watched| {
            let subject = subject(watched.rule.kind, peer, None)?;
            let seen = watched.subjects.peek(&subject)?;
            Some((watched.rule.id.clone(), seen.reached(&watched.rule), watched.rule.threshold))
        };
        state.rules.iter().filter_map(of).collect()
    }
}

impl Punished {
    /// The refusal that a rule which only records would have been.
    pub fn refusal(&self) -> Refusal {
        let rule = RuleId::made(&format!("automatic:{}", self.rule));
        Refusal { reason: Reason::IpBlocklisted, rule }
    }
}

impl Seen {
    /// Counts failures from a source, with a key and its hash.
    fn count(
        &mut self,
        rule: &Rule,
        (from, key, hash): (u128, Option<&str>, Option<u64>),
        count: u64,
        now: Timestamp,
    ) {
        let window = i64::try_from(rule.window.as_micros()).unwrap_or(i64::MAX);
        let slot = now.as_micros() / (window / SLOTS_I64).max(1);
        // A clock that was set back counts as a long time.
        let passed = usize::try_from(slot - self.slot).unwrap_or(SLOTS);
        for at in 0..passed.min(SLOTS) {
            let next = self.slot + 1 + i64::try_from(at).unwrap_or_default();
            *self.counts.at(next) = 0;
        }
        if passed >= SLOTS {
            self.counts = [0; SLOTS];
            self.keys.clear();
            self.sources.clear();
        }
        self.slot = slot;
        if rule.kind == RuleKind::Guessing {
            let next = key.is_some_and(|key| self.last.as_deref().is_some_and(|l| is_next(l, key)));
            self.last = key.map(str::to_owned);
            *self.counts.at(slot) += u64::from(next);
        } else {
            *self.counts.at(slot) += count;
        }
        let max = if rule.kind == RuleKind::ManyKeys { MAX_MEMBERS } else { MAX_COMPARED };
        match (rule.kind, hash) {
            (RuleKind::KeyPrefix | RuleKind::ManyAddresses, _) => {
                remember(&mut self.sources, from, slot, MAX_MEMBERS);
            }
            (_, Some(hash)) => remember(&mut self.keys, hash, slot, max),
            (_, None) => {}
        }
    }

    /// How far it has come towards the threshold.
    fn reached(&self, rule: &Rule) -> u64 {
        match rule.kind {
            RuleKind::ManyKeys => self.keys.len() as u64,
            RuleKind::ManyAddresses => self.sources.len() as u64,
            _ => self.counts.iter().sum(),
        }
    }

    /// Who is to be blocked.
    fn punished(&self, kind: RuleKind, peer: IpAddr) -> Vec<Range> {
        match kind {
            RuleKind::Network => vec![network(peer)],
            RuleKind::KeyPrefix | RuleKind::ManyAddresses => {
                self.sources.keys().map(|source| Range::of_source(*source)).collect()
            }
            _ => vec![Range::of_source(source(peer))],
        }
    }
}

/// Remembers a member of a subject, and forgets those that were last seen before the window.
fn remember<K: Eq + std::hash::Hash>(
    members: &mut HashMap<K, i64>,
    member: K,
    slot: i64,
    max: usize,
) {
    members.retain(|_, seen| slot - *seen < SLOTS_I64);
    if members.len() < max || members.contains_key(&member) {
        members.insert(member, slot);
    }
}

/// A place in a ring.
trait Ring {
    fn at(&mut self, slot: i64) -> &mut u64;
}

impl Ring for [u64; SLOTS] {
    fn at(&mut self, slot: i64) -> &mut u64 {
        let at = usize::try_from(slot.rem_euclid(SLOTS_I64)).unwrap_or_default();
        self.get_mut(at).expect("a remainder is below what was divided by")
    }
}

/// What a rule counts a failure for.
fn subject(kind: RuleKind, peer: IpAddr, key: Option<&str>) -> Option<Subject> {
    match kind {
        RuleKind::Network => Some(Subject::Net(network(peer))),
        RuleKind::KeyPrefix => {
            let prefix: String = key?.chars().take_while(|c| *c != '…').collect();
            (!prefix.is_empty()).then_some(Subject::Key(prefix))
        }
        RuleKind::ManyAddresses => {
            let key = key.filter(|key| key.chars().count() > 1)?;
            Some(Subject::Key(key.to_owned()))
        }
        _ => Some(Subject::Net(Range::of_source(source(peer)))),
    }
}

/// The IPv4 /24 or the IPv6 /48 of an address.
fn network(peer: IpAddr) -> Range {
    let prefix = if Range::of_source(bits(peer)).is_v4() { 96 + 24 } else { 48 };
    Range::round(bits(peer), prefix)
}

/// Whether a masked key follows the one before: the same but for its last digits, which count up.
fn is_next(before: &str, key: &str) -> bool {
    let parts = |key: &str| {
        let (head, tail) = key.split_once('…')?;
        Some((head.to_owned(), u32::from_str_radix(tail, 16).ok()?))
    };
    match (parts(before), parts(key)) {
        (Some((a, before)), Some((b, next))) => {
            a == b && (1..=MAX_STEP).contains(&next.wrapping_sub(before))
        }
        _ => false,
    }
}

/// Whether a refusal says something against who was refused: not that they are too fast, late to
/// change a key, or blocked already.
fn is_failure(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::MalformedRequest
            | Reason::UserAgentBlocked
            | Reason::AbusePatternDetected
            | Reason::SqlInjectionAttempt
            | Reason::InvalidApiKey
            | Reason::ApiKeyRevoked
            | Reason::IpNotAllowed
    )
}

fn what(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Guessing => "keys that were counted through",
        RuleKind::ManyKeys => "different keys that failed",
        RuleKind::ManyAddresses => "addresses with a key that failed",
        _ => "failures",
    }
}

/// Parts of a window that are counted apart.
const SLOTS: usize = 8;

const SLOTS_I64: i64 = 8;

/// How far apart keys are that are counted through.
const MAX_STEP: u32 = 16;

/// The most keys or addresses that are known of a subject, and so the most that a rule about many of
/// them can wait for.
pub(super) const MAX_MEMBERS: usize = 1024;

/// The most keys that fail which are known of a subject to be compared with how many are good.
const MAX_COMPARED: usize = 64;

/// The most blocks that wait to be made.
const MAX_DUE: usize = 4096;
