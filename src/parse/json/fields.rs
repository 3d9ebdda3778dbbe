//! One JSON object, flattened into an event as it is read.

use std::borrow::Cow;

use super::error::{Expected, JsonError};
use super::mapping::{Mapping, Member, Schema};
use super::role::Role;
use super::scan::{Scanner, Token};
use super::{MAX_DEPTH, MAX_FIELDS, MAX_PATH, gelf, text};
use crate::event::{Event, Known, Tag, Value};
use crate::parse::Context;

/// Reads objects into an event, one at a time.
#[derive(Debug)]
pub(in crate::parse) struct Walker<'w, 'a> {
    pub(in crate::parse) scan: Scanner<'a>,
    pub(in crate::parse) mapping: Mapping<'w, 'a>,
    keep_original: bool,
    /// The dotted name of what is being read below the top; empty at the top.
    path: String,
    /// Halves of surrogate pairs before this record.
    lone_surrogates: usize,
}

impl<'w, 'a> Walker<'w, 'a> {
    /// Begins at the first byte of `text`; `event` is clear.
    pub(in crate::parse) fn new(
        text: &'a str,
        schema: Schema,
        cx: &Context,
        event: &'w mut Event<'a>,
    ) -> Self {
        Self {
            scan: Scanner::new(text),
            mapping: Mapping::new(schema, cx.zone_offset, event),
            keep_original: cx.keep_original,
            path: String::new(),
            lone_surrogates: 0,
        }
    }

    /// Reads an object into the event, which is clear before. After an error it holds rubbish.
    pub(in crate::parse) fn object(&mut self) -> Result<(), JsonError> {
        self.begin();
        self.scan.peek();
        let start = self.scan.at();
        self.more_fields()?;
        self.finish(start);
        Ok(())
    }

    /// Forgets the record before.
    pub(in crate::parse) fn begin(&mut self) {
        self.mapping.begin();
        self.path.clear();
        self.lone_surrogates = self.scan.lone_surrogates();
    }

    /// Reads an object into the record that was begun, beside what it has.
    pub(in crate::parse) fn more_fields(&mut self) -> Result<(), JsonError> {
        self.scan.take(b'{', Expected::Object)?;
        if self.scan.eat(b'}') { Ok(()) } else { self.members(1) }
    }

    /// Ends a record whose text began at byte `start` and was read to its end.
    pub(in crate::parse) fn finish(&mut self, start: usize) {
        let too_many = self.mapping.finish();
        if too_many {
            self.mapping.event.tag(Tag::TooManyFields);
        }
        let mended = self.scan.lone_surrogates() > self.lone_surrogates;
        if mended {
            self.mapping.event.tag(Tag::EncodingError);
        }
        if self.keep_original || too_many || mended {
            let original = self.mapping.secrets.cut(self.scan.text(), start..self.scan.at());
            self.mapping.event.set(Known::Original, Value::Text(original));
        }
    }

    /// Reads the members of an object that is not empty, up to its brace.
    ///
    /// Calls itself for objects within, so `depth`, 1 at the top, never passes [`MAX_DEPTH`].
    fn members(&mut self, depth: u32) -> Result<(), JsonError> {
        loop {
            let key = self.scan.name()?.decode();
            let (key, role) = match self.mapping.schema() {
                Schema::Gelf if depth == 1 => gelf::member(key),
                _ if depth == 1 => {
                    let role = Role::of(&key);
                    (key, role)
                }
                _ => (key, Role::Plain),
            };
            let above = self.path.len();
            if depth > 1 {
                self.path.push('.');
                self.path.push_str(&key);
            }
            let role = if depth > 1 { Role::of(&self.path) } else { role };
            self.member(key, role, depth)?;
            self.path.truncate(above);
            if !self.scan.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads a member's value. Below the top, the path is the member's own.
    fn member(&mut self, key: Cow<'a, str>, role: Role, depth: u32) -> Result<(), JsonError> {
        let value = match self.scan.value()? {
            Token::Text(text) => Value::Text(text.decode()),
            Token::Number(digits) => Value::Number(Cow::Borrowed(digits)),
            Token::Bool(value) => Value::Bool(value),
            Token::Null => Value::Null,
            Token::Array if role == Role::Tags => return self.tags(),
            Token::Array => self.verbatim(b']', depth)?,
            Token::Object if self.scan.peek() == Some(b'}') => self.verbatim(b'}', depth)?,
            // A long name in front of many others would make more of the text than there is.
            Token::Object if key.len().max(self.path.len()) > MAX_PATH => {
                self.verbatim(b'}', depth)?
            }
            Token::Object if depth >= MAX_DEPTH => return Err(self.scan.too_deep()),
            Token::Object => {
                if depth == 1 {
                    self.path.push_str(self.mapping.descend(role));
                    self.path.push_str(&key);
                }
                return self.members(depth + 1);
            }
        };
        let place = self.scan.start()..self.scan.at();
        let member = if depth > 1 { Member::Below(&self.path) } else { Member::Top(key) };
        self.mapping.put(role, member, value, place);
        Ok(())
    }

    /// The value that has just been opened, as the text it is.
    fn verbatim(&mut self, close: u8, depth: u32) -> Result<Value<'a>, JsonError> {
        let (start, lone_surrogates) = (self.scan.start(), self.scan.lone_surrogates());
        self.scan.skip(close, depth)?;
        let json = self.scan.since(start);
        let mended = self.scan.lone_surrogates() > lone_surrogates;
        Ok(Value::Json(if mended { text::mended(json).into() } else { Cow::Borrowed(json) }))
    }

    /// Reads a list of tags that has been opened; one that holds anything else is kept whole.
    fn tags(&mut self) -> Result<(), JsonError> {
        let start = self.scan.start();
        self.mapping.event.labels.clear();
        if self.scan.eat(b']') {
            return Ok(());
        }
        while let Token::Text(tag) = self.scan.value()? {
            if self.mapping.event.labels.len() < MAX_FIELDS {
                self.mapping.event.labels.push(tag.decode());
            } else {
                self.mapping.too_many();
            }
            if !self.scan.more(b']')? {
                return Ok(());
            }
        }
        self.scan.rewind(start);
        // Opens the list anew, to read it to its end as something else.
        self.scan.value()?;
        let value = self.verbatim(b']', 1)?;
        self.mapping.unusable_tags(value);
        Ok(())
    }
}
