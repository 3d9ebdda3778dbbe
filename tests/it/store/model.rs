//! ST-29: any operations in any order leave what a list in memory would have.
//!
//! A case that fails is made as small as it can be and printed with its seed, which is kept beside
//! this file and run first from then on. `PROPTEST_CASES` makes them more.
//!
//! An operation that is added to the store belongs into [`Operation`], [`operation`] and
//! [`House::apply`].

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use logtrace::query::delete;
use logtrace::store::{Merge, Store};
use logtrace::time::{DAY, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tempfile::TempDir;

use super::events::{KEPT, PROJECTS, RECEIVED, all_pages, numbers, open, request, stage};

/// What is done to a store.
#[derive(Clone, Debug)]
enum Operation {
    /// A batch with so many events in each project, the first at that hour from when it was
    /// received, the others at that many hours from one to the next.
    Append { events: [usize; 2], hour: i64, step: i64 },
    /// What is staged becomes segments.
    Seal,
    /// What a filter finds in a project is deleted.
    Delete { project: usize, filter: usize },
    /// Segments are merged, as long as any are due.
    Merge(Merge),
    /// Retention is enforced so many days later.
    Expire { days: i64 },
    /// It is closed and opened again.
    Reopen,
    /// It is killed, and what it left is opened.
    Crash,
}

/// An event that was acknowledged.
#[derive(Clone, Debug)]
struct Acknowledged {
    number: usize,
    project: usize,
    time: i64,
    is_sealed: bool,
}

impl Acknowledged {
    /// The day that it is kept by: its own, unless that is too far from the one it was received on.
    fn day(&self) -> i64 {
        let (own, received) = (self.time.div_euclid(DAY), RECEIVED.as_micros().div_euclid(DAY));
        if (received - 7..=received + 1).contains(&own) { own } else { received }
    }
}

/// A store and what it is compared with.
struct House {
    store: Option<Store>,
    folder: TempDir,
    model: Vec<Acknowledged>,
    next: usize,
    /// Whether segments may hold rows that are deleted, until they are merged.
    has_deleted: bool,
    /// How late retention took it to be, as it was kept last.
    clock: Option<i64>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Some(open(folder.path())),
            folder,
            model: Vec::new(),
            next: 0,
            has_deleted: false,
            clock: None,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("it is open between operations")
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Append { events, hour, step } => self.append(events, hour, step),
            Operation::Seal => {
                self.store().seal().unwrap();
                self.model.iter_mut().for_each(|event| event.is_sealed = true);
            }
            Operation::Delete { project, filter } => self.delete(project, FILTERS[filter]),
            Operation::Merge(what) => {
                while self.store().merge(what, |_| ControlFlow::Continue(())).unwrap() {}
            }
            Operation::Expire { days } => self.expire(days),
            Operation::Reopen => {
                drop(self.store.take());
                self.store = Some(open(self.folder.path()));
            }
            Operation::Crash => {
                let left = tempfile::tempdir().unwrap();
                copy(self.folder.path(), left.path());
                drop(self.store.take());
                self.store = Some(open(left.path()));
                self.folder = left;
            }
        }
    }

    fn append(&mut self, events: [usize; 2], hour: i64, step: i64) {
        let mut time = RECEIVED.as_micros() + hour * DAY / 24;
        let mut batch = Vec::new();
        for (project, count) in (0..).zip(events) {
            for _ in 0..count {
                batch.push(Acknowledged { number: self.next, project, time, is_sealed: false });
                self.next += 1;
                time += step * DAY / 24;
            }
        }
        stage(self.store(), batch.iter().map(|event| (event.project, event.number, event.time)));
        self.model.extend(batch);
    }

    /// What is staged is sealed first, for whoever deletes.
    fn delete(&mut self, project: usize, (filter, matches): Filter) {
        let deletion = delete(self.store(), &request(PROJECTS[project], filter)).unwrap();
        let before = self.model.len();
        self.model.retain(|event| !(event.project == project && matches(event.number)));
        assert_eq!(deletion.events, (before - self.model.len()) as u64, "{filter}");
        self.model.iter_mut().for_each(|event| event.is_sealed = true);
        self.has_deleted = true;
    }

    /// Segments go by whole days. A clock is believed to the end of the newest of them, and for an
    /// hour after what it was.
    fn expire(&mut self, days: i64) {
        let now = RECEIVED.as_micros() + days * DAY;
        self.store().expire(Timestamp::from_micros(now)).unwrap();
        let sealed = self.model.iter().filter(|event| event.is_sealed);
        let newest = sealed.map(Acknowledged::day).max();
        let now = newest.map_or(now, |newest| now.min((newest + 1) * DAY));
        let now = self.clock.map_or(now, |clock| now.min(clock + DAY / 24));
        if newest.is_some() && self.clock.is_none_or(|clock| now >= clock + DAY / 48) {
            self.clock = Some(now);
        }
        let is_due = |event: &Acknowledged| (event.day() + 1 + KEPT[event.project]) * DAY < now;
        self.model.retain(|event| !(event.is_sealed && is_due(event)));
    }

    /// Asks for everything, and for some of it, at once and by pages.
    fn check(&self, limit: usize) {
        for (place, project) in PROJECTS.iter().enumerate() {
            let of_it = |event: &&Acknowledged| event.project == place;
            let mut all: Vec<_> = self.model.iter().filter(of_it).collect();
            all.sort_by_key(|event| std::cmp::Reverse((event.time, event.number)));
            for (filter, matches) in FILTERS {
                let want: Vec<usize> = all.iter().map(|event| event.number).collect();
                let want: Vec<usize> = want.into_iter().filter(|number| matches(*number)).collect();
                let mut whole = request(project, filter);
                let mut paged = whole.clone();
                paged.limit = limit;
                assert_eq!(numbers(self.store(), &mut whole), want, "{project}: {filter}");
                assert_eq!(all_pages(self.store(), paged), want, "{project}: {filter}, paged");
            }
            let (from, to) = (RECEIVED.plus(-DAY), RECEIVED.plus(DAY / 4));
            let mut within = request(project, "*");
            (within.from, within.to) = (from, to);
            let is_within =
                |event: &&&Acknowledged| (from.as_micros()..=to.as_micros()).contains(&event.time);
            let want: Vec<usize> = all.iter().filter(is_within).map(|event| event.number).collect();
            assert_eq!(numbers(self.store(), &mut within), want, "{project}: a stretch of time");
        }
        let staged = self.model.iter().filter(|event| !event.is_sealed).count();
        let usage = self.store().usage();
        assert_eq!(usage.staged_rows, staged as u64, "{usage:?}");
        let sealed = (self.model.len() - staged) as u64;
        let is_right =
            usage.segment_rows == sealed || self.has_deleted && usage.segment_rows > sealed;
        assert!(is_right, "{sealed} sealed, and {usage:?}");
    }
}

/// A filter, and what it says of an event's number.
type Filter = (&'static str, fn(usize) -> bool);

/// By words of templates, by variables, by names, by what is not there.
const FILTERS: &[Filter] = &[
    ("*", |_| true),
    ("message:refused", |n| n % 3 == 0),
    ("message:\"event 7\"", |n| n == 7),
    ("service:app-2 and not message:\"all is well\"", |n| n % 4 == 2 && n % 3 != 2),
    ("n >= 20", |n| n >= 20),
    ("odd.name:true", |n| n.is_multiple_of(10)),
    ("not odd.name:*", |n| !n.is_multiple_of(5)),
    ("message:nothing", |_| false),
];

/// Copies a folder that is in use, as a crash would leave it: from one moment, at which nothing is
/// being written.
fn copy(from: &Path, to: &Path) {
    loop {
        let before = listing(from);
        fs::remove_dir_all(to).unwrap();
        let copied = before.iter().try_for_each(|(path, _)| {
            let target = to.join(path.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap())?;
            fs::copy(path, target).map(drop)
        });
        // The engine may be clearing up what it no longer needs.
        if copied.is_ok() && listing(from) == before {
            return;
        }
    }
}

/// Every file of a folder with its length, in order.
fn listing(folder: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => found.push((entry.path(), metadata.len())),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

fn operation() -> impl Strategy<Value = Operation> {
    let append =
        (0..30_usize, 0..10_usize, -240..60_i64, 0..8_i64).prop_map(|(long, short, hour, step)| {
            Operation::Append { events: [long, short], hour, step }
        });
    prop_oneof![
        4 => append,
        2 => Just(Operation::Seal),
        1 => (0..PROJECTS.len(), 1..FILTERS.len())
            .prop_map(|(project, filter)| Operation::Delete { project, filter }),
        2 => prop::sample::select(vec![Merge::Small, Merge::Last]).prop_map(Operation::Merge),
        2 => (-3..6_i64).prop_map(|days| Operation::Expire { days }),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Crash),
    ]
}

fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(24),
        failure_persistence: Some(Box::new(kept)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn st_29_the_store_is_equal_to_its_model_at_every_step(
        operations in prop::collection::vec(operation(), 1..16),
        limit in 1..40_usize,
    ) {
        let mut house = House::new();
        for operation in operations {
            house.apply(&operation);
            house.check(limit);
        }
    }
}
