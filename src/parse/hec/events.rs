//! Events in envelopes, one after the other.

use std::borrow::Cow;

use super::{HecOrigin, name_service};
use crate::event::{Event, Known, Tag, Value};
use crate::parse::json::{Expected, JsonError, Member, Role, Scanner, Schema, Token, Walker};
use crate::parse::records::{RecordError, Records};
use crate::parse::{Context, fallback};
use crate::time::{SECOND, Timestamp};

/// The events of a body.
#[derive(Debug)]
pub(in crate::parse) struct Events<'a> {
    text: &'a str,
    cx: Context,
    /// What the query of the call says of all.
    origin: HecOrigin<'a>,
    /// Where the next one begins; `None` behind the last.
    at: Option<usize>,
    is_list: bool,
}

/// What an envelope says beside its event.
#[derive(Debug, Default)]
struct Envelope<'a> {
    origin: HecOrigin<'a>,
    /// The time as it is written.
    time: Option<Cow<'a, str>>,
    /// Why its event is none, if so.
    fault: Option<RecordError>,
}

impl<'a> Events<'a> {
    /// Opens a body. One with nothing in it has no events.
    ///
    /// # Errors
    ///
    /// It is not UTF-8.
    pub(in crate::parse) fn open(
        body: &'a [u8],
        origin: HecOrigin<'a>,
        cx: &Context,
    ) -> Result<Self, RecordError> {
        let text = std::str::from_utf8(body)
            .map_err(|error| JsonError::new(Expected::Utf8, body, error.valid_up_to()))?;
        let mut events = Self { text, cx: *cx, origin, at: Some(0), is_list: false };
        let mut event = Event::default();
        let scan = &mut events.walker(&mut event).scan;
        // Several may come as a list, too.
        let is_list = scan.eat(b'[');
        let is_over = if is_list { scan.eat(b']') } else { scan.peek().is_none() };
        events.at = (!is_over).then(|| scan.at());
        events.is_list = is_list;
        Ok(events)
    }

    /// How many there are, as far as they can be told apart.
    pub(in crate::parse) fn count(&self) -> usize {
        let origin = HecOrigin::default();
        let Self { text, cx, at, is_list, .. } = *self;
        let mut rest = Self { text, cx, origin, at, is_list };
        let (mut scan, mut count) = (Scanner::new(self.text), 0);
        while let Some(at) = rest.at {
            scan.rewind(at);
            count += 1;
            if rest.skip(&mut scan).is_err() {
                break;
            }
        }
        count
    }

    /// Steps over the event that `scan` is at, and remembers where the next one is.
    fn skip(&mut self, scan: &mut Scanner<'_>) -> Result<(), JsonError> {
        self.at = None;
        if scan.peek() != Some(b'{') {
            return Err(scan.error(Expected::Object));
        }
        scan.skip_value(0)?;
        let more = if self.is_list { scan.more(b']')? } else { scan.peek().is_some() };
        self.at = more.then(|| scan.at());
        Ok(())
    }

    fn walker<'w>(&self, event: &'w mut Event<'a>) -> Walker<'w, 'a> {
        let mut walker = Walker::new(self.text, Schema::Logstash, &self.cx, event);
        walker.scan.rewind(self.at.unwrap_or(self.text.len()));
        walker
    }

    /// Reads the event at `self.at`, and says where the next one is.
    fn read(&mut self, event: &mut Event<'a>) -> Result<(), RecordError> {
        let mut walker = self.walker(event);
        let start = walker.scan.at();
        // To its end first: what follows is read only behind one that is whole.
        self.skip(&mut walker.scan)?;
        walker.scan.rewind(start);
        walker.begin();
        let envelope = envelope(&mut walker)?;
        if let Some(fault) = envelope.fault {
            return Err(fault);
        }
        let origin = self.origin.under(envelope.origin);
        let source = origin.source.clone();
        origin.put(&mut walker.mapping);
        if let Some(time) = envelope.time {
            set_time(&mut walker, time);
        }
        walker.finish(start);
        fallback::fill(event);
        name_service(event, source.as_ref());
        Ok(())
    }
}

impl<'a> Records<'a> for Events<'a> {
    fn next(&mut self, event: &mut Event<'a>) -> Option<Result<(), RecordError>> {
        self.at?;
        Some(self.read(event))
    }
}

/// Reads an envelope to its end, and what it holds into the event.
fn envelope<'a>(walker: &mut Walker<'_, 'a>) -> Result<Envelope<'a>, JsonError> {
    let mut envelope = Envelope { fault: Some(RecordError::NoEvent), ..Envelope::default() };
    walker.scan.take(b'{', Expected::Object)?;
    let mut more = !walker.scan.eat(b'}');
    while more {
        let name = walker.scan.name()?.decode();
        let Envelope { origin, .. } = &mut envelope;
        match &*name {
            "event" => envelope.fault = event(walker)?,
            "fields" => fields(walker)?,
            "time" => envelope.time = scalar(walker)?,
            "host" => origin.host = scalar(walker)?,
            "source" => origin.source = scalar(walker)?,
            "sourcetype" => origin.sourcetype = scalar(walker)?,
            "index" => origin.index = scalar(walker)?,
            _ => walker.scan.skip_value(1)?,
        }
        more = walker.scan.more(b'}')?;
    }
    Ok(envelope)
}

/// Reads the event itself. Tells why it is none, if so.
fn event<'a>(walker: &mut Walker<'_, 'a>) -> Result<Option<RecordError>, JsonError> {
    if walker.scan.peek() == Some(b'{') {
        let before = walker.mapping.event.fields.len();
        walker.more_fields()?;
        let is_empty = walker.mapping.event.fields.len() == before;
        return Ok(is_empty.then_some(RecordError::BlankEvent));
    }
    let value = match walker.scan.value()? {
        Token::Text(text) => Value::Text(text.decode()),
        Token::Number(digits) => Value::Number(digits.into()),
        Token::Bool(value) => Value::Bool(value),
        Token::Null => return Ok(Some(RecordError::BlankEvent)),
        Token::Array | Token::Object => {
            let start = walker.scan.start();
            walker.scan.skip(b']', 1)?;
            Value::Text(walker.scan.since(start).into())
        }
    };
    if matches!(&value, Value::Text(text) if text.trim().is_empty()) {
        return Ok(Some(RecordError::BlankEvent));
    }
    walker.mapping.event.set(Known::Message, value);
    Ok(None)
}

/// Reads `fields`. What is no object says nothing.
fn fields(walker: &mut Walker<'_, '_>) -> Result<(), JsonError> {
    if walker.scan.peek() == Some(b'{') { walker.more_fields() } else { walker.scan.skip_value(1) }
}

/// Reads text, or a number as it is written; anything else is none.
fn scalar<'a>(walker: &mut Walker<'_, 'a>) -> Result<Option<Cow<'a, str>>, JsonError> {
    Ok(match walker.scan.value()? {
        Token::Text(text) => Some(text.decode()),
        Token::Number(digits) => Some(Cow::Borrowed(digits)),
        Token::Object => {
            walker.scan.skip(b'}', 1)?;
            None
        }
        Token::Array => {
            walker.scan.skip(b']', 1)?;
            None
        }
        Token::Bool(_) | Token::Null => None,
    })
}

/// Sets the time of an event; what is none is kept under `time`, and tagged.
fn set_time<'a>(walker: &mut Walker<'_, 'a>, text: Cow<'a, str>) {
    let event = &mut *walker.mapping.event;
    match micros(&text) {
        Some(micros) => event.timestamp = Some(Timestamp::from_micros(micros)),
        None => {
            event.tag(Tag::TimestampParseFailure);
            walker.mapping.put(Role::Plain, Member::Top("time".into()), Value::Text(text), 0..0);
        }
    }
}

/// Microseconds of a time in seconds, with or without a fraction. Clients that write milliseconds,
/// microseconds or nanoseconds are told by how large the number is.
fn micros(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = whole.parse().ok()?;
    if !is_plain(fraction) || !is_plain(whole) {
        return None;
    }
    let micros = match whole.len() {
        0..=11 => {
            let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
            let fraction = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            seconds * SECOND + fraction
        }
        12..=14 => seconds * 1000,
        15..=17 => seconds,
        _ => seconds / 1000,
    };
    (micros <= Timestamp::MAX.as_micros()).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let table = [
            ("0", Some(0)),
            ("1781524800", Some(1_781_524_800_000_000)),
            ("1781524800.5", Some(1_781_524_800_500_000)),
            ("1781524800.1234567", Some(1_781_524_800_123_456)),
            (" 1781524800.", Some(1_781_524_800_000_000)),
            ("1781524800123", Some(1_781_524_800_123_000)),
            ("1781524800123456", Some(1_781_524_800_123_456)),
            ("1781524800123456789", Some(1_781_524_800_123_456)),
            ("", None),
            (".5", None),
            ("-5", None),
            ("1e9", None),
            ("1.-5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ];
        for (text, want) in table {
            assert_eq!(micros(text), want, "{text}");
        }
    }
}
