//! What was found in a message, and how an event is filled from it.

use std::borrow::Cow;

use super::source::Source;
use crate::event::{Event, Known, Tag, Value};
use crate::parse::Context;
use crate::parse::structured_data::Span;
use crate::time::Timestamp;

/// The places of a message's parts. An empty one was not there, or was the NILVALUE.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub timestamp: Option<Timestamp>,
    /// There is a time, and no clock shows it.
    pub time_failed: bool,
    /// The header could not be read whole.
    pub broken: bool,
    /// The parts do not hold all of the text, though nothing is wrong with it.
    pub lossy: bool,
    /// The message may hold (a part of) a key that was not found: where keys are looked for, what
    /// stands there is not what should.
    pub may_hold_key: bool,
    /// Its clock was not set, or no longer, by the sender's own account (Cisco).
    pub unsynced: bool,
    pub priority: Span,
    pub hostname: Span,
    pub app_name: Span,
    pub proc_id: Span,
    pub msg_id: Span,
    pub structured_data: Span,
    /// The sender's own counts of its messages (Cisco), as they stand in front of the time.
    pub sequences: [Span; 2],
    pub message: Span,
}

impl Header {
    /// Notes a time, or that there is none that a clock shows.
    pub(super) fn set_time(&mut self, time: Option<Timestamp>) {
        self.timestamp = time;
        self.time_failed = time.is_none();
    }

    /// Leaves everything from `at` to the end to the message, as a header that broke off there.
    pub(super) fn break_off(&mut self, text: &[u8], at: usize) {
        self.broken = true;
        self.may_hold_key = true;
        self.message = Span::new(at, text.len());
    }

    /// Fills `event` with what was found.
    pub(super) fn fill<'a>(&self, source: &Source<'a>, cx: &Context, event: &mut Event<'a>) {
        event.timestamp = self.timestamp;
        let priority = match self.priority.is_empty() {
            true => Some(NO_PRI),
            false => source.borrowed(self.priority),
        };
        event.number(Known::Priority, priority.unwrap_or(NO_PRI));
        let texts = [
            (Known::Hostname, self.hostname),
            (Known::AppName, self.app_name),
            (Known::ProcId, self.proc_id),
            (Known::MsgId, self.msg_id),
            (Known::StructuredData, self.structured_data),
        ];
        for (name, span) in texts.into_iter().filter(|(_, span)| !span.is_empty()) {
            // The common case by itself: a text that may be owned takes three times as long to move.
            match source.borrowed(span) {
                Some("") => {}
                Some(text) => event.text(name, text),
                None => event.set(name, Value::Text(source.text(span))),
            }
        }
        match source.borrowed(self.message).filter(|_| !self.may_hold_key) {
            Some(text) => event.text(Known::Message, text),
            None => self.fill_message(source, event),
        }
        self.fill_cisco(source, event);
        self.fill_faults(source, cx, event);
    }

    fn fill_message<'a>(&self, source: &Source<'a>, event: &mut Event<'a>) {
        let message = match self.may_hold_key {
            true => source.scrubbed_text(self.message),
            false => source.text(self.message),
        };
        event.set(Known::Message, Value::Text(message));
    }

    fn fill_cisco<'a>(&self, source: &Source<'a>, event: &mut Event<'a>) {
        for span in self.sequences.into_iter().filter(|span| !span.is_empty()) {
            event.put(Cow::Borrowed("event.sequence"), Value::Number(source.text(span)));
        }
        if self.unsynced {
            event.put(Cow::Borrowed("time.unsynced"), Value::Bool(true));
        }
    }

    fn fill_faults<'a>(&self, source: &Source<'a>, cx: &Context, event: &mut Event<'a>) {
        let faults = [
            (self.broken, Tag::SyslogParseFailure),
            (self.time_failed, Tag::TimestampParseFailure),
            (!source.is_utf8(), Tag::EncodingError),
        ];
        for (_, tag) in faults.into_iter().filter(|(is, _)| *is) {
            event.tag(tag);
        }
        if cx.keep_original || self.lossy || !event.tags.is_empty() {
            event.set(Known::Original, source.original());
        }
    }
}

/// What a message without a priority is taken for: `user.notice` (RFC 3164 §4.3.3).
const NO_PRI: &str = "13";
