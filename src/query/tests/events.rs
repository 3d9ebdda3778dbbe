//! Events of all kinds, at random.

use proptest::prelude::*;

use super::fixtures::NOW;
use crate::event::{Event, Known, Tag, Value};
use crate::time::{DAY, SECOND, Timestamp};

/// An event whose field `n` is `number`.
pub(super) fn event(number: usize, draw: &Draw) -> Event<'static> {
    let timestamp = draw.time.map(|time| NOW.plus(time));
    let mut event = Event { timestamp, ..Event::default() };
    for (name, value) in &draw.fields {
        event.put((*name).into(), value.clone());
    }
    for tag in &draw.tags {
        event.tag(*tag);
    }
    event.labels = draw.labels.iter().map(|label| (*label).into()).collect();
    event.put("n".into(), Value::Number(number.to_string().into()));
    event
}

/// What an event is made of.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    time: Option<i64>,
    fields: Vec<(&'static str, Value<'static>)>,
    tags: Vec<Tag>,
    labels: Vec<&'static str>,
    /// Which origin it comes from.
    pub(super) origin: usize,
}

pub(super) fn draw() -> impl Strategy<Value = Draw> {
    let time = prop_oneof![
        8 => (-3_i64..3).prop_map(|s| Some(s * SECOND)),
        2 => (-2_i64..2).prop_map(|d| Some(d * DAY + 1)),
        1 => Just(Some(-NOW.as_micros())),
        1 => Just(None),
    ];
    let tags = prop::sample::subsequence(vec![Tag::Truncated, Tag::EncodingError], 0..=2);
    let labels = prop::sample::subsequence(vec!["web", "x", "17"], 0..=2);
    let fields = prop::collection::vec(field(), 0..9);
    (time, fields, tags, labels, 0_usize..4).prop_map(|(time, mut fields, tags, labels, origin)| {
        // Most names may come twice; no parser gives two raw texts.
        let mut has_original = false;
        fields.retain(|(name, _)| {
            let is_original = *name == Known::Original.as_str();
            !is_original || !std::mem::replace(&mut has_original, true)
        });
        Draw { time, fields, tags, labels, origin }
    })
}

fn field() -> impl Strategy<Value = (&'static str, Value<'static>)> {
    let texts = |name: Known, texts: &[&'static str]| {
        let texts: Vec<_> = texts.iter().map(|text| (name.as_str(), text_value(text))).collect();
        prop::sample::select(texts)
    };
    prop_oneof![
        3 => texts(Known::Message, &[
            "connection timeout on db-1", "Connection refused", "GET /a/b 200", "", "größe 17",
            "error",
        ]),
        1 => Just((Known::Message.as_str(), Value::Bytes(b"caf\xe9 error".into()))),
        1 => Just((Known::Original.as_str(), Value::Bytes(b"raw \xff timeout".into()))),
        1 => texts(Known::Original, &["raw text"]),
        2 => texts(Known::AppName, &["api", "web-01", "x"]),
        2 => texts(Known::Hostname, &["web-01", "192.0.2.9", "x"]),
        1 => texts(Known::Service, &["api", "payment-gateway"]),
        1 => odd_value().prop_map(|value| (Known::Service.as_str(), value)),
        1 => texts(Known::Level, &["ERROR", "WARN", "custom"]),
        1 => texts(Known::HostName, &["web-02"]),
        3 => prop::sample::select(vec!["0", "13", "165", "191", "300"])
            .prop_map(|digits| (Known::Priority.as_str(), Value::Number(digits.into()))),
        1 => texts(Known::Priority, &["165", "none"]),
        2 => texts(Known::StructuredData, &[
            r#"[x@1 a="1" b="two"]"#, r#"[x@1 a="1"][y.z c="\]" a="x"]"#, r#"[x a="1" a="2"]"#,
            r#"[a.b c="1"][a b.c="2"]"#, "[e]", "[", "web", r#"[x.y a="1"][x y.a="2"]"#,
        ]),
        1 => texts(Known::ProcId, &["17", "api"]),
        4 => (other_name(), odd_value()),
    ]
}

fn other_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "user.name",
        "user.id",
        "items",
        "items.n",
        "a",
        "a.b",
        "log.syslog.severity.code",
        "log.syslog.structured_data.x.a",
        "project",
        "service.name",
        "field name",
    ])
}

fn odd_value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        2 => prop::sample::select(vec!["x", "api", "web", "10.1.2.3", "1", "a*b", "2026-06-15"])
            .prop_map(text_value),
        2 => prop::sample::select(vec!["1", "1.0", "17", "-2e3", "18446744073709551616"])
            .prop_map(|digits| Value::Number(digits.into())),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
        3 => prop::sample::select(vec![
            "[]", "{}", "[1,2]", r#"["web",null]"#, r#"[{"n":1,"sku":"x"},{"n":2,"sku":"y"}]"#,
            r#"[[1],["x",{"b":"x"}]]"#, r#"[{"b":[{"c":1}]}]"#, "[null]", r#"[{"name":"api"}]"#,
        ]).prop_map(|json| Value::Json(json.into())),
    ]
}

fn text_value(text: &'static str) -> Value<'static> {
    Value::Text(text.into())
}

/// The time that a row without one of its own has.
pub(super) const RECEIVED: Timestamp = NOW;
