//! Messages in either of the encodings of OTLP, read the same way.
//!
//! A message is a slice of the body, and its fields are read one after the other: by their numbers
//! in protocol buffers; in JSON by their names, for which a [`Schema`] has the numbers. A list in
//! JSON is a field that comes many times, as it is in protocol buffers. Nothing is built.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::parse::json::{Scanner, Token};
use crate::parse::records::RecordError;
use crate::parse::wire::{Fields, WireValue};

/// The names that the fields of a message have in JSON, in lower case and without `_`: both
/// `timeUnixNano` and `time_unix_nano` are `timeunixnano`.
pub(super) type Schema = &'static [(u32, &'static str)];

/// A message as it lies in the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message<'a> {
    /// Protocol buffers.
    Wire(&'a [u8]),
    /// The text of an object that is well formed.
    Json(&'a str),
}

/// The fields of a message.
#[derive(Clone, Debug)]
pub(super) enum Cursor<'a> {
    Wire(Fields<'a>),
    Json(Members<'a>),
}

/// The members of an object.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    scan: Scanner<'a>,
    schema: Schema,
    /// The field whose list is open.
    list: Option<u32>,
    more: bool,
}

/// The value of a field.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    Wire(WireValue<'a>),
    Object(&'a str),
    Array,
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
}

impl<'a> Message<'a> {
    /// Its fields, from the first.
    pub(super) fn fields(self, schema: Schema) -> Result<Cursor<'a>, RecordError> {
        Ok(match self {
            Self::Wire(message) => Cursor::Wire(Fields::new(message)),
            Self::Json(text) => {
                let mut scan = Scanner::new(text);
                // A message is an object: this has been looked at where it was found.
                let more = scan.eat(b'{') && !scan.eat(b'}');
                Cursor::Json(Members { scan, schema, list: None, more })
            }
        })
    }

    /// The last message in the field of that number.
    pub(super) fn child(self, schema: Schema, wanted: u32) -> Result<Option<Self>, RecordError> {
        let (mut fields, mut found) = (self.fields(schema)?, None);
        while let Some((number, node)) = fields.next()? {
            if number == wanted {
                found = node.message().or(found);
            }
        }
        Ok(found)
    }

    /// How many bytes it takes.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Wire(message) => message.len(),
            Self::Json(text) => text.len(),
        }
    }
}

impl<'a> Cursor<'a> {
    /// The number and the value of the next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Node<'a>)>, RecordError> {
        match self {
            Self::Wire(fields) => {
                let field = fields.next()?;
                Ok(field.map(|(number, value)| (number, Node::Wire(value))))
            }
            Self::Json(members) => members.next(),
        }
    }

    /// The next message in a field of that number.
    pub(super) fn next_child(&mut self, wanted: u32) -> Result<Option<Message<'a>>, RecordError> {
        while let Some((number, node)) = self.next()? {
            if let (true, Some(message)) = (number == wanted, node.message()) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

impl<'a> Members<'a> {
    fn next(&mut self) -> Result<Option<(u32, Node<'a>)>, RecordError> {
        loop {
            if let Some(number) = self.list {
                let node = self.node()?;
                if !self.scan.more(b']')? {
                    self.list = None;
                    self.more = self.scan.more(b'}')?;
                }
                if let Some(node) = node {
                    return Ok(Some((number, node)));
                }
                continue;
            }
            if !self.more {
                return Ok(None);
            }
            let name = self.scan.name()?.decode();
            let number = self.schema.iter().find(|(_, known)| is_named(&name, known));
            let Some((number, _)) = number else {
                self.scan.skip_value(0)?;
                self.more = self.scan.more(b'}')?;
                continue;
            };
            if self.scan.eat(b'[') {
                if self.scan.eat(b']') {
                    self.more = self.scan.more(b'}')?;
                } else {
                    self.list = Some(*number);
                }
                continue;
            }
            let node = self.node()?;
            self.more = self.scan.more(b'}')?;
            if let Some(node) = node {
                return Ok(Some((*number, node)));
            }
        }
    }

    /// Reads a value; `null` is none.
    fn node(&mut self) -> Result<Option<Node<'a>>, RecordError> {
        let token = self.scan.value()?;
        let start = self.scan.start();
        Ok(Some(match token {
            Token::Object => {
                self.scan.skip(b'}', 0)?;
                Node::Object(self.scan.since(start))
            }
            Token::Array => {
                self.scan.skip(b']', 0)?;
                Node::Array
            }
            Token::Text(text) => Node::Text(text.decode()),
            Token::Number(digits) => Node::Number(digits),
            Token::Bool(value) => Node::Bool(value),
            Token::Null => return Ok(None),
        }))
    }
}

impl<'a> Node<'a> {
    /// As a message.
    pub(super) fn message(&self) -> Option<Message<'a>> {
        match self {
            Self::Wire(WireValue::Bytes(message)) => Some(Message::Wire(message)),
            Self::Object(text) => Some(Message::Json(text)),
            _ => None,
        }
    }

    /// As an unsigned number, or the bits of a signed one: in JSON a number, or text of one.
    pub(super) fn bits(&self) -> Option<u64> {
        let text = match self {
            Self::Wire(WireValue::Varint(bits) | WireValue::Fixed64(bits)) => return Some(*bits),
            Self::Wire(WireValue::Fixed32(bits)) => return Some(u64::from(*bits)),
            Self::Text(text) => &**text,
            Self::Number(digits) => digits,
            _ => return None,
        };
        text.parse::<u64>().ok().or_else(|| text.parse().map(i64::cast_unsigned).ok())
    }

    /// As octets: base64 in JSON.
    pub(super) fn octets(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Wire(WireValue::Bytes(octets)) => Some(Cow::Borrowed(octets)),
            Self::Text(text) => STANDARD.decode(text.as_bytes()).ok().map(Cow::Owned),
            _ => None,
        }
    }

    /// As an identifier in lower-case hex, which JSON has it in already (OTLP, "JSON Protobuf
    /// Encoding"). One of nothing but zeros is none.
    pub(super) fn id(self) -> Option<Cow<'a, str>> {
        let id = match self {
            Self::Wire(WireValue::Bytes(octets)) if octets.len() <= MAX_ID => {
                let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
                let hex = octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]);
                Cow::Owned(hex.collect::<String>())
            }
            Self::Text(text) if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(text.to_ascii_lowercase())
            }
            Self::Text(text) => text,
            _ => return None,
        };
        id.bytes().any(|byte| byte != b'0').then_some(id)
    }
}

/// Whether `name` is `known` in any of the ways that names are written.
fn is_named(name: &str, known: &str) -> bool {
    let letters = name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    letters.eq(known.bytes())
}

/// The longest identifier that is shown, in octets. A trace has 16.
const MAX_ID: usize = 64;
