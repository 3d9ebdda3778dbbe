//! GELF into events: what its members mean (Graylog's GELF 1.1).
//!
//! | member                            | becomes                                                    |
//! |-----------------------------------|------------------------------------------------------------|
//! | `full_message`; without one, `short_message` | `message`; the other is kept, unless it is the same |
//! | `timestamp`                       | the event's time: seconds since the epoch, with decimals    |
//! | `level`                           | one of five names: 0 to 7 are syslog's severities           |
//! | `host`                            | `host.name`                                                |
//! | `version`                         | nothing                                                    |
//! | `_anything`                       | `anything`                                                 |
//! | `_id`, and the daemon's own names | `sender.<name>`: GELF forbids the first                    |
//! | `_token`, `_api_key` and the like | the credential, if it looks like one of our keys           |
//!
//! A member such as `_message`, which without its `_` would pass for one of the above, keeps it.
//! What GELF does not know (objects, lists, names without `_`) is read as in any other JSON.

use std::borrow::Cow;

use super::error::JsonError;
use super::mapping::Schema;
use super::role::Role;
use crate::event::{Event, Value, derived};
use crate::parse::Context;

/// Reads a GELF message: an object is an event, and anything else is treated as by
/// [`json`](super::json).
///
/// # Errors
///
/// Why the text is no JSON event. An event that says what it is has been handed to `each` all the
/// same.
pub fn gelf<'a>(
    raw: &'a [u8],
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    super::read(raw, Schema::Gelf, cx, event, each)
}

/// What a member at the top is called, and what it means.
pub(super) fn member(key: Cow<'_, str>) -> (Cow<'_, str>, Role) {
    let role = match key.as_bytes() {
        b"short_message" => Role::ShortMessage,
        b"full_message" => Role::FullMessage,
        b"timestamp" => Role::Epoch,
        b"level" => Role::Severity,
        b"version" => Role::Dropped,
        b"_id" => Role::Reserved,
        [b'_', _, ..] => return additional(key),
        _ => Role::of(&key),
    };
    (key, role)
}

/// A member of the sender's own.
fn additional(key: Cow<'_, str>) -> (Cow<'_, str>, Role) {
    let name = key.get(1..).unwrap_or_default();
    let role = match Role::of(name) {
        Role::Message | Role::Timestamp | Role::Tags => return (key, Role::Plain),
        Role::Host | Role::Level | Role::Dropped => return (key, Role::Plain),
        _ if matches!(name, "short_message" | "full_message") => return (key, Role::Plain),
        role => role,
    };
    let name = match key {
        Cow::Borrowed(key) => Cow::Borrowed(key.get(1..).unwrap_or_default()),
        Cow::Owned(mut key) => {
            key.remove(0);
            Cow::Owned(key)
        }
    };
    (name, role)
}

/// The level that a number of syslog's severities stands for; some senders write it as text.
pub(super) fn severity(value: &Value<'_>) -> Option<&'static str> {
    let (Value::Number(digits) | Value::Text(digits)) = value else { return None };
    match digits.as_bytes() {
        [digit @ b'0'..=b'7'] => Some(derived::level(digit - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::parse::flatten;
    use crate::time::Timestamp;

    const CX: Context =
        Context { received_at: Timestamp::from_micros(0), zone_offset: 0, keep_original: false };

    /// The flat events of a message, and their credentials.
    fn read(raw: &[u8]) -> Vec<(Json, Option<String>)> {
        let mut events = Vec::new();
        let _tagged = gelf(raw, &CX, &mut Event::default(), &mut |event| {
            let found = event.credential.as_ref();
            let found = found.map(|found| String::from_utf8_lossy(&found.secret).into_owned());
            let mut flat = flatten(event, &CX);
            flat.remove("@version");
            events.push((Json::Object(flat), found));
        })
        .is_err();
        events
    }

    #[track_caller]
    fn one(text: &str) -> Json {
        let mut events = read(text.as_bytes());
        assert_eq!(events.len(), 1, "{text}");
        events.remove(0).0
    }

    #[test]
    fn the_example_of_the_specification() {
        let text = r#"{
            "version": "1.1",
            "host": "example.org",
            "short_message": "A short message that helps you identify what is going on",
            "full_message": "Backtrace here\n\nmore stuff",
            "timestamp": 1385053862.3072,
            "level": 1,
            "_user_id": 9001,
            "_some_info": "foo",
            "_some_env_var": "bar"
        }"#;
        let want = json!({
            "@timestamp": "2013-11-21T17:11:02.307200Z",
            "host.name": "example.org",
            "message": "Backtrace here\n\nmore stuff",
            "short_message": "A short message that helps you identify what is going on",
            "level": "FATAL",
            "user_id": 9001,
            "some_info": "foo",
            "some_env_var": "bar",
            "tags": [],
        });
        assert_eq!(one(text), want);
    }

    #[test]
    fn messages() {
        let message = |text: &str| {
            let event = one(text);
            ["message", "short_message", "full_message"].map(|name| {
                event
                    .get(name)
                    .map_or("-".to_owned(), |text| text.as_str().unwrap_or("null").to_owned())
            })
        };
        assert_eq!(message(r#"{"short_message":"s"}"#), ["s", "-", "-"]);
        assert_eq!(message(r#"{"full_message":"f"}"#), ["f", "-", "-"]);
        assert_eq!(message(r#"{"full_message":"f","short_message":"s"}"#), ["f", "s", "-"]);
        assert_eq!(message(r#"{"short_message":"s","full_message":"s"}"#), ["s", "-", "-"]);
        assert_eq!(message(r#"{"full_message":"s","short_message":"s"}"#), ["s", "-", "-"]);
        assert_eq!(message(r#"{"short_message":"s","full_message":""}"#), ["s", "-", ""]);
        assert_eq!(message(r#"{"short_message":"s","full_message":null}"#)[0], "s");
        assert_eq!(message(r#"{"short_message":"s","_message":"x"}"#), ["s", "-", "-"]);
        assert_eq!(one(r#"{"short_message":"s","_message":"x"}"#)["_message"], "x");
        assert_eq!(message(r#"{"message":"m"}"#), ["m", "-", "-"]);
        assert_eq!(one("{}")["message"], Json::Null);
    }

    #[test]
    fn levels_and_times() {
        let level = |text: &str| one(&format!("{{\"level\":{text}}}"))["level"].clone();
        let names = ["FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG"];
        for (number, name) in names.into_iter().enumerate() {
            assert_eq!(level(&number.to_string()), name);
            assert_eq!(level(&format!("\"{number}\"")), name);
        }
        assert_eq!((level("\"warning\""), level("8")), (json!("WARN"), json!(8)));
        let time = |text: &str| {
            let event = one(&format!("{{\"timestamp\":{text}}}"));
            (event["@timestamp"].clone(), event["tags"].clone())
        };
        let good = |text: &str| (json!(text), json!([]));
        assert_eq!(time("1.5"), good("1970-01-01T00:00:01.500Z"));
        assert_eq!(time("\"1.5\""), good("1970-01-01T00:00:01.500Z"));
        assert_eq!(time("\"2013-11-21T17:11:02Z\""), good("2013-11-21T17:11:02.000Z"));
        assert_eq!(time("null"), good("1970-01-01T00:00:00.000Z"));
        assert_eq!(time("1385053862307").1, json!(["_timestampparsefailure"]));
        assert_eq!(one(r#"{"timestamp":[1]}"#)["_@timestamp"], json!([1]));
    }

    #[test]
    fn sy_12_additional_fields_cannot_pass_for_others() {
        for name in ["_id", "_key", "_peer.ip", "_received_at", "_auth.method", "_listener"] {
            let event = one(&format!("{{\"{name}\":\"v\"}}"));
            let moved = if name == "_id" { name } else { name.trim_start_matches('_') };
            assert_eq!(event[format!("sender.{moved}")], "v", "{name}: {event}");
            assert_eq!(event["tags"], json!(["reserved_field"]), "{name}");
        }
        for name in ["_host", "_message", "_level", "_tags", "_@timestamp", "_full_message"] {
            let event = one(&format!("{{\"host\":\"h\",\"{name}\":\"v\"}}"));
            assert_eq!((&event[name], &event["host.name"]), (&json!("v"), &json!("h")), "{name}");
        }
        assert_eq!(one(r#"{"_peer":{"pid":1,"port":2}}"#)["sender.peer.pid"], 1);
        assert_eq!(one(r#"{"_version":"7","version":"1.1"}"#)["version"], "7");
        assert_eq!(one(r#"{"_service":"shop"}"#)["service"], "shop");
        assert_eq!(one(r#"{"_":"a","__x":"b","\u005fy":"c"}"#)["_"], "a");
        assert_eq!(one(r#"{"_":"a","__x":"b","\u005fy":"c"}"#)["_x"], "b");
        assert_eq!(one(r#"{"_":"a","__x":"b","\u005fy":"c"}"#)["y"], "c");
    }

    #[test]
    fn keys_are_taken_out_and_what_is_no_json_is_text() {
        let secret = format!("lt_live_{}", "0123456789abcdef".repeat(2));
        for name in ["_token", "_api_key", "_logtrace_key", "token"] {
            let text = format!("{{\"short_message\":\"s\",\"{name}\":\"{secret}\"}}");
            let events = read(text.as_bytes());
            assert_eq!(events[0].1.as_ref(), Some(&secret), "{name}");
            assert!(!events[0].0.to_string().contains(&secret), "{name}");
        }
        let event = one("no json");
        assert_eq!(
            (&event["message"], &event["tags"]),
            (&json!("no json"), &json!(["_jsonparsefailure"]))
        );
        assert_eq!(read(b"").len(), 0);
        assert_eq!(read(b"\xff").len(), 1);
    }
}
