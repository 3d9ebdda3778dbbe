//! Live tail.

use std::collections::BTreeSet;

use super::fixtures::{NOW, TestStore, origin, request};
use crate::event::{Event, Known, Value};
use crate::query::{Request, Tail};
use crate::store::Rows;
use crate::time::Timestamp;

fn messages(tail: &mut Tail, store: &TestStore) -> Vec<String> {
    let fresh = tail.poll(store, NOW).unwrap();
    assert!(fresh.partial_reasons.is_empty() && !fresh.has_more);
    assert!(fresh.logs.is_sorted_by_key(|(id, _)| *id));
    fresh.logs.iter().map(|(_, log)| log["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_tail_shows_each_event_once_whatever_is_sealed_meanwhile() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "before")]);
    let mut tail = Tail::new(&store, request("new"), None).unwrap();
    store.seal().unwrap();
    assert!(
        messages(&mut tail, &store).is_empty(),
        "what was staged before is not new when sealed"
    );
    store.stage_messages("p", &[(9, "new 1"), (1, "old"), (2, "new 2")]);
    assert_eq!(messages(&mut tail, &store), ["new 1", "new 2"]);
    assert!(messages(&mut tail, &store).is_empty());
    store.stage_messages("p", &[(5, "new 3")]);
    store.seal().unwrap();
    store.stage_messages("p", &[(4, "new 4")]);
    assert_eq!(messages(&mut tail, &store), ["new 3", "new 4"]);
    store.seal().unwrap();
    assert!(messages(&mut tail, &store).is_empty());
    store.stage_messages("q", &[(5, "new 5")]);
    assert!(messages(&mut tail, &store).is_empty());
}

#[test]
fn a_tail_goes_on_after_an_id() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a"), (2, "b"), (3, "c")]);
    store.seal().unwrap();
    store.stage_messages("p", &[(1, "d")]);
    let mut tail = Tail::new(&store, request("*"), Some(1)).unwrap();
    assert_eq!(messages(&mut tail, &store), ["c", "d"]);
    assert!(messages(&mut tail, &store).is_empty());
}

#[test]
fn a_tail_that_has_more_loses_none() {
    let store = TestStore::new();
    let limited = Request { limit: 3, ..request("x") };
    let mut tail = Tail::new(&store, limited, None).unwrap();
    let mut ids = Vec::new();
    for round in 0..8 {
        store.stage_messages("p", &[(round, "x"), (round, "y"), (-round, "x"), (round, "x")]);
        store.stage_messages("p", &[(round, "x"), (round, "x")]);
        if round % 2 == 0 {
            store.seal().unwrap();
        }
        ids.extend(tail.poll(&store, NOW).unwrap().logs.into_iter().map(|(id, _)| id));
    }
    loop {
        let fresh = tail.poll(&store, NOW).unwrap();
        ids.extend(fresh.logs.into_iter().map(|(id, _)| id));
        if !fresh.has_more {
            break;
        }
    }
    assert!(ids.is_sorted());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(ids.len(), 40);
}

#[test]
fn a_tail_keeps_to_its_time() {
    let store = TestStore::new();
    let from = Timestamp::from_micros(5);
    let mut tail = Tail::new(&store, Request { from, ..request("*") }, None).unwrap();
    let mut rows = Rows::default();
    rows.begin(&origin("p"), 5);
    for time in [Some(4), None, Some(6)] {
        let timestamp = time.map(Timestamp::from_micros);
        let mut event = Event { timestamp, ..Event::default() };
        event.set(Known::Message, Value::Text(format!("{time:?}").into()));
        rows.push(&event);
    }
    store.stage([&rows]).unwrap();
    assert_eq!(messages(&mut tail, &store), ["None", "Some(6)"]);
}
