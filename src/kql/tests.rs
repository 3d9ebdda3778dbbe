//! The corpus, and what holds for every query.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::time::Timestamp;

/// Cases that we answer otherwise on purpose, and why.
const EXCEPTED: [(&str, &str); 0] = [];

fn corpus(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap()
}

/// `{"error":null,"ast":…}` or `{"error":"syntax"}`.
fn read(query: &str, syntax: Syntax) -> Value {
    match parse(query, syntax) {
        Ok(parsed) => serde_json::json!({"error": null, "ast": parsed.query.to_json()}),
        Err(_) => serde_json::json!({"error": "syntax"}),
    }
}

fn agrees(want: &Value, got: &Value) -> bool {
    want["error"] == got["error"] && (!want["error"].is_null() || want["ast"] == got["ast"])
}

fn ids(query: &Query, events: &[(String, Object)]) -> Value {
    let prepared = Prepared::new(query, now()).unwrap();
    let found = events.iter().filter(|(_, event)| matches(&prepared, event));
    found.map(|(id, _)| Value::from(id.as_str())).collect()
}

fn check(id: &str, is_right: bool, is_contested: bool, got: &Value, wrong: &mut Vec<String>) {
    let is_excepted = EXCEPTED.iter().any(|(excepted, _)| *excepted == id);
    if !is_right && !is_contested && !is_excepted {
        wrong.push(format!("{id}: {got}"));
    }
    assert!(!(is_right && is_excepted), "{id} needs no exception");
}

#[test]
fn qy_01_parse_cases() {
    let mut wrong = vec![];
    let mut contested = (0, 0);
    for case in corpus("kql_cases.jsonl").iter().filter(|case| case["kind"] == "parse") {
        let query = case["query"].as_str().unwrap();
        let alternatives = case["alt"].as_array().into_iter().flatten();
        let is_contested = case["contested"] == true;
        let is_right = |got: &Value| {
            agrees(&case["expect"], got)
                || is_contested && alternatives.clone().any(|want| agrees(want, got))
        };
        let (id, strict) = (case["id"].as_str().unwrap(), read(query, Syntax::Strict));
        check(id, is_right(&strict), is_contested, &strict, &mut wrong);
        let lenient = read(query, Syntax::Lenient);
        let may_differ = is_contested || case["lenient_may_differ"] == true;
        check(id, is_right(&lenient), may_differ, &lenient, &mut wrong);
        if is_contested {
            contested.0 += usize::from(is_right(&strict) && is_right(&lenient));
            contested.1 += 1;
        }
        if let (Some(want), Err(error)) =
            (case["expect"]["offset"].as_u64(), parse(query, Syntax::Strict))
        {
            assert_eq!(u64::try_from(error.at).unwrap(), want, "{id}: {error}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(contested.0, contested.1, "contested cases of which an answer is given");
}

#[test]
fn the_host_is_found_by_the_name_that_its_sender_gave_it() {
    let kept = serde_json::json!({"host.name": "web01", "n": 1});
    let Value::Object(members) = kept else { unreachable!() };
    let event = Object::new(members);
    let table = [
        ("host:web01", true),
        ("host:web*", true),
        ("host:(db01 or web01)", true),
        ("host > web", true),
        ("host:*", true),
        ("host.name:*", true),
        ("host:{ name:web01 }", true),
        ("not host:web01", false),
        ("host:web02", false),
        ("x:{ host:web01 }", false),
    ];
    for (query, want) in table {
        let query = parse(query, Syntax::Lenient).unwrap().query;
        let prepared = Prepared::new(&query, now()).unwrap();
        assert_eq!(matches(&prepared, &event), want, "{query:?}");
    }
}

#[test]
fn qy_01_match_cases() {
    let events: Vec<(String, Object)> = corpus("kql_events.jsonl")
        .into_iter()
        .map(|event| {
            let Value::Object(members) = event else { panic!("an event is an object") };
            (members["id"].as_str().unwrap().to_owned(), Object::new(members))
        })
        .collect();
    let mut wrong = vec![];
    for case in corpus("kql_cases.jsonl").iter().filter(|case| case["kind"] == "match") {
        let (id, text) = (case["id"].as_str().unwrap(), case["query"].as_str().unwrap());
        let parsed = parse(text, Syntax::Lenient).unwrap();
        let got = ids(&parsed.query, &events);
        let mut alternatives = case["alt_ids"].as_array().into_iter().flatten();
        let is_right = got == case["expect"]["ids"] || alternatives.any(|want| *want == got);
        check(id, is_right, false, &got, &mut wrong);
        if let Ok(strict) = parse(text, Syntax::Strict) {
            assert_eq!(ids(&strict.query, &events), got, "{id}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn objects_in_arrays_match_one_by_one() {
    let event: Value = serde_json::json!({
        "user": {"name": "alice", "id": 7},
        "items": [{"sku": "a", "n": 1, "tags": [{"k": 1}]}, {"sku": "b", "n": 2}],
        "none": [],
    });
    let Value::Object(members) = event else { panic!("an object") };
    let event = Object::new(members);
    let table = [
        ("user:{ name:alice and id:7 }", true),
        ("user:{ name:alice and id:8 }", false),
        ("user:{ not name:bob }", true),
        ("other:{ not name:bob }", false),
        ("user:{ alice }", true),
        ("user:{ a }", false),
        ("us*:{ na*:alice }", true),
        ("items:{ sku:a and n:1 }", true),
        ("items:{ sku:b and n > 1 }", true),
        ("items:{ tags:{ k:1 } }", true),
        ("items:{ tags:{ k:2 } }", false),
        ("items.sku:b and items.n:1", true),
        ("none:*", false),
        ("items:*", true),
        ("user:*", true),
        ("use:*", false),
        ("not user:*", false),
        ("items.*:*", true),
        ("not none:{ * }", true),
    ];
    for (text, want) in table {
        let query = parse(text, Syntax::Strict).unwrap().query;
        let prepared = Prepared::new(&query, now()).unwrap();
        assert_eq!(matches(&prepared, &event), want, "{text}");
    }
    // Flattened, the two items are one; as JSON they are not.
    let query = parse("items:{ sku:b and n:1 }", Syntax::Strict).unwrap().query;
    let prepared = Prepared::new(&query, now()).unwrap();
    let Node::Nested(nested) = prepared.root() else { panic!("nested") };
    assert!(!nested.matches_json(br#"[{"sku":"a","n":1},{"sku":"b","n":2}]"#));
    assert!(nested.matches_json(br#"[{"sku":"b","n":1}]"#));
    assert!(!nested.matches_json(b"[1"));
}

#[test]
fn qy_10_any_name_is_found() {
    let table = [
        ("field name", "\"field name\":x"),
        ("field name", "field name:x"),
        ("a\"b", "\"a\\\"b\":x"),
        ("a:b", "\"a:b\":x"),
        ("a:b", "a\\:b:x"),
        ("a\0b", "\"a\0b\":x"),
        ("größe", "größe:x"),
        ("o\u{308}", "o\u{308}:x"),
        ("a.b", "a.b:x"),
        ("", "\"\":x"),
        ("a*b", "\"a*b\":x"),
        ("a*b", "a\\*b:x"),
        ("a\\b", "a\\\\b:x"),
        ("or", "or:x"),
    ];
    for (name, text) in table {
        let query = parse(text, Syntax::Lenient).unwrap().query;
        let want = Query::Is {
            field: Some(Field::Name(name.to_owned())),
            value: Literal::Term("x".to_owned()),
        };
        assert_eq!(query, want, "{text}");
        assert_eq!(parse(&query.to_kql(), Syntax::Strict).unwrap().query, query, "{text}");
    }
    // Nothing is normalised, and case counts.
    let event = Object::new([("größe".to_owned(), Value::from("x"))].into_iter().collect());
    for (text, want) in [("größe:x", true), ("gro\u{308}ße:x", false), ("Größe:x", false)] {
        let query = parse(text, Syntax::Strict).unwrap().query;
        assert_eq!(matches(&Prepared::new(&query, now()).unwrap(), &event), want, "{text}");
    }
}

#[test]
fn a_field_that_is_a_time_wants_one() {
    for text in ["@timestamp > soon", "a:1 or not received_at:\"x\""] {
        let query = parse(text, Syntax::Strict).unwrap().query;
        assert!(Prepared::new(&query, now()).is_err(), "{text}");
    }
    for text in ["@timestamp > now-1h", "soon", "*time*:soon", "@timestamp:2026*"] {
        let query = parse(text, Syntax::Strict).unwrap().query;
        assert!(Prepared::new(&query, now()).is_ok(), "{text}");
    }
}

/// Text made of what means something to the parser.
fn kql_text() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a", "b", "not", "cannot", "NOT ", "and", " and ", "AND(", "or", " or ", "(", ")", "{",
        "}", ":", ":", "::", "//", " ", "\u{a0}", "\t", "\u{3000}", "*", "\"", "\\", "\\n",
        "\\and", "\\u0020", "\\ud83d", "<", ">=", "12", "12:30", "[", " TO ", "]", "~/", "/", ".",
        "null", "true", "é", "\u{feff}",
    ]);
    prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat())
}

fn text() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a", "not", "cannot", "and", "or", "NOT", "(", ")", "{", "}", ":", " ", "\u{a0}", "\t",
        "\n", "ot", "*", "\"", "\\", "<", "~/x/", "[1 TO 2]", "u0020", "é", "null", "-", "@", "😀",
        "\0",
    ]);
    prop::collection::vec(token, 0..6).prop_map(|tokens| tokens.concat())
}

/// As a literal is after it was read.
fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

fn literal() -> impl Strategy<Value = Literal> {
    let term = text().prop_map(|text| match trimmed(&text).as_str() {
        "null" => Literal::Null,
        term => Literal::Term(term.to_owned()),
    });
    let wild = prop::collection::vec(text(), 2..4).prop_map(|mut pieces| {
        pieces[0] = pieces[0].trim_start().to_owned();
        let last = pieces.pop().unwrap();
        pieces.push(last.trim_end().to_owned());
        Literal::Wild(pieces)
    });
    let truth = any::<bool>().prop_map(Literal::Bool);
    prop_oneof![4 => term, 3 => text().prop_map(Literal::Phrase), 2 => wild, 1 => truth]
}

fn field() -> impl Strategy<Value = Field> {
    literal().prop_map(Field::from)
}

fn query() -> impl Strategy<Value = Query> {
    let ops = vec![RangeOp::Gt, RangeOp::Gte, RangeOp::Lt, RangeOp::Lte];
    let leaf = prop_oneof![
        Just(Query::All),
        literal().prop_map(|value| Query::Is { field: None, value }),
        (field(), literal()).prop_map(|(field, value)| Query::is(field, value)),
        (field(), prop::sample::select(ops), literal())
            .prop_map(|(field, op, value)| Query::Range { field, op, value }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::Or),
            inner.clone().prop_map(|query| Query::Not(Box::new(query))),
            (field(), inner)
                .prop_map(|(field, query)| Query::Nested { field, query: Box::new(query) }),
        ]
    })
}

fn has_own_form(query: &Query) -> bool {
    match query {
        Query::And(parts) | Query::Or(parts) => parts.iter().any(has_own_form),
        Query::Not(query) | Query::Nested { query, .. } => has_own_form(query),
        Query::Regex { .. } => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lenient_is_strict_and_more(text in kql_text()) {
        let lenient = parse(&text, Syntax::Lenient);
        // Only these are something else in Kibana: text.
        let has_own_form = text.contains('[') || text.contains("~/");
        match (parse(&text, Syntax::Strict), &lenient) {
            (Err(_), Err(_)) => {}
            (Err(_), Ok(lenient)) => prop_assert!(lenient.lenient, "{:?}", lenient),
            (Ok(strict), Ok(lenient)) if !lenient.lenient => prop_assert_eq!(&strict, lenient),
            (Ok(strict), lenient) => {
                prop_assert!(has_own_form && !strict.lenient, "{:?}", lenient);
            }
        }
        if let Err(error) = lenient {
            prop_assert!(text.is_char_boundary(error.at), "{}", error);
        }
    }

    #[test]
    fn what_was_read_is_written_and_read_again(text in kql_text()) {
        for syntax in [Syntax::Strict, Syntax::Lenient] {
            let Ok(parsed) = parse(&text, syntax) else { continue };
            let written = parsed.query.to_kql();
            prop_assert_eq!(&parse(&written, Syntax::Lenient).unwrap().query, &parsed.query, "{}", written);
            if !has_own_form(&parsed.query) {
                let again = parse(&written, Syntax::Strict);
                prop_assert_eq!(&again.unwrap().query, &parsed.query, "{}", written);
            }
            prop_assert!(Prepared::new(&parsed.query, now()).is_ok());
        }
    }

    #[test]
    fn any_tree_is_written_and_read_again(query in query()) {
        let written = query.to_kql();
        for syntax in [Syntax::Strict, Syntax::Lenient] {
            let again = parse(&written, syntax);
            prop_assert!(again.is_ok(), "{} {:?}", written, again);
            let again = again.unwrap();
            prop_assert!(!again.lenient, "{}", written);
            prop_assert_eq!(&again.query, &query, "{}", written);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        for syntax in [Syntax::Strict, Syntax::Lenient] {
            if let Err(error) = parse(&text, syntax) {
                prop_assert!(text.is_char_boundary(error.at), "{}", error);
            }
        }
    }

    #[test]
    fn any_query_is_answered(text in kql_text(), message in text(), name in "[a-c.]{0,3}") {
        let Ok(parsed) = parse(&text, Syntax::Lenient) else { return Ok(()) };
        let members = [("message".to_owned(), Value::from(message)), (name, Value::from(12))];
        let prepared = Prepared::new(&parsed.query, now()).unwrap();
        let event = Object::new(members.into_iter().collect());
        let negated = Prepared::new(&Query::Not(Box::new(parsed.query)), now()).unwrap();
        prop_assert_ne!(matches(&prepared, &event), matches(&negated, &event));
    }
}
