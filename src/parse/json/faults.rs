//! The rows JS and SY-12 of the fault list, and properties that hold for any text.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::corpus::{CX, Shown, read, read_in};
use super::scan::Scanner;
use super::{MAX_DEPTH, MAX_FIELDS, MAX_PATH};
use crate::event::{Event, Known, Value};
use crate::parse::Context;

const FAILED: &str = "_jsonparsefailure";
const SECRET: &str = "lt_live_0123456789abcdef0123456789abcdef";

/// The one event that a line becomes.
#[track_caller]
fn event(line: &str) -> Shown {
    let (mut events, result) = read(line.as_bytes());
    assert_eq!((events.len(), result), (1, Ok(())), "{line:.200}");
    events.remove(0)
}

/// Makes sure that a text is one event with itself as the message, and a failure tag.
#[track_caller]
fn is_kept_as_text(line: &str) {
    let (events, result) = read(line.as_bytes());
    assert!(result.is_err(), "{line:.200}");
    let [event] = events.as_slice() else { panic!("expected an event, but found {events:?}") };
    assert_eq!(event.fields.get("message"), Some(&json!(line)), "{line:.200}");
    assert_eq!(event.tags, [FAILED], "{line:.200}");
}

#[test]
fn js_02_depth_is_bounded() {
    for depth in [1_000, 10_000, 100_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            is_kept_as_text(&open.repeat(depth));
            is_kept_as_text(&format!("{}1{}", open.repeat(depth), close.repeat(depth)));
            is_kept_as_text(&format!("{{\"unasked\":{}1", open.repeat(depth)));
            is_kept_as_text(&format!("{{\"@metadata\":{}1", open.repeat(depth)));
        }
    }
}

#[test]
fn js_02_the_bound_is_exact() {
    let deepest = MAX_DEPTH as usize;
    for (depth, fits) in [(deepest, true), (deepest + 1, false)] {
        let arrays = format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let mixed = format!(
            "{{\"a\":{}[]{}}}",
            "[{\"b\":".repeat(depth / 2 - 1),
            "}]".repeat(depth / 2 - 1)
        );
        assert_eq!(read(arrays.as_bytes()).1.is_ok(), fits, "{arrays}");
        assert_eq!(read(objects.as_bytes()).1.is_ok(), fits, "{objects}");
        assert!(read(mixed.as_bytes()).1.is_ok(), "{mixed}");
        assert_eq!(read(format!("[{arrays}]").as_bytes()).1.is_ok(), fits);
    }
    let kept = event(&format!("{{\"a\":{}{}}}", "[".repeat(deepest - 1), "]".repeat(deepest - 1)));
    assert!(kept.fields["a"].is_array(), "what is kept can be read again");
}

#[test]
fn js_03_numbers_stay_the_digits_they_are() {
    let long = "1234567890".repeat(1_000);
    let numbers = ["1e400", "-1E+400", "-0", "9007199254740993", "18446744073709551616", "0.10"];
    for digits in numbers.into_iter().chain([long.as_str()]) {
        for value in [digits.to_owned(), format!("[{digits}]")] {
            let line = format!("{{\"n\":{value}}}");
            let mut each = |event: &mut Event<'_>| {
                assert_eq!(event.fields[0].value.as_ref().bytes, value.as_bytes());
            };
            super::json(line.as_bytes(), &CX, &mut Event::default(), &mut each).unwrap();
        }
    }
    for digits in ["NaN", "Infinity", "-Infinity", "01", "-", "+1", "1.", ".5", "1e", "0x1", "1_0"]
    {
        is_kept_as_text(&format!("{{\"n\":{digits}}}"));
    }
}

#[test]
fn js_04_names_may_be_anything() {
    let line = r#"{"a":1,"a":2,"":3,"x.y":4,"x":{"y":5},"\u0000":6,"__proto__":7,"o":{"":8}}"#;
    let event = event(line);
    let fields =
        [("a", "2"), ("", "3"), ("x.y", "5"), ("\0", "6"), ("__proto__", "7"), ("o.", "8")];
    for (name, value) in fields {
        assert_eq!(event.get(name), value, "{name}");
    }
}

#[test]
fn js_04_fields_are_bounded() {
    let members: Vec<_> = (0..50_000).map(|number| format!("\"n{number}\":{number}")).collect();
    let line = format!("{{{},\"message\":\"late\",\"level\":\"info\"}}", members.join(","));
    let event = event(&line);
    assert_eq!(event.tags, ["too_many_fields"]);
    assert_eq!(event.get("n999"), "999");
    assert_eq!(event.get("n1000"), "");
    assert_eq!(event.get("message"), "\"late\"");
    assert_eq!(event.fields["event.original"], json!(line));
    let same = format!("{{{}}}", ["\"message\":\"a\""; 50_000].join(","));
    assert_eq!(self::event(&same).tags, ["too_many_fields"]);
}

#[test]
fn js_04_long_paths_do_not_multiply() {
    let name = "x".repeat(MAX_PATH);
    let inside = vec!["\"y\":1"; MAX_FIELDS].join(",");
    let kept = event(&format!("{{\"{name}\":{{{inside}}}}}"));
    assert_eq!(kept.get(&format!("{name}.y")), "1");
    let kept = event(&format!("{{\"a\":{{\"{name}\":{{{inside}}}}}}}"));
    assert_eq!(kept.fields[&format!("a.{name}")], json!({"y": 1}));
}

#[test]
fn js_05_any_type_under_any_name() {
    for (line, name, value) in [
        (r#"{"host":"web01"}"#, "host.name", r#""web01""#),
        (r#"{"host":5}"#, "host", "5"),
        (r#"{"host":{"name":"web01","ip":"::1"}}"#, "host.name", r#""web01""#),
        (r#"{"host":["a",{"b":[]}]}"#, "host", r#"["a",{"b":[]}]"#),
        (r#"{"host":{}}"#, "host", "{}"),
        (r#"{"service":{"name":"shop"}}"#, "service", r#""shop""#),
        (r#"{"service":"a","service.name":"b"}"#, "service", r#""a""#),
        (r#"{"log":{"level":"warning"}}"#, "level", r#""WARN""#),
        (r#"{"log":{"level":"warning"}}"#, "log.level", r#""warning""#),
        (r#"{"level":{"value":3}}"#, "level.value", "3"),
        (r#"{"level":true}"#, "level", "true"),
    ] {
        let event = event(line);
        assert_eq!(event.get(name), value, "{line}");
        assert!(event.tags.is_empty(), "{line}");
    }
}

#[test]
fn js_06_timestamps() {
    let cx = Context { zone_offset: 7200, ..CX };
    for (value, time, kept) in [
        (r#""2026-06-15T13:59:58.5+02:00""#, Some("2026-06-15T11:59:58.500Z"), ""),
        (r#""2026-06-15T13:59:58""#, Some("2026-06-15T11:59:58.000Z"), ""),
        ("null", None, ""),
        ("1767225600", None, "1767225600"),
        ("1767225600000", None, "1767225600000"),
        ("1767225600000000", None, "1767225600000000"),
        ("1767225600.123", None, "1767225600.123"),
        (r#""1767225600""#, None, r#""1767225600""#),
        (r#""yesterday""#, None, r#""yesterday""#),
        ("[1]", None, "[1]"),
        ("{}", None, "{}"),
        ("false", None, "false"),
    ] {
        let (events, result) = read_in(format!("{{\"@timestamp\":{value}}}").as_bytes(), &cx);
        let event = &events[0];
        assert_eq!(result, Ok(()));
        assert_eq!(event.timestamp.map(|time| time.to_string()).as_deref(), time, "{value}");
        assert_eq!(event.get("_@timestamp"), kept, "{value}");
        let failed = event.tags == ["_timestampparsefailure"];
        assert_eq!(failed, !kept.is_empty(), "{value}");
    }
    let object = event(r#"{"@timestamp":{"$date":"2026-06-15T11:59:58Z"}}"#);
    assert_eq!(object.get("_@timestamp.$date"), r#""2026-06-15T11:59:58Z""#);
    assert_eq!(object.tags, ["_timestampparsefailure"]);
    let last = event(r#"{"@timestamp":"2026-06-15T11:59:58Z","@timestamp":"never"}"#);
    assert_eq!(last.timestamp, None);
    assert_eq!(event(r#"{"timestamp":"2026-06-15T11:59:58Z"}"#).timestamp, None);
}

#[test]
fn js_07_the_top_level() {
    for line in [
        "[1,2]",
        "[[]]",
        "[{}, 1]",
        "[{},]",
        "[{}",
        "\"text\"",
        "1",
        "-",
        "null",
        "true",
        "{",
        "}",
        "{,}",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1} x",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\" 1}",
        "{a:1}",
        "[{}] []",
        "\0",
        "// {}",
        "{\"a\":tru}",
        "{\"a\":\"\\",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u00e",
        "\u{feff}x",
    ] {
        is_kept_as_text(line);
    }
    assert_eq!(event("\u{feff} {\"a\":1}\r\n").get("a"), "1");
    assert!(event("{}").fields["tags"].as_array().unwrap().is_empty());
    for line in ["", " \t\r\n", "\u{feff}", "[]", " [ ] "] {
        let (events, result) = read(line.as_bytes());
        assert_eq!((events.len(), result), (0, Ok(())), "{line}");
    }
    let (events, result) = read(br#" [ {"a":1} , {"@timestamp":7} ,{"message":"x"}] "#);
    let shown: Vec<_> = events.iter().map(|event| (event.get("a"), event.tags.len())).collect();
    assert_eq!(result, Ok(()));
    assert_eq!(shown, [("1".into(), 0), (String::new(), 1), (String::new(), 0)]);
}

#[test]
fn js_07_a_line_end_is_not_text() {
    let (events, _) = read(b"not json\r\n");
    assert_eq!(events[0].get("message"), "\"not json\"");
}

#[test]
fn js_07_text_that_is_no_text() {
    let (events, result) = read(b"{\"message\":\"caf\xe9\",\"level\":\"warn\"}");
    assert_eq!((events.len(), result), (1, Ok(())));
    assert_eq!(events[0].tags, ["encoding_error"]);
    assert_eq!(events[0].fields["message"], json!("caf\u{fffd}"));
    assert_eq!(events[0].fields["level"], json!("WARN"));

    let (events, result) = read(b"{\"message\":\"caf\xe9\"");
    assert_eq!(result.unwrap_err().at(), 15);
    assert_eq!(events[0].tags, [FAILED, "encoding_error"]);
    assert_eq!(events[0].fields["message"], json!("{\"message\":\"caf\u{fffd}\""));

    let (mut kept, mut event) = (None, Event::default());
    let mut each = |event: &mut Event<'_>| {
        let Some(Value::Bytes(octets)) = event.find(Known::Original) else {
            panic!("expected the octets, but found {event:?}");
        };
        kept = Some(octets.to_vec());
    };
    super::json(b"\xff\xfe{}", &CX, &mut event, &mut each).unwrap_err();
    assert_eq!(kept.take().unwrap(), b"\xff\xfe{}");
    let mut each = |event: &mut Event<'_>| {
        let Some(Value::Bytes(octets)) = event.find(Known::Original) else {
            panic!("expected the octets, but found {event:?}");
        };
        kept = Some(octets.to_vec());
    };
    super::json(b"[{\"a\":\"\xff\"}]", &CX, &mut event, &mut each).unwrap();
    assert_eq!(kept.unwrap(), b"[{\"a\":\"\xff\"}]");

    let (events, _) = read(&[b"{\"a\":\"\xe9\",\"token\":\"", SECRET.as_bytes(), b"\"}"].concat());
    assert_eq!(events[0].credential.as_deref(), Some(SECRET));
    assert_eq!(events[0].get("a"), "\"\u{fffd}\"");
    assert!(!events[0].get("event.original").contains(SECRET));
    let (events, _) = read(b"{\"a\":\"\xe9\",\"logtrace_key\":\"of no form\"}");
    assert_eq!(events[0].credential.as_deref(), Some("of no form"));
    assert!(!events[0].fields.contains_key("event.original"));

    let line = r#"{"m":"a\ud83d","l":["\ude00",1]}"#;
    let event = self::event(line);
    assert_eq!(event.tags, ["encoding_error"]);
    assert_eq!(event.fields["m"], json!("a\u{fffd}"));
    assert_eq!(event.fields["l"], json!(["\u{fffd}", 1]));
    assert_eq!(event.fields["event.original"], json!(line));
}

#[test]
fn js_08_a_line_that_was_cut_is_kept_with_its_sender() {
    let text = "x".repeat(300_000);
    let line = format!("{{\"api_key\":\"{SECRET}\",\"message\":\"{text}\"}}");
    let (events, result) = read(&line.as_bytes()[..262_144]);
    let event = &events[0];
    assert_eq!(result.unwrap_err().at(), 262_144);
    assert_eq!((events.len(), event.tags.as_slice()), (1, [FAILED].as_slice()));
    assert_eq!(event.credential.as_deref(), Some(SECRET));
    let message = event.fields["message"].as_str().unwrap();
    assert!(message.starts_with("{\"api_key\":\"…\",\"message\":\"xxx"), "{message:.60}");
    let (events, _) = read(&[b"[", &line.as_bytes()[..1_000]].concat());
    assert_eq!(events[0].credential.as_deref(), Some(SECRET));
}

#[test]
fn js_09_metadata_tags_and_message() {
    let hidden =
        event(r#"{"@metadata":{"beat":"x","a":{"b":[1]}},"@version":"7","@metadata.x":1,"m":1}"#);
    assert_eq!(hidden.fields.keys().collect::<Vec<_>>(), ["m", "tags"]);
    for (tags, labels, kept) in [
        (r#""one""#, json!(["one"]), ""),
        (r#"["one","t\u0077o"]"#, json!(["one", "two"]), ""),
        ("[]", json!([]), ""),
        ("null", json!([]), ""),
        ("5", json!([]), "5"),
        ("{}", json!([]), "{}"),
        (r#"["a",1,null]"#, json!([]), r#"["a",1,null]"#),
        (r#"["a",[],"b"]"#, json!([]), r#"["a",[],"b"]"#),
    ] {
        let event = event(&format!("{{\"tags\":{tags}}}"));
        assert_eq!(event.fields["tags"], labels, "{tags}");
        assert_eq!(event.get("_tags"), kept, "{tags}");
        assert_eq!(event.tags == ["_tagsparsefailure"], !kept.is_empty(), "{tags}");
    }
    assert_eq!(event(r#"{"tags":{"poison":"true"}}"#).get("_tags.poison"), "\"true\"");
    assert_eq!(event(r#"{"tags":["a"],"tags":["b"]}"#).fields["tags"], json!(["b"]));
    is_kept_as_text(r#"{"tags":["a",1"#);
    assert_eq!(event(r#"{"message":{"a":{"b":1}}}"#).get("message.a.b"), "1");
    assert_eq!(event(r#"{"message":5}"#).get("message"), "5");
    assert_eq!(event(r#"{"message":["a"]}"#).get("message"), "[\"a\"]");
}

#[test]
fn sy_12_the_daemons_own_fields_cannot_be_forged() {
    for (line, name) in [
        (r#"{"key":"v"}"#, "key"),
        (r#"{"_id":"v"}"#, "_id"),
        (r#"{"received_at":"v"}"#, "received_at"),
        (r#"{"listener":"v"}"#, "listener"),
        (r#"{"peer":{"ip":"v"}}"#, "peer.ip"),
        (r#"{"peer.ip":"v"}"#, "peer.ip"),
        (r#"{"peer":{"pid":"v"}}"#, "peer.pid"),
        (r#"{"peer.uid":"v"}"#, "peer.uid"),
        (r#"{"peer.gid":"v"}"#, "peer.gid"),
        (r#"{"\u0070eer":{"\u0069p":"v"}}"#, "peer.ip"),
        (r#"{"auth":{"method":"v","x":1}}"#, "auth.method"),
    ] {
        let event = event(line);
        assert_eq!(event.get(name), "", "{line}");
        assert_eq!(event.get(&format!("sender.{name}")), "\"v\"", "{line}");
        assert_eq!(event.tags, ["reserved_field"], "{line}");
    }
    let listed = event(r#"{"peer":[{"uid":0}]}"#);
    assert_eq!(listed.get("sender.peer"), "[{\"uid\":0}]");
    assert_eq!(event(r#"{"key":{"id":1},"peer":{"port":2}}"#).tags, [""; 0]);
}

#[test]
fn keys_are_taken_out() {
    for name in ["logtrace_key", "api_key", "apikey", "token", "fields.token", "_token", "_api_key"]
    {
        let event = event(&format!("{{\"a\":1,\"{name}\":\"{SECRET}\"}}"));
        assert_eq!(event.credential.as_deref(), Some(SECRET), "{name}");
        assert_eq!(event.fields.keys().collect::<Vec<_>>(), ["a", "tags"], "{name}");
    }
    for line in [
        format!("{{\"fields\":{{\"private_key\":\"{SECRET}\",\"a\":1}}}}"),
        format!("{{\"@metadata\":{{\"token\":\"{SECRET}\"}}}}"),
        format!("{{\"token\":\"{}\"}}", SECRET.replace("live_", "live\\u005f")),
        format!(
            "{{\"token\":\"lt_test_other\",\"logtrace_key\":\"{SECRET}\",\"api_key\":\"lt_live_\"}}"
        ),
    ] {
        assert_eq!(event(&line).credential.as_deref(), Some(SECRET), "{line}");
    }
    let odd = event(r#"{"logtrace_key":"hunter2"}"#);
    assert_eq!(odd.credential.as_deref(), Some("hunter2"));
    assert_eq!(event(r#"{"logtrace_key":""}"#).credential, None);
    let theirs = event(r#"{"token":"abc","api_key":7,"fields":{"token":"x"}}"#);
    assert_eq!((theirs.credential.as_deref(), theirs.get("token")), (None, "\"abc\"".to_owned()));
    assert_eq!(theirs.get("fields.token"), "\"x\"");
}

#[test]
fn originals_are_kept_without_keys() {
    let cx = Context { keep_original: true, ..CX };
    let original = |line: &str| {
        let (events, _) = read_in(line.as_bytes(), &cx);
        let all =
            events.iter().map(|event| event.fields["event.original"].as_str().unwrap().to_owned());
        all.collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(original(r#" {"a": 1} "#), r#"{"a": 1}"#);
    assert_eq!(
        original(r#"[{"logtrace_key":"one","a":1},{"a":2},{"logtrace_key":"two"}]"#),
        r#"{"logtrace_key":"…","a":1} | {"a":2} | {"logtrace_key":"…"}"#
    );
    assert_eq!(original("no json\n"), "no json\n");
    assert_eq!(original(&format!("no json {SECRET}")), "no json lt_live_0123…cdef");
}

/// Any JSON, of names that have no meaning to us.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[a\"\\\\\u{0}-\u{20}é🚀]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[x-z\"\n]{1,3}", inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// JSON that may have been damaged.
fn damaged() -> impl Strategy<Value = String> {
    let damage = "[\\[\\]{}\",:0-9.eE+\\-tfn \\\\\u{1}]{0,3}";
    (any_json(), any::<prop::sample::Index>(), damage, 0..3_usize).prop_map(
        |(json, at, damage, less)| {
            let mut text: Vec<char> = json.to_string().chars().collect();
            let at = at.index(text.len() + 1);
            let end = (at + less).min(text.len());
            text.splice(at..end, damage.chars());
            text.into_iter().collect()
        },
    )
}

proptest! {
    #[test]
    fn what_others_call_json_is_json(text in damaged()) {
        let mut scan = Scanner::new(&text);
        let ours = scan.skip_value(0).and_then(|()| scan.end());
        let theirs = serde_json::from_str::<Json>(&text);
        // Half a surrogate pair is grammatical, and others refuse it.
        let same = ours.is_ok() == theirs.is_ok() || scan.lone_surrogates() > 0;
        prop_assert!(same, "{:?} {:?}", ours, theirs);
    }

    #[test]
    fn objects_are_read_like_they_are_skipped(text in damaged()) {
        let line = format!("{{\"x\":{text},\"y\":[{text}],\"z\":{{\"x\":{text}}}}}");
        let mut scan = Scanner::new(&line);
        let skipped = scan.skip_value(0).and_then(|()| scan.end());
        let (events, read) = read(line.as_bytes());
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(read, skipped);
    }

    #[test]
    fn fields_are_what_was_sent(value in any_json()) {
        let line = json!({"x": value, "message": "m"}).to_string();
        let (events, result) = read(line.as_bytes());
        prop_assert_eq!(result, Ok(()));
        let mut wanted = std::collections::BTreeMap::new();
        super::corpus::flatten("", &json!({"x": value, "message": "m", "tags": []}), &mut wanted);
        prop_assert_eq!(&events[0].fields, &wanted);
    }

    #[test]
    fn nothing_vanishes(bytes in prop::collection::vec(any::<u8>(), 0..64), json in any_json(), cut in any::<prop::sample::Index>()) {
        let line = json!({"a": json, "logtrace_key": "k"}).to_string();
        let cut = &line.as_bytes()[..cut.index(line.len())];
        prop_assert_eq!(read(cut).0.len(), usize::from(!cut.is_empty()));
        let blank = bytes.iter().all(|byte| b" \t\r\n".contains(byte));
        prop_assert_eq!(read(&bytes).0.is_empty(), blank);
    }
}
