//! What becomes of pushes.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{LokiJson, LokiMessage};
use crate::parse::records::{RecordError, RecordLimits};
use crate::parse::testing::{CX, events, field, number};

const LIMITS: RecordLimits = RecordLimits { records: 4, shared: 200 };

type Read = Result<Vec<Result<Json, String>>, String>;

fn read(body: &str) -> Read {
    let records = LokiJson::open(body.as_bytes(), LIMITS, &CX);
    let mut records = records.map_err(|error| error.to_string())?;
    Ok(events(&mut records))
}

fn read_message(body: &[u8]) -> Read {
    let records = LokiMessage::open(body, LIMITS, &CX);
    let mut records = records.map_err(|error| error.to_string())?;
    Ok(events(&mut records))
}

fn entry(seconds: u64, nanos: u64, line: &[u8], metadata: &[(&str, &str)]) -> Vec<u8> {
    let time = [number(1, seconds), number(2, nanos)].concat();
    let pair = |(name, value): &(&str, &str)| field(3, [field(1, name), field(2, value)].concat());
    let metadata: Vec<u8> = metadata.iter().flat_map(pair).collect();
    field(2, [field(1, time), field(2, line), metadata].concat())
}

/// Two streams, of two entries and one.
fn expected() -> Vec<Result<Json, String>> {
    let one = json!({
        "@timestamp": "2026-06-15T12:00:00.000001Z", "app": "api", "service": "api",
        "severity": "warning", "level": "WARN", "host.name": "h", "message": "one",
    });
    let two = json!({
        "@timestamp": "2026-06-15T12:00:01.000Z", "app": "api", "service": "api",
        "severity": "warning", "level": "WARN", "host.name": "h", "message": "",
        "trace_id": "7",
    });
    let three = json!({"@timestamp": "2026-06-15T12:00:02.000Z", "message": "{\"a\":1}"});
    vec![Ok(one), Ok(two), Ok(three)]
}

#[test]
fn a_push_of_json() {
    let body = r#" {"x":[{}],"streams":[
        {"stream":{"app":"api","severity":"warning","host":"h"},"values":[
            ["1781524800000001999","one"],
            ["1781524801000000000","",{"trace_id":"7"}]
        ]},
        {"values":[],"stream":{"a":"b"}},
        {"values":[[1781524802000000000,"{\"a\":1}",{},"more"]],"stream":{}},
        {}
    ]}"#;
    assert_eq!(read(body).unwrap(), expected());
}

#[test]
fn a_push_as_it_was_once() {
    let body = r#"{"streams":[
        {"entries":[
            {"ts":"2026-06-15T12:00:00.000001999Z","line":"one"},
            {"line":"","ts":"2026-06-15T14:00:01+02:00","structuredMetadata":{"trace_id":"7"}}
        ],"labels":"{app=\"api\", severity=\"warning\", host=\"h\"}"},
        {"labels":"{}","entries":[{"timestamp":"1781524802000000000","line":"{\"a\":1}"}]}
    ]}"#;
    assert_eq!(read(body).unwrap(), expected());
}

#[test]
fn a_push_of_protocol_buffers() {
    let labels = field(1, r#"{app="api", severity="warning", host="h"}"#);
    let one = entry(1_781_524_800, 1_999, b"one", &[]);
    let two = entry(1_781_524_801, 0, b"", &[("trace_id", "7")]);
    // The labels may come behind the entries.
    let first = field(1, [one, labels, number(3, 99), two].concat());
    let none = field(1, field(1, "{a=\"b\"}"));
    let second = field(1, entry(1_781_524_802, 0, b"{\"a\":1}", &[]));
    let body = [number(9, 1), first, none, second].concat();
    assert_eq!(read_message(&body).unwrap(), expected());
    for len in 0..body.len() {
        // Cut anywhere it is refused, or holds only what is whole.
        if let Ok(events) = read_message(&body[..len]) {
            assert!(expected().starts_with(&events), "{len}: {events:?}");
        }
    }
}

#[test]
fn times_and_octets_that_are_none() {
    let body = r#"{"streams":[{"values":[["soon","a"],["99999999999999999999","b"]]}]}"#;
    for event in read(body).unwrap() {
        let event = event.unwrap();
        assert_eq!(event["@timestamp"], "2026-06-15T12:00:00.000Z");
        assert_eq!(event["tags"], json!(["_timestampparsefailure"]));
    }
    let body = field(1, entry(u64::MAX >> 1, 0, b"a\xffb", &[]));
    let event = read_message(&body).unwrap().remove(0).unwrap();
    assert_eq!(event["tags"], json!(["encoding_error", "_timestampparsefailure"]));
    assert_eq!(
        (&event["message"], &event["event.original_base64"]),
        (&json!("a\u{fffd}b"), &json!("Yf9i"))
    );
}

#[test]
fn a_bad_push_is_refused_as_a_whole() {
    let table = [
        ("", "expected a value at byte 0, but found the end"),
        ("[]", "expected an object at byte 0, but found `[`"),
        ("{}", "expected a member \"streams\" at byte 2, but found the end"),
        (r#"{"streams":{}}"#, "expected an array at byte 11, but found `{`"),
        (r#"{"streams":[1]}"#, "expected an object at byte 12, but found `1`"),
        (r#"{"streams":[{"values":[["1"]]}]}"#, "expected a string at byte 27, but found `]`"),
        (r#"{"streams":[{"values":[["1",2]]}]}"#, "expected a string at byte 28, but found `2`"),
        (r#"{"streams":[{"values":[7]}]}"#, "expected an array at byte 23, but found `7`"),
        (r#"{"streams":[{"values":{}}]}"#, "expected an array at byte 22, but found `{`"),
        (r#"{"streams":[{"stream":[]}]}"#, "expected an object at byte 22, but found `[`"),
        (
            r#"{"streams":[{"labels":"{a"}]}"#,
            "expected labels as {name=\"value\", …} at byte 1, but found something else",
        ),
        (r#"{"streams":[]} x"#, "expected the end of the text at byte 15, but found `x`"),
        (r#"{"streams":[{},{},{},{},{}]}"#, "expected at most 4 records, but found more"),
        (
            r#"{"streams":[{"values":[["1",""],["1",""],["1",""],["1",""],["1",""]]}]}"#,
            "expected at most 4 records, but found more",
        ),
    ];
    for (body, want) in table {
        assert_eq!(read(body).unwrap_err(), want, "{body}");
    }
    let label = "x".repeat(100);
    let body =
        format!(r#"{{"streams":[{{"stream":{{"a":"{label}"}},"values":[["1",""],["1",""]]}}]}}"#);
    let want = "expected at most 200 bytes of what records have in common, but found more";
    assert_eq!(read(&body).unwrap_err(), want);
}

#[test]
fn ht_14_loki_messages_nested_deep_with_lengths_that_lie() {
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        deep = field(1, &deep);
    }
    assert!(read_message(&deep).is_err());
    let entry = entry(1, 0, b"x", &[]);
    for at in 0..entry.len() {
        let mut body = field(1, &entry);
        let place = body.len() - entry.len() + at;
        body[place] = 0xff;
        // Nothing but the bounds is asked for here.
        drop(read_message(&body));
    }
    let many: Vec<u8> = field(1, b"").repeat(5);
    let want = RecordError::TooMany { max: 4 }.to_string();
    assert_eq!(read_message(&many).unwrap_err(), want);
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read_message(&body));
        drop(read(&String::from_utf8_lossy(&body)));
    }

    #[test]
    fn lines_and_labels_come_out_as_they_went_in(
        lines in prop::collection::vec("\\PC{0,20}", 1..4), label in "[a-z \"\\\\\n]{0,8}",
    ) {
        let values: Vec<_> = lines.iter().map(|line| json!(["1", line])).collect();
        let body = json!({"streams": [{"stream": {"x": label}, "values": values}]}).to_string();
        let quoted = serde_json::to_string(&label).unwrap();
        let entries: Vec<u8> =
            lines.iter().flat_map(|line| entry(0, 1, line.as_bytes(), &[])).collect();
        let message = field(1, [field(1, format!("{{x={quoted}}}")), entries].concat());
        let events = read(&body).unwrap();
        prop_assert_eq!(&events, &read_message(&message).unwrap());
        for (event, line) in events.iter().zip(&lines) {
            let event = event.as_ref().unwrap();
            prop_assert_eq!((&event["message"], &event["x"]), (&json!(line), &json!(label)));
        }
    }
}
