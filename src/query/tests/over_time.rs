//! Histograms, facets, patterns and contexts against a model, and their bounds.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::counting::{matching, values};
use super::events::draw;
use super::fixtures::{NOW, TestStore, answer, request, texts, time_and_id};
use super::model::{Shown, stage};
use crate::query::{
    Context, Facets, Histogram, Interval, MAX_BUCKETS, Patterns, QueryError, Request, context,
    facets, histogram, patterns,
};
use crate::time::{DAY, SECOND, Timestamp};

fn over_time(request: &Request, interval: &str, by: Option<&str>) -> Histogram {
    let (interval, by) = (Interval::parse(interval).ok(), by.map(str::to_owned));
    Histogram { which: request.clone().into(), interval, by, limit: 3 }
}

fn time(shown: &Shown) -> i64 {
    let text = values(shown, "@timestamp");
    Timestamp::parse_rfc3339(text[0].as_str().unwrap().as_bytes()).unwrap().as_micros()
}

fn check_histogram(store: &TestStore, asked: &Request, interval: &str, by: &str) {
    let answer = histogram(store, &over_time(asked, interval, Some(by))).unwrap();
    assert!(!answer.meta.partial);
    let events = matching(store, asked);
    let width = Interval::parse(interval).unwrap().micros();
    let mut want: BTreeMap<i64, u64> = BTreeMap::new();
    let mut series: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    for event in &events {
        let bucket = time(event).div_euclid(width) * width;
        *want.entry(bucket).or_default() += 1;
        let mut own: Vec<String> = values(event, by).iter().map(Value::to_string).collect();
        own.sort();
        own.dedup();
        if own.is_empty() {
            own.push("null".to_owned());
        }
        for value in own {
            *series.entry(value).or_default().entry(bucket).or_default() += 1;
        }
    }
    let bucket_of = |text: &str| Timestamp::parse_rfc3339(text.as_bytes()).unwrap().as_micros();
    let starts: Vec<i64> = answer.buckets.iter().map(|bucket| bucket_of(&bucket.time)).collect();
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == width), "none is left out");
    let found: BTreeMap<i64, u64> = answer
        .buckets
        .iter()
        .zip(&starts)
        .filter(|(bucket, _)| bucket.count > 0)
        .map(|(bucket, start)| (*start, bucket.count))
        .collect();
    assert_eq!(found, want, "{interval}");
    assert_eq!(answer.meta.count, events.len() as u64);
    for _ in 0..2 {
        // Without a field, and again when it is known when the rows are.
        let alone = histogram(store, &over_time(asked, interval, None)).unwrap();
        assert_eq!((alone.buckets, alone.meta.count), (answer.buckets.clone(), answer.meta.count));
    }
    let shown = answer.series.unwrap();
    assert_eq!(shown.len(), series.len().min(3));
    let others: u64 = answer.other.as_ref().map_or(0, |other| other.counts.iter().sum());
    let all: u64 = series.values().flat_map(BTreeMap::values).sum();
    assert_eq!(shown.iter().map(|s| s.count).sum::<u64>() + others, all);
    for one in &shown {
        let want = &series[&one.value.to_string()];
        let found: BTreeMap<i64, u64> = one
            .counts
            .iter()
            .zip(&starts)
            .filter(|(count, _)| **count > 0)
            .map(|(count, start)| (*start, *count))
            .collect();
        assert_eq!(&found, want, "{interval} {}", one.value);
    }
}

fn check_facets(store: &TestStore, asked: &Request) {
    let fields = ["service", "level", "tags", "a.b", "host.name", "nosuch"];
    let which = asked.clone().into();
    let facets_asked = Facets { which, fields: fields.map(str::to_owned).to_vec(), limit: 2 };
    let answer = facets(store, &facets_asked).unwrap();
    let events = matching(store, asked);
    assert_eq!(answer.meta.count, events.len() as u64);
    for facet in &answer.facets {
        let (mut want, mut missing) = (BTreeMap::<String, u64>::new(), 0);
        for event in &events {
            let mut own: Vec<_> =
                values(event, &facet.field).iter().map(Value::to_string).collect();
            own.sort();
            own.dedup();
            missing += u64::from(own.is_empty());
            own.into_iter().for_each(|value| *want.entry(value).or_default() += 1);
        }
        let mut counts: Vec<u64> = want.values().copied().collect();
        counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
        let found: Vec<u64> = facet.values.iter().map(|value| value.count).collect();
        assert_eq!(found, counts[..counts.len().min(2)], "{}", facet.field);
        for value in &facet.values {
            assert_eq!(value.count, want[&value.value.to_string()]);
        }
        assert_eq!(facet.other, counts.iter().skip(2).sum::<u64>());
        assert_eq!(facet.missing, missing, "{}", facet.field);
    }
}

/// The context of every event is what stands around it among those of its source.
fn check_context(store: &TestStore) {
    let all = answer(store, &Request { limit: 10_000, ..request("*") }).logs;
    let own = |log: &Map<String, Value>, name: &str| match log.get(name) {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(Value::String(text.clone()))),
        Some(_) => None,
    };
    let is_in = |log: &Map<String, Value>, name: &str, value: &Option<Value>| {
        let values = values(&Shown::new(log), name);
        value.as_ref().map_or(values.is_empty(), |value| values.contains(value))
    };
    for log in all.iter().rev() {
        let (Some(host), Some(service)) = (own(log, "host.name"), own(log, "service")) else {
            continue;
        };
        // A number that a text is written as is equal to it.
        if service.as_ref().is_some_and(|service| *service == "1") {
            continue;
        }
        let mut same: Vec<_> = all.iter().collect();
        same.retain(|log| is_in(log, "host.name", &host) && is_in(log, "service", &service));
        same.sort_by_key(|log| time_and_id(log));
        let place = same.iter().position(|other| *other == log).unwrap();
        let id = u64::from_str_radix(log["_id"].as_str().unwrap(), 16).unwrap().cast_signed();
        let asked = Context { request: request("nothing"), id, before: 2, after: 3 };
        let found = context(store, &asked).unwrap();
        assert_eq!(&found.event, log);
        let ids = |logs: &[Map<String, Value>]| texts(logs, "_id");
        let want = |logs: &[&Map<String, Value>]| {
            logs.iter().map(|log| log["_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&found.before), want(&same[place.saturating_sub(2)..place]));
        assert_eq!(ids(&found.after), want(&same[place + 1..same.len().min(place + 4)]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn times_and_values_count_as_in_rows(
        draws in prop::collection::vec(draw(), 1..60),
        late in prop::collection::vec(draw(), 0..10),
        batches in 1_usize..4,
    ) {
        let (store, mut model) = (TestStore::new(), Vec::new());
        stage(&store, &draws, batches, &mut model);
        for state in 0..3 {
            match state {
                0 => {}
                1 => store.seal().unwrap(),
                _ => stage(&store, &late, 1, &mut model),
            }
            for filter in ["*", "level:ERROR or n > 20", "service:api", "not tags:*"] {
                let (from, to) = (NOW.plus(-4 * SECOND), NOW.plus(2 * SECOND - 1));
                let recent = Request { from, to, ..request(filter) };
                for by in ["level", "tags", "service"] {
                    check_histogram(&store, &recent, "1s", by);
                    check_histogram(&store, &recent, "1h", by);
                    check_histogram(&store, &request(filter), "30d", by);
                }
                check_facets(&store, &recent);
                check_facets(&store, &request(filter));
            }
            check_context(&store);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_interval_and_what_the_rows_span(
        times in prop::sample::select(vec![1, 60_000, 3 * SECOND, 50 * SECOND, 500 * SECOND])
            .prop_flat_map(|span| prop::collection::vec(0..span, 1..40)),
    ) {
        let store = TestStore::new();
        let rows: Vec<(i64, &str)> = times.iter().map(|time| (*time, "a")).collect();
        store.stage_messages("p", &rows);
        store.seal().unwrap();
        for interval in ["1ms", "3ms", "10ms", "100ms", "500ms", "1s", "7s", "1m"] {
            let width = Interval::parse(interval).unwrap().micros();
            let mut want: BTreeMap<i64, u64> = BTreeMap::new();
            times.iter().for_each(|time| *want.entry(time / width).or_default() += 1);
            let (first, last) = (want.keys().next().unwrap(), want.keys().last().unwrap());
            let of = |bucket: i64| want.get(&bucket).copied().unwrap_or(0);
            let want = (last - first < 10_000).then(|| (*first..=*last).map(of).collect());
            // A second time from what is kept of the first.
            for _ in 0..2 {
                let found = histogram(&store, &over_time(&request("*"), interval, None)).ok();
                let counts = found.map(|found| found.buckets.iter().map(|b| b.count).collect());
                prop_assert_eq!(counts, want.clone() as Option<Vec<u64>>, "{}", interval);
            }
        }
    }
}

#[test]
fn empty_buckets_of_the_time_asked_are_there_and_none_else() {
    let store = TestStore::new();
    store.stage_messages("p", &[(5 * SECOND, "a"), (8 * SECOND, "a")]);
    store.stage_messages("q", &[(0, "a"), (100 * SECOND, "a")]);
    let counts = |from: Option<i64>, to: Option<i64>| {
        let mut about = request("a");
        about.from = from.map_or(about.from, Timestamp::from_micros);
        about.to = to.map_or(about.to, Timestamp::from_micros);
        let buckets = histogram(&store, &over_time(&about, "1s", None)).unwrap().buckets;
        buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(counts(None, None), [1, 0, 0, 1], "not those of another project");
        assert_eq!(counts(Some(4 * SECOND), None), [0, 1, 0, 0, 1]);
        assert_eq!(counts(None, Some(6 * SECOND)), [1, 0]);
        assert_eq!(counts(Some(6 * SECOND), Some(9 * SECOND - 1)), [0, 0, 1]);
        assert!(counts(Some(10 * SECOND), None).is_empty());
        store.seal().unwrap();
    }
    let auto = Histogram { interval: None, ..over_time(&request("a"), "1s", None) };
    assert_eq!(histogram(&store, &auto).unwrap().interval, "100ms");
    // All of the time asked for is shown, so it is what the width must fit.
    let mut year = request("a");
    (year.from, year.to) = (Timestamp::from_micros(0), Timestamp::from_micros(365 * DAY));
    let fitting = |about: &Request| {
        let auto = Histogram { interval: None, ..over_time(about, "1s", None) };
        histogram(&store, &auto).map(|answer| answer.interval)
    };
    assert_eq!(fitting(&year), Ok("1w".to_owned()));
    (year.from, year.to) = (Timestamp::from_micros(-365 * DAY), Timestamp::MAX);
    assert_eq!(fitting(&year), Ok("1w".to_owned()));
}

#[test]
fn qy_05_buckets_are_bounded_and_it_is_said() {
    let store = TestStore::new();
    store.stage_messages("p", &[(0, "a"), (365 * DAY, "a")]);
    let error = |asked: &Histogram| histogram(&store, asked).unwrap_err();
    let want = QueryError::Buckets { max: MAX_BUCKETS, interval: "1ms".to_owned() };
    let mut year = request("*");
    (year.from, year.to) = (Timestamp::from_micros(0), Timestamp::from_micros(365 * DAY));
    assert_eq!(error(&over_time(&year, "1ms", None)), want);
    assert_eq!(error(&over_time(&request("*"), "1ms", None)), want, "also where no time is asked");
    assert_eq!(
        want.to_string(),
        "expected an interval that makes at most 10000 buckets of the time asked for, but found 1ms"
    );
    assert!(histogram(&store, &over_time(&year, "1h", None)).is_ok());
    let many: Vec<(i64, &str)> = (0..20_000).map(|n| (n * SECOND, "b")).collect();
    store.stage_messages("p", &many);
    let want = QueryError::Buckets { max: MAX_BUCKETS, interval: "1s".to_owned() };
    assert_eq!(error(&over_time(&request("b"), "1s", None)), want);
}

#[test]
fn messages_have_patterns() {
    let store = TestStore::new();
    store.stage_messages("p", &[(3, "user 7 came"), (1, "user 12 came"), (2, "bye")]);
    store.stage_messages("p", &[(4, "user x came"), (5, "user 8 came")]);
    store.stage_messages("q", &[(9, "user 9 came")]);
    let at = |micros| Timestamp::from_micros(micros).to_string();
    for _ in 0..2 {
        let which = request("came").into();
        let found = patterns(&store, &Patterns { which, limit: 1 }).unwrap();
        assert_eq!((found.other, found.meta.count, found.patterns.len()), (1, 4, 1));
        assert_eq!(
            serde_json::to_value(&found.patterns[0]).unwrap(),
            json!({"pattern": "user <*> came", "count": 3, "first_seen": at(1),
                "last_seen": at(5), "example": "user 8 came"})
        );
        store.seal().unwrap();
    }
}

#[test]
fn a_context_is_of_the_own_project_alone() {
    let store = TestStore::new();
    store.stage_messages("q", &[(1, "secret")]);
    store.stage_messages("p", &[(1, "a"), (2, "b")]);
    let asked = |id| Context { request: request("*"), id, before: 5, after: 5 };
    for _ in 0..2 {
        let none = Err(QueryError::NoEvent("0000000000000000".to_owned()));
        assert_eq!(context(&store, &asked(0)).map(|_| ()), none);
        assert!(context(&store, &asked(99)).is_err());
        let found = context(&store, &asked(1)).unwrap();
        assert_eq!((texts(&found.after, "message"), found.before.len()), (vec!["b".into()], 0));
        assert_eq!(found.meta.count, 2);
        store.seal().unwrap();
    }
    let many = Context { before: 1_001, ..asked(1) };
    assert!(matches!(context(&store, &many), Err(QueryError::Many { max: 1_000, .. })));
}
