//! What is known of one sender.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
use super::config::Config;
use super::hearing::Heard;
use super::notice::{Notice, What};
use super::numbers::{Missing, Numbers};
use super::table::Place;
use super::traits::Traits;
use crate::time::Timestamp;

/// A sender: a host, by the name in its messages, of a key or of a project without one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) project: Arc<str>,
    pub(super) key: Option<Arc<str>>,
    pub(super) host: Arc<str>,
    /// Where it came in last, and how.
    pub(super) listener: Arc<str>,
    pub(super) protocol: Arc<str>,
    /// From where; `None` on this machine.
    pub(super) peer: Option<IpAddr>,
    /// By the day's clock, for people: in microseconds since the epoch.
    pub(super) first_seen: i64,
    pub(super) last_seen: i64,
    pub(super) events: u64,
    #[serde(default)]
    pub(super) cadence: Cadence,
    /// Where it numbers its messages.
    #[serde(default)]
    pub(super) numbers: Option<Box<Numbers>>,
    #[serde(default)]
    pub(super) traits: Traits,
    /// Since when it is overdue, by the day's clock.
    pub(super) overdue_since: Option<i64>,
    /// For how long it was quiet when this was written, in milliseconds of listening.
    pub(super) quiet: u64,
    /// When it was heard last, in milliseconds of listening.
    #[serde(skip)]
    pub(super) heard_at: u64,
    /// When that counted last: at most once a second.
    #[serde(skip)]
    pub(super) counted_at: u64,
    /// Since when there is something to be written of it.
    #[serde(skip)]
    pub(super) changed_at: Option<u64>,
    /// Whether that is to be written soon.
    #[serde(skip)]
    pub(super) is_news: bool,
    /// Whether anything was written of it.
    #[serde(skip)]
    pub(super) is_written: bool,
}

/// When something was heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// By the day's clock.
    pub(super) wall: Timestamp,
    /// In milliseconds of listening.
    pub(super) at: u64,
}

impl Record {
    /// One that was never heard of before.
    pub(super) fn new(place: &Place<'_>, host: &str, moment: Moment) -> Self {
        let wall = moment.wall.as_micros();
        Self {
            project: Arc::clone(place.project),
            key: place.key.cloned(),
            host: host.into(),
            listener: Arc::clone(place.listener),
            protocol: place.protocol.into(),
            peer: place.peer,
            first_seen: wall,
            last_seen: wall,
            events: 0,
            cadence: Cadence::default(),
            numbers: None,
            traits: Traits::default(),
            overdue_since: None,
            quiet: 0,
            heard_at: moment.at,
            counted_at: 0,
            changed_at: None,
            is_news: false,
            is_written: false,
        }
    }

    /// Takes in what was heard. What is to be told, if it was overdue.
    pub(super) fn hear(
        &mut self,
        place: &Place<'_>,
        heard: &Heard,
        moment: Moment,
        config: &Config,
    ) -> Option<Notice> {
        let gap = moment.at.saturating_sub(self.heard_at);
        let is_apart = moment.at.saturating_sub(self.counted_at) >= APART;
        let told = self.overdue_since.take().map(|_| self.notice(What::Heard, gap));
        self.cadence.hear(gap, is_apart, config);
        if is_apart {
            self.counted_at = moment.at;
        }
        self.heard_at = self.heard_at.max(moment.at);
        self.last_seen = moment.wall.as_micros();
        self.events += heard.events;
        if !Arc::ptr_eq(&self.listener, place.listener) {
            self.listener = Arc::clone(place.listener);
        }
        if *self.protocol != *place.protocol {
            self.protocol = place.protocol.into();
        }
        self.peer = place.peer;
        self.traits.look(place, heard);
        for (kind, number) in &heard.numbers {
            self.numbers.get_or_insert_default().take(*kind, *number, moment.at);
        }
        self.changed_at.get_or_insert(moment.at);
        self.is_news |= told.is_some();
        told
    }

    /// What is missing of its numbers, and was not told yet.
    pub(super) fn missing(&mut self, at: u64) -> Option<Missing> {
        let numbers = self.numbers.as_deref_mut()?;
        numbers.settle(at);
        Some(numbers.fresh())
    }

    /// For how long it is quiet, in milliseconds.
    pub(super) fn quiet(&self, at: u64) -> u64 {
        at.saturating_sub(self.heard_at)
    }

    /// Whether it is quiet for longer than it may be.
    pub(super) fn is_late(&self, at: u64, config: &Config) -> bool {
        self.cadence.patience(config).is_some_and(|patience| self.quiet(at) > patience)
    }

    /// Whether it is no longer waited for.
    pub(super) fn is_gone(&self, at: u64, config: &Config) -> bool {
        let after = match self.cadence.is_learned(config) || self.is_old() {
            true => super::cadence::millis(config.forget_after),
            false => super::cadence::millis(config.forget_after).min(PASSING),
        };
        self.quiet(at) > after
    }

    /// Whether it may make room for another: it was heard too little to be missed.
    pub(super) fn is_passing(&self, config: &Config) -> bool {
        !self.cadence.is_learned(config) && !self.is_old()
    }

    /// What is to be told of it.
    pub(super) fn notice(&self, what: What, quiet: u64) -> Notice {
        Notice {
            what,
            id: self.id(),
            project: Arc::clone(&self.project),
            key: self.key.clone(),
            host: Arc::clone(&self.host),
            listener: Arc::clone(&self.listener),
            last_seen: Timestamp::from_micros(self.last_seen),
            quiet: Duration::from_millis(quiet),
            usual: self.cadence.usual(),
        }
    }

    /// What it is called in the API: the same for the same sender, always.
    pub(super) fn id(&self) -> String {
        let hash = blake3::hash(&self.place());
        hash.to_hex().chars().take(ID_LEN).collect()
    }

    /// What tells it from all others, to the byte.
    pub(super) fn place(&self) -> Vec<u8> {
        let key = self.key.as_deref().unwrap_or_default();
        [self.project.as_bytes(), key.as_bytes(), self.host.as_bytes()].join(&0)
    }

    /// Whether it came on more than one day: what is sent once a day is not forgotten meanwhile.
    fn is_old(&self) -> bool {
        self.last_seen.abs_diff(self.first_seen) >= crate::time::DAY.unsigned_abs() / 2
    }
}

/// Milliseconds between times that count.
const APART: u64 = 1000;

/// How long one that was heard too little to be missed is kept, in milliseconds: long enough for
/// what is sent once a day.
const PASSING: u64 = 2 * 86_400_000;

/// Digits of an id.
const ID_LEN: usize = 16;
