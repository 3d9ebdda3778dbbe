//! The cases of `tests/corpus/json_lines_cases.jsonl`, and events as JSON for them and others.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value as Json, json};

use super::{JsonError, json};
use crate::event::{Event, Field};
use crate::parse::Context;
use crate::time::Timestamp;

/// An event as its readers see it, less what they compute.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) fields: BTreeMap<String, Json>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) tags: Vec<&'static str>,
    pub(super) credential: Option<String>,
}

impl Shown {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let named =
            |field: &Field<'_>| (field.name.as_str().to_owned(), field.value.as_ref().to_json());
        let mut fields: BTreeMap<_, _> = event.fields.iter().map(named).collect();
        fields.insert("tags".to_owned(), json!(event.labels));
        let secret = |secret: &[u8]| String::from_utf8_lossy(secret).into_owned();
        Self {
            fields,
            timestamp: event.timestamp,
            tags: event.tags.iter().map(|tag| tag.as_str()).collect(),
            credential: event.credential.as_ref().map(|found| secret(&found.secret)),
        }
    }

    /// A field's value as JSON text, empty where there is none.
    pub(super) fn get(&self, name: &str) -> String {
        self.fields.get(name).map(Json::to_string).unwrap_or_default()
    }
}

/// What becomes of a line.
pub(super) fn read(line: &[u8]) -> (Vec<Shown>, Result<(), JsonError>) {
    read_in(line, &CX)
}

pub(super) fn read_in(line: &[u8], cx: &Context) -> (Vec<Shown>, Result<(), JsonError>) {
    let (mut event, mut shown) = (Event::default(), Vec::new());
    let result = json(line, cx, &mut event, &mut |event| shown.push(Shown::of(event)));
    (shown, result)
}

/// 2026-06-15T12:00:00Z, as all cases of the corpus.
const NOW: Timestamp = Timestamp::from_micros(1_781_524_800_000_000);

pub(super) const CX: Context = Context { received_at: NOW, zone_offset: 0, keep_original: false };

/// JS-01.
#[test]
fn js_01_the_corpus_is_read_as_expected() {
    let cases =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/json_lines_cases.jsonl"));
    let mut wrong = Vec::new();
    for case in cases.lines() {
        let case: Json = serde_json::from_str(case).unwrap();
        let line = case["line_b64"].as_str().unwrap();
        let line = base64::engine::general_purpose::STANDARD.decode(line).unwrap();
        let (events, result) = read(&line);
        let mut wanted = vec![case["expect"].clone()];
        wanted.extend(case["alt"].as_array().into_iter().flatten().cloned());
        for time in case["alt_timestamps"].as_array().into_iter().flatten() {
            let mut other = case["expect"].clone();
            other["events"][0]["timestamp"] = time.clone();
            wanted.push(other);
        }
        if !wanted.iter().any(|wanted| is_as_wanted(&events, result.is_err(), wanted)) {
            wrong.push(format!("{} (contested: {}): {events:?}", case["id"], case["contested"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_as_wanted(events: &[Shown], failed: bool, wanted: &Json) -> bool {
    let all = wanted["events"].as_array().unwrap();
    let one = |(event, wanted): (&Shown, &Json)| {
        let mut fields = BTreeMap::new();
        flatten("", &wanted["fields"], &mut fields);
        let time =
            wanted["timestamp"].as_str().map(|time| Timestamp::parse_rfc3339(time.as_bytes()));
        let list = |name: &str| wanted[name].as_array().cloned().unwrap_or_default();
        event.timestamp == time.map(Option::unwrap)
            && fields.iter().all(|(name, value)| has(event, name, value))
            && list("tags").iter().all(|tag| event.tags.contains(&tag.as_str().unwrap()))
            && list("absent").iter().all(|name| event.get(name.as_str().unwrap()).is_empty())
    };
    failed == wanted["error"].is_string()
        && events.len() == all.len()
        && events.iter().zip(all).all(one)
}

/// Objects as dotted names, as an event has them.
pub(super) fn flatten(path: &str, value: &Json, fields: &mut BTreeMap<String, Json>) {
    let Some(object) = value.as_object().filter(|object| path.is_empty() || !object.is_empty())
    else {
        fields.insert(path.to_owned(), value.clone());
        return;
    };
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(&path, value, fields);
    }
}

/// Whether a field is there, under the mapping that the corpus allows.
fn has(event: &Shown, name: &str, wanted: &Json) -> bool {
    let get = |name: &str| event.fields.get(name);
    match (name, wanted) {
        ("@version", _) => wanted == "1",
        ("host", Json::String(_)) => get("host.name") == Some(wanted),
        ("level", Json::String(name)) => get("level") == Some(&json!(name.to_uppercase())),
        ("level", Json::Number(number)) => {
            number.as_u64() == Some(30) && get("level") == Some(&json!("INFO"))
        }
        _ => get(name).is_some_and(|value| equal(value, wanted)),
    }
}

/// Numbers are compared exactly, those with a fraction or an exponent as doubles.
fn equal(value: &Json, wanted: &Json) -> bool {
    match (value, wanted) {
        (Json::Number(value), Json::Number(wanted)) => {
            let (value, wanted) = (value.to_string(), wanted.to_string());
            let double = |digits: &str| digits.parse::<f64>().unwrap();
            value == wanted || wanted.contains(['.', 'e']) && double(&value) == double(&wanted)
        }
        (Json::Array(values), Json::Array(wanted)) => {
            values.len() == wanted.len()
                && values.iter().zip(wanted).all(|(value, wanted)| equal(value, wanted))
        }
        _ => value == wanted,
    }
}
