//! Deleted events are gone from every answer, and stay so.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::fixtures::{NOW, TestStore, answer, request, texts};
use crate::query::{
    Aggregate, DeleteError, Deletion, Facets, Memory, Stats, Tail, Which, count_deletion, delete,
    facets, run, stats,
};
use crate::time::{DAY, Timestamp};

fn deleted(store: &TestStore, filter: &str) -> u64 {
    let Deletion { events, partial, partial_reasons } = delete(store, &request(filter)).unwrap();
    assert!(!partial, "{partial_reasons:?}");
    events
}

fn messages(store: &TestStore) -> Vec<String> {
    let mut messages = texts(&answer(store, &request("*")).logs, "message");
    messages.sort();
    messages
}

#[test]
fn st_24_deleted_events_are_gone_at_once_and_after_a_restart() {
    let mut store = TestStore::new();
    store.stage_messages("p", &[(1, "a one"), (2, "b one"), (3, "a two")]);
    store.stage_messages("other", &[(1, "a one")]);
    store.seal().unwrap();
    store.stage_messages("p", &[(4, "a three"), (5, "b two")]); // not sealed yet
    assert_eq!(count_deletion(&store, &request("a")).unwrap().events, 3);
    assert_eq!(messages(&store).len(), 5, "counting deletes nothing");
    let mut early = request("a");
    early.to = Timestamp::from_micros(3);
    assert_eq!(delete(&store, &early).unwrap().events, 2);
    assert_eq!(messages(&store), ["a three", "b one", "b two"]);
    assert_eq!(deleted(&store, "a"), 1);
    assert_eq!(deleted(&store, "a"), 0, "what is gone is not deleted again");
    for _ in 0..2 {
        assert_eq!(messages(&store), ["b one", "b two"]);
        assert_eq!(answer(&store, &request("not b")).logs.len(), 0);
        assert_eq!(store.usage().segment_rows, 3);
        let mut other = request("*");
        other.project = "other".into();
        assert_eq!(answer(&store, &other).logs.len(), 1, "the wall between projects holds");
        store.reopen();
    }
    assert_eq!(deleted(&store, "*"), 2);
    assert_eq!(messages(&store), [""; 0]);
}

#[test]
fn st_21_a_deletion_without_memory_deletes_nothing() {
    let store = TestStore::new();
    for n in 0..100 {
        store.stage_messages("p", &[(n * 10, "a"), (n * 10 + 1, "b")]);
        store.seal().unwrap();
    }
    let mut few = request("a");
    few.budget.memory = Arc::new(Memory::new(10_000));
    assert!(matches!(count_deletion(&store, &few), Err(DeleteError::NoMemory)));
    assert!(matches!(delete(&store, &few), Err(DeleteError::NoMemory)));
    assert_eq!(count_deletion(&store, &request("*")).unwrap().events, 200);
    let enough = Arc::new(Memory::new(200_000));
    few.budget.memory = Arc::clone(&enough);
    assert_eq!(delete(&store, &few).unwrap().events, 100);
    assert_eq!(messages(&store), ["b"; 100]);
    few.budget.memory = enough;
    assert_eq!(delete(&store, &few).unwrap().events, 0, "it was given back");
}

#[test]
fn st_24_a_segment_without_rows_is_dropped_at_once() {
    let mut store = TestStore::new();
    for n in 0..3 {
        store.stage_messages("p", &[(n * 10, "a"), (n * 10 + 1, "b")]);
        store.seal().unwrap();
    }
    let reader = store.sources("p", 10, 11);
    assert_eq!(deleted(&store, "a"), 3);
    let mut second = request("*");
    (second.from, second.to) = (Timestamp::from_micros(10), Timestamp::from_micros(11));
    assert_eq!(delete(&store, &second).unwrap().events, 1);
    assert_eq!((store.usage().segments, store.rows_in_catalog("segment/")), (2, 2));
    assert_eq!(store.rows_in_catalog("tombstone/"), 2);
    assert_eq!(store.first_segment(1), Some(1), "somebody reads it");
    assert!(reader.iter().all(|source| store.deleted(source).is_some_and(|rows| rows.len() == 2)));
    drop(reader);
    store.expire(NOW).unwrap();
    assert_eq!(store.first_segment(1), Some(2));
    assert_eq!(messages(&store), ["b", "b"]);
    store.reopen();
    assert_eq!(messages(&store), ["b", "b"]);
}

#[test]
fn tombstones_go_with_their_segments() {
    let mut store = TestStore::new();
    let old = NOW.plus(-400 * DAY);
    store.stage_at(old, "p", &[(old.as_micros(), "a"), (old.as_micros(), "b")]);
    store.stage_messages("p", &[(NOW.as_micros(), "c"), (NOW.as_micros(), "d")]);
    store.seal().unwrap();
    assert_eq!((deleted(&store, "a"), deleted(&store, "c")), (1, 1));
    assert_eq!((store.usage().segments, store.rows_in_catalog("tombstone/")), (2, 2));
    assert_eq!(store.expire(NOW).unwrap(), 1);
    assert_eq!((store.usage().segments, store.rows_in_catalog("tombstone/")), (1, 1));
    assert!(store.tombstones(0, 0).is_none() && store.tombstones(1, 0).is_some());
    assert_eq!(messages(&store), ["d"]);
    // As if their segments had gone without them.
    store.change_catalog("segment/", |_| None);
    store.reopen();
    assert_eq!((store.usage().segments, store.rows_in_catalog("tombstone/")), (0, 0));
}

#[test]
fn what_arrives_while_it_is_looked_for_is_not_deleted() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a")]);
    let last = store.last_id();
    assert_eq!(deleted(&store, "a"), 1);
    store.stage_messages("p", &[(2, "a")]);
    assert!(store.last_id() > last);
    assert_eq!(messages(&store), ["a"]);
}

#[test]
fn a_deleted_event_never_comes_back_from_damaged_tombstones() {
    let mut store = TestStore::new();
    store.stage_messages("p", &[(0, "a"), (1, "b")]);
    store.seal().unwrap();
    store.stage_messages("p", &[(2, "c")]);
    store.seal().unwrap();
    deleted(&store, "a");
    store.change_catalog("tombstone/", |_| Some(b"nonsense".to_vec()));
    store.reopen();
    let page = run(&store, &request("*")).unwrap();
    assert!(page.meta.partial && page.meta.partial_reasons[0].contains("deleted rows"));
    assert_eq!(texts(&page.logs, "message"), ["c"]);
    assert_eq!(store.lift(0).unwrap().len(), 1, "not as long as they are damaged");
    // Deleting what can be found says that there may be more.
    let deletion = delete(&store, &request("*")).unwrap();
    assert!(deletion.partial && deletion.events == 1);
}

#[test]
fn a_tail_does_not_show_what_was_deleted() {
    let store = TestStore::new();
    let mut tail = Tail::new(&store, request("*"), None).unwrap();
    store.stage_messages("p", &[(0, "a"), (1, "b")]);
    deleted(&store, "a");
    let fresh = tail.poll(&store, NOW).unwrap();
    let logs: Vec<_> = fresh.logs.into_iter().map(|(_, log)| log).collect();
    assert_eq!(texts(&logs, "message"), ["b"]);
}

#[derive(Clone, Debug)]
enum Operation {
    Stage(u8),
    Seal,
    Delete(u8, i64, i64),
    Reopen,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Staging, sealing, deleting and reopening in any order, against a list of what is there.
    #[test]
    fn st_29_deleting_against_a_model(operations in prop::collection::vec(prop_oneof![
        3 => (1_u8..40).prop_map(Operation::Stage),
        2 => Just(Operation::Seal),
        3 => (0_u8..7, 0_i64..300, 0_i64..100).prop_map(|(w, f, l)| Operation::Delete(w, f, f + l)),
        1 => Just(Operation::Reopen),
    ], 1..16)) {
        let mut store = TestStore::new();
        let (mut next, mut model) = (0_i64, BTreeMap::new());
        for operation in operations {
            match operation {
                Operation::Stage(count) => {
                    let texts: Vec<(i64, String)> = (next..next + i64::from(count))
                        .map(|n| (n, format!("word{} n{n}", n % 7)))
                        .collect();
                    let events: Vec<_> = texts.iter().map(|(n, text)| (*n, text.as_str())).collect();
                    store.stage_messages("p", &events);
                    next += i64::from(count);
                    model.extend(texts);
                }
                Operation::Seal => store.seal().unwrap(),
                Operation::Delete(word, from, to) => {
                    let mut wanted = request(&format!("word{word}"));
                    wanted.from = Timestamp::from_micros(from);
                    wanted.to = Timestamp::from_micros(to);
                    let before = model.len();
                    model.retain(|n, _| n % 7 != i64::from(word) || !(from..=to).contains(n));
                    let deletion = delete(&store, &wanted).unwrap();
                    prop_assert_eq!(deletion.events, (before - model.len()) as u64);
                }
                Operation::Reopen => store.reopen(),
            }
            let mut everything = request("*");
            everything.limit = 10_000;
            let mut found = texts(&answer(&store, &everything).logs, "message");
            found.reverse();
            let want: Vec<String> = model.values().cloned().collect();
            prop_assert_eq!(found, want);
            let usage = store.usage();
            prop_assert_eq!(usage.segment_rows + usage.staged_rows, model.len() as u64);
        }
    }
}

/// The catalog tells of one field, the rows of the other: both are of the same moment.
#[test]
fn facets_agree_while_events_are_deleted() {
    let store = TestStore::new();
    let messages: Vec<String> = (0..100).map(|n| format!("n{n} of this and that")).collect();
    let events: Vec<(i64, &str)> = (0..).zip(messages.iter().map(String::as_str)).collect();
    store.stage_messages("p", &events);
    store.seal().unwrap();
    let asked = Facets {
        which: request("*").into(),
        fields: ["nosuch", "message"].map(str::to_owned).to_vec(),
        limit: 10,
    };
    std::thread::scope(|scope| {
        let deleting =
            scope.spawn(|| (0..100).map(|n| deleted(&store, &format!("n{n}"))).sum::<u64>());
        loop {
            let is_over = deleting.is_finished();
            let answer = facets(&store, &asked).unwrap();
            for facet in &answer.facets {
                let values: u64 = facet.values.iter().map(|value| value.count).sum();
                let all = values + facet.other + facet.missing;
                assert_eq!(all, answer.meta.count, "{facet:?}");
            }
            if is_over {
                break;
            }
        }
        assert_eq!(deleting.join().unwrap(), 100);
    });
}

#[test]
fn what_is_staged_is_counted_without_a_look() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a"), (2, "b")]);
    store.stage_messages("other", &[(3, "a")]);
    let count = |from: i64, filter: &str| {
        let mut which: Which = request(filter).into();
        which.from = Timestamp::from_micros(from);
        let aggregates = vec![Aggregate::parse("count").unwrap()];
        let answer = stats(&store, &Stats { which, by: vec![], aggregates, limit: 1 }).unwrap();
        (answer.groups[0]["count"].as_u64().unwrap(), answer.meta.scanned_events)
    };
    assert_eq!(count(1, "*"), (2, 0));
    assert_eq!(count(2, "*"), (1, 2), "some are too early");
    assert_eq!(count(1, "a"), (1, 2));
    assert_eq!(store.sources("p", 0, 9).len(), 1);
}
