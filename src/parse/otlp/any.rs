//! `AnyValue`: a value of any kind, with values of any kind in it (OTLP, `common.proto`).

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::tree::{Message, Node, Schema};
use crate::event::{Event, Value};
use crate::parse::json::{MAX_DEPTH, MAX_PATH, Mapping, Member, Role};
use crate::parse::octets;
use crate::parse::records::RecordError;
use crate::parse::wire::WireValue;

/// What an `AnyValue` holds.
#[derive(Debug)]
pub(super) enum Any<'a> {
    /// What has a place in an event by itself.
    Value(Value<'a>),
    /// Octets, which may be text or not.
    Octets(Cow<'a, [u8]>),
    /// `ArrayValue`.
    Array(Message<'a>),
    /// `KeyValueList`.
    Map(Message<'a>),
}

/// Reads an `AnyValue`; none at all is `null`. Text that is no UTF-8 tags the event.
pub(super) fn any<'a>(
    event: &mut Event<'_>,
    message: Option<Message<'a>>,
) -> Result<Any<'a>, RecordError> {
    let mut found = Any::Value(Value::Null);
    let Some(message) = message else { return Ok(found) };
    let mut fields = message.fields(ANY)?;
    while let Some((number, node)) = fields.next()? {
        let value = match number {
            1 => text(event, node).map(|text| Any::Value(Value::Text(text))),
            2 => truth(&node).map(|truth| Any::Value(Value::Bool(truth))),
            3 => whole(&node).map(|digits| Any::Value(Value::Number(digits))),
            4 => real(&node).map(Any::Value),
            5 => node.message().map(Any::Array),
            6 => node.message().map(Any::Map),
            7 => node.octets().map(Any::Octets),
            _ => None,
        };
        // Of several the last one counts, as in any message.
        found = value.unwrap_or(found);
    }
    Ok(found)
}

/// Puts what an `AnyValue` holds into an event, under the name in `path` or, if that is empty, under
/// names of its own. `depth` maps are around it.
pub(super) fn put<'a>(
    mapping: &mut Mapping<'_, 'a>,
    path: &mut String,
    value: Any<'a>,
    depth: u32,
) -> Result<(), RecordError> {
    let value = match as_written(value, depth) {
        Any::Value(value) => value,
        Any::Octets(octets) => Value::Text(STANDARD.encode(octets).into()),
        Any::Map(map) if path.len() <= MAX_PATH => {
            let above = path.len();
            let (mut pairs, mut is_empty) = (map.fields(LIST)?, true);
            while let Some(pair) = pairs.next_child(1)? {
                is_empty = false;
                let (key, inner) = pair_of(mapping.event, pair)?;
                let inner = any(mapping.event, inner)?;
                if let (true, Any::Value(value)) = (above == 0, &inner) {
                    mapping.put(Role::of(&key), Member::Top(key), value.clone(), 0..0);
                    continue;
                }
                if depth >= MAX_DEPTH {
                    return Err(RecordError::TooDeep { max: MAX_DEPTH });
                }
                if above > 0 {
                    path.push('.');
                }
                path.push_str(&key);
                put(mapping, path, inner, depth + 1)?;
                path.truncate(above);
            }
            if !is_empty || path.is_empty() {
                return Ok(());
            }
            Value::Json(Cow::Borrowed("{}"))
        }
        // A list, or what would make a name that is too long.
        value => {
            let mut json = String::new();
            write(mapping.event, &mut json, value, depth)?;
            Value::Json(json.into())
        }
    };
    mapping.put(Role::of(path), Member::Below(path), value, 0..0);
    Ok(())
}

/// Writes a value as JSON.
pub(super) fn write(
    event: &mut Event<'_>,
    json: &mut String,
    value: Any<'_>,
    depth: u32,
) -> Result<(), RecordError> {
    if depth >= MAX_DEPTH {
        return Err(RecordError::TooDeep { max: MAX_DEPTH });
    }
    match as_written(value, depth) {
        Any::Value(value) => quote(json, &value),
        Any::Octets(octets) => quote(json, &Value::Text(STANDARD.encode(octets).into())),
        Any::Array(array) => {
            json.push('[');
            let mut elements = array.fields(LIST)?;
            while let Some(element) = elements.next_child(1)? {
                if !json.ends_with('[') {
                    json.push(',');
                }
                let inner = any(event, Some(element))?;
                write(event, json, inner, depth + 1)?;
            }
            json.push(']');
        }
        Any::Map(map) => {
            json.push('{');
            let mut pairs = map.fields(LIST)?;
            while let Some(pair) = pairs.next_child(1)? {
                if !json.ends_with('{') {
                    json.push(',');
                }
                let (key, inner) = pair_of(event, pair)?;
                quote(json, &Value::Text(key));
                json.push(':');
                let inner = any(event, inner)?;
                write(event, json, inner, depth + 1)?;
            }
            json.push('}');
        }
    }
    Ok(())
}

/// What lies deep in JSON, as the text that it is. Each level that is looked into is read once more
/// by those above it, and a body of nothing but depth would take as many times as long.
fn as_written(value: Any<'_>, depth: u32) -> Any<'_> {
    match value {
        Any::Array(Message::Json(text)) | Any::Map(Message::Json(text)) if depth >= MAX_READ => {
            Any::Value(Value::Json(Cow::Borrowed(text)))
        }
        value => value,
    }
}

/// `KeyValue`: the name, and the value if there is one.
pub(super) fn pair_of<'a>(
    event: &mut Event<'_>,
    pair: Message<'a>,
) -> Result<(Cow<'a, str>, Option<Message<'a>>), RecordError> {
    let (mut key, mut value) = (Cow::Borrowed(""), None);
    let mut fields = pair.fields(PAIR)?;
    while let Some((number, node)) = fields.next()? {
        match number {
            1 => key = text(event, node).unwrap_or(key),
            2 => value = node.message().or(value),
            _ => {}
        }
    }
    Ok((key, value))
}

/// A node as text. Octets that are none become U+FFFD, and the event is tagged.
pub(super) fn text<'a>(event: &mut Event<'_>, node: Node<'a>) -> Option<Cow<'a, str>> {
    match node {
        Node::Wire(WireValue::Bytes(octets)) => Some(octets::text(event, octets)),
        Node::Text(text) => Some(text),
        Node::Number(digits) => Some(Cow::Borrowed(digits)),
        Node::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
        Node::Wire(_) | Node::Object(_) | Node::Array => None,
    }
}

fn truth(node: &Node<'_>) -> Option<bool> {
    match node {
        Node::Bool(value) => Some(*value),
        Node::Text(text) if text == "true" => Some(true),
        Node::Text(text) if text == "false" => Some(false),
        _ => node.bits().map(|bits| bits != 0),
    }
}

/// A signed number, as digits.
fn whole<'a>(node: &Node<'a>) -> Option<Cow<'a, str>> {
    match node {
        // These are the digits, if they are no more than that.
        Node::Number(digits) if digits.bytes().skip(1).all(|byte| byte.is_ascii_digit()) => {
            Some(Cow::Borrowed(digits))
        }
        _ => node.bits().map(|bits| Cow::Owned(bits.cast_signed().to_string())),
    }
}

/// A number with a fraction; what JSON has no number for is text.
fn real<'a>(node: &Node<'a>) -> Option<Value<'a>> {
    let number = match node {
        Node::Number(digits) => return Some(Value::Number(Cow::Borrowed(digits))),
        Node::Wire(WireValue::Fixed64(bits)) => f64::from_bits(*bits),
        Node::Text(text) => match text.parse::<f64>() {
            Ok(number) => number,
            Err(_) => return Some(Value::Text(text.clone())),
        },
        _ => return None,
    };
    Some(match serde_json::Number::from_f64(number) {
        Some(number) => Value::Number(number.to_string().into()),
        None => Value::Text(number.to_string().into()),
    })
}

/// Appends what has a place in an event as JSON.
fn quote(json: &mut String, value: &Value<'_>) {
    let written = match value {
        Value::Number(digits) | Value::Json(digits) => {
            json.push_str(digits);
            Ok(())
        }
        value => write!(json, "{}", value.as_ref().to_json()),
    };
    written.expect("a string takes all that is written to it");
}

/// Levels of a value in JSON that are looked into.
const MAX_READ: u32 = 8;

/// `AnyValue`.
const ANY: Schema = &[
    (1, "stringvalue"),
    (2, "boolvalue"),
    (3, "intvalue"),
    (4, "doublevalue"),
    (5, "arrayvalue"),
    (6, "kvlistvalue"),
    (7, "bytesvalue"),
];

/// `ArrayValue`, `KeyValueList`.
const LIST: Schema = &[(1, "values")];

/// `KeyValue`.
const PAIR: Schema = &[(1, "key"), (2, "value")];
