//! `tests/corpus/syslog_*.jsonl`: real messages, and what they are taken for by us and others.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::syslog;
use crate::event::Event;
use crate::parse::{Context, flatten};
use crate::time::Timestamp;

/// Cases without an argument are answered as expected, whoever reads the messages.
#[test]
fn sy_01_uncontested_cases_are_as_expected() {
    let wrong = cases().filter(|case| !case.contested).filter_map(|case| {
        let wrong = case.check();
        (!wrong.is_empty()).then_some((case.id, wrong))
    });
    assert_eq!(wrong.collect::<BTreeMap<_, _>>(), BTreeMap::new());
}

/// Where peers disagree, any of their answers is right, but not ours alone.
#[test]
fn sy_01_contested_cases_agree_with_someone() {
    let wrong = cases().filter(|case| case.contested).filter_map(|case| {
        let wrong = case.check();
        let excepted = EXCEPTED.iter().any(|(id, _)| *id == case.id);
        (wrong.is_empty() == excepted).then_some((case.id, wrong))
    });
    assert_eq!(wrong.collect::<BTreeMap<_, _>>(), BTreeMap::new());
}

/// Contested cases that are deliberately answered in another way: id and reason.
const EXCEPTED: [(&str, &str); 0] = [];

/// One case of the corpus.
pub(super) struct Case {
    pub id: String,
    pub raw: Vec<u8>,
    pub cx: Context,
    contested: bool,
    expect: Map<String, Value>,
    alternatives: Map<String, Value>,
}

/// All of them.
pub(super) fn cases() -> impl Iterator<Item = Case> {
    ["cases", "senders"].into_iter().flat_map(|name| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
        let corpus = std::fs::read_to_string(format!("{folder}/syslog_{name}.jsonl")).unwrap();
        let cases = corpus.lines().map(Case::read).collect::<Vec<_>>();
        assert!(cases.len() > 200, "the corpus is whole");
        cases
    })
}

impl Case {
    fn read(line: &str) -> Self {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        let raw = match case["raw"].as_str() {
            Some(raw) => raw.as_bytes().to_vec(),
            None => STANDARD.decode(text("raw_b64")).unwrap(),
        };
        let received_at = Timestamp::parse_rfc3339(text("received_at").as_bytes()).unwrap();
        Self {
            id: text("id"),
            raw,
            cx: Context { received_at, zone_offset: 0, keep_original: false },
            contested: case["contested"].as_bool().unwrap_or_default(),
            expect: case["expect"].as_object().unwrap().clone(),
            alternatives: case["alt"].as_object().cloned().unwrap_or_default(),
        }
    }

    /// What is not as expected.
    fn check(&self) -> Vec<String> {
        let mut event = Event::default();
        syslog(&self.raw, &self.cx, &mut event);
        let flat = flatten(&event, &self.cx);
        let is_right = |(name, want): &(&String, &Value)| {
            let alternatives = self.alternatives.get(*name).and_then(Value::as_array);
            let mut right = alternatives.into_iter().flatten().chain([*want]);
            right.any(|want| self.is_answered(name, want, &flat))
        };
        let wrong = self.expect.iter().filter(|expected| !is_right(expected));
        wrong.map(|(name, want)| format!("{name} is not {want}: {flat:?}")).collect()
    }

    fn is_answered(&self, name: &str, want: &Value, flat: &Map<String, Value>) -> bool {
        let is = |field: &str| flat.get(field).unwrap_or(&Value::Null) == want;
        match name {
            "facility" => is("log.syslog.facility.code"),
            "severity" => is("log.syslog.severity.code"),
            "hostname" => is("log.syslog.hostname"),
            "app_name" => is("log.syslog.appname"),
            "procid" => is("log.syslog.procid"),
            "msgid" => is("log.syslog.msgid"),
            "message" => is("message"),
            "message_contains" => {
                let stored = ["message", "event.original"].map(|name| flat.get(name));
                let holds = |part: &Value| {
                    stored
                        .iter()
                        .flatten()
                        .any(|text| text.as_str().unwrap().contains(part.as_str().unwrap()))
                };
                want.as_array().map_or_else(|| holds(want), |parts| parts.iter().all(holds))
            }
            "structured_data" => {
                let none = Value::Object(Map::new());
                flat.get("log.syslog.structured_data").unwrap_or(&none) == want
            }
            "timestamp" => {
                let want = want.as_str().map_or(self.cx.received_at, |want| {
                    Timestamp::parse_rfc3339(want.as_bytes()).unwrap()
                });
                flat["@timestamp"] == want.to_string()
            }
            name => panic!("{}: nothing is known of {name}", self.id),
        }
    }
}
