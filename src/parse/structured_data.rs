//! `STRUCTURED-DATA` (RFC 5424 §6.3), for the parser that finds its end and for those who read
//! it back.
//!
//! An event keeps it as the text it came in, and nearly none is ever looked at again: a reader
//! that wants one parameter takes [`parameter`], one that shows the event [`structured_data`].
//!
//! More is read than the RFC allows, because it is sent: a `]` in a value that is not escaped, a
//! backslash in front of anything, blanks before the `]` that closes an element, names of any
//! length in any script. An element that breaks off ends what can be read.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde_json::{Map, Value};

/// The object of objects that `raw` stands for.
///
/// Elements with the same id are merged, as senders repeat one rather than escape a long one; of
/// parameters with the same name in it the last counts.
pub fn structured_data(raw: &str) -> Map<String, Value> {
    let mut object = Map::new();
    let mut scan = Scan::new(raw.as_bytes(), 0);
    while let Some(id) = scan.element() {
        let id = text(raw, id).to_owned();
        let entry = object.entry(id).or_insert_with(|| Value::Object(Map::new()));
        while let Some(param) = scan.param() {
            if let Value::Object(element) = entry {
                let value = Value::String(unescape(text(raw, param.value)).into_owned());
                element.insert(text(raw, param.name).to_owned(), value);
            }
        }
    }
    object
}

/// One parameter of `raw`, without building the rest.
///
/// `path` is `ID.NAME`, or `ID` for the whole of an element, as the text it came in. Where it
/// stands for several the last counts, as in [`structured_data`]. Dots may be part of either.
pub fn parameter<'a>(raw: &'a str, path: &str) -> Option<Cow<'a, str>> {
    let mut found = None;
    let mut scan = Scan::new(raw.as_bytes(), 0);
    loop {
        let start = scan.at;
        let Some(id) = scan.element() else { return found };
        let tail = path.strip_prefix(text(raw, id));
        let name = tail.and_then(|tail| tail.strip_prefix('.'));
        while let Some(param) = scan.param() {
            if name == Some(text(raw, param.name)) {
                found = Some(unescape(text(raw, param.value)));
            }
        }
        if tail == Some("") {
            found = Some(Cow::Borrowed(text(raw, Span::new(start, scan.at))));
        }
    }
}

/// A value, or a whole text of structured data, without the backslashes in front of `"`, `\` and `]` (RFC 5424 §6.3.3). One in front
/// of anything else is part of the value.
pub fn unescape(value: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', value.as_bytes()) else { return Cow::Borrowed(value) };
    let (plain, rest) = value.split_at_checked(first).unwrap_or((value, ""));
    let mut clean = String::with_capacity(value.len());
    clean.push_str(plain);
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped =
            characters.next_if(|next| character == '\\' && matches!(next, '"' | '\\' | ']'));
        clean.push(escaped.unwrap_or(character));
    }
    Cow::Owned(clean)
}

/// A part of a message, by the positions of its first byte and of the one behind its last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub(super) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub(super) const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The bytes of `text` in it.
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// A parameter of an element, by its places in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    /// All of it, from the blank in front to the closing quote.
    pub span: Span,
    pub name: Span,
    /// Between the quotes, escapes and all.
    pub value: Span,
}

/// Reads structured data element by element, in time linear in its length.
///
/// `element` and then `param` until it finds none, and so on. After that `end` says where the
/// structured data ended, or that it broke off.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    text: &'a [u8],
    /// Where the next thing is expected.
    pub at: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    Inside,
    Broken,
}

impl<'a> Scan<'a> {
    /// Begins at the `[` at `at`.
    pub(super) const fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, state: State::Between }
    }

    /// The id of the next element; `None` behind the last one, or where none can be read.
    pub(super) fn element(&mut self) -> Option<Span> {
        if self.state != State::Between || self.peek(0) != Some(b'[') {
            return None;
        }
        let start = self.at + 1;
        let id = Span::new(start, self.name_end(start));
        if id.is_empty() || !matches!(self.text.get(id.end), Some(b' ' | b']')) {
            self.state = State::Broken;
            return None;
        }
        self.at = id.end;
        self.state = State::Inside;
        Some(id)
    }

    /// The next parameter of the element; `None` behind the last one, or where it broke off.
    pub(super) fn param(&mut self) -> Option<Param> {
        if self.state != State::Inside {
            return None;
        }
        let blanks = self.rest().iter().take_while(|byte| **byte == b' ').count();
        if self.peek(blanks) == Some(b']') {
            self.at += blanks + 1;
            self.state = State::Between;
            return None;
        }
        let param = self.read_param(self.at + blanks).filter(|_| blanks > 0);
        match &param {
            Some(param) => self.at = param.span.end,
            None => self.state = State::Broken,
        }
        param
    }

    /// Where the last element ended, unless one broke off.
    pub(super) fn end(&self) -> Option<usize> {
        (self.state == State::Between).then_some(self.at)
    }

    fn read_param(&self, start: usize) -> Option<Param> {
        let name = Span::new(start, self.name_end(start));
        let value = name.end + 2;
        if name.is_empty() || self.text.get(name.end..value) != Some(b"=\"") {
            return None;
        }
        let mut end = value;
        loop {
            end += memchr2(b'"', b'\\', self.text.get(end..)?)?;
            if self.text.get(end) == Some(&b'"') {
                break;
            }
            end += 2;
        }
        let span = Span::new(self.at, end + 1);
        Some(Param { span, name, value: Span::new(value, end) })
    }

    /// Where the name that begins at `start` ends: RFC 5424 §6, `SD-NAME`, of any length.
    fn name_end(&self, start: usize) -> usize {
        let name = self.text.get(start..).unwrap_or_default();
        let in_name = |byte: &u8| IN_NAME.get(usize::from(*byte)) == Some(&true);
        start + name.iter().position(|byte| !in_name(byte)).unwrap_or(name.len())
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }
}

/// The bytes of which names are made, by their values.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would panic")]
const IN_NAME: [bool; 256] = {
    let (mut table, mut byte) = ([true; 256], 0);
    while byte <= b' ' {
        table[byte as usize] = false;
        byte += 1;
    }
    table[b'=' as usize] = false;
    table[b']' as usize] = false;
    table[b'"' as usize] = false;
    table[0x7F] = false;
    table
};

/// The text at `span`, which begins and ends beside ASCII.
fn text(raw: &str, span: Span) -> &str {
    raw.get(span.start..span.end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        let table = [
            ("", "{}"),
            ("-", "{}"),
            (r#"[x a="1" b="2"]"#, r#"{"x":{"a":"1","b":"2"}}"#),
            (r#"[x@1 a="1"][y]"#, r#"{"x@1":{"a":"1"},"y":{}}"#),
            (r#"[x a="1"][x b="2"]"#, r#"{"x":{"a":"1","b":"2"}}"#),
            (r#"[o ip="1" ip="2"]"#, r#"{"o":{"ip":"2"}}"#),
            (r#"[x a="\"\\\]\n"]"#, r#"{"x":{"a":"\"\\]\\n"}}"#),
            (r#"[x a="]= " ]"#, r#"{"x":{"a":"]= "}}"#),
            (r#"[x a="grün" größe="☕"]"#, r#"{"x":{"a":"grün","größe":"☕"}}"#),
            (r#"[x a="1"][y b="#, r#"{"x":{"a":"1"},"y":{}}"#),
        ];
        for (raw, want) in table {
            assert_eq!(Value::Object(structured_data(raw)).to_string(), want, "{raw}");
        }
    }

    #[test]
    fn parameters() {
        let raw = r#"[x.y@1 a.b="1"][z a="\"" a="2"][x.y@1 c="3"]"#;
        let table = [
            ("x.y@1.a.b", Some("1")),
            ("x.y@1.c", Some("3")),
            ("z.a", Some("2")),
            ("z", Some(r#"[z a="\"" a="2"]"#)),
            ("z.b", None),
            ("x", None),
            ("", None),
        ];
        for (path, want) in table {
            assert_eq!(parameter(raw, path).as_deref(), want, "{path}");
        }
        assert!(matches!(parameter(raw, "z.a"), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn sy_05_what_breaks_off_is_told() {
        for raw in [
            "[",
            "[x",
            "[x a",
            "[x a=",
            "[x a=1]",
            "[x a=\"",
            "[x a=\"\\",
            "[x a=\"1",
            "[]",
            "[=]",
            "[x a=\"\"b=\"\"]",
            "[x =\"1\"]",
            "[a i=\"\"ok\"]",
            "[x a=\"1\"][y",
            "[x a]",
        ] {
            let mut scan = Scan::new(raw.as_bytes(), 0);
            while scan.element().is_some() {
                while scan.param().is_some() {}
            }
            assert_eq!(scan.end(), None, "{raw}");
        }
    }
}
