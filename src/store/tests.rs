//! The store against a model: a list of what was acknowledged.

use std::ops::ControlFlow;

use super::*;
use crate::db::Options;
use crate::event::{Known, Value, ValueRef};
use proptest::prelude::*;

pub(super) fn origin(project: &str) -> Arc<Origin> {
    Arc::new(Origin {
        project: project.into(),
        listener: "tcp".into(),
        peer: Some("192.0.2.7".parse().unwrap()),
        key: Some("key_1".into()),
        auth: None,
    })
}

pub(super) fn open(folder: &std::path::Path) -> Store {
    let db = Db::open(folder, &Options::default()).unwrap();
    Store::open(Arc::new(db), Config::default()).unwrap()
}

/// A batch of events `n` at `times`, said by one of three services.
pub(super) fn batch(origin: &Arc<Origin>, numbers: std::ops::Range<i64>, received_at: i64) -> Rows {
    let mut rows = Rows::default();
    rows.begin(origin, received_at);
    for n in numbers {
        let timestamp = Some(Timestamp::from_micros(n));
        let mut event = crate::event::Event { timestamp, ..Default::default() };
        event.set(Known::Message, Value::Text(format!("event {n}").into()));
        event.set(Known::AppName, Value::Text(format!("app-{}", n % 3).into()));
        if n % 5 == 0 {
            event.put("odd.name".into(), Value::Number(n.to_string().into()));
        }
        rows.push(&event);
    }
    rows
}

/// Time, message and `odd.name` of all events of a project, sorted.
pub(super) fn all(store: &Store, project: &str) -> Vec<(i64, String, Option<String>)> {
    let mut found = Vec::new();
    for source in store.sources(project, i64::MIN, i64::MAX) {
        let view = store.view(&source).unwrap();
        let messages = view.column("message").unwrap().unwrap();
        let odd = view.column("odd.name").unwrap().unwrap_or_default();
        let text = |value: ValueRef<'_>| value.to_text().into_owned();
        let mut row = 0;
        let head = view.head().unwrap();
        for run in head.runs() {
            let own = *head.origin(*run).unwrap().project == *project;
            for _ in 0..run.rows {
                if own {
                    let message = messages.with(row, text).unwrap();
                    found.push((head.time(row).unwrap(), message, odd.with(row, text)));
                }
                row += 1;
            }
        }
        assert_eq!(row, view.rows());
    }
    found.sort();
    found
}

#[derive(Clone, Debug)]
enum Operation {
    Stage(usize),
    Seal,
    Merge(Merge),
    Reopen,
}

/// Merges as long as anything is due.
fn merge(store: &Store, what: Merge) {
    while store.merge(what, |_| ControlFlow::Continue(())).unwrap() {}
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Appending, sealing, merging and reopening in any order: each event once, to the byte.
    #[test]
    fn every_event_once(operations in prop::collection::vec(prop_oneof![
        3 => (1_usize..200).prop_map(Operation::Stage),
        3 => Just(Operation::Seal),
        1 => prop::sample::select(vec![Merge::Small, Merge::Last]).prop_map(Operation::Merge),
        1 => Just(Operation::Reopen),
    ], 1..24)) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let (a, b) = (origin("a"), origin("b"));
        let (mut next, mut model) = (0_i64, Vec::new());
        for operation in operations {
            match operation {
                Operation::Stage(count) => {
                    let range = next..next + count as i64;
                    next = range.end;
                    model.extend(range.clone().map(|n| {
                        (n, format!("event {n}"), (n % 5 == 0).then(|| n.to_string()))
                    }));
                    store.stage([&batch(&a, range, next), &batch(&b, 0..1, 0)]).unwrap();
                }
                Operation::Seal => store.seal().unwrap(),
                Operation::Merge(what) => merge(&store, what),
                Operation::Reopen => {
                    drop(store);
                    store = open(folder.path());
                }
            }
            prop_assert_eq!(&all(&store, "a"), &model);
        }
    }
}

#[test]
fn small_segments_become_one_and_then_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    let seal = |n: i64| {
        store.stage([&batch(&origin, n * 100..(n + 1) * 100, n)]).unwrap();
        store.seal().unwrap();
    };
    (0..3).for_each(seal);
    merge(&store, Merge::Small);
    assert_eq!(store.usage().segments, 3, "too few to be worth it");
    (3..9).for_each(seal);
    merge(&store, Merge::Pressing);
    assert_eq!(store.usage().segments, 9, "they do not press");
    let before = all(&store, "a");
    // A query that began before goes on with what it saw.
    let sources = store.sources("a", i64::MIN, i64::MAX);
    merge(&store, Merge::Small);
    assert_eq!(store.usage().segments, 1);
    assert!(sources.iter().all(|source| store.view(source).unwrap().head().is_ok()));
    drop(sources);
    assert_eq!(all(&store, "a"), before);
    let day = before.iter().map(|(time, ..)| time.div_euclid(DAY)).max().unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(all(&store, "a"), before);
    assert_eq!(day, 0);
}

#[test]
fn st_24_a_merge_leaves_deleted_rows_behind_and_a_deletion_overtakes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    for n in 0..4 {
        store.stage([&batch(&origin, n * 10..(n + 1) * 10, 0)]).unwrap();
        store.seal().unwrap();
    }
    let first = |store: &Store| store.state.read().segments.keys().next().copied().unwrap();
    let delete = |row: u32| {
        let rows = [((first(&store), 0), RowSet::from_iter([row]))];
        assert_eq!(store.delete(&rows.into()).unwrap().rows, 1);
    };
    delete(0);
    let mut overtaken = false;
    let merged = store.merge(Merge::Small, |_| {
        if !std::mem::replace(&mut overtaken, true) {
            delete(1);
        }
        ControlFlow::Continue(())
    });
    assert!(merged.unwrap());
    assert_eq!(store.usage().segments, 4, "its rows were not what they are now");
    let rows = |store: &Store| -> u64 { store.usage().segment_rows };
    assert_eq!(rows(&store), 38);
    merge(&store, Merge::Small);
    assert_eq!((store.usage().segments, rows(&store)), (1, 38));
    drop(store);
    let store = open(folder.path());
    assert_eq!(all(&store, "a").len(), 38);
    assert!(store.tombstones_of(first(&store)).is_none());
}

#[test]
fn a_merge_that_retention_overtakes_brings_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    for n in 0..6 {
        store.stage([&batch(&origin, n * 10..(n + 1) * 10, 0)]).unwrap();
        store.seal().unwrap();
    }
    let gone = store.state.read().segments.values().next().cloned().unwrap();
    let merged = store.merge(Merge::Small, |_| {
        store.state.write().segments.remove(&gone.id);
        ControlFlow::Continue(())
    });
    assert!(merged.unwrap());
    assert_eq!(all(&store, "a").len(), 50);
}

#[test]
fn ids_are_unique_and_ascend_over_seals_and_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let origin = origin("a");
    let mut ids = Vec::new();
    for round in 0..3 {
        let store = open(folder.path());
        store.stage([&batch(&origin, 0..10, 0)]).unwrap();
        if round != 1 {
            store.seal().unwrap();
        }
        let mut now: Vec<i64> = Vec::new();
        for source in store.sources("a", i64::MIN, i64::MAX) {
            let view = store.view(&source).unwrap();
            let head = view.head().unwrap();
            now.extend((0..view.rows()).filter_map(|row| head.id(row)));
        }
        now.sort_unstable();
        now.dedup();
        assert_eq!(now.len(), (round + 1) * 10);
        assert!(ids.iter().all(|id| now.contains(id)), "ids stay the same when sealed");
        ids = now;
    }
}

#[test]
fn st_02_a_segment_without_a_catalog_row_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let origin = origin("a");
    let store = open(folder.path());
    store.stage([&batch(&origin, 0..10, 0)]).unwrap();
    // As if the daemon had been killed between the ingestion and the commit.
    let mut sealer = Sealer::new(1, true, sealer::OPEN_BYTES, Arc::new(AtomicU64::new(7)));
    sealer.begin();
    for staged in &store.state.read().staged {
        sealer.add(staged).unwrap();
    }
    sealer.finish(&store.db, &store.folder().unwrap()).unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(all(&store, "a").len(), 10);
    assert_eq!(store.db.first_key(Family::Segments, b"").unwrap(), None);
    store.seal().unwrap();
    assert_eq!(all(&store, "a").len(), 10);
}

#[test]
fn what_arrives_slowly_is_not_rewritten_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    let (mut staged, mut rewritten) = (0, 0);
    for n in 0..600 {
        let rows = batch(&origin, n * 30..(n + 1) * 30, n);
        staged += rows.bytes() as u64;
        store.stage([&rows]).unwrap();
        store.seal().unwrap();
        let mut pace = |bytes| {
            rewritten += bytes;
            ControlFlow::Continue(())
        };
        while store.merge(Merge::Last, &mut pace).unwrap() {}
    }
    let times = rewritten / staged;
    assert!(times < 10, "each byte was rewritten {times} times");
    let left = store.usage().segments;
    assert!(left < 12, "{left}");
    // Once the day is over, what is left of it becomes fewer, and hardly changes any more.
    store.stage([&batch(&origin, DAY..DAY + 1, DAY)]).unwrap();
    store.seal().unwrap();
    merge(&store, Merge::Last);
    assert!(store.usage().segments <= 4, "{}", store.usage().segments);
}

/// The levels at which the segments were compressed.
fn levels(store: &Store) -> Vec<i32> {
    store.state.read().segments.values().map(|segment| segment.level).collect()
}

#[test]
fn a_small_day_is_compressed_harder_once_it_is_quiet_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    let seal = |numbers: std::ops::Range<i64>| {
        let received_at = numbers.start;
        store.stage([&batch(&origin, numbers, received_at)]).unwrap();
        store.seal().unwrap();
    };
    seal(0..20_000);
    merge(&store, Merge::Small);
    let sealed = store.usage().segment_bytes;
    assert_eq!(levels(&store), [1], "it may not be quiet");
    merge(&store, Merge::Last);
    let (settled, first) = (store.usage().segment_bytes, levels(&store));
    assert!(first == [15] && settled <= sealed, "{first:?}: {settled} of {sealed}");
    // A little more is not worth it; what is much beside the rest is.
    seal(20_000..20_100);
    assert!(!store.merge(Merge::Last, |_| panic!("nothing is due")).unwrap());
    seal(20_100..26_000);
    merge(&store, Merge::Last);
    assert_eq!(levels(&store), [15, 15]);
    // A day with next to nothing settles once it is past, and then nothing is due any longer.
    seal(DAY..DAY + 10);
    assert!(!store.merge(Merge::Last, |_| panic!("nothing is due")).unwrap());
    seal(2 * DAY..2 * DAY + 10);
    merge(&store, Merge::Last);
    assert_eq!(levels(&store), [15, 15, 1, 15]);
    assert!(!store.merge(Merge::Last, |_| panic!("nothing is due")).unwrap());
    assert_eq!(all(&store, "a").len(), 26_020);
}

#[test]
fn a_merge_can_be_ended_after_each_block_and_has_changed_nothing_then() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    for n in 0..4 {
        store.stage([&batch(&origin, n * 100..(n + 1) * 100, 0)]).unwrap();
        store.seal().unwrap();
    }
    let (before, usage) = (all(&store, "a"), store.usage());
    let raw: u64 = store.state.read().segments.values().map(|segment| segment.raw_bytes).sum();
    let (mut steps, mut paced) = (0, 0);
    for end in 1.. {
        (steps, paced) = (0, 0);
        let merged = store.merge(Merge::Small, |bytes| {
            (steps, paced) = (steps + 1, paced + bytes);
            if steps == end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if merged.unwrap() {
            break;
        }
        assert_eq!((store.usage(), all(&store, "a")), (usage, before.clone()));
    }
    // A block in each of four segments, as their batches were; then one for each of three services.
    assert_eq!(steps, 4 + 3);
    assert!(paced <= raw && paced + 4 > raw, "{paced} of {raw}");
    assert_eq!((store.usage().segments, all(&store, "a")), (1, before));
}

#[test]
fn services_of_one_merge_take_no_room_from_those_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for project in ["a", "b"] {
        for n in 0..4 {
            let mut rows = Rows::default();
            rows.begin(&origin(project), n);
            for service in 0..128 {
                let mut event = crate::event::Event::default();
                event.set(Known::Service, Value::Text(format!("{project}{service}").into()));
                rows.push(&event);
            }
            store.stage([&rows]).unwrap();
            store.seal().unwrap();
        }
    }
    merge(&store, Merge::Small);
    let blocks = |project| store.sources(project, i64::MIN, i64::MAX).len();
    assert_eq!((blocks("a"), blocks("b")), (128, 128));
}

#[test]
fn segments_too_wide_to_be_one_are_not_merged_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, origin) = (open(folder.path()), origin("a"));
    // As many names as a segment takes, and then some.
    let seal = |number: usize| {
        for batch in 0..61 {
            let mut rows = Rows::default();
            rows.begin(&origin, 0);
            let mut event = crate::event::Event::default();
            for n in 0..1000 {
                event.put(format!("{number}.{batch}.{n}").into(), Value::Bool(true));
            }
            rows.push(&event);
            store.stage([&rows]).unwrap();
        }
        store.seal().unwrap();
    };
    let merges = || {
        let merge = || store.merge(Merge::Last, |_| ControlFlow::Continue(()));
        (0..8).take_while(|_| merge().unwrap()).count()
    };
    (0..3).for_each(seal);
    assert!(merges() < 8);
    seal(3);
    assert!(merges() < 8);
    assert_eq!(store.usage().segment_rows, 4 * 61);
}

#[test]
fn a_seal_that_fails_half_way_leaves_nothing_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.stage([&batch(&origin("a"), 0..10, 0), &batch(&origin("b"), 0..10, 0)]).unwrap();
    let tmp = store.folder().unwrap();
    let in_the_way = tmp.join(format!("{:016x}.sst", 1));
    std::fs::create_dir(&in_the_way).unwrap();
    store.seal().unwrap_err();
    assert_eq!(store.db.first_key(Family::Segments, b"").unwrap(), None, "nor the first of two");
    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
    store.seal().unwrap();
    assert_eq!((all(&store, "a").len(), all(&store, "b").len()), (10, 10));
}

#[test]
fn days_past_their_retention_are_dropped_once_nobody_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let origin = origin("a");
    let day = |n: i64| (FIRST + n) * DAY..(FIRST + n) * DAY + 10;
    let late = (FIRST + 40) * DAY;
    store.stage([&batch(&origin, day(1), day(1).start), &batch(&origin, day(40), late)]).unwrap();
    store.seal().unwrap();
    let now = Timestamp::from_micros(late);
    let reader = store.sources("a", i64::MIN, i64::MAX);
    assert_eq!(store.expire(now).unwrap(), 1);
    assert_eq!(all(&store, "a").len(), 10);
    assert!(reader.iter().all(|source| store.view(source).is_ok()), "readers finish");
    drop(reader);
    assert_eq!(store.expire(now).unwrap(), 0);
    let first = store.db.first_key(Family::Segments, b"").unwrap().unwrap();
    assert_ne!(first[..8], 0_u64.to_be_bytes(), "the file is gone");
}

/// Batches that were refused, though some of them had reached the log, and the store opened anew.
fn refused(store: &Store, packed: &[Arc<Staged>], reached: usize) {
    let mut write = Write::default();
    for batch in packed.iter().take(reached) {
        write.put(Family::Stage, batch.number.to_be_bytes().to_vec(), &*batch.chunk);
    }
    store.db.commit(&write).unwrap();
    store.db.latch(db::Trouble::Full);
    store.reopen().unwrap();
    assert_eq!(store.db.latched(), None);
}

#[test]
fn st_04_a_refused_batch_is_there_once_whether_it_had_reached_the_log_or_not() {
    for reached in 0..=2 {
        for sealed_between in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path());
            let origin = origin("p");
            store.stage([&batch(&origin, 0..10, 0)]).unwrap();
            let more = [batch(&origin, 10..20, 0), batch(&origin, 20..30, 0)];
            let packed = store.pack(&more);
            refused(&store, &packed, reached);
            assert_eq!(all(&store, "p").len(), 10 + 10 * reached, "what turned up is seen");
            if sealed_between {
                store.seal().unwrap();
            }
            store.put(&packed).unwrap();
            store.stage([&batch(&origin, 30..40, 0)]).unwrap();
            assert_eq!(all(&store, "p").len(), 40);
            store.seal().unwrap();
            drop(store);
            let store = open(folder.path());
            assert_eq!(all(&store, "p").len(), 40);
            assert_eq!(store.missing(), Vec::<String>::new());
        }
    }
}

#[test]
fn st_04_a_seal_that_was_refused_and_done_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.stage([&batch(&origin("p"), 0..10, 0)]).unwrap();
    let before = store.state.read().staged.clone();
    store.seal().unwrap();
    // As it is remembered where the commit of the seal was refused.
    *store.state.write() = State { staged: before, ..State::default() };
    store.db.latch(db::Trouble::Full);
    store.reopen().unwrap();
    store.seal().unwrap();
    assert_eq!(all(&store, "p").len(), 10);
    assert_eq!(store.usage().segments, 1);
}

#[test]
fn st_06_a_deletion_that_was_refused_and_done_shows_when_it_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.stage([&batch(&origin("p"), 0..10, 0)]).unwrap();
    store.seal().unwrap();
    let id = store.state.read().segments.keys().next().copied().unwrap();
    store.delete(&[((id, 0), RowSet::from_iter([0]))].into()).unwrap();
    // As it is remembered where the commit was refused.
    store.deletes.forgotten(id);
    assert_eq!(store.usage().segment_rows, 10);
    store.db.latch(db::Trouble::Full);
    store.reopen().unwrap();
    assert_eq!(store.usage().segment_rows, 9);
}

/// A day that a clock may show.
const FIRST: i64 = 20_000;
