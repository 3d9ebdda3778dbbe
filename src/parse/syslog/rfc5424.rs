//! RFC 5424 §6: `1 SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP SD [SP MSG]`.
//!
//! Lenient in what senders get wrong without harm: fields of any length in any script, a time
//! without a zone, a blank for the `T`, more than six digits of a fraction. What makes a message
//! *not* RFC 5424 is structured data that is not there: then nothing says which word is which.

use super::credential;
use super::header::Header;
use super::source::{Source, skip_blanks, word};
use crate::event::Event;
use crate::parse::Context;
use crate::parse::structured_data::Span;
use crate::time::{self, Timestamp};

/// Reads the message from its version, at `start`, on.
pub(super) fn read<'a>(
    source: &mut Source<'a>,
    start: usize,
    cx: &Context,
    event: &mut Event<'a>,
    header: &mut Header,
) {
    let text = source.body();
    let Some((stamp, at)) = stamp(text, start + VERSION, cx) else {
        return header.break_off(text, start);
    };
    let (words, at_words) = (Words::read(text, at), at);
    let is_whole = words.count == 4;
    let data = if is_whole { text.get(words.end).copied() } else { None };
    let end = match (data, text.get(words.end + 1)) {
        (Some(b'-'), None | Some(b' ')) => Some(words.end + 1),
        (Some(b'['), _) => credential::in_structured_data(source, words.end, event),
        _ => None,
    };
    // A time is a time wherever it stands; without one, only structured data shows a header, be
    // it broken.
    let is_header = match stamp {
        Stamp::Time(_) => true,
        Stamp::Nil => end.is_some() || data == Some(b'['),
        Stamp::Impossible => end.is_some(),
    };
    if !is_header {
        return header.break_off(text, start);
    }
    match stamp {
        Stamp::Time(time) => header.timestamp = Some(time),
        Stamp::Nil => {}
        Stamp::Impossible => header.time_failed = true,
    }
    if let Some(end) = end {
        words.fill(text, 4, header);
        if data == Some(b'[') {
            header.structured_data = Span::new(words.end, end);
        }
        let message = if text.get(end) == Some(&b' ') { end + 1 } else { end };
        header.message = Span::new(message, text.len());
    } else if data == Some(b'[') || (is_whole && words.has_plain_proc_id(text)) {
        words.fill(text, 4, header);
        header.break_off(text, words.end);
    } else {
        words.fill(text, 1, header);
        header.break_off(text, words.first().map_or(at_words, |host| host.end + 1));
    }
}

/// `TIMESTAMP` as it was found.
#[derive(Clone, Copy, Debug)]
enum Stamp {
    Time(Timestamp),
    Nil,
    /// Some other word.
    Impossible,
}

/// The time at `at`, and where the blank behind it is passed.
fn stamp(text: &[u8], at: usize, cx: &Context) -> Option<(Stamp, usize)> {
    let (span, next) = word(text, at)?;
    let word = span.of(text);
    if word == NIL {
        return Some((Stamp::Nil, next));
    }
    // Year 0 is what a clock that was never set shows.
    let time = Timestamp::parse_rfc3339(word).filter(|_| !word.starts_with(b"0000"));
    match time {
        Some(time) => Some((Stamp::Time(time), next)),
        None => lenient_stamp(text, at, cx).or(Some((Stamp::Impossible, next))),
    }
}

/// A time that breaks RFC 5424 §6.2.3 and is clear nevertheless.
#[cold]
fn lenient_stamp(text: &[u8], at: usize, cx: &Context) -> Option<(Stamp, usize)> {
    let found = time::leading(text.get(at..)?, cx.zone_offset, cx.received_at)?;
    let end = at + found.len;
    (text.get(end) == Some(&b' ')).then_some(())?;
    Some((found.time.map_or(Stamp::Impossible, Stamp::Time), end + 1))
}

/// `HOSTNAME SP APP-NAME SP PROCID SP MSGID SP`, as far as they are there.
#[derive(Debug)]
struct Words {
    spans: [Span; 4],
    count: usize,
    /// Behind the blank that ends the last of them.
    end: usize,
}

impl Words {
    fn read(text: &[u8], mut at: usize) -> Self {
        let mut spans = [Span::default(); 4];
        let mut count = 0;
        for span in &mut spans {
            let Some((found, next)) = word(text, at) else { break };
            (*span, at) = (found, next);
            count += 1;
        }
        // None of what follows begins with a blank.
        Self { spans, count, end: skip_blanks(text, at) }
    }

    fn first(&self) -> Option<Span> {
        self.spans.first().copied().filter(|_| self.count > 0)
    }

    /// Whether `PROCID` or `MSGID` is what it mostly is, so that it is no word of a sentence.
    fn has_plain_proc_id(&self, text: &[u8]) -> bool {
        let [_, _, proc_id, msg_id] = self.spans.map(|span| span.of(text));
        proc_id == NIL || msg_id == NIL || proc_id.iter().all(u8::is_ascii_digit)
    }

    /// Sets the first `count` of the fields, NILVALUEs left out.
    fn fill(&self, text: &[u8], count: usize, header: &mut Header) {
        let fields =
            [&mut header.hostname, &mut header.app_name, &mut header.proc_id, &mut header.msg_id];
        for (field, span) in fields.into_iter().zip(self.spans).take(count) {
            if span.of(text) != NIL {
                *field = span;
            }
        }
    }
}

/// The length of `1 SP`.
const VERSION: usize = 2;

/// RFC 5424 §6: `NILVALUE`.
const NIL: &[u8] = b"-";
