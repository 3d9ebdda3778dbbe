//! What is computed of events in columns is what is computed of them as rows, and a model for it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::events::draw;
use super::fixtures::{NOW, TestStore, answer, origin, request};
use super::model::{Shown, stage};
use crate::event::{Event, Kind, Value as FieldValue};
use crate::kql::{Field, Lookup, Prepared, matches};
use crate::query::{Aggregate, MAX_GROUPS, Memory, Request, Stats, StatsAnswer, stats};
use crate::store::Rows;
use crate::time::{SECOND, Timestamp};

/// The events that a request is about, as they are shown.
pub(super) fn matching(store: &TestStore, asked: &Request) -> Vec<Shown> {
    let everything = Request { limit: 10_000, from: asked.from, to: asked.to, ..request("*") };
    let prepared = Prepared::new(&asked.filter, NOW).unwrap();
    let shown = answer(store, &everything).logs.iter().map(Shown::new).collect::<Vec<_>>();
    shown.into_iter().filter(|shown| matches(&prepared, shown)).collect()
}

/// The values of a field in an event, `null` left out.
pub(super) fn values(event: &Shown, name: &str) -> Vec<Value> {
    let mut values = Vec::new();
    let field = Field::Name(name.to_owned());
    let _all: ControlFlow<()> = event.values(Some(&field), &mut |_, value| {
        if !matches!(value.kind, Kind::Null | Kind::Json) {
            values.push(value.to_json());
        }
        ControlFlow::Continue(())
    });
    values
}

/// The keys of the groups that an event is in, as JSON text.
fn keys(event: &Shown, by: &[&str]) -> Vec<String> {
    let mut keys: Vec<Map<String, Value>> = vec![Map::new()];
    for name in by {
        let mut own: Vec<Value> = values(event, name);
        let mut seen = BTreeSet::new();
        own.retain(|value| seen.insert(value.to_string()));
        if own.is_empty() {
            own.push(Value::Null);
        }
        let with = |key: &Map<String, Value>, value: &Value| {
            let mut key = key.clone();
            key.insert((*name).to_owned(), value.clone());
            key
        };
        keys = keys.iter().flat_map(|key| own.iter().map(|value| with(key, value))).collect();
    }
    keys.into_iter().map(|key| Value::Object(key).to_string()).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
/// The aggregates of [`AGGREGATES`] of these events, each computed as simply as can be.
fn aggregates(events: &[&Shown]) -> Vec<Value> {
    let all = |name: &str| events.iter().flat_map(|event| values(event, name)).collect::<Vec<_>>();
    let mut numbers: Vec<i64> = all("n").iter().map(|value| value.as_i64().unwrap()).collect();
    numbers.sort_unstable();
    let names: Vec<Value> =
        all("service.name").into_iter().filter(|value| !value.is_boolean()).collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let texts = || names.iter().map(text);
    let number = |value: f64| match value.fract() == 0.0 && value.abs() < 1e15 {
        true => json!(value as i64),
        false => json!(value),
    };
    let greatest = texts().filter_map(|text| crate::kql::number(text.as_bytes()));
    let greatest = greatest.max_by(f64::total_cmp).map(number);
    let greatest = greatest.or_else(|| texts().max().map(Value::from));
    let distinct: BTreeSet<String> = all("tags").iter().map(Value::to_string).collect();
    let sum: i64 = numbers.iter().sum();
    let at = |part: f64| json!(numbers[(part * (numbers.len() - 1) as f64) as usize]);
    let mean = sum as f64 / numbers.len() as f64;
    vec![
        json!(events.len()),
        json!(all("user.id").len()),
        json!(sum),
        json!(numbers.first()),
        json!(numbers.last()),
        number(mean),
        at(0.5),
        at(0.99),
        json!(distinct.len()),
        json!(greatest),
    ]
}

const AGGREGATES: [&str; 10] = [
    "count",
    "count(user.id)",
    "sum(n)",
    "min(n)",
    "max(n)",
    "avg(n)",
    "p50(n)",
    "p99(n)",
    "distinct(tags)",
    "max(service.name)",
];

fn asked(request: &Request, by: &[&str], aggregates: &[&str]) -> Stats {
    Stats {
        which: request.clone().into(),
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        aggregates: aggregates.iter().map(|text| Aggregate::parse(text).unwrap()).collect(),
        limit: MAX_GROUPS,
    }
}

fn computed(store: &TestStore, asked: &Stats) -> StatsAnswer {
    let answer = stats(store, asked).unwrap();
    assert!(!answer.meta.partial, "{:?}", answer.meta.partial_reasons);
    assert!(answer.other.is_none());
    answer
}

fn check(store: &TestStore, filter: &str, by: &[&str], seconds: Option<(i64, i64)>) {
    let mut about = request(filter);
    if let Some((from, to)) = seconds {
        (about.from, about.to) = (NOW.plus(from * SECOND), NOW.plus(to * SECOND));
    }
    let events = matching(store, &about);
    let answer = computed(store, &asked(&about, by, &AGGREGATES));
    assert_eq!(answer.meta.count, events.len() as u64, "{filter} by {by:?}");
    let mut want: std::collections::BTreeMap<String, Vec<&Shown>> = Default::default();
    for event in &events {
        for key in keys(event, by) {
            want.entry(key).or_default().push(event);
        }
    }
    if by.is_empty() && want.is_empty() {
        assert_eq!(answer.groups.len(), 1);
        assert_eq!(answer.groups[0]["count"], 0);
        return;
    }
    assert_eq!(answer.groups.len(), want.len(), "{filter} by {by:?}: {:?}", answer.groups);
    for group in &answer.groups {
        let events = &want[&group["by"].to_string()];
        let found: Vec<Value> = AGGREGATES.iter().map(|name| group[*name].clone()).collect();
        // As text: numbers are digits here, and an integer may come in two types.
        let want = Value::Array(aggregates(events)).to_string();
        assert_eq!(Value::Array(found).to_string(), want, "{filter} {by:?} {}", group["by"]);
    }
    assert!(answer.groups.is_sorted_by_key(|g| std::cmp::Reverse(g["count"].as_u64())));
    // The count alone takes other ways.
    let counts = computed(store, &asked(&about, by, &["count"]));
    let count = |g: &Map<String, Value>| (g["by"].to_string(), g["count"].to_string());
    let (a, b): (BTreeSet<_>, BTreeSet<_>) =
        (counts.groups.iter().map(count).collect(), answer.groups.iter().map(count).collect());
    assert_eq!(a, b, "{filter} by {by:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn columns_add_up_as_rows_do(
        draws in prop::collection::vec(draw(), 1..60),
        late in prop::collection::vec(draw(), 0..10),
        batches in 1_usize..4,
        seconds in prop::option::of((-3_i64..1, 0_i64..3)),
    ) {
        let (store, mut model) = (TestStore::new(), Vec::new());
        stage(&store, &draws, batches, &mut model);
        for state in 0..3 {
            match state {
                0 => {}
                1 => store.seal().unwrap(),
                _ => stage(&store, &late, 1, &mut model),
            }
            for filter in FILTERS {
                for by in BY {
                    check(&store, filter, by, seconds);
                }
            }
        }
    }
}

const FILTERS: &[&str] =
    &["*", "level:ERROR or n > 20", "service:api", "not log.syslog.severity.code < 5", "x"];

const BY: &[&[&str]] = &[
    &[],
    &["service"],
    &["level"],
    &["level", "service"],
    &["level", "log.syslog.severity.name", "log.syslog.facility.code"],
    &["host.name"],
    &["tags"],
    &["tags", "items"],
    &["items.n"],
    &["a.b"],
    &["a"],
    &["message"],
    &["service.name"],
    &["log.syslog.structured_data.x@1.a"],
    &["log.syslog.structured_data"],
    &["log.syslog.structured_data.a.b.c"],
    &["key", "@version"],
    &["@timestamp"],
    &["peer.ip", "auth.method", "listener"],
    &["received_at"],
    &["_id"],
    &["nosuch"],
    &["event.original"],
];

#[test]
fn qy_05_groups_are_bounded_and_it_is_said() {
    let store = TestStore::new();
    let texts: Vec<String> = (0..30_000).map(|n| format!("message {n}")).collect();
    for texts in texts.chunks(1_000) {
        let mut events: Vec<(i64, &str)> = texts.iter().map(|text| (1, text.as_str())).collect();
        events.extend([(1, "often"); 20]);
        store.stage_messages("p", &events);
    }
    for _ in 0..2 {
        let mut by_message = asked(&request("*"), &["message"], &["count"]);
        by_message.limit = 5;
        let found = stats(&store, &by_message).unwrap();
        assert_eq!(found.meta.count, 30_600);
        assert!(found.meta.partial);
        let want = "expected at most 10000 groups and room for them, but found more";
        assert_eq!(found.meta.partial_reasons, [want]);
        assert_eq!(found.groups.len(), 5);
        assert_eq!(found.groups[0]["by"]["message"], "often", "the large ones stay");
        let other = found.other.unwrap()["count"].as_u64().unwrap();
        let shown: u64 = found.groups.iter().map(|group| group["count"].as_u64().unwrap()).sum();
        assert_eq!(shown + other, 30_600, "none is lost");
        store.seal().unwrap();
    }
}

#[test]
fn qy_05_long_arrays_do_not_multiply() {
    let store = TestStore::new();
    let numbers = json!((0..3_000).collect::<Vec<_>>()).to_string();
    let mut event = Event::default();
    for name in ["a", "b", "c", "d"] {
        event.put(name.into(), FieldValue::Json(numbers.as_str().into()));
    }
    let mut rows = Rows::default();
    rows.begin(&origin("p"), NOW.as_micros());
    rows.push(&event);
    store.stage([&rows]).unwrap();
    for _ in 0..2 {
        let found =
            stats(&store, &asked(&request("*"), &["a", "b", "c", "d"], &["count"])).unwrap();
        assert_eq!((found.meta.count, found.groups.len()), (1, 1000));
        store.seal().unwrap();
    }
}

#[test]
fn qy_05_memory_of_groups_is_bounded() {
    let store = TestStore::new();
    let texts: Vec<String> = (0..3_000).map(|n| format!("{n} {}", "x".repeat(1_000))).collect();
    let events: Vec<(i64, &str)> = texts.iter().map(|text| (1, text.as_str())).collect();
    store.stage_messages("p", &events);
    let mut by_message = asked(&request("*"), &["message"], &["count", "p99(n)"]);
    let memory = Arc::new(Memory::new(1 << 20));
    by_message.which.budget.memory = Arc::clone(&memory);
    for _ in 0..2 {
        let found = stats(&store, &by_message).unwrap();
        assert!(found.meta.partial);
        assert!((100..1_000).contains(&found.groups.len()), "{}", found.groups.len());
        store.seal().unwrap();
    }
}

#[test]
fn counts_of_whole_blocks_read_nothing() {
    let store = TestStore::new();
    let mut model = Vec::new();
    let mut runner = TestRunner::deterministic();
    let draws: Vec<_> = (0..200).map(|_| draw().new_tree(&mut runner).unwrap().current()).collect();
    stage(&store, &draws, 1, &mut model);
    store.seal().unwrap();
    let events = |filter: &str, by: &[&str], aggregate: &str| {
        computed(&store, &asked(&request(filter), by, &[aggregate])).meta.scanned_events
    };
    assert_eq!(events("*", &[], "count"), 0);
    assert!(events("*", &["level"], "sum(log.syslog.priority)") > 0, "of two columns");
    // Each service has blocks of its own, and the level is told by the priority where none has
    // another, so that some blocks are read and some are not.
    assert!(events("service:api", &["service"], "count") < 200);
    store.stage_messages("r", &[(1, "x"), (2, "y"), (3, "x")]);
    store.seal().unwrap();
    let mut other = asked(&request("message:x"), &["message"], &["count", "max(message)"]);
    other.which.project = "r".into();
    let found = computed(&store, &other);
    assert_eq!((found.meta.scanned_events, found.meta.count), (0, 2));
    assert_eq!(found.groups[0]["max(message)"], "x");
    other.which.from = Timestamp::from_micros(2);
    let found = computed(&store, &other);
    assert_eq!((found.meta.scanned_events, found.meta.count), (3, 1), "a part of a block is read");
}

#[test]
fn qy_04_what_makes_no_sense_is_told() {
    let store = TestStore::new();
    let good = asked(&request("*"), &["a"], &["count"]);
    let error = |asked: Stats| stats(&store, &asked).unwrap_err().to_string();
    let named = |name: &str| Aggregate::parse("count").unwrap().named(name);
    let table = [
        (Stats { limit: 0, ..good.clone() }, "at most 10000 groups, and one at least, but found 0"),
        (Stats { aggregates: vec![], ..good.clone() }, "at most 64 aggregates, and one at least"),
        (Stats { by: vec![String::new(); 9], ..good.clone() }, "at most 8 fields to group by"),
        (Stats { aggregates: vec![named("by")], ..good.clone() }, "but found by again"),
        (Stats { aggregates: vec![named("a"), named("a")], ..good.clone() }, "but found a again"),
    ];
    for (asked, want) in table {
        let found = error(asked);
        assert!(found.contains(want), "{found}");
    }
    assert!(Aggregate::parse("sum").unwrap_err().to_string().ends_with("but found sum"));
    let mut backwards = good;
    (backwards.which.from, backwards.which.to) = (NOW, NOW.plus(-1));
    assert!(error(backwards).contains("no later than"));
}
