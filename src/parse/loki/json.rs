//! A push as JSON, of today and as `/api/prom/push` took it.
//!
//! ```text
//!  {"streams":[{"stream":{"app":"a"},"values":[["<ns>","line",{"trace":"t"}], …]}, …]}
//!  {"streams":[{"labels":"{app=\"a\"}","entries":[{"ts":"<RFC 3339>","line":"line"}, …]}, …]}
//! ```

use std::borrow::Cow;
use std::ops::Range;

use super::labels::labels;
use super::set_time;
use crate::event::{Event, Known, Tag, Value};
use crate::parse::json::{Expected, JsonError, Member, Role, Scanner, Schema, Token, Walker};
use crate::parse::records::{RecordError, RecordLimits, Records, Tally};
use crate::parse::{Context, fallback};
use crate::time::Timestamp;

/// The entries of a push.
#[derive(Debug)]
pub(super) struct LokiJson<'a> {
    text: &'a str,
    cx: Context,
    /// Where streams are, the next one last.
    streams: Vec<Stream>,
    /// Labels of the stream that is being read, where they are written as text.
    labels: Vec<(String, String)>,
    /// Where its next entry is, if it has more.
    at: Option<usize>,
}

/// Where the parts of a stream are in the text.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// An object, or text.
    labels: Option<usize>,
    /// A list.
    entries: Option<usize>,
}

/// What is read of an entry before it is put into an event.
#[derive(Debug)]
struct Entry<'a> {
    nanos: Option<i128>,
    line: Cow<'a, str>,
    /// Where its metadata begin.
    metadata: Option<usize>,
    /// Where all of it stands.
    place: Range<usize>,
}

impl<'a> LokiJson<'a> {
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
        let text = std::str::from_utf8(body)
            .map_err(|error| JsonError::new(Expected::Utf8, body, error.valid_up_to()))?;
        let mut scan = Scanner::new(text);
        // Once to its end, so that depth and form are known of all that is stepped over later.
        scan.skip_value(0)?;
        scan.end()?;
        let mut streams = streams(text, limits.records)?;
        let mut tally = Tally::new(limits);
        for stream in &streams {
            check(text, stream, &mut tally)?;
        }
        streams.reverse();
        Ok(Self { text, cx: *cx, streams, labels: Vec::new(), at: None })
    }

    /// The next entry of any stream, and what labels it has, if they are an object.
    fn entry(&mut self) -> Result<Option<(Entry<'a>, Option<usize>)>, RecordError> {
        let mut scan = Scanner::new(self.text);
        loop {
            let Some(stream) = self.streams.last().copied() else { return Ok(None) };
            if let Some(at) = self.at {
                scan.rewind(at);
                let entry = entry(&mut scan)?;
                self.at = scan.more(b']')?.then(|| scan.at());
                if self.at.is_none() {
                    self.streams.pop();
                }
                return Ok(Some((entry, stream.labels)));
            }
            self.at = first_entry(&mut scan, stream)?;
            if self.at.is_none() {
                self.streams.pop();
            }
            self.labels = text_labels(self.text, stream)?;
        }
    }

    fn fill(
        &self,
        entry: Entry<'a>,
        labels: Option<usize>,
        event: &mut Event<'a>,
    ) -> Result<(), RecordError> {
        let mut walker = Walker::new(self.text, Schema::Logstash, &self.cx, event);
        walker.begin();
        for (name, value) in &self.labels {
            let (name, value) = (Cow::Owned(name.clone()), Value::Text(value.clone().into()));
            walker.mapping.put(Role::of(&name), Member::Top(name), value, 0..0);
        }
        for at in [labels.filter(|_| self.labels.is_empty()), entry.metadata].into_iter().flatten()
        {
            walker.scan.rewind(at);
            if walker.scan.peek() == Some(b'{') {
                walker.more_fields()?;
            }
        }
        let too_many = walker.mapping.finish();
        if too_many {
            walker.mapping.event.tag(Tag::TooManyFields);
        }
        if too_many || self.cx.keep_original {
            let original = walker.mapping.secrets.cut(self.text, entry.place);
            walker.mapping.event.set(Known::Original, Value::Text(original));
        }
        fallback::fill(event);
        event.set(Known::Message, Value::Text(entry.line));
        set_time(event, entry.nanos);
        Ok(())
    }
}

impl<'a> Records<'a> for LokiJson<'a> {
    fn next(&mut self, event: &mut Event<'a>) -> Option<Result<(), RecordError>> {
        match self.entry() {
            Ok(found) => {
                let (entry, labels) = found?;
                Some(self.fill(entry, labels, event))
            }
            Err(error) => {
                self.streams.clear();
                self.at = None;
                Some(Err(error))
            }
        }
    }
}

/// Finds the streams of a push that is well formed JSON.
fn streams(text: &str, max: usize) -> Result<Vec<Stream>, RecordError> {
    let (mut scan, mut found) = (Scanner::new(text), None);
    scan.take(b'{', Expected::Object)?;
    let mut more = !scan.eat(b'}');
    while more {
        if scan.name()?.decode() == "streams" {
            found = Some(list(&mut scan, max)?);
        } else {
            scan.skip_value(1)?;
        }
        more = scan.more(b'}')?;
    }
    found.ok_or_else(|| scan.error(Expected::Streams).into())
}

fn list(scan: &mut Scanner<'_>, max: usize) -> Result<Vec<Stream>, RecordError> {
    scan.take(b'[', Expected::Array)?;
    let mut streams = Vec::new();
    let mut more = !scan.eat(b']');
    while more {
        if streams.len() == max {
            return Err(RecordError::TooMany { max });
        }
        streams.push(stream(scan)?);
        more = scan.more(b']')?;
    }
    Ok(streams)
}

fn stream(scan: &mut Scanner<'_>) -> Result<Stream, JsonError> {
    let mut stream = Stream::default();
    scan.take(b'{', Expected::Object)?;
    let mut more = !scan.eat(b'}');
    while more {
        let name = scan.name()?.decode();
        scan.peek();
        match &*name {
            "stream" | "labels" => stream.labels = Some(scan.at()),
            "values" | "entries" => stream.entries = Some(scan.at()),
            _ => {}
        }
        scan.skip_value(2)?;
        more = scan.more(b'}')?;
    }
    Ok(stream)
}

/// Makes sure that a stream can be read to its end, and counts it.
fn check(text: &str, stream: &Stream, tally: &mut Tally) -> Result<(), RecordError> {
    text_labels(text, *stream)?;
    let mut scan = Scanner::new(text);
    let mut shared = 0;
    if let Some(at) = stream.labels {
        scan.rewind(at);
        scan.skip_value(3)?;
        shared = scan.at() - at;
    }
    let Some(at) = first_entry(&mut scan, *stream)? else { return Ok(()) };
    scan.rewind(at);
    loop {
        tally.add(shared)?;
        entry(&mut scan)?;
        if !scan.more(b']')? {
            return Ok(());
        }
    }
}

/// Where the first entry of a stream is, if it has one.
fn first_entry(scan: &mut Scanner<'_>, stream: Stream) -> Result<Option<usize>, JsonError> {
    let Some(at) = stream.entries else { return Ok(None) };
    scan.rewind(at);
    if matches!(scan.value()?, Token::Null) {
        return Ok(None);
    }
    scan.rewind(at);
    scan.take(b'[', Expected::Array)?;
    Ok((!scan.eat(b']')).then(|| scan.at()))
}

/// The labels of a stream that writes them as text.
fn text_labels(text: &str, stream: Stream) -> Result<Vec<(String, String)>, RecordError> {
    let Some(at) = stream.labels else { return Ok(Vec::new()) };
    let mut scan = Scanner::new(text);
    scan.rewind(at);
    match scan.value()? {
        Token::Object | Token::Null => Ok(Vec::new()),
        Token::Text(text) => {
            let text = text.decode();
            let pairs = labels(&text)?.into_iter();
            Ok(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
        }
        _ => {
            scan.rewind(at);
            Err(scan.error(Expected::Object).into())
        }
    }
}

/// Reads an entry of either form.
fn entry<'a>(scan: &mut Scanner<'a>) -> Result<Entry<'a>, JsonError> {
    let is_old = scan.peek() == Some(b'{');
    let start = scan.at();
    let entry = if is_old { old_entry(scan) } else { list_entry(scan) }?;
    Ok(Entry { place: start..scan.at(), ..entry })
}

/// Reads `["<ns>", "line", {…}]`.
fn list_entry<'a>(scan: &mut Scanner<'a>) -> Result<Entry<'a>, JsonError> {
    scan.take(b'[', Expected::Array)?;
    let nanos = time(scan)?;
    scan.take(b',', Expected::Text)?;
    let line = text(scan)?;
    let mut entry = Entry { nanos, line, metadata: None, place: 0..0 };
    if scan.more(b']')? {
        entry.metadata = Some(metadata(scan)?);
        // What may come there one day is stepped over.
        while scan.more(b']')? {
            scan.skip_value(4)?;
        }
    }
    Ok(entry)
}

/// Reads `{"ts":"<RFC 3339>","line":"line"}`.
fn old_entry<'a>(scan: &mut Scanner<'a>) -> Result<Entry<'a>, JsonError> {
    scan.take(b'{', Expected::Object)?;
    let mut entry = Entry { nanos: None, line: Cow::Borrowed(""), metadata: None, place: 0..0 };
    let mut more = !scan.eat(b'}');
    while more {
        match &*scan.name()?.decode() {
            "ts" | "timestamp" => entry.nanos = time(scan)?,
            "line" => entry.line = text(scan)?,
            "structuredMetadata" => entry.metadata = Some(metadata(scan)?),
            _ => scan.skip_value(4)?,
        }
        more = scan.more(b'}')?;
    }
    Ok(entry)
}

/// Reads a time in nanoseconds since 1970, or as RFC 3339 has it; `None` where it is none.
fn time(scan: &mut Scanner<'_>) -> Result<Option<i128>, JsonError> {
    let token = scan.value()?;
    let text = match token {
        Token::Text(text) => text.decode(),
        Token::Number(digits) => Cow::Borrowed(digits),
        _ => {
            scan.rewind(scan.start());
            return Err(scan.error(Expected::Text));
        }
    };
    let digits = text.parse::<i64>().ok().map(i128::from);
    let date = || Timestamp::parse_rfc3339(text.as_bytes()).map(|time| time.as_micros());
    Ok(digits.or_else(|| date().map(|micros| i128::from(micros) * 1000)))
}

fn text<'a>(scan: &mut Scanner<'a>) -> Result<Cow<'a, str>, JsonError> {
    match scan.value()? {
        Token::Text(text) => Ok(text.decode()),
        _ => {
            scan.rewind(scan.start());
            Err(scan.error(Expected::Text))
        }
    }
}

/// Steps over metadata, and tells where they begin.
fn metadata(scan: &mut Scanner<'_>) -> Result<usize, JsonError> {
    scan.peek();
    let at = scan.at();
    scan.skip_value(4)?;
    Ok(at)
}
