//! A push as a protocol buffers message: `logproto.PushRequest` (Loki, `pkg/push/push.proto`).

use super::labels::{Pair, labels};
use super::set_time;
use crate::event::{Event, Tag, Value};
use crate::parse::json::{Mapping, Member, Role, Schema};
use crate::parse::records::{RecordError, RecordLimits, Records, Tally};
use crate::parse::wire::{Fields, WireValue};
use crate::parse::{Context, fallback, octets};

/// The entries of a push.
#[derive(Debug)]
pub(super) struct LokiMessage<'a> {
    streams: Fields<'a>,
    /// Of the stream that is being read.
    labels: Vec<Pair<'a>>,
    entries: Fields<'a>,
    zone_offset: i32,
}

impl<'a> LokiMessage<'a> {
    /// Opens a push.
    ///
    /// # Errors
    ///
    /// It is not well formed to its end, or holds too much.
    pub(super) fn open(
        body: &'a [u8],
        limits: RecordLimits,
        cx: &Context,
    ) -> Result<Self, RecordError> {
        let mut tally = Tally::new(limits);
        let mut streams = Fields::new(body);
        let mut streams_seen = 0;
        while let Some(stream) = next_of(&mut streams, STREAMS)? {
            streams_seen += 1;
            if streams_seen > limits.records {
                return Err(RecordError::TooMany { max: limits.records });
            }
            let shared = labels_of(stream)?.len();
            let text = std::str::from_utf8(labels_of(stream)?).map_err(|_| RecordError::Utf8)?;
            labels(text)?;
            let mut entries = Fields::new(stream);
            while let Some(entry) = next_of(&mut entries, ENTRIES)? {
                tally.add(shared)?;
                Entry::read(entry)?;
            }
        }
        Ok(Self {
            streams: Fields::new(body),
            labels: Vec::new(),
            entries: Fields::new(b""),
            zone_offset: cx.zone_offset,
        })
    }

    /// The next entry of any stream.
    fn entry(&mut self) -> Result<Option<Entry<'a>>, RecordError> {
        loop {
            if let Some(entry) = next_of(&mut self.entries, ENTRIES)? {
                return Entry::read(entry).map(Some);
            }
            let Some(stream) = next_of(&mut self.streams, STREAMS)? else { return Ok(None) };
            let text = std::str::from_utf8(labels_of(stream)?).map_err(|_| RecordError::Utf8)?;
            self.labels = labels(text)?;
            self.entries = Fields::new(stream);
        }
    }

    fn fill(&self, entry: &Entry<'a>, event: &mut Event<'a>) -> Result<(), RecordError> {
        let mut mapping = Mapping::new(Schema::Logstash, self.zone_offset, event);
        mapping.begin();
        for (name, value) in &self.labels {
            let value = Value::Text(value.clone());
            mapping.put(Role::of(name), Member::Top(name.clone()), value, 0..0);
        }
        let mut fields = Fields::new(entry.message);
        while let Some(pair) = next_of(&mut fields, METADATA)? {
            let (name, value) = pair_of(pair)?;
            let name = octets::text(mapping.event, name);
            let value = Value::Text(octets::text(mapping.event, value));
            mapping.put(Role::of(&name), Member::Top(name), value, 0..0);
        }
        if mapping.finish() {
            event.tag(Tag::TooManyFields);
        }
        fallback::fill(event);
        octets::message(event, entry.line);
        set_time(event, entry.nanos);
        Ok(())
    }
}

impl<'a> Records<'a> for LokiMessage<'a> {
    fn next(&mut self, event: &mut Event<'a>) -> Option<Result<(), RecordError>> {
        let entry = match self.entry() {
            Ok(entry) => entry?,
            Err(error) => {
                // All of it was read before; what cannot be read again is not looked for.
                self.streams = Fields::new(b"");
                self.entries = Fields::new(b"");
                return Some(Err(error));
            }
        };
        Some(self.fill(&entry, event))
    }
}

/// `logproto.EntryAdapter`.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    message: &'a [u8],
    nanos: Option<i128>,
    line: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads an entry, and its metadata to their ends.
    fn read(message: &'a [u8]) -> Result<Self, RecordError> {
        let mut entry = Self { message, nanos: Some(0), line: b"" };
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, WireValue::Bytes(time)) => entry.nanos = Some(nanos(time)?),
                (2, WireValue::Bytes(line)) => entry.line = line,
                (METADATA, WireValue::Bytes(pair)) => {
                    pair_of(pair)?;
                }
                _ => {}
            }
        }
        Ok(entry)
    }
}

/// `google.protobuf.Timestamp` in nanoseconds.
fn nanos(message: &[u8]) -> Result<i128, RecordError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, WireValue::Varint(value)) => seconds = value.cast_signed(),
            (2, WireValue::Varint(value)) => nanos = value.cast_signed(),
            _ => {}
        }
    }
    Ok(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

/// `logproto.LabelPairAdapter`: the name and the value.
fn pair_of(message: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let (mut name, mut text) = (&b""[..], &b""[..]);
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, WireValue::Bytes(value)) => name = value,
            (2, WireValue::Bytes(value)) => text = value,
            _ => {}
        }
    }
    Ok((name, text))
}

/// The labels of a stream, wherever in it they stand.
fn labels_of(stream: &[u8]) -> Result<&[u8], RecordError> {
    let mut fields = Fields::new(stream);
    Ok(next_of(&mut fields, 1)?.unwrap_or_default())
}

/// The next field of that number that is a message or text.
fn next_of<'a>(fields: &mut Fields<'a>, wanted: u32) -> Result<Option<&'a [u8]>, RecordError> {
    while let Some((number, value)) = fields.next()? {
        if let (true, WireValue::Bytes(value)) = (number == wanted, value) {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

const STREAMS: u32 = 1;

const ENTRIES: u32 = 2;

const METADATA: u32 = 3;
