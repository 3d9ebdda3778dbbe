//! `LogRecord`, with the resource and the scope that it comes from, as an event.

use std::borrow::Cow;

use super::any::{Any, any, pair_of, put, text, write};
use super::tree::{Message, Schema};
use crate::event::{Event, Known, Tag, Value};
use crate::ids;
use crate::parse::json::{Mapping, Member, Role};
use crate::parse::records::RecordError;
use crate::parse::{fallback, octets};
use crate::time::Timestamp;

/// What a record and those beside it come from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin<'a> {
    pub(super) resource: Option<Message<'a>>,
    pub(super) scope: Option<Message<'a>>,
}

/// The parts of a record that are put into its event behind its attributes.
#[derive(Debug, Default)]
struct Parts<'a> {
    time: u64,
    observed: u64,
    severity: u64,
    severity_text: Option<Cow<'a, str>>,
    body: Option<Message<'a>>,
    trace: Option<Cow<'a, str>>,
    span: Option<Cow<'a, str>>,
    flags: u64,
    dropped: u64,
    event_name: Option<Cow<'a, str>>,
}

/// Fills the event of `mapping`, which is clear, from a record.
///
/// | of a record                     | becomes                                                |
/// |---------------------------------|--------------------------------------------------------|
/// | attributes, of its resource too | fields of their names; maps in them dotted names       |
/// | name, version of its scope      | `scope.name`, `scope.version`                          |
/// | body: a map                     | fields of its names; else the message                  |
/// | severity: number, text          | `event.severity` and the level; `log.level`            |
/// | trace and span                  | `trace.id`, `span.id`, in hex                          |
pub(super) fn fill<'a>(
    mut mapping: Mapping<'_, 'a>,
    origin: Origin<'a>,
    record: Message<'a>,
) -> Result<(), RecordError> {
    mapping.begin();
    let mut path = String::new();
    if let Some(resource) = origin.resource {
        attributes(&mut mapping, &mut path, resource, RESOURCE, 1)?;
    }
    if let Some(scope) = origin.scope {
        name_of_scope(&mut mapping, scope)?;
        path.push_str("scope");
        attributes(&mut mapping, &mut path, scope, SCOPE, 3)?;
        path.clear();
    }
    attributes(&mut mapping, &mut path, record, RECORD, 6)?;
    let parts = Parts::read(mapping.event, record)?;
    let has_own = origin.resource.is_none() && origin.scope.is_none();
    let is_blank = mapping.event.fields.is_empty() && has_own && parts.is_blank();
    if is_blank {
        return Err(RecordError::Empty);
    }
    parts.put(&mut mapping)
}

/// Puts the attributes in the field `number` of a message under the name in `path`.
fn attributes<'a>(
    mapping: &mut Mapping<'_, 'a>,
    path: &mut String,
    message: Message<'a>,
    schema: Schema,
    number: u32,
) -> Result<(), RecordError> {
    let above = path.len();
    let mut fields = message.fields(schema)?;
    while let Some(pair) = fields.next_child(number)? {
        let (key, value) = pair_of(mapping.event, pair)?;
        match any(mapping.event, value)? {
            Any::Value(value) if above == 0 => {
                mapping.put(Role::of(&key), Member::Top(key), value, 0..0);
            }
            value => {
                if above > 0 {
                    path.push('.');
                }
                path.push_str(&key);
                put(mapping, path, value, 1)?;
                path.truncate(above);
            }
        }
    }
    Ok(())
}

fn name_of_scope<'a>(mapping: &mut Mapping<'_, 'a>, scope: Message<'a>) -> Result<(), RecordError> {
    let mut fields = scope.fields(SCOPE)?;
    while let Some((number, node)) = fields.next()? {
        let name = match number {
            1 => "scope.name",
            2 => "scope.version",
            _ => continue,
        };
        if let Some(text) = text(mapping.event, node).filter(|text| !text.is_empty()) {
            mapping.put(Role::Plain, Member::Top(name.into()), Value::Text(text), 0..0);
        }
    }
    Ok(())
}

impl<'a> Parts<'a> {
    fn read(event: &mut Event<'_>, record: Message<'a>) -> Result<Self, RecordError> {
        let mut parts = Self::default();
        let mut fields = record.fields(RECORD)?;
        while let Some((number, node)) = fields.next()? {
            match number {
                1 => parts.time = node.bits().unwrap_or_default(),
                2 => parts.severity = node.bits().unwrap_or_default(),
                3 => parts.severity_text = text(event, node),
                5 => parts.body = node.message().or(parts.body),
                7 => parts.dropped = node.bits().unwrap_or_default(),
                8 => parts.flags = node.bits().unwrap_or_default(),
                9 => parts.trace = node.id(),
                10 => parts.span = node.id(),
                11 => parts.observed = node.bits().unwrap_or_default(),
                12 => parts.event_name = text(event, node),
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Whether there is nothing but a time.
    fn is_blank(&self) -> bool {
        let texts = [&self.severity_text, &self.trace, &self.span, &self.event_name];
        self.severity == 0 && self.body.is_none() && texts.iter().all(|text| text.is_none())
    }

    fn put(self, mapping: &mut Mapping<'_, 'a>) -> Result<(), RecordError> {
        let text = |text: Cow<'a, str>| (!text.is_empty()).then_some(Value::Text(text));
        let number = |number: u64| (number != 0).then(|| Value::Number(number.to_string().into()));
        let level = LEVELS.get(usize::try_from(self.severity.div_ceil(4)).unwrap_or(usize::MAX));
        let level =
            level.filter(|level| !level.is_empty()).map(|level| Value::Text((*level).into()));
        let severity = usize::try_from(self.severity).ok().filter(|severity| *severity > 0);
        let severity = severity.and_then(|severity| SEVERITIES.get(severity));
        let severity = severity.map(|digits| Value::Number((*digits).into()));
        for (role, name, value) in [
            (Role::Plain, "trace.id", self.trace.and_then(text)),
            (Role::Plain, "span.id", self.span.and_then(text)),
            (Role::Plain, "trace.flags", number(self.flags)),
            (Role::Plain, "dropped_attributes_count", number(self.dropped)),
            (Role::Plain, "event.name", self.event_name.and_then(text)),
            (Role::Plain, "event.severity", severity),
            (Role::LogLevel, "log.level", self.severity_text.and_then(text)),
            (Role::Level, "level", level),
        ] {
            if let Some(value) = value {
                mapping.put(role, Member::Top(name.into()), value, 0..0);
            }
        }
        let body = any(mapping.event, self.body)?;
        put_body(mapping, body)?;
        if mapping.finish() {
            mapping.event.tag(Tag::TooManyFields);
        }
        fallback::fill(mapping.event);
        set_time(mapping.event, if self.time == 0 { self.observed } else { self.time });
        Ok(())
    }
}

/// Puts the body of a record into its event.
fn put_body<'a>(mapping: &mut Mapping<'_, 'a>, body: Any<'a>) -> Result<(), RecordError> {
    match body {
        Any::Value(Value::Null) => {}
        Any::Value(value) => mapping.event.set(Known::Message, value),
        Any::Octets(Cow::Borrowed(octets)) => octets::message(mapping.event, octets),
        Any::Octets(Cow::Owned(octets)) => {
            let text = String::from_utf8_lossy(&octets).into_owned();
            if text.as_bytes() != octets {
                mapping.event.tag(Tag::EncodingError);
                let original = ids::scrub(&octets).into_owned();
                mapping.event.set(Known::Original, Value::Bytes(original.into()));
            }
            mapping.event.set(Known::Message, Value::Text(text.into()));
        }
        body @ Any::Map(_) => put(mapping, &mut String::new(), body, 0)?,
        body @ Any::Array(_) => {
            let mut json = String::new();
            write(mapping.event, &mut json, body, 0)?;
            mapping.event.set(Known::Message, Value::Text(json.into()));
        }
    }
    Ok(())
}

/// Sets the time of an event; none is the time of receipt. What 64 bits of nanoseconds can say ends
/// in the year 2554.
fn set_time(event: &mut Event<'_>, nanos: u64) {
    let micros = i64::try_from(nanos / 1000).ok().filter(|micros| *micros > 0);
    event.timestamp = micros.map(Timestamp::from_micros);
}

/// What the numbers of a severity mean, four of them each (OpenTelemetry, "Logs Data Model").
const LEVELS: [&str; 7] = ["", "DEBUG", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Those numbers, as they are written.
const SEVERITIES: [&str; 25] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23", "24",
];

/// `Resource`.
const RESOURCE: Schema = &[(1, "attributes")];

/// `InstrumentationScope`.
const SCOPE: Schema = &[(1, "name"), (2, "version"), (3, "attributes")];

/// `LogRecord`.
const RECORD: Schema = &[
    (1, "timeunixnano"),
    (2, "severitynumber"),
    (3, "severitytext"),
    (5, "body"),
    (6, "attributes"),
    (7, "droppedattributescount"),
    (8, "flags"),
    (9, "traceid"),
    (10, "spanid"),
    (11, "observedtimeunixnano"),
    (12, "eventname"),
];
