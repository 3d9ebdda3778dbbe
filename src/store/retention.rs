//! How long events are kept: what the configuration says, and before it what was set at run time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::config::{Days, Retention};
use super::{Error, Store};
use crate::db::{self, Db};

/// What was set at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionSet {
    /// Of projects and journals that nobody names.
    pub default: Option<Days>,
    /// Of projects and journals, by name.
    pub projects: BTreeMap<String, Days>,
}

/// What counts.
#[derive(Debug)]
pub(super) struct Kept {
    configured: Retention,
    counts: ArcSwap<Retention>,
    /// Held while it is changed.
    set: Mutex<RetentionSet>,
}

/// As it lies in the store. Members of a later version are passed over.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    retention: RetentionSet,
}

impl RetentionSet {
    /// What counts: of a name what was set, then what is configured of it; of others the default
    /// that was set, then the one that is configured.
    fn over(&self, configured: &Retention) -> Retention {
        let mut projects = configured.projects.clone();
        projects.extend(self.projects.iter().map(|(name, kept)| (name.clone(), *kept)));
        Retention { default: self.default.map_or(configured.default, |kept| kept.0), projects }
    }

    /// Every value that makes no sense: whose it is, and what was expected.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let default = self.default.iter().map(|kept| ("default", kept));
        let named = self.projects.iter().map(|(name, kept)| (name.as_str(), kept));
        for (name, kept) in default.chain(named) {
            if !Retention::RANGE.contains(&kept.0) {
                let found = humantime::format_duration(kept.0);
                problems
                    .push((name.to_owned(), format!("expected 1d to 36500d, but found {found}")));
            }
        }
        let count = self.projects.len();
        if count > MAX_NAMES {
            let what = format!("expected at most {MAX_NAMES} names, but found {count}");
            problems.push(("projects".to_owned(), what));
        }
        problems
    }
}

impl Kept {
    /// What `configured` and the records of `db` say.
    pub(super) fn open(configured: Retention, db: &Db) -> Result<Self, db::Error> {
        let set = match db.meta_get(KEY)? {
            None => RetentionSet::default(),
            // To keep for longer than was wanted does less harm than not to start.
            Some(bytes) => serde_json::from_slice::<Record>(&bytes).map_or_else(
                |error| {
                    tracing::error!(%error, "expected what retention was set to, but found damage");
                    RetentionSet::default()
                },
                |record| record.retention,
            ),
        };
        let counts = ArcSwap::from_pointee(set.over(&configured));
        Ok(Self { configured, counts, set: Mutex::new(set) })
    }

    /// How long the events of `project` are kept.
    pub(super) fn of(&self, project: &str) -> Duration {
        self.counts.load().of(project)
    }

    /// All that counts.
    pub(super) fn counts(&self) -> Arc<Retention> {
        self.counts.load_full()
    }

    /// What was set at run time.
    pub(super) fn set(&self) -> RetentionSet {
        self.set.lock().clone()
    }

    /// Lets `change` change what is set, and keeps that.
    pub(super) fn change(
        &self,
        db: &Db,
        change: impl FnOnce(&mut RetentionSet),
    ) -> Result<(), db::Error> {
        let mut set = self.set.lock();
        let mut new = set.clone();
        change(&mut new);
        let record = Record { version: VERSION, retention: new.clone() };
        db.meta_put(KEY, &serde_json::to_vec(&record).expect("names and times make JSON"))?;
        self.counts.store(Arc::new(new.over(&self.configured)));
        *set = new;
        Ok(())
    }
}

impl Store {
    /// How long the events of `project` are kept.
    pub fn kept(&self, project: &str) -> Duration {
        self.retention.of(project)
    }

    /// How long events are kept, of all whom it is said of.
    pub fn retention(&self) -> Arc<Retention> {
        self.retention.counts()
    }

    /// What of it was set at run time.
    pub fn retention_set(&self) -> RetentionSet {
        self.retention.set()
    }

    /// Changes what is set at run time; that is on disk when this returns. What is past it is
    /// dropped at the next look.
    ///
    /// # Errors
    ///
    /// It could not be kept; nothing is changed then.
    pub fn set_retention(&self, change: impl FnOnce(&mut RetentionSet)) -> Result<(), Error> {
        Ok(self.retention.change(&self.db, change)?)
    }
}

/// The most names that may be set.
const MAX_NAMES: usize = 10_000;

/// Where it is kept.
const KEY: &[u8] = b"settings/retention";

/// The form in which it is.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const fn days(days: u64) -> Days {
        Days(Duration::from_secs(days * 86_400))
    }

    #[test]
    fn what_was_set_counts_before_what_is_configured_and_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &db::Options::default()).unwrap();
        let configured = Retention {
            default: days(30).0,
            projects: BTreeMap::from([("a".to_owned(), days(1)), ("b".to_owned(), days(2))]),
        };
        let kept = Kept::open(configured.clone(), &db).unwrap();
        let all = |kept: &Kept| ["a", "b", "c"].map(|name| kept.of(name).as_secs() / 86_400);
        assert_eq!(all(&kept), [1, 2, 30]);
        let change = |set: &mut RetentionSet| {
            set.default = Some(days(7));
            set.projects.insert("a".to_owned(), days(9));
        };
        kept.change(&db, change).unwrap();
        assert_eq!(all(&kept), [9, 2, 7]);
        let again = Kept::open(configured.clone(), &db).unwrap();
        assert_eq!((all(&again), again.set()), ([9, 2, 7], kept.set()));
        again.change(&db, |set| *set = RetentionSet::default()).unwrap();
        assert_eq!(all(&again), [1, 2, 30]);
        db.meta_put(KEY, b"\xff").unwrap();
        assert_eq!(all(&Kept::open(configured, &db).unwrap()), [1, 2, 30]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let one = |name: &str, kept| RetentionSet {
            projects: BTreeMap::from([(name.to_owned(), kept)]),
            ..RetentionSet::default()
        };
        assert!(one("a", days(1)).problems().is_empty());
        assert_eq!(one("a", days(0)).problems()[0].0, "a");
        assert_eq!(one("b", days(36_501)).problems()[0].0, "b");
        let default = RetentionSet { default: Some(days(0)), ..RetentionSet::default() };
        assert_eq!(default.problems()[0].0, "default");
    }
}
