//! A strict scanner of JSON text (RFC 8259): one pass, no tree, no allocation.
//!
//! It answers with slices of the text it reads. Strings come with their escapes still in them
//! ([`Text`]), numbers as the digits they are. Containers that nobody looks into are stepped over
//! by [`Scanner::skip`] without recursion, so that depth costs a bit and not a stack frame.

use super::MAX_DEPTH;
use super::error::{Expected, JsonError};
use super::text::{self, Text};

/// A position in a JSON text.
#[derive(Clone, Debug)]
pub(in crate::parse) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    start: usize,
    lone_surrogates: usize,
}

/// A value as it begins: a scalar is whole, a container is open.
#[derive(Clone, Copy, Debug)]
pub(in crate::parse) enum Token<'a> {
    /// `{` was read.
    Object,
    /// `[` was read.
    Array,
    /// A string.
    Text(Text<'a>),
    /// The digits of a number.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Scanner<'a> {
    /// Begins at the first byte of `text`, or behind its byte order mark (RFC 8259 §8.1).
    pub(in crate::parse) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self { text, at, start: at, lone_surrogates: 0 }
    }

    /// The whole text.
    pub(in crate::parse) fn text(&self) -> &'a str {
        self.text
    }

    /// The byte that is read next.
    pub(in crate::parse) fn at(&self) -> usize {
        self.at
    }

    /// Where the value that was read last began.
    pub(in crate::parse) fn start(&self) -> usize {
        self.start
    }

    /// How many escapes so far named half of a surrogate pair, which no character has.
    pub(in crate::parse) fn lone_surrogates(&self) -> usize {
        self.lone_surrogates
    }

    /// What was read since byte `start`.
    #[inline]
    pub(in crate::parse) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Goes back to byte `at`, a place that [`Self::at`] or [`Self::start`] told.
    pub(in crate::parse) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    /// An error at the place that is read next.
    #[cold]
    pub(in crate::parse) fn error(&self, expected: Expected) -> JsonError {
        JsonError::new(expected, self.text.as_bytes(), self.at)
    }

    /// The error for a container that was opened last and is one level too deep.
    #[cold]
    pub(in crate::parse) fn too_deep(&self) -> JsonError {
        JsonError::new(Expected::LessDepth, self.text.as_bytes(), self.start)
    }

    /// Steps over blanks and tells the byte behind them.
    #[inline]
    pub(in crate::parse) fn peek(&mut self) -> Option<u8> {
        let mut byte = self.byte();
        while matches!(byte, Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
            byte = self.byte();
        }
        byte
    }

    /// Whether `byte` comes next; it is then read.
    #[inline]
    pub(in crate::parse) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Reads `byte`, or fails for want of what was `expected`.
    #[inline]
    pub(in crate::parse) fn take(&mut self, byte: u8, expected: Expected) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Makes sure that nothing but blanks is left.
    pub(in crate::parse) fn end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error(Expected::End)) }
    }

    /// Reads a member's name and the colon behind it.
    #[inline]
    pub(in crate::parse) fn name(&mut self) -> Result<Text<'a>, JsonError> {
        self.take(b'"', Expected::Name)?;
        let name = self.string()?;
        self.take(b':', Expected::Colon)?;
        Ok(name)
    }

    /// Reads what parts members or elements: true for a comma, false for `close`.
    #[inline]
    pub(in crate::parse) fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        let byte = self.peek();
        if byte == Some(b',') || byte == Some(close) {
            self.at += 1;
            return Ok(byte == Some(b','));
        }
        let object = close == b'}';
        Err(self.error(if object { Expected::MoreMembers } else { Expected::MoreElements }))
    }

    /// Reads a scalar, or the bracket that opens a container.
    #[inline]
    pub(in crate::parse) fn value(&mut self) -> Result<Token<'a>, JsonError> {
        let byte = self.peek();
        self.start = self.at;
        match byte {
            Some(b'"') => {
                self.at += 1;
                Ok(Token::Text(self.string()?))
            }
            Some(b'-' | b'0'..=b'9') => Ok(Token::Number(self.number()?)),
            Some(b'{') => {
                self.at += 1;
                Ok(Token::Object)
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Token::Array)
            }
            Some(b't') => self.literal("true", Token::Bool(true)),
            Some(b'f') => self.literal("false", Token::Bool(false)),
            Some(b'n') => self.literal("null", Token::Null),
            _ => Err(self.error(Expected::Value)),
        }
    }

    /// Reads a value to its end, whatever it is; `depth` containers are already open around it.
    pub(in crate::parse) fn skip_value(&mut self, depth: u32) -> Result<(), JsonError> {
        match self.value()? {
            Token::Object => self.skip(b'}', depth),
            Token::Array => self.skip(b']', depth),
            _ => Ok(()),
        }
    }

    /// Reads the rest of a container that has just been opened and that `close` ends.
    ///
    /// `depth` containers are open around it.
    pub(in crate::parse) fn skip(&mut self, close: u8, depth: u32) -> Result<(), JsonError> {
        let mut open = Open::default();
        let mut room = MAX_DEPTH.saturating_sub(depth);
        let mut opened = Some(close);
        loop {
            if let Some(close) = opened.take() {
                room = room.checked_sub(1).ok_or_else(|| self.too_deep())?;
                open.push(close == b'}');
                // What was just opened may be empty; a comma must be followed by something.
                if self.peek() == Some(close) {
                    if self.close(&mut open, &mut room)? {
                        return Ok(());
                    }
                    continue;
                }
            }
            if open.is_object() {
                self.name()?;
            }
            match self.value()? {
                Token::Object => opened = Some(b'}'),
                Token::Array => opened = Some(b']'),
                _ if self.close(&mut open, &mut room)? => return Ok(()),
                _ => {}
            }
        }
    }

    /// Reads what follows a whole value: closing brackets up to the next comma. True at the last.
    fn close(&mut self, open: &mut Open, room: &mut u32) -> Result<bool, JsonError> {
        loop {
            if self.more(if open.is_object() { b'}' } else { b']' })? {
                return Ok(false);
            }
            open.pop();
            *room += 1;
            if open.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Reads a string to its closing quote; the opening one has been read (RFC 8259 §7).
    #[inline]
    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.at;
        self.at += text::plain_len(self.rest());
        let escaped = self.byte() != Some(b'"');
        if escaped {
            self.escapes()?;
        }
        let text = Text::new(self.since(start), escaped);
        self.at += 1;
        Ok(text)
    }

    /// Goes on to the closing quote of a string from where it ceased to be plain.
    #[inline(never)]
    fn escapes(&mut self) -> Result<(), JsonError> {
        loop {
            match self.byte() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                _ => return Err(self.error(Expected::TextOrQuote)),
            }
            self.at += text::plain_len(self.rest());
        }
    }

    /// Reads one escape, or the two of a surrogate pair.
    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let code_point = text::code_point(self.rest());
                let (decoded, len) = code_point.ok_or_else(|| self.error(Expected::HexDigits))?;
                self.lone_surrogates += usize::from(decoded.is_none());
                self.at += len;
                Ok(())
            }
            _ => Err(self.error(Expected::Escape)),
        }
    }

    /// Reads a number, all of its digits (RFC 8259 §6).
    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        // No digit may follow a leading zero; it then fails as what should be a comma.
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.since(start))
    }

    /// Reads digits, one at least.
    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.error(Expected::Digit)) }
    }

    fn literal(&mut self, literal: &str, token: Token<'a>) -> Result<Token<'a>, JsonError> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(self.error(Expected::Literal));
        }
        self.at += literal.len();
        Ok(token)
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Which of the containers that are open are objects: a bit each, the innermost the lowest.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) {
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    fn is_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

const _: () = assert!(MAX_DEPTH <= u128::BITS, "each open container has a bit");
