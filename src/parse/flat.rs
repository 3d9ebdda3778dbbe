//! An event as people see it: one flat JSON object (SPEC §2.2, §13).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::Context;
use super::structured_data::structured_data;
use crate::event::derived::{self, Derived};
use crate::event::{Event, Kind, Known, Name, ValueRef};

/// The flat object of `event`, with dotted names and the fields that follow from others.
///
/// Of fields with the same name the last counts. `log.syslog.structured_data` alone is an object
/// of objects; `event.original` is text, and where that loses octets `event.original_base64` has
/// them all. A fallback that needs more than the event, such as the peer's address for
/// `host.name`, is the caller's.
pub fn flatten(event: &Event<'_>, cx: &Context) -> Map<String, Json> {
    let mut flat = Map::new();
    for field in &event.fields {
        let value = field.value.as_ref();
        let json = match field.name {
            Name::Known(Known::StructuredData) => structured(value),
            Name::Known(Known::Original) => original(value, &mut flat),
            _ => value.to_json(),
        };
        flat.insert(field.name.as_str().to_owned(), json);
    }
    derive(event, &mut flat);
    let time = event.timestamp.unwrap_or(cx.received_at);
    flat.insert("@timestamp".to_owned(), Json::String(time.to_string()));
    flat.insert("@version".to_owned(), Json::String("1".to_owned()));
    let tags = event.tags.iter().map(|tag| tag.as_str());
    let tags = event.labels.iter().map(|label| &**label).chain(tags);
    flat.insert(Known::Tags.as_str().to_owned(), tags.collect());
    flat
}

/// Adds what follows from the priority, and the fields that have a fallback.
fn derive(event: &Event<'_>, flat: &mut Map<String, Json>) {
    let priority = event.find(Known::Priority).map(|value| value.as_ref());
    let priority = priority.and_then(|value| derived::priority(value.bytes));
    if let Some(priority) = priority {
        for derived in Derived::ALL {
            let Some(text) = derived.of(priority) else { continue };
            let kind = if derived.is_number() { Kind::Number } else { Kind::Text };
            let value = ValueRef::new(kind, text.as_bytes()).to_json();
            flat.insert(derived.as_str().to_owned(), value);
        }
    }
    for name in [Known::Service, Known::Level, Known::HostName] {
        let from = |known: &Known| match known {
            Known::Priority => priority.map(|priority| Json::from(derived::level(priority))),
            _ => flat.get(known.as_str()).cloned(),
        };
        if !flat.contains_key(name.as_str())
            && let Some(value) = derived::fallback(name).iter().find_map(from)
        {
            flat.insert(name.as_str().to_owned(), value);
        }
    }
}

/// Structured data as an object; a value under that name that is none, as it is.
fn structured(value: ValueRef<'_>) -> Json {
    let object = match value.kind {
        Kind::Text => structured_data(&value.to_text()),
        _ => Map::new(),
    };
    if object.is_empty() { value.to_json() } else { Json::Object(object) }
}

fn original(value: ValueRef<'_>, flat: &mut Map<String, Json>) -> Json {
    if value.kind == Kind::Bytes && std::str::from_utf8(value.bytes).is_err() {
        let octets = Json::String(STANDARD.encode(value.bytes));
        flat.insert("event.original_base64".to_owned(), octets);
    }
    value.to_json()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Tag, Value};
    use crate::time::Timestamp;

    const CX: Context =
        Context { received_at: Timestamp::from_micros(0), zone_offset: 0, keep_original: false };

    #[test]
    fn what_follows_is_there() {
        let mut event = Event::default();
        event.set(Known::Priority, Value::Number("165".into()));
        event.text(Known::Hostname, "h");
        event.text(Known::AppName, "a");
        event.text(Known::StructuredData, r#"[x b="1"]"#);
        event.text(Known::Message, "m");
        let want = serde_json::json!({
            "@timestamp": "1970-01-01T00:00:00.000Z",
            "@version": "1",
            "host.name": "h",
            "level": "INFO",
            "log.syslog.appname": "a",
            "log.syslog.facility.code": 20,
            "log.syslog.facility.name": "local4",
            "log.syslog.hostname": "h",
            "log.syslog.priority": 165,
            "log.syslog.severity.code": 5,
            "log.syslog.severity.name": "Notice",
            "log.syslog.structured_data": { "x": { "b": "1" } },
            "message": "m",
            "service": "a",
            "tags": [],
        });
        assert_eq!(Json::Object(flatten(&event, &CX)), want);
    }

    #[test]
    fn what_the_sender_said_stands() {
        let mut event = Event::default();
        event.set(Known::Priority, Value::Number("165".into()));
        event.text(Known::AppName, "a");
        event.text(Known::Service, "first");
        event.text(Known::Service, "last");
        event.text(Known::Level, "DEBUG");
        event.text(Known::StructuredData, "no such thing");
        event.labels.push("mine".into());
        event.tag(Tag::EncodingError);
        event.set(Known::Original, Value::Bytes(b"\xFF"[..].into()));
        let flat = flatten(&event, &CX);
        assert_eq!((&flat["service"], &flat["level"]), (&"last".into(), &"DEBUG".into()));
        assert_eq!(flat["log.syslog.structured_data"], "no such thing");
        assert_eq!(flat["tags"], Json::from(vec!["mine", "encoding_error"]));
        assert_eq!(flat["event.original"], "\u{FFFD}");
        assert_eq!(flat["event.original_base64"], "/w==");
    }
}
