//! All senders that are known.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::cadence::millis;
use super::config::Config;
use super::hearing::Hearing;
use super::kept;
use super::notice::{Notice, What};
use super::numbers::Missing;
use super::record::{Moment, Record};
use super::shown::{Shown, State};
use super::traits::Framing;
use crate::db::{Db, Error};
use crate::event::AuthMethod;
use crate::time::{SECOND, Timestamp};

/// The senders of a daemon.
#[derive(Debug)]
pub struct Senders {
    config: Config,
    db: Option<Arc<Db>>,
    table: Mutex<Table>,
    /// Memory for what reads bring.
    spare: Mutex<Vec<Hearing>>,
}

/// Where messages came in.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The project that they go to.
    pub project: &'p Arc<str>,
    /// The public id of the key that they came with.
    pub key: Option<&'p Arc<str>>,
    /// The listener.
    pub listener: &'p Arc<str>,
    /// Its protocol and transport.
    pub protocol: &'p str,
    /// The address that they came from; `None` on this machine.
    pub peer: Option<IpAddr>,
    /// How their sender was identified.
    pub auth: Option<AuthMethod>,
    /// How they are told apart on a stream, where that is known.
    pub framing: Option<Framing>,
    /// Whether something was wrong with that since the last call.
    pub is_misframed: bool,
    /// Whether they were told apart in another way before.
    pub is_mixed: bool,
}

/// How many senders there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that are known.
    pub known: u64,
    /// Those that are overdue.
    pub overdue: u64,
    /// Events since the start whose senders there was no room to know.
    pub untold: u64,
    /// By the public id of a key: how many of its senders are overdue, and when one of them was
    /// heard last.
    pub by_key: HashMap<Arc<str>, (u64, Timestamp)>,
    /// By listener: what was found of the numbers of messages since the start.
    pub missing: HashMap<Arc<str>, Missing>,
}

#[derive(Debug)]
struct Table {
    records: Vec<Option<Box<Record>>>,
    /// Places in `records` where there is nobody.
    free: Vec<usize>,
    /// Places in `records`, by the hash of who is there.
    places: HashTable<usize>,
    /// Nobody who can name hosts knows it.
    seed: u64,
    /// Where room is looked for next.
    hand: usize,
    untold: u64,
    /// What is to be told.
    told: Vec<Notice>,
    /// The time since the start in which nothing could be heard.
    deaf: Duration,
    /// When it was looked after last.
    looked: Duration,
    /// What was found of numbers, by listener.
    missing: HashMap<Arc<str>, Missing>,
    /// Places on disk of those that are forgotten.
    gone: Vec<Vec<u8>>,
}

impl Senders {
    /// Those that `db` knows. `seed` is to be random.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn open(db: Arc<Db>, config: Config, seed: u64) -> Result<Self, Error> {
        let mut table = Table::new(seed);
        for record in kept::read(&db, table.now(Duration::ZERO))? {
            if table.len() < config.max {
                table.add(record);
            }
        }
        Ok(Self { config, db: Some(db), table: Mutex::new(table), spare: Mutex::default() })
    }

    /// None, and none that will ever be known.
    pub fn none() -> Self {
        let config = Config { max: 0, ..Config::default() };
        let table = Mutex::new(Table::new(0));
        Self { config, db: None, table, spare: Mutex::default() }
    }

    /// Memory for what a read brings; `None` where nobody is to be known.
    pub fn listen(&self) -> Option<Hearing> {
        (self.config.max > 0).then(|| self.spare.lock().pop().unwrap_or_default())
    }

    /// Takes the memory back.
    pub fn done(&self, hearing: Option<Hearing>) {
        let Some(mut hearing) = hearing else { return };
        hearing.clear();
        let mut spare = self.spare.lock();
        if spare.len() < MAX_SPARE {
            spare.push(hearing);
        }
    }

    /// Takes in what was heard from one place, at `wall`, `elapsed` after the start.
    pub fn hear(
        &self,
        place: &Place<'_>,
        hearing: &mut Hearing,
        wall: Timestamp,
        elapsed: Duration,
    ) {
        let peer = place.peer.map(|peer| peer.to_canonical().to_string()).unwrap_or_default();
        let mut table = self.table.lock();
        let moment = Moment { wall, at: table.now(elapsed) };
        for heard in hearing.heard() {
            let host = match heard.host.is_empty() {
                true => peer.as_str().into(),
                false => String::from_utf8_lossy(&heard.host),
            };
            let Some(record) = table.place_of(place, &host, moment, &self.config) else {
                table.untold += heard.events;
                continue;
            };
            let told = record.hear(place, heard, moment, &self.config);
            table.tell(told);
        }
        drop(table);
        hearing.clear();
    }

    /// Looks who is overdue, and what is to be told since the last call. Called once a second.
    /// `is_deaf`: nothing can be heard just now, and nobody is to blame for it.
    pub fn look(&self, wall: Timestamp, elapsed: Duration, is_deaf: bool) -> Vec<Notice> {
        {
            let table = &mut *self.table.lock();
            let since = elapsed.saturating_sub(std::mem::replace(&mut table.looked, elapsed));
            if is_deaf {
                table.deaf += since;
            }
        }
        let is_early = elapsed < self.config.startup_grace;
        let (mut late, mut from) = (Vec::new(), 0);
        // In parts, so that nobody who brings messages waits for all of it.
        loop {
            let table = &mut *self.table.lock();
            let at = table.now(elapsed);
            let to = (from + AT_ONCE).min(table.records.len());
            for place in from..to {
                let record = table.records.get_mut(place).and_then(Option::as_deref_mut);
                let Some(record) = record else { continue };
                if let Some(missing) = record.missing(at) {
                    table.missing.entry(Arc::clone(&record.listener)).or_default().add(&missing);
                }
                if record.is_gone(at, &self.config) {
                    table.forget(place, at);
                } else if !is_early
                    && record.overdue_since.is_none()
                    && record.is_late(at, &self.config)
                {
                    late.push(place);
                }
            }
            from = to;
            if from >= table.records.len() {
                break;
            }
        }
        let table = &mut *self.table.lock();
        table.tell_late(&late, wall, elapsed, &self.config);
        std::mem::take(&mut table.told)
    }

    /// Writes what is new of senders: of all of them, or of those of whom it is time to. Returns
    /// how many were written.
    ///
    /// # Errors
    ///
    /// The store failed; what was not written is written later.
    pub fn keep(&self, elapsed: Duration, all: bool) -> Result<usize, Error> {
        let Some(db) = &self.db else { return Ok(0) };
        let (mut from, mut written) = (0, 0);
        loop {
            let (entries, places, is_last) = self.table.lock().unwritten(&mut from, elapsed, all);
            let count = entries.len();
            if let Err(error) = kept::write(db, entries) {
                self.table.lock().not_written(&places, elapsed);
                return Err(error);
            }
            written += count;
            if is_last {
                return Ok(written);
            }
        }
    }

    /// All of those whom `is_wanted` lets pass, by project, key and host.
    pub fn list(&self, elapsed: Duration, mut is_wanted: impl FnMut(&Shown) -> bool) -> Vec<Shown> {
        let (mut shown, mut from) = (Vec::new(), 0);
        loop {
            let table = self.table.lock();
            let at = table.now(elapsed);
            let part = table.records.get(from..).unwrap_or_default();
            let part = part.iter().take(AT_ONCE).flatten();
            shown.extend(
                part.map(|record| Shown::new(record, at, &self.config)).filter(&mut is_wanted),
            );
            from += AT_ONCE;
            if from >= table.records.len() {
                break;
            }
        }
        shown.sort_by(|a, b| (&a.project, &a.key, &a.host).cmp(&(&b.project, &b.key, &b.host)));
        shown
    }

    /// Forgets one, by what it is called in the API.
    pub fn forget(&self, id: &str) {
        let table = &mut *self.table.lock();
        let is = |record: &Option<Box<Record>>| record.as_ref().is_some_and(|r| r.id() == id);
        if let Some(place) = table.records.iter().position(is) {
            table.remove(place);
        }
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        let table = self.table.lock();
        let (untold, missing) = (table.untold, table.missing.clone());
        let mut counts = Counts { untold, missing, ..Counts::default() };
        for record in table.records.iter().flatten() {
            let is_overdue = u64::from(record.state(&self.config) == State::Overdue);
            counts.known += 1;
            counts.overdue += is_overdue;
            if let Some(key) = &record.key {
                let last = Timestamp::from_micros(record.last_seen);
                let of_key = counts.by_key.entry(Arc::clone(key)).or_insert((0, last));
                *of_key = (of_key.0 + is_overdue, of_key.1.max(last));
            }
        }
        counts
    }
}

impl Table {
    fn new(seed: u64) -> Self {
        Self {
            records: Vec::new(),
            free: Vec::new(),
            places: HashTable::new(),
            seed,
            hand: 0,
            untold: 0,
            told: Vec::new(),
            deaf: Duration::ZERO,
            looked: Duration::ZERO,
            missing: HashMap::new(),
            gone: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    /// Milliseconds of listening.
    fn now(&self, elapsed: Duration) -> u64 {
        BEGIN + millis(elapsed.saturating_sub(self.deaf))
    }

    /// The record of a sender; a new one, where there is room. `None` where there is none.
    fn place_of(
        &mut self,
        place: &Place<'_>,
        host: &str,
        moment: Moment,
        config: &Config,
    ) -> Option<&mut Record> {
        let key = place.key.map(|key| &**key);
        let hash = hash(self.seed, place.project, key, host);
        let is = |at: &usize| {
            let record = self.records.get(*at).and_then(Option::as_deref);
            record.is_some_and(|record| {
                *record.host == *host
                    && record.key.as_deref() == key
                    && record.project == *place.project
            })
        };
        let found = self.places.find(hash, is).copied();
        let at = match found {
            Some(at) => at,
            None => {
                if self.len() >= config.max && !self.make_room(config) {
                    return None;
                }
                self.add(Record::new(place, host, moment))
            }
        };
        self.records.get_mut(at)?.as_deref_mut()
    }

    fn add(&mut self, record: Record) -> usize {
        let hash = record.hash(self.seed);
        let record = Some(Box::new(record));
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(slot) = self.records.get_mut(at) {
                    *slot = record;
                }
                at
            }
            None => {
                self.records.push(record);
                self.records.len() - 1
            }
        };
        let (records, seed) = (&self.records, self.seed);
        let hash_of = |at: &usize| {
            let record = records.get(*at).and_then(Option::as_deref);
            record.map_or(0, |record| record.hash(seed))
        };
        self.places.insert_unique(hash, at, hash_of);
        at
    }

    fn remove(&mut self, at: usize) -> Option<Box<Record>> {
        let record = self.records.get_mut(at)?.take()?;
        let hash = record.hash(self.seed);
        if let Ok(entry) = self.places.find_entry(hash, |found| *found == at) {
            let _removed = entry.remove();
        }
        self.free.push(at);
        if record.is_written {
            self.gone.push(record.place());
        }
        Some(record)
    }

    /// Forgets one who was quiet for too long.
    fn forget(&mut self, at: usize, now: u64) {
        let record = self.remove(at);
        let told = record.filter(|record| record.overdue_since.is_some());
        self.tell(told.map(|record| record.notice(What::Forgotten, record.quiet(now))));
    }

    /// Puts out one who was heard too little to be missed, if there is one among the next few.
    fn make_room(&mut self, config: &Config) -> bool {
        for _ in 0..MAX_TRIED {
            self.hand = (self.hand + 1) % self.records.len().max(1);
            let record = self.records.get(self.hand).and_then(Option::as_deref);
            if record.is_some_and(|record| record.is_passing(config)) {
                return self.remove(self.hand).is_some();
            }
        }
        false
    }

    fn tell(&mut self, notice: Option<Notice>) {
        if self.told.len() < MAX_TOLD {
            self.told.extend(notice);
        }
    }

    /// Tells who of these is overdue, unless it came back since, or sends with another key by now.
    fn tell_late(&mut self, late: &[usize], wall: Timestamp, elapsed: Duration, config: &Config) {
        let at = self.now(elapsed);
        let successors = if late.is_empty() { HashMap::new() } else { self.youngest() };
        for place in late {
            let Some(record) = self.records.get(*place).and_then(Option::as_deref) else {
                continue;
            };
            if !record.is_late(at, config) || record.overdue_since.is_some() {
                continue;
            }
            let begun = successors.get(&(Arc::clone(&record.project), Arc::clone(&record.host)));
            let is_later = |begun: &i64| *begun > record.first_seen.max(record.last_seen - OVERLAP);
            if begun.is_some_and(is_later) {
                self.remove(*place);
                continue;
            }
            let notice = record.notice(What::Overdue, record.quiet(at));
            if let Some(record) = self.records.get_mut(*place).and_then(Option::as_deref_mut) {
                record.overdue_since = Some(wall.as_micros());
                record.changed_at.get_or_insert(at);
                record.is_news = true;
            }
            self.tell(Some(notice));
        }
    }

    /// When the youngest sender of each host began, of hosts with several keys.
    fn youngest(&self) -> HashMap<(Arc<str>, Arc<str>), i64> {
        let mut first = HashMap::new();
        for record in self.records.iter().flatten() {
            let host = (Arc::clone(&record.project), Arc::clone(&record.host));
            let begun = first.entry(host).or_insert(record.first_seen);
            *begun = record.first_seen.max(*begun);
        }
        first
    }

    /// What is to be written from `from` on, and of whom; whether that is the end of it.
    #[expect(clippy::type_complexity, reason = "taken apart by the one caller")]
    fn unwritten(
        &mut self,
        from: &mut usize,
        elapsed: Duration,
        all: bool,
    ) -> (Vec<(Vec<u8>, Option<Vec<u8>>)>, Vec<usize>, bool) {
        let at = self.now(elapsed);
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        let gone = std::mem::take(&mut self.gone);
        entries.extend(gone.into_iter().map(|place| (place, None)));
        let part = self.records.iter_mut().enumerate().skip(*from).take(AT_ONCE);
        for (place, record) in part {
            let Some(record) = record else { continue };
            let is_due = |since: u64| all || record.is_news || at >= since + kept::PATIENCE;
            if record.changed_at.is_some_and(is_due) {
                (record.changed_at, record.is_news) = (None, false);
                entries.push((record.place(), Some(kept::encoded(record, at))));
                places.push(place);
            }
        }
        *from += AT_ONCE;
        (entries, places, *from >= self.records.len())
    }

    /// Lets those be written again of whom it failed.
    fn not_written(&mut self, places: &[usize], elapsed: Duration) {
        let at = self.now(elapsed);
        for place in places {
            if let Some(record) = self.records.get_mut(*place).and_then(Option::as_deref_mut) {
                record.changed_at.get_or_insert(at);
            }
        }
    }
}

impl Record {
    fn hash(&self, seed: u64) -> u64 {
        hash(seed, &self.project, self.key.as_deref(), &self.host)
    }
}

/// What a sender is found by.
fn hash(seed: u64, project: &str, key: Option<&str>, host: &str) -> u64 {
    let seed = xxh3_64_with_seed(project.as_bytes(), seed);
    let seed = key.map_or(seed, |key| xxh3_64_with_seed(key.as_bytes(), seed));
    xxh3_64_with_seed(host.as_bytes(), seed)
}

/// Listening began so many milliseconds before the start of the daemon: longer ago than anybody can
/// have been quiet.
const BEGIN: u64 = 1 << 42;

/// Senders that are looked at while nobody can be heard.
const AT_ONCE: usize = 1024;

/// Senders that are asked to make room for a new one.
const MAX_TRIED: usize = 16;

/// Notices that wait to be told.
const MAX_TOLD: usize = 4096;

/// Memory for reads that is kept.
const MAX_SPARE: usize = 64;

/// How long one host may send with an old and a new key, in microseconds: an hour.
const OVERLAP: i64 = 3600 * SECOND;
