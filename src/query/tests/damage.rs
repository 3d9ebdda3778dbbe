//! Budgets that are spent, and sources that cannot be read.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::fixtures::{NOW, TestStore, answer, request, texts};
use crate::query::{Page, Request, Tail, run};

#[test]
fn qy_06_a_spent_budget_is_a_partial_answer() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a")]);
    let mut late = request("a");
    late.budget.until = Some(Instant::now());
    let page = run(&store, &late).unwrap();
    assert!(page.meta.partial && page.meta.next_cursor.is_none());
    assert_eq!((page.logs.len(), page.meta.partial_reasons.len()), (0, 1));
}

/// As many conditions and stars as a filter may have, over messages as long as they may be: an answer,
/// or what there was time for.
#[test]
fn qy_03_the_largest_filters_end_in_time() {
    let store = TestStore::new();
    let long = "a".repeat(64 << 10);
    let words = "word and ".repeat(7_000);
    store.stage_messages("p", &[(1, &long), (2, &words), (3, "short")]);
    let many = |each: fn(usize) -> String, count: usize| {
        (0..count).map(each).collect::<Vec<_>>().join(" or ")
    };
    let filters = [
        many(|_| "a".to_owned(), 10_000),
        many(|n| format!("{n}"), 6_000),
        many(|n| format!("{n}*"), 6_000),
        many(|n| format!("*{n}*"), 5_000),
        many(|n| format!("n{n}*:x"), 5_000),
        format!("message:{}", "*a*b*c*d".repeat(8_000)),
        format!("message:{}", "*a".repeat(32_000)),
    ];
    for _ in 0..2 {
        for filter in &filters {
            let mut asked = request(filter);
            asked.budget.until = Some(Instant::now() + Duration::from_secs(1));
            let began = Instant::now();
            let page = run(&store, &asked).unwrap();
            // What is under way when time is over ends as well, which takes a moment for each condition.
            let (took, head) = (began.elapsed(), filter.get(..20).unwrap());
            assert!(took < Duration::from_secs(60), "{head}: {took:?}");
            assert!(page.logs.len() <= 3);
        }
        store.seal().unwrap();
    }
}

#[test]
fn qy_07_a_query_that_nobody_waits_for_stops() {
    let store = TestStore::new();
    store.stage_messages("p", &[(1, "a")]);
    let gone = request("a");
    gone.budget.cancelled.store(true, Ordering::Relaxed);
    let page = run(&store, &gone).unwrap();
    assert!(page.meta.partial && page.logs.is_empty());
    assert_eq!(page.meta.scanned_events, 0);
}

#[test]
fn what_need_not_be_read_is_not() {
    let store = TestStore::new();
    for n in 0..5 {
        store.stage_messages("p", &[(n * 10, "a"), (n * 10 + 1, "b")]);
        store.seal().unwrap();
    }
    let scanned = |request: Request| answer(&store, &request).meta.scanned_events;
    assert_eq!(scanned(Request { limit: 1, ..request("*") }), 2, "one block is enough");
    assert_eq!(scanned(request("message:a")), 10);
    assert_eq!(scanned(request("message:c")), 0, "the catalog knows all values");
    assert_eq!(scanned(request("nosuch:x")), 0, "the catalog knows all columns");
    assert_eq!(scanned(request("@timestamp > \"1970-01-01T00:00:01Z\"")), 0);
    assert_eq!(scanned(request("not listener:x and not message:*")), 0, "all rows have one");
    assert_eq!(scanned(request("level:error and a")), 0, "a part that finds none is enough");
    let few = answer(&store, &Request { limit: 3, ..request("a or b") });
    assert_eq!(
        (few.meta.scanned_events, texts(&few.logs, "message")),
        (4, vec!["b".into(), "a".into(), "b".into()])
    );
}

/// Three segments of two events each.
fn three_segments() -> TestStore {
    let store = TestStore::new();
    for n in 0..3 {
        store.stage_messages("p", &[(n * 10, "a one"), (n * 10 + 1, "a two")]);
        store.seal().unwrap();
    }
    store
}

fn found(store: &TestStore, filter: &str) -> Page {
    run(store, &request(filter)).unwrap()
}

#[test]
fn qy_08_a_damaged_block_is_left_out_and_said() {
    let messages = ["a two", "a one", "a two", "a one"];
    let damaged = "expected the checksum of a chunk, but found damaged bytes";
    let missing = "expected a chunk of segment 0000000000000001, but found none";
    let not_a_chunk = &b"not a chunk, but long enough"[..];
    for (chunk, reason) in [(Some(not_a_chunk), damaged), (None, missing)] {
        let reason = format!("segment 0000000000000001, block 0: {reason}");
        for column in [0, 1] {
            let store = three_segments();
            store.damage(1, column, chunk);
            let fields = Some(vec!["_id".to_owned()]);
            let page = run(&store, &Request { fields, ..request("*") }).unwrap();
            assert_eq!(page.meta.partial, column == 0, "what is not needed may be damaged");
            // The message is needed to find rows in the first case, to show them in the second.
            for filter in ["a", "*"] {
                let page = found(&store, filter);
                assert!(page.meta.partial, "{filter}");
                let reasons = page.meta.partial_reasons.join("; ");
                assert_eq!(reasons.replace("in quarantine: ", ""), reason);
                assert_eq!(
                    (texts(&page.logs, "message"), page.meta.count),
                    (messages.map(String::from).to_vec(), 4)
                );
            }
            assert!(!found(&store, "nosuch:x").meta.partial);
        }
    }
}

#[test]
fn pages_go_on_behind_damage() {
    let store = three_segments();
    store.damage(1, 0, None);
    let (mut next, mut logs) = (Request { limit: 1, ..request("a") }, Vec::new());
    loop {
        let page = run(&store, &next).unwrap();
        logs.extend(page.logs);
        next.cursor = page.meta.next_cursor;
        if next.cursor.is_none() {
            break;
        }
    }
    assert_eq!(texts(&logs, "_id").len(), 4);
}

#[test]
fn a_tail_says_what_it_could_not_read_once() {
    let store = three_segments();
    store.damage(1, 0, None);
    let mut tail = Tail::new(&store, request("a"), Some(-1)).unwrap();
    let fresh = tail.poll(&store, NOW).unwrap();
    assert_eq!((fresh.logs.len(), fresh.partial_reasons.len()), (4, 1));
    let fresh = tail.poll(&store, NOW).unwrap();
    assert_eq!((fresh.logs.len(), fresh.partial_reasons.len()), (0, 0));
}
