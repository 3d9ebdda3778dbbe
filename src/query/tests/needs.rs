//! Whatever matches is in a block that holds what the query needs.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::events::{Draw, RECEIVED, draw, event};
use super::fixtures::{NOW, TestStore, answer, origin, request};
use super::model::{QUERIES, numbers, origins};
use crate::event::{Event, Known, Value};
use crate::kql::{Prepared, Syntax, parse};
use crate::query::needs::{Index, Needs};
use crate::query::{Request, SegmentIndex};
use crate::store::tokens::{BlockSet, BlockWords, Token, TokenMap, Words};
use crate::store::{Rows, Source};

/// A segment in which each event is a block of its own.
struct Blocks {
    map: TokenMap,
    buckets: Vec<Vec<u8>>,
    times: Vec<i64>,
}

impl Index for Blocks {
    type Error = ();

    fn blocks(&self) -> u32 {
        self.map.blocks()
    }

    fn holding(&mut self, word: Token) -> Result<BlockSet, ()> {
        let bucket = &self.buckets[self.map.bucket_of(word) as usize];
        Ok(self.map.lookup(bucket, word).unwrap())
    }

    fn between(&self, from: i64, to: i64) -> BlockSet {
        let mut found = BlockSet::none(self.blocks());
        for (block, time) in (0..).zip(&self.times) {
            if (from..=to).contains(time) {
                found.insert(block);
            }
        }
        found
    }

    fn with_id(&self, id: i64) -> BlockSet {
        let mut found = BlockSet::none(self.blocks());
        u32::try_from(id).into_iter().for_each(|id| found.insert(id));
        found
    }

    fn received(&self, from: i64, to: i64) -> BlockSet {
        let is_in = (from..=to).contains(&RECEIVED.as_micros());
        if is_in { BlockSet::all(self.blocks()) } else { BlockSet::none(self.blocks()) }
    }
}

fn gathered(rows: &Rows) -> BlockWords {
    let mut words = Words::default();
    for (name, column) in rows.columns() {
        words.add_column(name, column);
    }
    rows.by_origin().for_each(|(origin, _)| words.add_origin(origin));
    words.finish()
}

/// Stages the events of project `p`, each under its place in the list as its field `n`.
fn index(store: &TestStore, events: &[(usize, Event<'_>)]) -> Blocks {
    let (mut words, mut times) = (Vec::new(), Vec::new());
    for (origin, event) in events {
        let mut rows = Rows::default();
        rows.begin(&origins()[*origin], RECEIVED.as_micros());
        rows.push(event);
        times.extend_from_slice(rows.times());
        words.push(gathered(&rows));
        store.stage([&rows]).unwrap();
    }
    let (map, buckets) = TokenMap::build(&words);
    Blocks { map, buckets, times }
}

fn check(store: &TestStore, blocks: &mut Blocks, query: &str) {
    let Ok(parsed) = parse(query, Syntax::Lenient) else { return };
    let Ok(prepared) = Prepared::new(&parsed.query, NOW) else { return };
    let everything = Request { limit: 10_000, ..request(query) };
    let found = numbers(&answer(store, &everything).logs);
    let needs = Needs::of(&prepared);
    let may_hold = needs.may_hold(blocks).unwrap();
    for number in found {
        let number = u32::try_from(number).unwrap();
        assert!(may_hold.contains(number), "{query} finds {number}, but needs {needs:?}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let word = || prop::sample::select(WORDS.split(' ').collect::<Vec<_>>());
    let between = prop::sample::select(vec![" ", "-", "", "\n", "\"", "/", "\\"]);
    let several = prop::collection::vec((word(), between), 1..4);
    prop_oneof![
        3 => word().prop_map(str::to_owned),
        2 => several.prop_map(|words| {
            let text: String = words.into_iter().flat_map(|(word, after)| [word, after]).collect();
            text.trim_end().to_owned()
        }),
    ]
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let number =
        prop::sample::select(vec!["5", "5.0", "-5", "50e-1", "4711", "0.4711e4", "0", "-0"]);
    let escaped = |text: String| -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    prop_oneof![
        4 => text().prop_map(|text| Value::Text(text.into())),
        2 => number.clone().prop_map(|digits| Value::Number(digits.into())),
        1 => Just(Value::Bool(true)),
        1 => Just(Value::Null),
        1 => Just(Value::Bytes(b"caf\xc3\xa9 \xff disk\xe9full".into())),
        2 => (text(), number).prop_map(|(text, number)| {
            let text = serde_json::to_string(&text).unwrap();
            Value::Json(format!("[{text},{{\"b\":{text},\"c\":[{number}]}},{number}]").into())
        }),
        1 => text().prop_map(move |text| Value::Json(format!("[\"{}\"]", escaped(text)).into())),
    ]
}

fn field() -> impl Strategy<Value = (&'static str, Value<'static>)> {
    prop_oneof![
        2 => value().prop_map(|value| ("message", value)),
        1 => prop::sample::select(vec!["a", "a.b", "service", "level", "host.name", "user.id"])
            .prop_flat_map(|name| value().prop_map(move |value| (name, value))),
        1 => prop::sample::select(vec!["0", "165", "191", "3"])
            .prop_map(|digits| (Known::Priority.as_str(), Value::Number(digits.into()))),
        1 => text().prop_map(|text| {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            let data = format!("[x@1 a=\"{text}\" b=\"disk\\]\"]");
            (Known::StructuredData.as_str(), Value::Text(data.into()))
        }),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec![
        "",
        "",
        "message:",
        "a:",
        "a.b:",
        "a.c:",
        "a*:",
        "service:",
        "level:",
        "host.name:",
        "user.id:",
        "log.syslog.severity.code:",
        "log.syslog.*:",
        "peer.ip:",
        "key:",
        "_id:",
        "log.syslog.structured_data.x@1.a:",
        "*:",
        "message > ",
        "a <= ",
    ]);
    let form = prop::sample::select(vec!["quoted", "plain", "after", "before", "within"]);
    (field, text(), form).prop_map(|(field, text, form)| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let plain = text.replace([':', '"'], "\\$0").replace("\\n", " ");
        match form {
            "quoted" => format!("{field}\"{text}\""),
            "after" => format!("{field}*{plain}"),
            "before" => format!("{field}{plain}*"),
            "within" => format!("{field}*{plain}*"),
            _ => format!("{field}{plain}"),
        }
    })
}

fn query() -> impl Strategy<Value = String> {
    let more = (prop::sample::select(vec![" and ", " or ", " and not "]), condition());
    (condition(), prop::collection::vec(more, 0..3)).prop_map(|(first, more)| {
        more.into_iter().fold(first, |query, (and, next)| format!("({query}){and}({next})"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_matches_is_never_left_out(
        fields in prop::collection::vec((0_usize..3, prop::collection::vec(field(), 1..5)), 1..25),
        queries in prop::collection::vec(query(), 60),
    ) {
        let store = TestStore::new();
        let event = |(number, (origin, fields)): (usize, (usize, Vec<_>))| {
            let mut event = Event { timestamp: Some(NOW), ..Event::default() };
            for (name, value) in fields {
                let name: &'static str = name;
                event.put(name.into(), value);
            }
            event.put("n".into(), Value::Number(number.to_string().into()));
            (origin, event)
        };
        let events: Vec<_> = fields.into_iter().enumerate().map(event).collect();
        let mut blocks = index(&store, &events);
        for query in &queries {
            check(&store, &mut blocks, query);
        }
        check_sealed(&store, &queries);
    }

    #[test]
    fn known_queries_leave_nothing_out(draws in prop::collection::vec(draw(), 1..40)) {
        let store = TestStore::new();
        let draws = draws.iter().filter(|draw: &&Draw| draw.origin < 3);
        let events: Vec<_> =
            draws.enumerate().map(|(number, draw)| (draw.origin, event(number, draw))).collect();
        let mut blocks = index(&store, &events);
        for query in QUERIES {
            check(&store, &mut blocks, query);
        }
        check_sealed(&store, QUERIES);
    }
}

/// Seals what is staged, and asks the index that is then on disk.
fn check_sealed(store: &TestStore, queries: &[impl AsRef<str>]) {
    store.seal().unwrap();
    let sources = store.sources("p", i64::MIN, i64::MAX);
    for query in queries.iter().map(AsRef::as_ref) {
        let Ok(parsed) = parse(query, Syntax::Lenient) else { continue };
        let Ok(prepared) = Prepared::new(&parsed.query, NOW) else { continue };
        let needs = Needs::of(&prepared);
        let mut left_out = BTreeSet::new();
        for source in &sources {
            let Source::Block(segment, block) = source else { panic!("expected a sealed block") };
            let mut index = SegmentIndex::new(store, segment);
            if !needs.may_hold(&mut index).unwrap().contains(*block) {
                let view = store.view(source).unwrap();
                let head = view.head().unwrap();
                left_out.extend((0..view.rows()).filter_map(|row| head.id(row)));
            }
        }
        let everything = Request { limit: 10_000, ..request(query) };
        for log in answer(store, &everything).logs {
            let id = i64::from_str_radix(log["_id"].as_str().unwrap(), 16).unwrap();
            assert!(!left_out.contains(&id), "{query} finds {id}, but needs {needs:?}");
        }
    }
}

#[test]
fn what_is_written_in_another_way_is_found() {
    let table = [
        (Value::Json(r#"["disk\nfull"]"#.into()), "a:\"disk\nfull\"", "nfull"),
        (Value::Json(r#"["\u00e9t\u00e9"]"#.into()), "été", "u00e9t"),
        (Value::Json("[0.4711e4]".into()), "a:4711.0", "47"),
        (Value::Number("0.4711e4".into()), "a:4711", "47"),
        (Value::Number("-50e-1".into()), "a:-5", "50"),
    ];
    for (value, query, absent) in table {
        let store = TestStore::new();
        let mut event = Event { timestamp: Some(NOW), ..Event::default() };
        event.put("a".into(), value);
        event.put("n".into(), Value::Number("0".into()));
        let mut blocks = index(&store, &[(0, event)]);
        assert_eq!(numbers(&answer(&store, &request(query)).logs), [0], "{query}");
        check(&store, &mut blocks, query);
        assert!(blocks.holding(Token::of(absent)).unwrap().is_empty(), "{absent}");
    }
}

/// What texts and queries are made of.
const WORDS: &str = "disk full web01 web-01 café CAFÉ größe 5 5.0 50e-1 -5 07 4711 192.0.2.7 \
    ::ffff:10.1.2.3 ERROR info Notice local4 key_1 tcp prefix 0000000000000002 deadbeef a_b x \
    \u{1d400} true null 日本 2026-06-15";

#[test]
fn a_sequence_with_zeros_in_front_is_found_sealed_as_it_was_staged() {
    let store = TestStore::new();
    for round in 0..40 {
        let mut rows = Rows::default();
        rows.begin(&origin("p"), NOW.as_micros());
        let mut event = Event::default();
        event.put("event.sequence".into(), Value::Number(format!("{:06}", 42 + round).into()));
        rows.push(&event);
        store.stage([&rows]).unwrap();
    }
    for _ in 0..2 {
        for query in ["event.sequence:42", "event.sequence:000042", "event.sequence:0042"] {
            assert_eq!(answer(&store, &request(query)).logs.len(), 1, "{query}");
        }
        store.seal().unwrap();
    }
}
