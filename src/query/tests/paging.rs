//! Pages, limits and cursors.

use std::collections::BTreeSet;

use super::fixtures::{NOW, TestStore, answer, pages, request, texts, time_and_id};
use crate::query::{CursorError, Order, QueryError, Request, run};
use crate::time::{DAY, SECOND, Timestamp};

#[test]
fn qy_04_limits_and_times_out_of_range_are_told() {
    let store = TestStore::new();
    let error = |request: Request| run(&store, &request).unwrap_err();
    for limit in [0, 10_001, usize::MAX] {
        let found = error(Request { limit, ..request("*") });
        assert_eq!(found, QueryError::Limit(limit));
        assert_eq!(found.to_string(), format!("expected a limit of 1 to 10000, but found {limit}"));
    }
    let (from, to) = (NOW, NOW.plus(-1));
    let found = error(Request { from, to, ..request("*") });
    assert_eq!(found, QueryError::Range { from, to });
    assert!(matches!(error(request("@timestamp > soon")), QueryError::Time(_)));
    let fields = Some(vec![String::new(); 1_001]);
    assert_eq!(error(Request { fields, ..request("*") }), QueryError::Fields(1_001));
}

#[test]
fn qy_04_any_stretch_of_time_is_answered() {
    let store = TestStore::new();
    store.stage_messages("p", &[(Timestamp::MIN.as_micros(), "first"), (i64::MAX, "last")]);
    for _ in 0..2 {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let all = Request { order, limit: 1, ..request("*") };
            assert_eq!(pages(&store, &all, |_| {}).len(), 1, "only what the calendar has");
            let to = Timestamp::from_micros(i64::MAX);
            let more = Request { to, ..all.clone() };
            assert_eq!(pages(&store, &more, |_| {}).len(), 2);
            let none = Request { from: NOW, to: NOW, ..all };
            assert_eq!(answer(&store, &none).logs.len(), 0);
        }
        store.seal().unwrap();
    }
}

#[test]
fn ends_of_the_time_asked_are_part_of_it() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    let (from, to) = (Timestamp::from_micros(2), Timestamp::from_micros(3));
    let page = answer(&store, &Request { from, to, ..request("*") });
    assert_eq!(texts(&page.logs, "message"), ["c", "b"]);
}

#[test]
fn qy_09_pages_neither_double_nor_miss_while_events_arrive_and_are_sealed() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let store = TestStore::new();
        // Many ties: a hundred events at each of three times, in batches that overlap.
        let now = NOW.as_micros();
        for _ in 0..10 {
            let batch: Vec<(i64, &str)> = (0..30).map(|n| (now + n % 3, "old")).collect();
            store.stage_messages("p", &batch);
        }
        let logs =
            pages(&store, &Request { limit: 7, order, ..request("old") }, |page| match page % 3 {
                0 => store.stage_messages("p", &[(now + 1, "new"), (now + 9, "old"), (0, "old")]),
                1 => store.seal().unwrap(),
                _ => drop(store.expire(NOW.plus(DAY)).unwrap()),
            });
        let ids: BTreeSet<String> = texts(&logs, "_id").into_iter().collect();
        assert_eq!(ids.len(), logs.len(), "no double");
        let first_300 = ids.iter().filter(|id| u64::from_str_radix(id, 16).unwrap() < 300).count();
        assert_eq!(first_300, 300, "no gap");
        let shown: Vec<_> = logs.iter().map(time_and_id).collect();
        let mut sorted = shown.clone();
        sorted.sort();
        if order == Order::NewestFirst {
            sorted.reverse();
        }
        assert_eq!(shown, sorted);
    }
}

#[test]
fn the_last_page_has_no_cursor() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a"), (2, "b"), (3, "c")]);
    let page = |limit| answer(&store, &Request { limit, ..request("*") });
    assert!(page(2).meta.next_cursor.is_some());
    assert_eq!(page(3).meta.next_cursor, None);
    assert_eq!(page(4).meta.next_cursor, None);
}

#[test]
fn ht_10_a_cursor_continues_its_own_query_only() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a b"), (2, "a c"), (3, "a d")]);
    store.stage_messages("q", &[(1, "a b")]);
    let own = Request { limit: 1, ..request("a") };
    let cursor = answer(&store, &own).meta.next_cursor;
    let next = |request: Request| run(&store, &request).map(|page| texts(&page.logs, "message"));
    let own = Request { cursor: cursor.clone(), ..own };
    assert_eq!(next(own.clone()), Ok(vec!["a c".to_owned()]));
    // Another stretch of time and another limit are the same query: `-24h` moves with the clock.
    let moved = Request { limit: 5, from: Timestamp::from_micros(2), ..own.clone() };
    assert_eq!(next(moved), Ok(vec!["a c".to_owned()]));
    let error = |error: CursorError| Err(QueryError::Cursor(error));
    let other = Request { cursor: cursor.clone(), limit: 1, ..request("a or b") };
    assert_eq!(next(other), error(CursorError::OtherQuery));
    let other = Request { project: "q".into(), ..own.clone() };
    assert_eq!(next(other), error(CursorError::OtherQuery));
    let cut = Request { cursor: cursor.map(|text| text.chars().skip(1).collect()), ..own.clone() };
    assert_eq!(next(cut), error(CursorError::Form(97)));
    let late = Request { now: NOW.plus(30 * DAY), ..own.clone() };
    assert!(next(late).is_ok());
    let late = Request { now: NOW.plus(30 * DAY + SECOND), ..own };
    assert_eq!(next(late), error(CursorError::TooOld(NOW)));
}

#[test]
fn large_rows_make_a_shorter_page() {
    let store = TestStore::new();
    let large = "x".repeat(250_000);
    for n in 0..20 {
        let events: Vec<(i64, &str)> = (0..10).map(|m| (n * 10 + m, large.as_str())).collect();
        store.stage_messages("p", &events);
    }
    let all = Request { limit: 10_000, ..request("*") };
    let page = answer(&store, &all);
    assert!((1..=67).contains(&page.logs.len()), "{}", page.logs.len());
    assert!(page.meta.next_cursor.is_some());
    let ids = texts(&pages(&store, &all, |_| {}), "_id");
    assert_eq!(ids.len(), 200);
    assert!(ids.is_sorted_by(|a, b| a > b));
}

#[test]
fn fields_are_shown_as_asked() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a b")]);
    let shown = |names: &[&str]| {
        let fields = Some(names.iter().map(|name| (*name).to_owned()).collect());
        let page = answer(&store, &Request { fields, ..request("a") });
        serde_json::to_string(&page.logs).unwrap()
    };
    assert_eq!(shown(&["message", "nosuch"]), r#"[{"message":"a b"}]"#);
    assert_eq!(shown(&["host", "t*"]), r#"[{"host.name":"192.0.2.7","tags":[]}]"#);
    assert_eq!(shown(&[]), "[{}]");
    let all = [
        r#"[{"@timestamp":"1970-01-01T00:00:00.000001Z","@version":"1","_id":"0000000000000000""#,
        r#""auth.method":"prefix","host.name":"192.0.2.7","key":"key_1","listener":"syslog-tcp""#,
        r#""message":"a b","peer.ip":"192.0.2.7","received_at":"2026-06-15T12:00:00.000Z""#,
        r#""tags":[]}]"#,
    ];
    assert_eq!(shown(&["*"]), all.join(","));
}
