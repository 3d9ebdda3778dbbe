//! What a query answers, and what is to be expected of it.

use serde_json::Value;

/// A log as the API shows it: flat, with dotted names.
#[derive(Debug)]
pub(crate) struct Event(pub(crate) Value);

impl Event {
    /// Expects each of `fields` to be as given; `null` stands for one that is not there, and of a
    /// field that is an object only the members given count.
    #[track_caller]
    pub(crate) fn has(&self, fields: Value) -> &Self {
        let problems = differences("", &fields, &self.0);
        assert!(problems.is_empty(), "{}\nin {:#}", problems.join("\n"), self.0);
        self
    }

    /// Expects that nothing was found wrong with it, that it came from this machine without a key,
    /// and that the time its sender gave is about that of its receipt.
    #[track_caller]
    pub(crate) fn is_whole(&self) -> &Self {
        self.is_whole_by("anonymous")
    }

    /// As [`is_whole`](Self::is_whole), with the sender identified by `method`.
    #[track_caller]
    pub(crate) fn is_whole_by(&self, method: &str) -> &Self {
        self.has(serde_json::json!({"auth.method": method, "peer.ip": "127.0.0.1"})).is_sound()
    }

    /// As [`is_whole`](Self::is_whole), whoever sent it.
    #[track_caller]
    pub(crate) fn is_sound(&self) -> &Self {
        self.has(serde_json::json!({"@version": "1", "event.original": null}));
        assert!(self.0["_id"].is_string(), "no `_id` in {:#}", self.0);
        let tags = self.0.get("tags").and_then(Value::as_array);
        assert!(tags.is_none_or(Vec::is_empty), "expected no tags, but found {:#}", self.0);
        let late = self.seconds("received_at") - self.seconds("@timestamp");
        assert!(late.abs() <= MAX_LATE, "{late} s between sent and received: {:#}", self.0);
        self
    }

    /// A field that is text.
    #[track_caller]
    pub(crate) fn text(&self, field: &str) -> &str {
        let text = self.0[field].as_str();
        text.unwrap_or_else(|| panic!("no text `{field}` in {:#}", self.0))
    }

    /// A time as seconds since 1970.
    #[track_caller]
    fn seconds(&self, field: &str) -> i64 {
        let text = self.text(field);
        assert!(text.ends_with('Z'), "expected UTC in `{field}`, but found {text}");
        let numbers = text.split(|c: char| !c.is_ascii_digit()).take(6);
        let numbers: Vec<i64> = numbers.map(|number| number.parse().unwrap()).collect();
        let [year, month, day, hour, minute, second] = numbers[..] else {
            panic!("expected a time in `{field}`, but found {text}");
        };
        // Days in a calendar whose year begins in March, so that a leap day is its last.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leap_days = year / 4 - year / 100 + year / 400;
        let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - DAYS_BEFORE_1970;
        ((days * 24 + hour) * 60 + minute) * 60 + second
    }
}

/// Where `found` is not as `expected`.
fn differences(at: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(members), Value::Object(_)) => members
            .iter()
            .flat_map(|(name, member)| {
                let at = if at.is_empty() { name.clone() } else { format!("{at} → {name}") };
                differences(&at, member, &found[name])
            })
            .collect(),
        _ if expected == found => Vec::new(),
        _ => vec![format!("expected {expected} as `{at}`, but found {found}")],
    }
}

/// Seconds between sending and receiving; a wrong zone or year is half an hour or more.
const MAX_LATE: i64 = 900;

/// From the first of March of the year 0 to the end of 1969, and one as days are counted from one.
const DAYS_BEFORE_1970: i64 = 719_469;

#[test]
fn a_difference_is_seen() {
    let event = Event(serde_json::json!({
        "a": {"b": 1, "c": 2}, "@timestamp": "2026-03-01T00:00:00.5Z", "t": "1970-01-01T00:00:01Z",
    }));
    event.has(serde_json::json!({"a": {"b": 1}, "d": null}));
    let wrong = serde_json::json!({"a": {"b": 2}, "t": null});
    assert_eq!(
        differences("", &wrong, &event.0),
        [
            "expected 2 as `a → b`, but found 1",
            "expected null as `t`, but found \"1970-01-01T00:00:01Z\"",
        ]
    );
    assert_eq!((event.seconds("@timestamp"), event.seconds("t")), (1_772_323_200, 1));
}
