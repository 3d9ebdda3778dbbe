//! What each key was used for, by hour.
//!
//! It is added up in memory, under a lock of its own for each key, once for the messages of a read.
//! Before a commit the sums of those keys that were used since the last are put beside it
//! ([`Db::ride`]): what is durable was counted, and after a crash no key has less on its account than
//! was stored for it; a batch that was under way may be counted and not stored. It holds keys that
//! there are, and nothing that a sender can choose.
//!
//! | key                      | value                                       |
//! |--------------------------|---------------------------------------------|
//! | `used/<id>`              | all of it, with its first and its last time |
//! | `usage/<id>/<hour>`      | that of an hour: eight hex digits           |

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use super::error::GateError;
use super::reason::Reason;
use super::rfc3339;
use crate::db::{Db, Family, Write};
use crate::time::{SECOND, Timestamp};

/// What a key was used for in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Events that were accepted.
    pub events: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Calls over HTTP that were let in.
    pub requests: u64,
    /// Events and calls that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// That of one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HourOfUse {
    /// When it begins.
    #[serde(with = "rfc3339")]
    pub hour: Timestamp,
    /// What was used.
    #[serde(flatten)]
    pub spent: Spent,
}

/// What a key was used for since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Used {
    /// When it was first let in.
    #[serde(with = "rfc3339::option")]
    pub first_used: Option<Timestamp>,
    /// When it was let in last.
    #[serde(with = "rfc3339::option")]
    pub last_used: Option<Timestamp>,
    /// All that was used.
    #[serde(flatten)]
    pub spent: Spent,
}

/// The usage of all keys.
#[derive(Debug, Default)]
pub(super) struct Usage {
    keys: RwLock<HashMap<Arc<str>, Arc<Account>>>,
    /// Those that were used since they were written last, each once.
    dirty: Mutex<Vec<Arc<Account>>>,
    /// The day on which hours that are too old were forgotten last.
    forgotten: Mutex<Option<i64>>,
}

/// The usage of one key.
#[derive(Debug)]
pub(super) struct Account {
    id: Arc<str>,
    /// Whether it is among the dirty ones.
    is_dirty: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was written, since the key was made.
    used: Used,
    /// The same of the hours that were written last.
    hours: BTreeMap<i64, Spent>,
    /// What is not written yet.
    fresh: Fresh,
}

/// What was used and is not written yet.
#[derive(Debug, Default)]
struct Fresh {
    first_used: Option<Timestamp>,
    last_used: Option<Timestamp>,
    hours: BTreeMap<i64, Spent>,
}

impl Usage {
    /// That of the keys in `db`.
    pub(super) fn open(db: &Db) -> Result<Self, GateError> {
        let mut keys = HashMap::new();
        for (key, value) in db.meta_scan(USED)? {
            let id = String::from_utf8_lossy(key.get(USED.len()..).unwrap_or_default());
            let id: Arc<str> = id.into();
            // What cannot be read is no reason to stay closed: it is counted from here on.
            let used = serde_json::from_slice(&value).unwrap_or_default();
            keys.insert(Arc::clone(&id), Arc::new(Account::new(id, used)));
        }
        Ok(Self { keys: RwLock::new(keys), ..Self::default() })
    }

    /// The account of a key. Looked up once for each key that is known.
    pub(super) fn account(&self, id: &str) -> Arc<Account> {
        if let Some(known) = self.keys.read().get(id) {
            return Arc::clone(known);
        }
        let id: Arc<str> = id.into();
        let new = || Arc::new(Account::new(Arc::clone(&id), Used::default()));
        Arc::clone(self.keys.write().entry(Arc::clone(&id)).or_insert_with(new))
    }

    /// Adds what a key was let in for.
    pub(super) fn add(
        &self,
        account: &Arc<Account>,
        events: u64,
        bytes: u64,
        requests: u64,
        at: Timestamp,
    ) {
        self.with(account, |fresh| {
            fresh.first_used.get_or_insert(at);
            fresh.last_used = fresh.last_used.max(Some(at));
            let spent = fresh.hours.entry(hour_of(at)).or_default();
            spent.events += events;
            spent.bytes += bytes;
            spent.requests += requests;
        });
    }

    /// Adds what was refused to a key.
    pub(super) fn refuse(&self, account: &Arc<Account>, reason: Reason, count: u64, at: Timestamp) {
        self.with(account, |fresh| {
            let spent = fresh.hours.entry(hour_of(at)).or_default();
            match spent.refused.get_mut(reason.as_str()) {
                Some(sum) => *sum += count,
                None => drop(spent.refused.insert(reason.as_str().to_owned(), count)),
            }
        });
    }

    /// Puts what is not written yet beside the next commit, whatever that is.
    pub(super) fn ride(&self, db: &Db) -> Result<(), GateError> {
        let mut dirty = std::mem::take(&mut *self.dirty.lock());
        while let Some(account) = dirty.pop() {
            // What comes from here on makes it dirty again.
            account.is_dirty.store(false, Ordering::Release);
            if let Err(error) = account.ride(db) {
                account.is_dirty.store(true, Ordering::Release);
                dirty.push(account);
                self.dirty.lock().append(&mut dirty);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Forgets hours that are older than [`KEPT`], once a day.
    pub(super) fn forget(&self, db: &Db, now: Timestamp) -> Result<(), GateError> {
        let mut forgotten = self.forgotten.lock();
        if *forgotten == Some(day_of(now)) {
            return Ok(());
        }
        let oldest = hour_of(now) - KEPT;
        let mut write = Write::default();
        for (key, _) in db.meta_scan(HOURS)? {
            if hour_in(&key).is_some_and(|hour| hour < oldest) {
                write.delete(Family::Meta, key);
            }
        }
        if !write.is_empty() {
            db.commit(&write)?;
        }
        for account in self.keys.read().values() {
            account.state.lock().hours.retain(|hour, _| *hour >= oldest);
        }
        *forgotten = Some(day_of(now));
        Ok(())
    }

    /// What a key was used for since it was made.
    pub(super) fn used(&self, id: &str) -> Used {
        let Some(account) = self.keys.read().get(id).cloned() else { return Used::default() };
        let state = account.state.lock();
        let mut used = state.used.clone();
        used.add(&state.fresh);
        used
    }

    /// What it was used for in each hour that holds a moment of this time; hours without any use are
    /// not among them.
    pub(super) fn hours(
        &self,
        db: &Db,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HourOfUse>, GateError> {
        let wanted = hour_of(from)..=hour_of(to);
        let account = self.keys.read().get(id).cloned();
        let state = account.as_ref().map(|account| account.state.lock());
        let mut hours = BTreeMap::new();
        for (key, value) in db.meta_scan(&prefix(id))? {
            if let Some(hour) = hour_in(&key).filter(|hour| wanted.contains(hour)) {
                hours.insert(hour, read(Some(value)));
            }
        }
        for state in state.iter() {
            // What waits for a commit is newer than what was read.
            let waiting = state.hours.iter().filter(|(hour, _)| wanted.contains(hour));
            hours.extend(waiting.map(|(hour, spent)| (*hour, spent.clone())));
            for (hour, spent) in &state.fresh.hours {
                if wanted.contains(hour) {
                    hours.entry(*hour).or_default().add(spent);
                }
            }
        }
        let shown = |(hour, spent)| HourOfUse { hour: Timestamp::from_micros(hour * HOUR), spent };
        Ok(hours.into_iter().map(shown).collect())
    }

    fn with(&self, account: &Arc<Account>, change: impl FnOnce(&mut Fresh)) {
        change(&mut account.state.lock().fresh);
        if !account.is_dirty.swap(true, Ordering::AcqRel) {
            self.dirty.lock().push(Arc::clone(account));
        }
    }
}

impl Account {
    fn new(id: Arc<str>, used: Used) -> Self {
        let state = Mutex::new(State { used, ..State::default() });
        Self { id, is_dirty: AtomicBool::new(false), state }
    }

    fn ride(&self, db: &Db) -> Result<(), GateError> {
        let State { used, hours, fresh } = &mut *self.state.lock();
        for hour in fresh.hours.keys() {
            if !hours.contains_key(hour) {
                hours.insert(*hour, read(db.meta_get(&place(&self.id, *hour))?));
            }
        }
        let fresh = std::mem::take(fresh);
        used.add(&fresh);
        for (hour, spent) in &fresh.hours {
            let sum = hours.entry(*hour).or_default();
            sum.add(spent);
            db.ride(place(&self.id, *hour), encoded(sum));
        }
        db.ride([USED, self.id.as_bytes()].concat(), encoded(used));
        // What was written of older ones is durable long since.
        while hours.len() > OPEN_HOURS {
            hours.pop_first();
        }
        Ok(())
    }
}

impl Spent {
    fn add(&mut self, more: &Self) {
        self.events += more.events;
        self.bytes += more.bytes;
        self.requests += more.requests;
        for (reason, count) in &more.refused {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
    }
}

impl Used {
    fn add(&mut self, fresh: &Fresh) {
        self.first_used = self.first_used.or(fresh.first_used);
        self.last_used = self.last_used.max(fresh.last_used);
        fresh.hours.values().for_each(|spent| self.spent.add(spent));
    }
}

fn encoded(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text for keys")
}

fn read(value: Option<impl AsRef<[u8]>>) -> Spent {
    value.and_then(|value| serde_json::from_slice(value.as_ref()).ok()).unwrap_or_default()
}

fn prefix(id: &str) -> Vec<u8> {
    format!("usage/{id}/").into_bytes()
}

fn place(id: &str, hour: i64) -> Vec<u8> {
    format!("usage/{id}/{hour:08x}").into_bytes()
}

fn hour_in(key: &[u8]) -> Option<i64> {
    let digits = key.rsplit(|byte| *byte == b'/').next()?;
    i64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn hour_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(HOUR).clamp(0, MAX_HOUR)
}

fn day_of(time: Timestamp) -> i64 {
    hour_of(time) / 24
}

const USED: &[u8] = b"used/";

const HOURS: &[u8] = b"usage/";

/// Hours of a key that are known as they are in the store: its clock may be set back by one.
const OPEN_HOURS: usize = 3;

const HOUR: i64 = 3600 * SECOND;

/// So that hours have eight digits.
const MAX_HOUR: i64 = 0xffff_ffff;

/// How many hours are kept: 90 days.
const KEPT: i64 = 90 * 24;
