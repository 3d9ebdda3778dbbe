//! Equal notes become one with a count.

use std::collections::{BTreeMap, HashMap, hash_map};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::access::{Access, Status};
use super::advisory::Advisory;
use super::entry::{Blocked, Call, Failed, number, put};
use super::person::{Activity, Actor, Visit};
use super::settings::Settings;
use super::single::Singles;
use super::told::Told;
use super::which::Which;
use crate::db::{self, Db};
use crate::event::Event;
use crate::time::Timestamp;

/// Takes notes.
#[derive(Debug, Default)]
pub struct Journal {
    open: Mutex<Open>,
    singles: Mutex<Singles>,
    told: Mutex<Told>,
    settings: ArcSwap<Settings>,
    /// Where the settings are kept; nowhere in tests.
    db: Option<Arc<Db>>,
}

/// The notes of a second.
#[derive(Debug, Default)]
struct Open {
    entries: HashMap<Fold, Entry>,
    /// How many of them each journal has: a flood in one is not to cost another its details.
    counts: BTreeMap<Which, usize>,
    /// How many entries of strangers each journal has had, but for those that time forgave.
    strangers: BTreeMap<Which, usize>,
}

/// One entry of a journal, as it is to be stored.
#[derive(Debug)]
pub struct Note {
    /// Whose entry.
    pub journal: Which,
    /// Its fields.
    pub event: Event<'static>,
    /// How many it stands for.
    pub count: u64,
}

/// What equal notes have in common: reason, rule, source and key (SPEC §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fold {
    pub(super) journal: Which,
    pub(super) code: &'static str,
    /// Of a call that was done: how it ended.
    pub(super) status: Status,
    /// Of a refusal: whether it is one that would have been.
    pub(super) dry_run: bool,
    /// Of an advisory: its subject.
    pub(super) rule: String,
    pub(super) peer: Option<IpAddr>,
    pub(super) key: Option<String>,
    pub(super) target: String,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) what: What,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

#[derive(Debug)]
pub(super) enum What {
    Access(Access, Option<f64>),
    Advisory(Advisory),
    Blocked(Blocked),
    Failed(Failed),
    Activity(Activity),
    Visit(Visit),
}

impl Journal {
    /// A journal with the settings that are kept in `db`.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn open(db: Arc<Db>) -> Result<Self, db::Error> {
        let settings = Settings::read(&db)?.unwrap_or_default();
        Ok(Self { settings: ArcSwap::from_pointee(settings), db: Some(db), ..Self::default() })
    }

    /// What is noted.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Changes what is noted; that is on disk when this returns. What was noted before and is not
    /// stored yet is kept or not by the new settings.
    ///
    /// # Errors
    ///
    /// It could not be kept; nothing is changed then.
    pub fn set(&self, settings: Settings) -> Result<(), db::Error> {
        if let Some(db) = &self.db {
            settings.write(db)?;
        }
        self.settings.store(Arc::new(settings));
        Ok(())
    }

    /// Whether the bodies of calls with the key of that public id are kept.
    pub fn keeps_bodies_of(&self, key: &str, now: Timestamp) -> bool {
        self.settings.load().keeps_bodies_of(key, now)
    }

    /// Whether entries of a journal are kept.
    pub fn keeps(&self, journal: Which) -> bool {
        self.settings.load().keeps(journal)
    }

    /// Notes that a call was done, or what a connection brought: most often as an entry of its own,
    /// but folded where there are very many. Says whether it was noted, and not left out by the
    /// switch or the sampling.
    pub fn accessed(&self, now: Timestamp, access: Access) -> bool {
        let settings = self.settings.load();
        if !settings.log_api_calls {
            return false;
        }
        let rate = settings.sample_rate;
        let mut singles = self.singles.lock();
        // Whose bodies are asked for is looked at closely: nothing is left out.
        if access.body.is_none() && !singles.draws(rate) {
            return false;
        }
        let rate = (rate < 1.0 && access.body.is_none()).then_some(rate);
        // Of a stranger is only what anyone may ask: how it is. Those are folded.
        let is_strangers = access.call.key.is_none() && access.call.project.is_none();
        let is_here = access.call.peer.is_some_and(|peer| peer.to_canonical().is_loopback());
        let access = match is_strangers && !is_here {
            true => access,
            false => match singles.add(now, access, rate) {
                Some(access) => access,
                None => return true,
            },
        };
        drop(singles);
        let fold = Fold {
            journal: Which::Access,
            code: "",
            status: access.status,
            dry_run: false,
            rule: String::new(),
            peer: access.call.peer,
            key: access.call.who(),
            target: access.call.target.clone(),
        };
        self.note(fold, 1, now, What::Access(access, rate));
        true
    }

    /// Notes what someone should look at.
    pub fn advise(&self, now: Timestamp, advisory: Advisory) {
        let fold = Fold {
            journal: Which::Advisory,
            code: advisory.kind,
            status: Status::Closed,
            dry_run: false,
            rule: advisory.subject.clone(),
            peer: None,
            key: None,
            target: String::new(),
        };
        self.note(fold, 1, now, What::Advisory(advisory));
    }

    /// As [`advise`](Self::advise), unless the same kind was told of the same subject within
    /// `every`. Says whether it was noted.
    pub fn advise_once(&self, now: Timestamp, every: Duration, advisory: Advisory) -> bool {
        let is_new = self.told.lock().tell(advisory.kind, &advisory.subject, now, every);
        if is_new {
            self.advise(now, advisory);
        }
        is_new
    }

    /// Notes that the gate turned something away, `count` times.
    pub fn blocked(&self, count: u64, now: Timestamp, entry: Blocked) {
        let fold = Fold {
            journal: Which::Blocked,
            code: entry.reason,
            status: Status::Closed,
            dry_run: entry.dry_run,
            rule: entry.rule.clone(),
            peer: entry.call.peer,
            key: entry.call.who(),
            target: entry.call.target.clone(),
        };
        self.note(fold, count, now, What::Blocked(entry));
    }

    /// Notes that something failed, `count` times.
    pub fn failed(&self, count: u64, now: Timestamp, entry: Failed) {
        let fold = Fold {
            journal: Which::Failed,
            code: entry.code,
            status: Status::Closed,
            dry_run: false,
            rule: String::new(),
            peer: entry.call.peer,
            key: entry.call.who(),
            target: entry.call.target.clone(),
        };
        self.note(fold, count, now, What::Failed(entry));
    }

    /// The notes since the last call, as events, the earliest first. `score` gives the threat score
    /// of what was blocked so many times; it is asked even where that is not kept.
    pub fn drain(&self, mut score: impl FnMut(&Blocked, u64) -> u8) -> Vec<Note> {
        let singles = self.singles.lock().take();
        let entries = self.open.lock().take();
        let single = |entry| (Which::Access, entry);
        let mut entries: Vec<_> = singles
            .into_iter()
            .map(single)
            .chain(entries.into_iter().map(|(fold, entry)| (fold.journal, entry)))
            .collect();
        entries.sort_by_key(|(_, entry)| entry.first);
        let settings = self.settings.load();
        let note = |(journal, mut entry): (Which, Entry)| {
            if let What::Blocked(blocked) = &mut entry.what {
                blocked.threat_score = score(blocked, entry.count);
            }
            settings.keeps(journal).then(|| entry.note(journal))
        };
        entries.into_iter().filter_map(note).collect()
    }

    pub(super) fn note(&self, mut fold: Fold, count: u64, now: Timestamp, mut what: What) {
        let Open { entries, counts, strangers } = &mut *self.open.lock();
        let count_of = counts.entry(fold.journal).or_default();
        // Who has a key is known, and so few. Strangers are as many, and ask for as many things, as
        // they like: for hours that would fill the disk.
        let strangers = what.is_of_a_stranger().then(|| strangers.entry(fold.journal).or_default());
        if strangers.as_ref().is_some_and(|had| **had >= STRANGERS) && !entries.contains_key(&fold)
        {
            (fold.peer, fold.key) = (None, None);
            what.forget_source();
            // A path; the names of listeners are few.
            if fold.target.starts_with('/') {
                fold.target = String::new();
                what.call().into_iter().for_each(|call| call.target = String::new());
            }
        }
        if *count_of >= MAX_OPEN && !entries.contains_key(&fold) {
            (fold.peer, fold.key) = (None, None);
            what.forget_source();
        }
        if *count_of >= 2 * MAX_OPEN && !entries.contains_key(&fold) {
            fold.rule = String::new();
            fold.target = String::new();
        }
        match entries.entry(fold) {
            hash_map::Entry::Occupied(mut known) => known.get_mut().add(count, now, &what),
            hash_map::Entry::Vacant(vacant) => {
                *count_of += 1;
                strangers.into_iter().for_each(|had| *had += 1);
                vacant.insert(Entry { what, count, first: now, last: now });
            }
        }
    }
}

impl Open {
    /// Takes the entries of a second.
    fn take(&mut self) -> HashMap<Fold, Entry> {
        self.counts.clear();
        for had in self.strangers.values_mut() {
            *had = had.saturating_sub(STRANGERS_A_SECOND);
        }
        std::mem::take(&mut self.entries)
    }
}

impl Entry {
    fn add(&mut self, count: u64, now: Timestamp, what: &What) {
        self.count += count;
        self.last = now;
        if let (What::Access(all, _), What::Access(one, _)) = (&mut self.what, what) {
            all.add(one);
        }
    }

    fn note(self, journal: Which) -> Note {
        let is_failed = matches!(self.what, What::Failed(_));
        let mut event = match self.what {
            What::Access(entry, rate) => entry.into_event(rate),
            What::Advisory(entry) => entry.into_event(),
            What::Blocked(entry) => entry.into_event(),
            What::Failed(entry) => entry.into_event(),
            What::Activity(entry) => entry.into_event(),
            What::Visit(entry) => entry.into_event(),
        };
        event.timestamp = Some(self.first);
        number(&mut event, "count", Some(self.count));
        if is_failed {
            // The same call from the same source, again within the second.
            number(&mut event, "retry_count", Some(self.count.saturating_sub(1)));
        }
        put(&mut event, "last_seen", Some(self.last.to_string()));
        Note { journal, event, count: self.count }
    }
}

impl What {
    fn call(&mut self) -> Option<&mut Call> {
        match self {
            Self::Access(access, _) => Some(&mut access.call),
            Self::Blocked(blocked) => Some(&mut blocked.call),
            Self::Failed(failed) => Some(&mut failed.call),
            Self::Advisory(_) | Self::Activity(_) | Self::Visit(_) => None,
        }
    }

    /// Whether nobody knows whose it is.
    fn is_of_a_stranger(&mut self) -> bool {
        if let Self::Visit(visit) = self {
            return visit.actor.session.is_none(); // anyone may try to sign in, as anyone
        }
        self.call().is_some_and(|call| call.project.is_none())
    }

    fn forget_source(&mut self) {
        if let Self::Visit(Visit { actor, .. }) | Self::Activity(Activity { actor, .. }) = self {
            *actor = Actor::default();
        }
        let Some(call) = self.call() else { return };
        *call = Call {
            target: std::mem::take(&mut call.target),
            method: std::mem::take(&mut call.method),
            ..Call::default()
        };
    }
}

/// Different notes of a journal that are held apart in a second; past it they are told apart by less.
const MAX_OPEN: usize = 2048;

/// Entries of strangers that a journal may have at once: a minute of as many as a second may have.
const STRANGERS: usize = 60 * MAX_OPEN;

/// Entries of strangers that it may have every second. Past both they are told apart by little: for
/// a day that is a gigabyte or two, where each is as long as it can be.
const STRANGERS_A_SECOND: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Name, Value};

    fn blocked(peer: &str) -> Blocked {
        Blocked {
            call: Call {
                target: "syslog-tcp".into(),
                peer: Some(peer.parse().unwrap()),
                ..Call::default()
            },
            reason: "INVALID_API_KEY",
            rule: "key:unknown".into(),
            country: "unknown".into(),
            fingerprint: String::new(),
            threat_score: 30,
            dry_run: false,
        }
    }

    fn field(note: &Note, name: &str) -> Option<String> {
        let found = note.event.fields.iter().find(|field| match &field.name {
            Name::Known(known) => known.as_str() == name,
            Name::Other(other) => other == name,
        });
        found.map(|field| match &field.value {
            Value::Text(text) | Value::Number(text) => text.to_string(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn equal_notes_are_one_with_a_count() {
        let journal = Journal::default();
        for second in 0..5 {
            journal.blocked(3, Timestamp::from_micros(second), blocked("192.0.2.1"));
        }
        journal.blocked(1, Timestamp::from_micros(9), blocked("192.0.2.2"));
        let notes = journal.drain(|_, count| u8::try_from(count).unwrap_or(100));
        let seen: Vec<_> =
            notes.iter().map(|n| (field(n, "count"), field(n, "source.ip"))).collect();
        let want = |count: &str, peer: &str| (Some(count.to_owned()), Some(peer.to_owned()));
        assert!(notes.iter().all(|n| field(n, "count") == field(n, "threat_score")));
        assert_eq!(seen, [want("15", "192.0.2.1"), want("1", "192.0.2.2")]);
        assert!(journal.drain(|_, _| 0).is_empty());
    }

    #[test]
    fn a_flood_of_sources_is_bounded_and_counted_exactly() {
        let journal = Journal::default();
        for n in 0..100_000_u32 {
            let peer = std::net::Ipv4Addr::from(n).to_string();
            journal.blocked(2, Timestamp::from_micros(0), blocked(&peer));
        }
        let notes = journal.drain(|_, count| u8::try_from(count).unwrap_or(100));
        assert!(notes.len() <= 2 * MAX_OPEN + 1);
        assert_eq!(notes.iter().map(|note| note.count).sum::<u64>(), 200_000);
    }

    #[test]
    fn strangers_fill_no_disk_in_a_day() {
        let journal = Journal::default();
        let (mut kept, mut count) = (0, 0);
        for second in 0..600_u32 {
            for n in 0..500 {
                let peer = std::net::Ipv4Addr::from(second * 500 + n).to_string();
                let target = format!("/{second}/{n}");
                let call = Call { target, ..blocked(&peer).call };
                journal.blocked(1, Timestamp::default(), Blocked { call, ..blocked(&peer) });
            }
            let notes = journal.drain(|_, _| 0);
            kept += notes.len();
            count += notes.iter().map(|note| note.count).sum::<u64>();
        }
        assert_eq!(count, 300_000);
        assert!(kept <= STRANGERS + 600 * (STRANGERS_A_SECOND + 1), "{kept}");
        // One who is known is told of as ever.
        let call = Call { project: Some("shop".into()), ..blocked("192.0.2.1").call };
        journal.blocked(1, Timestamp::default(), Blocked { call, ..blocked("192.0.2.1") });
        let notes = journal.drain(|_, _| 0);
        assert_eq!(field(&notes[0], "source.ip").as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_flood_in_one_journal_costs_no_other_its_details() {
        let journal = Journal::default();
        for n in 0..10_000_u32 {
            let peer = std::net::Ipv4Addr::from(n).to_string();
            journal.blocked(1, Timestamp::from_micros(0), blocked(&peer));
        }
        let now = Timestamp::from_micros(1);
        let call = Call { peer: Some("192.0.2.1".parse().unwrap()), ..Call::default() };
        journal.failed(1, now, Failed { call, code: "invalid_body", ..Failed::default() });
        for subject in ["one", "two"] {
            let subject = subject.to_owned();
            journal.advise(now, Advisory { kind: "x", subject, ..Advisory::default() });
        }
        let notes = journal.drain(|_, _| 0);
        let of = |journal, name| {
            let own = notes.iter().filter(|note| note.journal == journal);
            let mut found: Vec<_> = own.filter_map(|note| field(note, name)).collect();
            found.sort_unstable(); // those of the same time are in no order
            found
        };
        assert_eq!(of(Which::Failed, "source.ip"), ["192.0.2.1"]);
        assert_eq!(of(Which::Advisory, "subject"), ["one", "two"]);
    }
}
