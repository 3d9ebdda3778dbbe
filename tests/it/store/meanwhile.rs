//! Queries while others append, seal, merge, drop and delete: each event once, or, if it is gone, not
//! at all.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use logtrace::db::Trouble;
use logtrace::query::delete;
use logtrace::store::{Merge, Store};
use logtrace::time::{DAY, Timestamp};

use super::events::{RECEIVED, all_pages, numbers, open, request, stage};

/// Batches that are staged meanwhile.
const BATCHES: usize = 120;

/// Events of a batch that are kept, those that are past their retention as soon as they are sealed,
/// and those that are deleted as soon as they are acknowledged.
const FRESH: usize = 20;
const OLD: usize = 5;
const UNWANTED: usize = 3;

/// The number of the first event that is old, and of the first that is deleted.
const FIRST_OLD: usize = 1_000_000;
const FIRST_UNWANTED: usize = 2_000_000;

/// How far it is: events that are acknowledged, and that are deleted.
#[derive(Default)]
struct Done {
    acknowledged: AtomicUsize,
    deleted: AtomicUsize,
    over: AtomicBool,
}

/// Stages batches, and says after each how many fresh events are acknowledged.
fn append(store: &Store, done: &Done) {
    for batch in 0..BATCHES {
        // By the second, so that the newest come last, with ties.
        let time = |n: usize| RECEIVED.as_micros() + (n / 3 * 1_000_000) as i64;
        let fresh = (batch * FRESH..(batch + 1) * FRESH).map(|n| (1, n, time(n)));
        let first_old = FIRST_OLD + batch * OLD;
        let old = (first_old..first_old + OLD).map(|n| (1, n, RECEIVED.as_micros() - 6 * DAY));
        let first_unwanted = FIRST_UNWANTED + batch * UNWANTED;
        let unwanted = (first_unwanted..first_unwanted + UNWANTED).map(|n| (1, n, time(batch)));
        stage(store, fresh.chain(old).chain(unwanted));
        done.acknowledged.store((batch + 1) * FRESH, Ordering::Release);
    }
}

/// Deletes all that is unwanted until it is over, and says after each time how many are gone.
fn delete_unwanted(store: &Store, done: &Done) {
    while !done.over.load(Ordering::Acquire) {
        let end = done.acknowledged.load(Ordering::Acquire) / FRESH * UNWANTED;
        let filter = format!("n >= {FIRST_UNWANTED} and n < {}", FIRST_UNWANTED + end);
        delete(store, &request("short", &filter)).unwrap();
        done.deleted.store(end, Ordering::Release);
    }
}

/// Merges until it is over; how often there was something to merge.
fn merge(store: &Store, over: &AtomicBool) -> usize {
    let mut merged = 0;
    while !over.load(Ordering::Acquire) {
        for what in [Merge::Pressing, Merge::Small, Merge::Last] {
            merged += usize::from(store.merge(what, |_| ControlFlow::Continue(())).unwrap());
        }
    }
    merged
}

/// Seals and drops until it is over.
fn seal_and_drop(store: &Store, over: &AtomicBool) -> usize {
    let mut dropped = 0;
    while !over.load(Ordering::Acquire) {
        store.seal().unwrap();
        dropped += store.expire(Timestamp::from_micros(RECEIVED.as_micros())).unwrap();
    }
    dropped
}

/// Runs `reader` again and again while a store is written to; it is told how far that is.
fn meanwhile(readers: usize, reader: impl Fn(&Store, &Done) + Sync) {
    let folder = tempfile::tempdir().unwrap();
    let store = &open(folder.path());
    let done = &Done::default();
    thread::scope(|scope| {
        let sealer = scope.spawn(|| seal_and_drop(store, &done.over));
        let merger = scope.spawn(|| merge(store, &done.over));
        let deleter = scope.spawn(|| delete_unwanted(store, done));
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(|| {
                    let mut rounds = 0;
                    while !done.over.load(Ordering::Acquire) {
                        reader(store, done);
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        append(store, done);
        // At least one round more with all of it there, and all that is unwanted gone.
        while done.deleted.load(Ordering::Acquire) < BATCHES * UNWANTED && !deleter.is_finished() {
            reader(store, done);
        }
        done.over.store(true, Ordering::Release);
        assert!(sealer.join().unwrap() > 0, "nothing was dropped meanwhile");
        assert!(merger.join().unwrap() > 0, "nothing was merged meanwhile");
        assert!(reading.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    reader(store, done);
    assert_eq!(done.deleted.load(Ordering::Acquire), BATCHES * UNWANTED);
}

/// Expects the fresh among `found` to be an unbroken row of at least so many, each once, and none
/// of those that were deleted.
fn each_once(mut found: Vec<usize>, (at_least, deleted): (usize, usize)) {
    let count = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), count, "an event is there twice");
    let fresh = found.partition_point(|number| *number < FIRST_OLD);
    assert!(fresh >= at_least, "expected at least {at_least}, but found {fresh}");
    assert!(found[..fresh].iter().copied().eq(0..fresh), "a gap");
    let unwanted = found.iter().find(|number| **number >= FIRST_UNWANTED);
    let came_back = unwanted.filter(|number| **number < FIRST_UNWANTED + deleted);
    assert_eq!(came_back, None, "{deleted} were deleted");
}

/// What every answer from now on must show, and what none may.
fn bounds(done: &Done) -> (usize, usize) {
    (done.acknowledged.load(Ordering::Acquire), done.deleted.load(Ordering::Acquire))
}

#[test]
fn qy_08_st_24_each_event_once_while_others_append_seal_merge_drop_and_delete() {
    meanwhile(2, |store, done| {
        let known = bounds(done);
        each_once(numbers(store, &mut request("short", "*")), known);
        let (at_least, _) = bounds(done);
        let refused = numbers(store, &mut request("short", "message:refused and n < 1000000"));
        let want = at_least.div_ceil(3);
        assert!(refused.len() >= want, "expected at least {want}, but found {}", refused.len());
    });
}

#[test]
fn qy_09_pages_have_no_double_and_no_gap_while_others_append_seal_merge_drop_and_delete() {
    meanwhile(2, |store, done| {
        let known = bounds(done);
        let mut paged = request("short", "*");
        paged.limit = 70;
        let found = all_pages(store, paged);
        each_once(found.clone(), known);
        let fresh = found.iter().filter(|number| **number < FIRST_OLD);
        assert!(fresh.is_sorted_by(|one, next| one > next), "not the newest first");
    });
}

/// A store that is opened anew, as after a full disk, is searched all the while.
#[test]
fn qy_08_each_event_once_while_the_store_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = &open(folder.path());
    for first in [0, 100, 200] {
        stage(store, (first..first + 100).map(|n| (0, n, RECEIVED.as_micros())));
        if first < 200 {
            store.seal().unwrap();
        }
    }
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let reading: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !over.load(Ordering::Acquire) {
                        each_once(numbers(store, &mut request("long", "*")), (300, 0));
                    }
                })
            })
            .collect();
        for _ in 0..REOPENED {
            store.db().latch(Trouble::Full);
            store.reopen().unwrap();
            assert_eq!(store.db().latched(), None);
        }
        over.store(true, Ordering::Release);
        reading.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

/// How often it is.
const REOPENED: usize = 10;

/// The same without the cost of a query, so that it is asked as often as can be in the moment in
/// which staged batches become segments.
#[test]
fn qy_08_batches_become_segments_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = &open(folder.path());
    let (acknowledged, over) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    let at_least = acknowledged.load(Ordering::Acquire) as u64;
                    let sources = store.sources("long", i64::MIN, i64::MAX);
                    let rows: u64 = sources.iter().map(logtrace::store::Source::rows).sum();
                    assert!(rows >= at_least, "expected at least {at_least}, but found {rows}");
                    // Staged and sealed at the same time would be one more than ever were.
                    let at_most = acknowledged.load(Ordering::Acquire) as u64 + 1;
                    assert!(rows <= at_most, "expected at most {at_most}, but found {rows}");
                }
            });
        }
        for number in 0..SEALS {
            stage(store, [(0, number, RECEIVED.as_micros())]);
            acknowledged.store(number + 1, Ordering::Release);
            store.seal().unwrap();
        }
        over.store(true, Ordering::Release);
    });
}

/// Seals, each of one event.
const SEALS: usize = 150;
