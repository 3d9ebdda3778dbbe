//! Asks the limits of everyone whom a read is charged to, and charges them.
//!
//! A limit is asked once for all that a read brings ([`grant`]). First every bucket says how much
//! it has room for, and the least of these passes; then that is spent from all ([`settle`]). What
//! was refused is spent from none, so a sender that is far over one limit does not use up another.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::allowance::{Allowance, Asked, By};
use super::limits::{Limits, Policy};
use super::rate::{Level, Rate};

/// How a read was charged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// How long not to read again. Zero unless the policy is [`Policy::Pace`].
    pub wait: Duration,
    /// The limit that spoke, if one did.
    pub rule: Option<&'static str>,
    /// Limits in shadow mode that would have spoken, each with how many events would have been
    /// over it.
    pub shadow: [Option<(&'static str, u64)>; PAYERS],
    /// The place of the payer whose debt makes for the wait.
    pub(super) slowest: Option<usize>,
}

/// The rates of one key, project, or of every address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    events: Option<Rate>,
    bytes: Option<Rate>,
    one_in: u32,
    is_shadow: bool,
}

/// What one key, project or address spent.
#[derive(Debug, Default)]
pub(super) struct Levels {
    events: Level,
    bytes: Level,
    /// How many were over, under the policy of sampling.
    over: AtomicU64,
}

/// One of those whom a read is charged to.
#[derive(Clone, Debug)]
pub(super) struct Payer<'a> {
    pub(super) rates: Rates,
    pub(super) levels: &'a Levels,
    pub(super) rules: &'static Rules,
    pub(super) subject: Named<'a>,
}

/// Whom a limit is of, without a copy of the name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    Key(&'a str),
    Project(&'a Arc<str>),
    Address(IpAddr),
}

/// Whom a limit is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A key, by its public id.
    Key(Arc<str>),
    /// A project, by its name.
    Project(Arc<str>),
    /// A source address, or the /64 of an IPv6 one.
    Address(IpAddr),
}

/// All of them.
pub(super) type Payers<'a> = [Option<Payer<'a>>; PAYERS];

/// The names of the limits of one kind of payer.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) events: &'static str,
    pub(super) bytes: &'static str,
    pub(super) queue: &'static str,
    pub(super) connections: &'static str,
}

/// What a read has room for under all limits but those in shadow mode.
pub(super) fn grant(payers: &Payers<'_>, policy: Policy, at: Duration) -> Allowance {
    let mut allowance = Allowance::unlimited(policy);
    for (place, payer) in payers.iter().enumerate() {
        let Some(Payer { rates, levels, rules, .. }) = payer else { continue };
        if rates.is_shadow {
            continue;
        }
        let asked = |rate, level, rule| Asked {
            rate,
            level,
            by: By { payer: place, rule },
            queue_rule: rules.queue,
            one_in: rates.one_in,
            before: levels.over.load(Ordering::Relaxed),
        };
        if let Some(rate) = rates.events {
            allowance.limit_events(asked(rate, &levels.events, rules.events), at);
        }
        if let Some(rate) = rates.bytes {
            allowance.limit_bytes(asked(rate, &levels.bytes, rules.bytes), at);
        }
    }
    allowance
}

/// Charges what passed to all payers.
pub(super) fn settle(payers: &Payers<'_>, allowance: &Allowance, at: Duration) -> Charge {
    let tally = &allowance.tally;
    let (events, bytes) = tally.charged();
    let mut charge = Charge { rule: tally.by.map(|by| by.rule), ..Charge::default() };
    let mut longest = None;
    for (place, (payer, shadow)) in payers.iter().zip(&mut charge.shadow).enumerate() {
        let Some(payer) = payer else { continue };
        if payer.rates.is_shadow {
            *shadow = payer.spend_within(events, bytes, at);
            continue;
        }
        let (wait, rule) = payer.spend(events, bytes, at);
        if wait > charge.wait {
            (charge.wait, charge.slowest, longest) = (wait, Some(place), Some(rule));
        }
    }
    if let (Some(By { payer, .. }), Policy::Sample) = (tally.by, allowance.policy)
        && let Some(Some(payer)) = payers.get(payer)
    {
        payer.levels.over.fetch_add(tally.sampled + tally.shed, Ordering::Relaxed);
    }
    if allowance.policy == Policy::Pace {
        charge.rule = charge.rule.or(longest);
    } else {
        (charge.wait, charge.slowest) = (Duration::ZERO, None);
    }
    charge
}

impl Rates {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = |per_second| Rate::new(per_second, limits);
        Self {
            events: limits.events_per_second.and_then(rate),
            bytes: limits.bytes_per_second.and_then(|size| rate(size.as_u64())),
            one_in: limits.sample_one_in,
            is_shadow: limits.shadow,
        }
    }

    /// Whether they only note what they would do.
    pub(super) fn is_shadow(self) -> bool {
        self.is_shadow
    }

    /// Whether everything passes.
    pub(super) fn is_unlimited(self) -> bool {
        self.events.is_none() && self.bytes.is_none()
    }

    /// Whether nothing is missing, so that forgetting these levels forgives nothing.
    pub(super) fn are_full(self, levels: &Levels, at: Duration) -> bool {
        self.events.is_none_or(|rate| rate.is_full(&levels.events, at))
            && self.bytes.is_none_or(|rate| rate.is_full(&levels.bytes, at))
    }

    /// How long it takes until nothing is missing, in nanoseconds.
    pub(super) fn owed(self, levels: &Levels, at: Duration) -> u64 {
        let events = self.events.map_or(0, |rate| rate.owed(&levels.events, at));
        events.max(self.bytes.map_or(0, |rate| rate.owed(&levels.bytes, at)))
    }
}

/// The name of every limit of messages and connections, so that metrics can start all series.
pub const LIMIT_RULES: [&str; 14] = {
    let (key, project, address) = (Rules::KEY, Rules::PROJECT, Rules::ADDRESS);
    [
        key.events,
        key.bytes,
        key.queue,
        key.connections,
        project.events,
        project.bytes,
        project.queue,
        project.connections,
        address.events,
        address.bytes,
        address.queue,
        address.connections,
        "limit:key:ingest_requests",
        "limit:key:query_requests",
    ]
};

impl Rules {
    pub(super) const KEY: Self = Self {
        events: "limit:key:events",
        bytes: "limit:key:bytes",
        queue: "limit:key:queue",
        connections: "limit:key:connections",
    };
    pub(super) const PROJECT: Self = Self {
        events: "limit:project:events",
        bytes: "limit:project:bytes",
        queue: "limit:project:queue",
        connections: "limit:project:connections",
    };
    pub(super) const ADDRESS: Self = Self {
        events: "limit:address:events",
        bytes: "limit:address:bytes",
        queue: "limit:address:queue",
        connections: "limit:address:connections",
    };
}

impl Payer<'_> {
    /// Spends it all, in debt if need be: how long it takes until that is paid, and by which limit.
    fn spend(&self, events: u64, bytes: u64, at: Duration) -> (Duration, &'static str) {
        let Self { rates, levels, rules, .. } = self;
        let spend = |rate: Option<Rate>, level, amount| match rate {
            Some(rate) if !rate.is_closed() => rate.spend(level, amount, at),
            _ => Duration::ZERO,
        };
        let of_events = spend(rates.events, &levels.events, events);
        let of_bytes = spend(rates.bytes, &levels.bytes, bytes);
        if of_bytes > of_events { (of_bytes, rules.bytes) } else { (of_events, rules.events) }
    }

    /// Spends what there is room for, as if the rest had not passed; how many that is, and by which
    /// limit.
    fn spend_within(&self, events: u64, bytes: u64, at: Duration) -> Option<(&'static str, u64)> {
        let Self { rates, levels, rules, .. } = self;
        let room = |rate: Option<Rate>, level| match rate {
            Some(rate) if rate.is_closed() => 0,
            Some(rate) => rate.available(level, at),
            None => u64::MAX,
        };
        let by_events = room(rates.events, &levels.events).min(events);
        let by_bytes = share(events, room(rates.bytes, &levels.bytes), bytes);
        let within = by_events.min(by_bytes);
        let cost = u128::from(bytes) * u128::from(within) / u128::from(events.max(1));
        let _paid = self.spend(within, u64::try_from(cost).unwrap_or(u64::MAX), at);
        let rule = if by_bytes < by_events { rules.bytes } else { rules.events };
        (within < events).then(|| (rule, events - within))
    }
}

impl Named<'_> {
    /// The name, to be kept.
    pub(super) fn to_subject(self) -> Subject {
        match self {
            Self::Key(id) => Subject::Key(id.into()),
            Self::Project(name) => Subject::Project(Arc::clone(name)),
            Self::Address(address) => Subject::Address(net_of(address)),
        }
    }
}

/// An address as its limits see it: of IPv6 the first half.
fn net_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> HOST_BITS << HOST_BITS))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::Project(name) => write!(f, "project {name}"),
            Self::Address(IpAddr::V6(net)) => write!(f, "address {net}/64"),
            Self::Address(address) => write!(f, "address {address}"),
        }
    }
}

/// How many of the events there is room for, all taken to be of the same size.
fn share(events: u64, room: u64, bytes: u64) -> u64 {
    if room >= bytes {
        return events;
    }
    let share = u128::from(events) * u128::from(room) / u128::from(bytes.max(1));
    u64::try_from(share).unwrap_or(events)
}

/// Bits of an IPv6 address that its network gives out as it likes.
const HOST_BITS: u32 = 64;

/// A key, a project and an address.
const PAYERS: usize = 3;
