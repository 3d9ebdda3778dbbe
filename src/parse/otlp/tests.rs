//! What becomes of the records of a body.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Otlp, OtlpEncoding};
use crate::parse::records::RecordLimits;
use crate::parse::testing::{CX, events, field, fixed64, number};

const LIMITS: RecordLimits = RecordLimits { records: 4, shared: 400 };

type Read = Result<Vec<Result<Json, String>>, String>;

fn read(body: &[u8], encoding: OtlpEncoding) -> Read {
    let records = Otlp::open(body, encoding, LIMITS, &CX);
    Ok(events(&mut records.map_err(|error| error.to_string())?))
}

fn read_json(body: &Json) -> Read {
    read(body.to_string().as_bytes(), OtlpEncoding::Json)
}

fn read_message(body: &[u8]) -> Read {
    read(body, OtlpEncoding::Protobuf)
}

/// A body of one record.
fn of_record(record: &[u8]) -> Vec<u8> {
    field(1, field(2, field(2, record)))
}

fn json_of_record(record: &Json) -> Json {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
}

fn pair(number: u8, key: &str, value: &[u8]) -> Vec<u8> {
    field(number, [field(1, key), field(2, value)].concat())
}

fn text(text: &str) -> Vec<u8> {
    field(1, text)
}

fn wanted() -> Json {
    json!({
        "@timestamp": "2026-06-15T12:00:00.000001Z",
        "service.name": "api", "service": "api", "host.name": "h", "list": ["a", -1],
        "scope.name": "lib", "scope.version": "2", "scope.x": true,
        "http.status": -5, "user.id": 7, "user.none": null, "ratio": 0.5, "blob": "AP8=",
        "empty": {},
        "trace.id": "0102030405060708090a0b0c0d0e0f10", "span.id": "0102030405060708",
        "event.severity": 17, "log.level": "Oops", "level": "ERROR", "trace.flags": 1,
        "event.name": "e", "dropped_attributes_count": 3, "message": "boom",
    })
}

#[test]
fn a_record_in_protocol_buffers() {
    let list = field(5, [field(1, text("a")), field(1, number(3, u64::MAX))].concat());
    let resource = [
        pair(1, "service.name", &text("api")),
        pair(1, "host.name", &text("h")),
        pair(1, "list", &list),
    ];
    let scope = [field(1, "lib"), field(2, "2"), pair(3, "x", &number(2, 1))].concat();
    let user = field(6, [pair(1, "id", &number(3, 7)), pair(1, "none", b"")].concat());
    let record = [
        fixed64(1, 1_781_524_800_000_001_999),
        fixed64(11, 5),
        number(2, 17),
        field(3, "Oops"),
        field(5, text("boom")),
        pair(6, "http.status", &number(3, 5_u64.wrapping_neg())),
        pair(6, "user", &user),
        pair(6, "ratio", &fixed64(4, 0.5_f64.to_bits())),
        pair(6, "blob", &field(7, b"\x00\xff")),
        pair(6, "empty", &field(6, b"")),
        number(7, 3),
        b"\x45\x01\0\0\0".to_vec(),
        field(9, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        field(10, [1, 2, 3, 4, 5, 6, 7, 8]),
        field(12, "e"),
        field(99, "what may come one day"),
    ]
    .concat();
    // What belongs to all stands last here.
    let scope_logs = field(2, [field(2, record), field(1, scope)].concat());
    let body = field(1, [scope_logs, field(1, resource.concat())].concat());
    assert_eq!(read_message(&body), Ok(vec![Ok(wanted())]));
}

#[test]
fn a_record_as_json() {
    let attribute = |key: &str, value: Json| json!({"key": key, "value": value});
    let user = json!([
        {"key": "id", "value": {"intValue": 7}},
        {"key": "none", "value": {}},
    ]);
    let record = json!({
        "timeUnixNano": "1781524800000001999", "observedTimeUnixNano": 5, "severityNumber": 17,
        "severityText": "Oops", "body": {"stringValue": "boom"},
        "attributes": [
            attribute("http.status", json!({"intValue": "-5"})),
            attribute("user", json!({"kvlistValue": {"values": user}})),
            attribute("ratio", json!({"doubleValue": 0.5})),
            attribute("blob", json!({"bytesValue": "AP8="})),
            attribute("empty", json!({"kvlistValue": {}})),
        ],
        "droppedAttributesCount": 3, "flags": 1,
        "traceId": "0102030405060708090A0B0C0D0E0F10", "spanId": "0102030405060708",
        "eventName": "e", "whatMayCome": [{"one": ["day"]}], "nothing": null,
    });
    let list = json!({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "-1"}]}});
    let resource = json!({"attributes": [
        attribute("service.name", json!({"stringValue": "api"})),
        attribute("host.name", json!({"stringValue": "h"})),
        attribute("list", list),
    ]});
    let scope = json!({"name": "lib", "version": "2",
        "attributes": [attribute("x", json!({"boolValue": true}))]});
    let body = json!({"resource_logs": [
        {"scopeLogs": [{"logRecords": [record], "scope": scope}], "resource": resource},
        {"scopeLogs": [], "resource": {}},
        null,
    ]});
    assert_eq!(read_json(&body), Ok(vec![Ok(wanted())]));
}

#[test]
fn bodies_of_any_kind() {
    let cut = |mut event: Json| {
        event.as_object_mut().unwrap().remove("@timestamp");
        event
    };
    let map = json!({"kvlistValue": {"values": [
        {"key": "message", "value": {"stringValue": "m"}},
        {"key": "level", "value": {"stringValue": "warning"}},
        {"key": "a", "value": {"kvlistValue": {"values": [{"key": "b", "value": {"intValue": 1}}]}}},
    ]}});
    let list = json!({"arrayValue": {"values": [{"doubleValue": "NaN"}, {}]}});
    for (body, want) in [
        (json!({"stringValue": "s"}), json!({"message": "s"})),
        (json!({"intValue": "5"}), json!({"message": 5})),
        (json!({"boolValue": true}), json!({"message": true})),
        (json!({"bytesValue": "aGk="}), json!({"message": "hi"})),
        (list, json!({"message": "[\"NaN\",null]"})),
        (map, json!({"message": "m", "level": "WARN", "a.b": 1})),
    ] {
        let events = read_json(&json_of_record(&json!({"body": body}))).unwrap();
        assert_eq!(events.into_iter().map(|event| cut(event.unwrap())).collect::<Vec<_>>(), [want]);
    }
}

#[test]
fn what_is_no_text_is_kept_and_said() {
    let record = field(5, field(1, b"a\xff"));
    let event = read_message(&of_record(&record)).unwrap().remove(0).unwrap();
    assert_eq!(event["tags"], json!(["encoding_error"]));
    assert_eq!(event["message"], "a\u{fffd}");
    assert_eq!(event["@timestamp"], "2026-06-15T12:00:00.000Z");
    // The daemon's own names are not a sender's.
    let record = json!({"attributes": [{"key": "peer.ip", "value": {"stringValue": "::1"}}]});
    let event = read_json(&json_of_record(&record)).unwrap().remove(0).unwrap();
    assert_eq!(event["sender.peer.ip"], "::1");
}

#[test]
fn a_bad_body_is_refused_as_a_whole() {
    for (body, want) in [
        ("", "expected an object at byte 0, but found the end"),
        ("[]", "expected an object at byte 0, but found `[`"),
        ("{\"resourceLogs\":[}", "expected a value at byte 17, but found `}`"),
        ("{}}", "expected the end of the text at byte 2, but found `}`"),
    ] {
        assert_eq!(read(body.as_bytes(), OtlpEncoding::Json).unwrap_err(), want, "{body}");
    }
    for body in ["{}", "{\"resourceLogs\":[]}", "{\"resourceLogs\":7}", "{\"resourceLogs\":[7,[]]}"]
    {
        assert_eq!(read(body.as_bytes(), OtlpEncoding::Json), Ok(vec![]), "{body}");
    }
    assert_eq!(read_message(b""), Ok(vec![]));
    let records = field(2, [field(5, text("x"))].concat()).repeat(5);
    let error = read_message(&field(1, field(2, records))).unwrap_err();
    assert_eq!(error, "expected at most 4 records, but found more");
    let resource = field(1, pair(1, "x", &text(&"y".repeat(300))));
    let records = field(2, field(5, text("x"))).repeat(2);
    let error = read_message(&field(1, [resource, field(2, records)].concat())).unwrap_err();
    let want = "expected at most 400 bytes of what records have in common, but found more";
    assert_eq!(error, want);
}

#[test]
fn ht_14_otlp_item_by_item_nested_deep_with_lengths_that_lie() {
    // One record that is no message, between two that are.
    let good = field(2, field(5, text("good")));
    let bad = field(2, b"\x12\x7f");
    let body = field(1, field(2, [&good[..], &bad, &good].concat()));
    let events = read_message(&body).unwrap();
    assert_eq!(events.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let want = "expected 127 bytes of field 2, but found 0";
    assert_eq!(events[1].as_ref().unwrap_err(), want);

    // A length that reaches past its envelope is nobody's record.
    let body = field(1, field(2, [&good[..], b"\x12\xff\xff\xff\xff\x0f"].concat()));
    assert_eq!(
        read_message(&body).unwrap_err(),
        "expected 4294967295 bytes of field 2, but found 0"
    );

    // Maps in maps, and lists in lists.
    for kind in [5, 6] {
        let mut value = text("x");
        for _ in 0..2_000 {
            value = match kind {
                5 => field(5, field(1, &value)),
                _ => field(6, pair(1, "k", &value)),
            };
        }
        let deep = field(2, field(5, &value));
        let body = field(1, field(2, [&deep[..], &good].concat()));
        let events = read_message(&body).unwrap();
        let want = "expected at most 120 levels of nesting, but found more";
        assert_eq!(events[0].as_ref().unwrap_err(), want);
        assert!(events[1].is_ok());
    }
    // In JSON what is deeper than anyone looks stays as it is.
    let (open, close) = ("{\"arrayValue\":{\"values\":[", "]}}");
    let body = format!("{}{{\"intValue\":1}}{}", open.repeat(10), close.repeat(10));
    let body = serde_json::from_str::<Json>(&body).unwrap();
    let event = read_json(&json_of_record(&json!({"body": body}))).unwrap().remove(0).unwrap();
    let inner = r#"{"values":[{"arrayValue":{"values":[{"intValue":1}]}}]}"#;
    assert_eq!(event["message"], format!("{}{inner}{}", "[".repeat(8), "]".repeat(8)));

    let deep = format!("{{\"resourceLogs\":{}", "[{\"scopeLogs\":".repeat(100_000));
    assert!(read(deep.as_bytes(), OtlpEncoding::Json).is_err());

    // Nothing in it.
    let body = field(1, field(2, [field(2, b""), good].concat()));
    let events = read_message(&body).unwrap();
    let want = "expected a record with something to keep, but found none";
    assert_eq!((events[0].as_ref().unwrap_err().as_str(), events.len()), (want, 2));
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read_message(&body));
        drop(read_message(&of_record(&body)));
        drop(read(&body, OtlpEncoding::Json));
    }

    #[test]
    fn both_encodings_say_the_same(
        message in "\\PC{0,20}", key in "[a-z.]{1,8}", number in any::<i64>(), real in any::<f64>(),
    ) {
        let value = field(6, [
            pair(1, "n", &self::number(3, number.cast_unsigned())),
            pair(1, "r", &fixed64(4, real.to_bits())),
        ].concat());
        let record = [field(5, text(&message)), pair(6, &key, &value)].concat();
        let real = if real.is_finite() { json!(real) } else { json!(real.to_string()) };
        let values = json!([
            {"key": "n", "value": {"intValue": number.to_string()}},
            {"key": "r", "value": {"doubleValue": real}},
        ]);
        let json = json!({
            "body": {"stringValue": message},
            "attributes": [{"key": key, "value": {"kvlistValue": {"values": values}}}],
        });
        prop_assert_eq!(read_message(&of_record(&record)), read_json(&json_of_record(&json)));
    }
}
