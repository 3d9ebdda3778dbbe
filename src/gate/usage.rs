//! What each key was used for, by hour.
//!
//! It is added up in memory, once for the messages of a read, and written now and then: what the
//! last few seconds before a crash brought is not in it. It holds keys that there are, and nothing
//! that a sender can choose.
//!
//! | key                      | value                                       |
//! |--------------------------|---------------------------------------------|
//! | `used/<id>`              | all of it, with its first and its last time |
//! | `usage/<id>/<hour>`      | that of an hour: eight hex digits           |

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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
    /// What was written, since each key was made.
    written: RwLock<HashMap<Arc<str>, Used>>,
    /// What is being written. Locked before `fresh`, and long: not on the way of an event.
    pending: Mutex<HashMap<Arc<str>, Fresh>>,
    /// What is to be written next.
    fresh: Mutex<HashMap<Arc<str>, Fresh>>,
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
        let mut written = HashMap::new();
        for (key, value) in db.meta_scan(USED)? {
            let id =
                String::from_utf8_lossy(key.get(USED.len()..).unwrap_or_default()).into_owned();
            // What cannot be read is no reason to stay closed: it is counted from here on.
            written.insert(id.into(), serde_json::from_slice(&value).unwrap_or_default());
        }
        Ok(Self { written: RwLock::new(written), ..Self::default() })
    }

    /// Adds what a key was let in for.
    pub(super) fn add(&self, id: &str, events: u64, bytes: u64, requests: u64, at: Timestamp) {
        self.with(id, |fresh| {
            fresh.first_used.get_or_insert(at);
            fresh.last_used = fresh.last_used.max(Some(at));
            let spent = fresh.hours.entry(hour_of(at)).or_default();
            spent.events += events;
            spent.bytes += bytes;
            spent.requests += requests;
        });
    }

    /// Adds what was refused to a key.
    pub(super) fn refuse(&self, id: &str, reason: Reason, count: u64, at: Timestamp) {
        self.with(id, |fresh| {
            let spent = fresh.hours.entry(hour_of(at)).or_default();
            match spent.refused.get_mut(reason.as_str()) {
                Some(sum) => *sum += count,
                None => drop(spent.refused.insert(reason.as_str().to_owned(), count)),
            }
        });
    }

    /// Writes what is not written yet, and forgets hours that are older than [`KEPT`].
    pub(super) fn flush(&self, db: &Db, now: Timestamp) -> Result<(), GateError> {
        // Held until it is written: nobody is to read it twice, or not at all.
        let mut pending = self.pending.lock();
        if pending.is_empty() {
            std::mem::swap(&mut *pending, &mut *self.fresh.lock());
        }
        if pending.is_empty() {
            return Ok(());
        }
        let mut write = Write::default();
        let mut written = Vec::new();
        for (id, fresh) in pending.iter() {
            let mut used = self.written.read().get(id).cloned().unwrap_or_default();
            let last = used.last_used;
            used.add(fresh);
            for (hour, spent) in &fresh.hours {
                let key = place(id, *hour);
                let mut sum = read(db.meta_get(&key)?);
                sum.add(spent);
                write.put(Family::Meta, key, encoded(&sum));
            }
            if last.is_none_or(|last| day_of(last) != day_of(now)) {
                forget(db, id, now, &mut write)?;
            }
            write.put(Family::Meta, [USED, id.as_bytes()].concat(), encoded(&used));
            written.push((Arc::clone(id), used));
        }
        db.commit(&write)?;
        self.written.write().extend(written);
        pending.clear();
        Ok(())
    }

    /// What a key was used for since it was made.
    pub(super) fn used(&self, id: &str) -> Used {
        let (pending, fresh) = (self.pending.lock(), self.fresh.lock());
        let mut used = self.written.read().get(id).cloned().unwrap_or_default();
        for unwritten in [pending.get(id), fresh.get(id)].into_iter().flatten() {
            used.add(unwritten);
        }
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
        let pending = self.pending.lock();
        let mut hours = BTreeMap::new();
        for (key, value) in db.meta_scan(&prefix(id))? {
            if let Some(hour) = hour_in(&key).filter(|hour| wanted.contains(hour)) {
                hours.insert(hour, read(Some(value)));
            }
        }
        let fresh = self.fresh.lock();
        let unwritten = [pending.get(id), fresh.get(id)].into_iter().flatten();
        for (hour, spent) in unwritten.flat_map(|unwritten| &unwritten.hours) {
            if wanted.contains(hour) {
                hours.entry(*hour).or_default().add(spent);
            }
        }
        let shown = |(hour, spent)| HourOfUse { hour: Timestamp::from_micros(hour * HOUR), spent };
        Ok(hours.into_iter().map(shown).collect())
    }

    fn with(&self, id: &str, change: impl FnOnce(&mut Fresh)) {
        let mut fresh = self.fresh.lock();
        match fresh.get_mut(id) {
            Some(fresh) => change(fresh),
            None => change(fresh.entry(id.into()).or_default()),
        }
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

/// Takes out the hours of a key that are too old.
fn forget(db: &Db, id: &str, now: Timestamp, write: &mut Write<'_>) -> Result<(), GateError> {
    let oldest = hour_of(now) - KEPT;
    for (key, _) in db.meta_scan(&prefix(id))? {
        if hour_in(&key).is_some_and(|hour| hour < oldest) {
            write.delete(Family::Meta, key.to_vec());
        }
    }
    Ok(())
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

const HOUR: i64 = 3600 * SECOND;

/// So that hours have eight digits.
const MAX_HOUR: i64 = 0xffff_ffff;

/// How many hours are kept: 90 days.
const KEPT: i64 = 90 * 24;
