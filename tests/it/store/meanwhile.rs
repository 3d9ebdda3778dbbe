//! Queries while others append, seal and drop: each event once, or, if it is gone, not at all.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use logtrace::store::Store;
use logtrace::time::{DAY, Timestamp};

use super::events::{RECEIVED, all_pages, numbers, open, request, stage};

/// Batches that are staged meanwhile.
const BATCHES: usize = 120;

/// Events of a batch that are kept, and those that are past their retention as soon as they are
/// sealed.
const FRESH: usize = 20;
const OLD: usize = 5;

/// The number of the first event that is old.
const FIRST_OLD: usize = 1_000_000;

/// Stages batches, and says after each how many fresh events are acknowledged.
fn append(store: &Store, acknowledged: &AtomicUsize) {
    for batch in 0..BATCHES {
        // By the second, so that the newest come last, with ties.
        let time = |n: usize| RECEIVED.as_micros() + (n / 3 * 1_000_000) as i64;
        let fresh = (batch * FRESH..(batch + 1) * FRESH).map(|n| (1, n, time(n)));
        let first_old = FIRST_OLD + batch * OLD;
        let old = (first_old..first_old + OLD).map(|n| (1, n, RECEIVED.as_micros() - 6 * DAY));
        stage(store, fresh.chain(old));
        acknowledged.store((batch + 1) * FRESH, Ordering::Release);
    }
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

/// Runs `reader` again and again while a store is written to; it is given what was acknowledged.
fn meanwhile(readers: usize, reader: impl Fn(&Store, &AtomicUsize) + Sync) {
    let folder = tempfile::tempdir().unwrap();
    let store = &open(folder.path());
    let (acknowledged, over) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    thread::scope(|scope| {
        let sealer = scope.spawn(|| seal_and_drop(store, over));
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(|| {
                    let mut rounds = 0;
                    while !over.load(Ordering::Acquire) {
                        reader(store, acknowledged);
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        append(store, acknowledged);
        // At least one round more with all of it there.
        reader(store, acknowledged);
        over.store(true, Ordering::Release);
        assert!(sealer.join().unwrap() > 0, "nothing was dropped meanwhile");
        assert!(reading.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    reader(store, acknowledged);
}

/// Expects the fresh among `found` to be an unbroken row of at least so many, each once.
fn each_once(mut found: Vec<usize>, at_least: usize) {
    let count = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), count, "an event is there twice");
    let fresh = found.partition_point(|number| *number < FIRST_OLD);
    assert!(fresh >= at_least, "expected at least {at_least}, but found {fresh}");
    assert!(found[..fresh].iter().copied().eq(0..fresh), "a gap");
}

#[test]
fn qy_08_each_event_once_while_others_append_seal_and_drop() {
    meanwhile(2, |store, acknowledged| {
        let at_least = acknowledged.load(Ordering::Acquire);
        each_once(numbers(store, &mut request("short", "*")), at_least);
        let at_least = acknowledged.load(Ordering::Acquire);
        let refused = numbers(store, &mut request("short", "message:refused and n < 1000000"));
        let want = at_least.div_ceil(3);
        assert!(refused.len() >= want, "expected at least {want}, but found {}", refused.len());
    });
}

#[test]
fn qy_09_pages_have_no_double_and_no_gap_while_others_append_seal_and_drop() {
    meanwhile(2, |store, acknowledged| {
        let at_least = acknowledged.load(Ordering::Acquire);
        let mut paged = request("short", "*");
        paged.limit = 70;
        let found = all_pages(store, paged);
        each_once(found.clone(), at_least);
        let fresh = found.iter().filter(|number| **number < FIRST_OLD);
        assert!(fresh.is_sorted_by(|one, next| one > next), "not the newest first");
    });
}

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
