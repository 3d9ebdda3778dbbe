//! One entry of a Fluent message as the JSON object that its parser reads.

use std::fmt::Write;

use super::msgpack::{Front, Head, Kind, Passed, Scan, front};
use crate::time::{SECOND, Timestamp};

/// Writes entries as JSON of at most `max_len` bytes; what is longer is counted only.
#[derive(Debug)]
pub(super) struct Writer {
    max_len: usize,
    text: Vec<u8>,
    /// The length that the text would have.
    len: u64,
    /// The arrays and maps that are open.
    open: Vec<Open>,
    /// Memory for numbers.
    digits: String,
}

/// An array or map that is being written.
#[derive(Clone, Copy, Debug)]
struct Open {
    is_map: bool,
    /// Names and values still to come.
    left: usize,
}

impl Writer {
    pub(super) fn new(max_len: usize) -> Self {
        Self { max_len, text: Vec::new(), len: 0, open: Vec::new(), digits: String::new() }
    }

    /// The text that was written last.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.text.capacity()
    }

    /// Gives its memory back where that is much.
    pub(super) fn rest(&mut self) {
        if self.text.capacity() > KEPT {
            self.text = Vec::new();
        }
    }

    /// Its length, where it is longer than the limit.
    pub(super) fn original_len(&self) -> Option<u64> {
        (self.len > self.max_len as u64).then_some(self.len)
    }

    /// Writes an entry, a time and a record, that came with `tag`. What is damaged is written as
    /// far as it is good, and is then no whole object.
    pub(super) fn entry(&mut self, tag: &[u8], entry: &[u8]) {
        self.text.clear();
        self.len = 0;
        self.open.clear();
        self.push(b"{\"fluent.tag\":");
        self.string(tag);
        if let Some(record) = self.time(entry)
            && self.record(record).is_some()
        {
            self.push(b"}");
        }
    }

    /// Writes the time in front of a record, and returns the record.
    fn time<'e>(&mut self, entry: &'e [u8]) -> Option<&'e [u8]> {
        let (head, rest) = split(entry)?;
        if head.kind != Kind::Array {
            return self.instant(head, rest);
        }
        // Fluent Bit's: the time, and what else is known of the entry.
        let (first, inner) = split(rest)?;
        let metadata = self.instant(first, inner).filter(|_| head.len == 2)?;
        if metadata.first() == Some(&EMPTY_MAP) {
            return metadata.get(1..);
        }
        self.push(b",\"fluent.metadata\":");
        self.value(metadata)
    }

    fn instant<'e>(&mut self, head: Head, rest: &'e [u8]) -> Option<&'e [u8]> {
        let payload = rest.get(..head.payload())?;
        if let Some(micros) = micros(head.kind, payload) {
            self.push(b",\"@timestamp\":");
            self.timestamp(micros);
        }
        rest.get(payload.len()..)
    }

    /// Writes the members of a record, and returns what follows it.
    fn record<'e>(&mut self, record: &'e [u8]) -> Option<&'e [u8]> {
        let (head, rest) = split(record)?;
        if head.kind != Kind::Map {
            self.push(b",\"message\":");
            return self.value(record);
        }
        let is_log_the_message = !has_message(head.len, rest);
        let mut rest = rest;
        for _ in 0..head.len {
            self.push(b",");
            let (name, behind) = split(rest)?;
            if matches!(name.kind, Kind::Array | Kind::Map) {
                return None;
            }
            let is_log = behind.get(..name.payload()) == Some(b"log") && is_text(name.kind);
            let value = behind.get(name.payload()..)?;
            if is_log
                && is_log_the_message
                && split(value).is_some_and(|(head, _)| is_text(head.kind))
            {
                self.push(b"\"message\"");
            } else {
                self.scalar(name, behind, true)?;
            }
            self.push(b":");
            rest = self.value(value)?;
        }
        Some(rest)
    }

    /// Writes the value at the front of `input`, and returns what follows it.
    fn value<'e>(&mut self, input: &'e [u8]) -> Option<&'e [u8]> {
        let mut rest = input;
        loop {
            let is_name = self.open.last().is_some_and(|open| open.is_map && open.left % 2 == 0);
            let (head, behind) = split(rest)?;
            match head.kind {
                Kind::Array | Kind::Map if !is_name && self.open.len() < MAX_DEPTH => {
                    let is_map = head.kind == Kind::Map;
                    self.push(if is_map { b"{" } else { b"[" });
                    let left = head.len.saturating_mul(if is_map { 2 } else { 1 });
                    self.open.push(Open { is_map, left });
                    rest = behind;
                }
                Kind::Array | Kind::Map => return None,
                _ => {
                    rest = self.scalar(head, behind, is_name)?;
                    self.end_value();
                }
            }
            // What ends here ends what it is in as well, where it was the last of it.
            while let Some(Open { is_map, left: 0 }) = self.open.last().copied() {
                self.open.pop();
                self.push(if is_map { b"}" } else { b"]" });
                self.end_value();
            }
            if self.open.is_empty() {
                return Some(rest);
            }
        }
    }

    /// Counts a name or a value that was written, and parts it from the next one.
    fn end_value(&mut self) {
        let Some(open) = self.open.last_mut() else { return };
        open.left = open.left.saturating_sub(1);
        match (open.left, open.is_map && open.left % 2 == 1) {
            (0, _) => {}
            (_, true) => self.push(b":"),
            (_, false) => self.push(b","),
        }
    }

    /// Writes what is neither array nor map, as text where it is a name, and returns what follows.
    fn scalar<'e>(&mut self, head: Head, behind: &'e [u8], is_name: bool) -> Option<&'e [u8]> {
        let payload = behind.get(..head.payload()).unwrap_or(behind);
        let mut digits = std::mem::take(&mut self.digits);
        digits.clear();
        let written = match head.kind {
            Kind::Nil => write!(digits, "null"),
            Kind::Bool(value) => write!(digits, "{value}"),
            Kind::Unsigned(value) => write!(digits, "{value}"),
            Kind::Signed(value) => write!(digits, "{value}"),
            Kind::Single(value) if value.is_finite() => write!(digits, "{value:?}"),
            Kind::Double(value) if value.is_finite() => write!(digits, "{value:?}"),
            // JSON has no number for these.
            Kind::Single(value) => write!(digits, "\"{value}\""),
            Kind::Double(value) => write!(digits, "\"{value}\""),
            Kind::Ext(_) if micros(head.kind, payload).is_none() => {
                digits.push('"');
                let written = payload.iter().try_for_each(|byte| write!(digits, "{byte:02x}"));
                digits.push('"');
                written
            }
            Kind::Ext(_) | Kind::Str | Kind::Bin | Kind::Array | Kind::Map => Ok(()),
        };
        written.expect("a string takes all");
        match head.kind {
            Kind::Str | Kind::Bin => self.string(payload),
            Kind::Ext(_) if digits.is_empty() => {
                self.timestamp(micros(head.kind, payload).unwrap_or_default());
            }
            _ if is_name && !digits.starts_with('"') => self.string(digits.as_bytes()),
            _ => self.push(digits.as_bytes()),
        }
        self.digits = digits;
        behind.get(head.payload()..)
    }

    fn timestamp(&mut self, micros: i64) {
        let text = Timestamp::from_micros(micros).to_string();
        self.string(text.as_bytes());
    }

    /// Writes text. An octet that is none is written as `\xNN`: what it was can be told still.
    fn string(&mut self, text: &[u8]) {
        self.push(b"\"");
        for chunk in text.utf8_chunks() {
            let mut rest = chunk.valid().as_bytes();
            while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))
            {
                let (good, escaped) = rest.split_at(at);
                self.push(good);
                match escaped.first().copied().unwrap_or_default() {
                    b'\n' => self.push(b"\\n"),
                    b'\r' => self.push(b"\\r"),
                    b'\t' => self.push(b"\\t"),
                    byte @ (b'"' | b'\\') => self.push(&[b'\\', byte]),
                    byte => self.push(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
                }
                rest = escaped.get(1..).unwrap_or_default();
            }
            self.push(rest);
            for byte in chunk.invalid() {
                self.push(&[b'\\', b'\\', b'x', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        self.push(b"\"");
    }

    fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        let room = self.max_len.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

/// The head of the value at the front of `bytes`, and what follows the head.
fn split(bytes: &[u8]) -> Option<(Head, &[u8])> {
    match front(bytes) {
        Front::Head(head) => Some((head, bytes.get(head.size..)?)),
        Front::Short | Front::Bad => None,
    }
}

/// Whether a map of so many pairs, of which `rest` is what follows its head, has a message.
fn has_message(pairs: usize, rest: &[u8]) -> bool {
    let mut rest = rest;
    for _ in 0..pairs {
        let Some((name, behind)) = split(rest) else { return false };
        if is_text(name.kind) && behind.get(..name.payload()) == Some(b"message") {
            return true;
        }
        match Scan::new(2).run(rest) {
            Passed::All(end) => rest = rest.get(end..).unwrap_or_default(),
            Passed::Some | Passed::Bad => return false,
        }
    }
    false
}

fn is_text(kind: Kind) -> bool {
    matches!(kind, Kind::Str | Kind::Bin)
}

/// Microseconds since 1970 of a time: of seconds as a number, or of Fluentd's extension 0, which
/// has nanoseconds as well.
fn micros(kind: Kind, payload: &[u8]) -> Option<i64> {
    let seconds = |value: i64| value.checked_mul(SECOND);
    let fraction = |value: f64| {
        let in_range = value.abs() < 1e12;
        #[allow(clippy::cast_possible_truncation, reason = "it is in range")]
        in_range.then_some((value * 1e6).round() as i64)
    };
    let micros = match kind {
        Kind::Unsigned(value) => seconds(i64::try_from(value).ok()?)?,
        Kind::Signed(value) => seconds(value)?,
        Kind::Single(value) => fraction(value.into())?,
        Kind::Double(value) => fraction(value)?,
        Kind::Ext(0) => {
            let bits = u64::from_be_bytes(payload.try_into().ok()?);
            let nanos = i64::try_from(bits & 0xffff_ffff).ok()?;
            seconds(i64::try_from(bits >> 32).ok()?)? + nanos / 1000
        }
        _ => return None,
    };
    let writable = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    writable.contains(&micros).then_some(micros)
}

/// The digit of 0 to 15.
fn hex(digit: u8) -> u8 {
    b"0123456789abcdef".get(usize::from(digit)).copied().unwrap_or(b'0')
}

/// A map without a pair.
const EMPTY_MAP: u8 = 0x80;

/// Arrays and maps within each other that are written: more than any parser of JSON goes down.
const MAX_DEPTH: usize = 256;

/// Bytes of text for which memory is kept from one entry to the next.
const KEPT: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn json(entry: &[u8]) -> String {
        let mut writer = Writer::new(1000);
        writer.entry(b"app.web", entry);
        assert_eq!(writer.original_len(), None);
        let text = String::from_utf8(writer.text().to_vec()).unwrap();
        text.strip_prefix("{\"fluent.tag\":\"app.web\"").unwrap().to_owned()
    }

    #[test]
    fn entries() {
        #[rustfmt::skip]
        let table: &[(&[u8], &str)] = &[
            // times
            (b"\x00\x80",                                   r#","@timestamp":"1970-01-01T00:00:00.000Z"}"#),
            (b"\xce\x65\x00\x00\x00\x80",                   r#","@timestamp":"2023-09-12T06:06:56.000Z"}"#),
            (b"\xd7\x00\x65\0\0\0\x07\x5b\xcd\x15\x80",     r#","@timestamp":"2023-09-12T06:06:56.123456Z"}"#),
            (b"\xc7\x08\x00\x65\0\0\0\0\0\x27\x10\x80",     r#","@timestamp":"2023-09-12T06:06:56.000010Z"}"#),
            (b"\xcb\x41\xd9\x40\0\0\0\0\0\x80",             r#","@timestamp":"2023-09-12T06:06:56.000Z"}"#),
            (b"\x92\x00\x80\x80",                           r#","@timestamp":"1970-01-01T00:00:00.000Z"}"#),
            (b"\x92\x00\x81\xa1a\x01\x80",                  r#","@timestamp":"1970-01-01T00:00:00.000Z","fluent.metadata":{"a":1}}"#),
            (b"\xc0\x80",                                   "}"),
            (b"\xa1x\x80",                                  "}"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x80",   "}"),
            (b"\xd4\x00\x01\x80",                           "}"),
            // records
            (b"\xc0\x82\xa1a\xa1b\xa1c\xc3",                r#","a":"b","c":true}"#),
            (b"\xc0\x81\xa1a\x93\x01\x81\xa1b\x90\x80",     r#","a":[1,{"b":[]},{}]}"#),
            (b"\xc0\x81\xa1a\x82\xa1b\x81\xa1c\xff\xa1d\xc0", r#","a":{"b":{"c":-1},"d":null}}"#),
            (b"\xc0\x81\x05\x81\xc0\xcb\x7f\xf0\0\0\0\0\0\0", r#","5":{"null":"inf"}}"#),
            (b"\xc0\x81\xa1a\xca\x3d\xcc\xcc\xcd",          r#","a":0.1}"#),
            (b"\xc0\x81\xa1a\xc4\x03\"\\\n",                r#","a":"\"\\\n"}"#),
            (b"\xc0\x81\xa1a\xa4caf\xe9",                   r#","a":"caf\\xe9"}"#),
            (b"\xc0\x81\xa1a\xa5\xc3\xa9\x1b\x7f\0",        ",\"a\":\"\u{e9}\\u001b\u{7f}\\u0000\"}"),
            (b"\xc0\x81\xa1a\xd7\x00\x65\0\0\0\0\0\0\0",    r#","a":"2023-09-12T06:06:56.000Z"}"#),
            (b"\xc0\x81\xa1a\xd5\x07\xab\xcd",              r#","a":"abcd"}"#),
            // what is the message
            (b"\xc0\x81\xa3log\xa1x",                       r#","message":"x"}"#),
            (b"\xc0\x81\xa3log\x80",                        r#","log":{}}"#),
            (b"\xc0\x82\xa3log\xa1x\xa7message\xa1y",       r#","log":"x","message":"y"}"#),
            (b"\xc0\xa4text",                               r#","message":"text"}"#),
            (b"\xc0\xc0",                                   r#","message":null}"#),
            // what is damaged is written as far as it goes
            (b"",                                           ""),
            (b"\xc0",                                       ""),
            (b"\xc0\x82\xa1a\x01",                          r#","a":1,"#),
            (b"\xc0\x81\xa1a\xa9abc",                       r#","a":"abc""#),
            (b"\xc0\x81\xa1a\x81\x90\x01",                  r#","a":{"#),
        ];
        for (entry, want) in table {
            assert_eq!(json(entry), *want, "{}", entry.escape_ascii());
        }
    }

    #[test]
    fn the_text_is_cut_at_the_limit_and_counted() {
        let mut writer = Writer::new(30);
        writer.entry(b"t", b"\xc0\x81\xa1a\xbfxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        assert_eq!(writer.text(), &br#"{"fluent.tag":"t","a":"xxxxxxxxx"#[..30]);
        assert_eq!(writer.original_len(), Some(56));
    }

    #[test]
    fn depth_is_bounded() {
        let mut writer = Writer::new(100_000);
        let deep = [&b"\xc0\x81\xa1a"[..], &[0x91; 90_000]].concat();
        writer.entry(b"t", &deep);
        assert!(writer.text().len() < 1000);
        let fits = [&b"\xc0\x81\xa1a"[..], &[0x91; 200], b"\x01"].concat();
        writer.entry(b"t", &fits);
        assert!(writer.text().ends_with(b"]]}"));
    }
}
