//! What Cisco devices put around the time of RFC 3164.
//!
//! ```text
//!  [msgcount: ][seq: ][host: ][seq: ][*|.]TIME: [host ]%FACILITY-SEVERITY-MNEMONIC: text
//!  [msgcount: ][host ]node/of/card:TIME: TAG[PID]: %FACILITY-SEVERITY-MNEMONIC: text       IOS XR
//! ```
//!
//! The time may be the device's uptime (`2y10w`, `1d02h`, `00:01:01`). A `*` says that its clock
//! was never set, a `.` that it has lost its source. What follows the time is as in RFC 3164.

use super::header::Header;
use super::source::skip_blanks;
use crate::parse::Context;
use crate::parse::structured_data::Span;
use crate::time;

/// Reads up to the time at `at`, and where what follows begins; `None` if this is no such message.
pub(super) fn read(text: &[u8], at: usize, cx: &Context, header: &mut Header) -> Option<usize> {
    let (mut sequences, at) = sequences(text, at);
    let (host, clock) = match named_clock(text, at, cx, &mut sequences) {
        Some(found) => found,
        None => match xr_clock(text, at, cx) {
            Some(found) => {
                // No field holds the card.
                header.lossy = true;
                found
            }
            None => (Span::default(), clock(text, at, cx)?),
        },
    };
    if clock.is_uptime {
        header.lossy = true;
    } else {
        header.set_time(clock.time);
    }
    header.unsynced = clock.is_unsynced;
    header.sequences = sequences;
    header.hostname = host;
    Some(clock.end)
}

/// A host that a colon ends, a count or none, and a time; nothing but a mnemonic follows.
fn named_clock(
    text: &[u8],
    at: usize,
    cx: &Context,
    counts: &mut [Span; 2],
) -> Option<(Span, Clock)> {
    let (host, next) = host(text, at)?;
    let (more, next) = sequences(text, next);
    let clock = clock(text, next, cx).filter(|clock| text.get(clock.end) == Some(&b'%'))?;
    let own = counts.iter().chain(&more).copied().filter(|count| !count.is_empty());
    let mut all = [Span::default(); 2];
    all.iter_mut().zip(own).for_each(|(place, count)| *place = count);
    *counts = all;
    Some((host, clock))
}

/// The host of IOS XR or none, the card (`RP/0/RSP0/CPU0`), and a time glued to its colon.
fn xr_clock(text: &[u8], at: usize, cx: &Context) -> Option<(Span, Clock)> {
    let in_word = |byte: &&u8| !matches!(byte, b' ' | b':');
    let word = |at: usize| {
        let len = text.iter().skip(at).take(MAX_NODE).take_while(in_word).count();
        Span::new(at, at + len)
    };
    let first = word(at);
    let (host, node) = match text.get(first.end) {
        Some(b' ') => (first, word(first.end + 1)),
        _ => (Span::default(), first),
    };
    let is_node = node.of(text).contains(&b'/') && text.get(node.end) == Some(&b':');
    let clock = is_node.then(|| clock(text, node.end + 1, cx))??;
    clock.time.is_some().then_some((host, clock))
}

/// What the device knows of the time.
struct Clock {
    time: Option<time::Timestamp>,
    is_uptime: bool,
    is_unsynced: bool,
    /// Behind the colon and the blanks after it.
    end: usize,
}

fn clock(text: &[u8], at: usize, cx: &Context) -> Option<Clock> {
    let is_unsynced = matches!(text.get(at), Some(b'*' | b'.'));
    let at = if is_unsynced { at + 1 } else { at };
    let rest = text.get(at..)?;
    let found = time::leading(rest, cx.zone_offset, cx.received_at);
    let len = found.map_or_else(|| uptime(rest), |found| Some(found.len))?;
    let colon = skip_blanks(text, at + len);
    if text.get(colon) != Some(&b':') {
        return None;
    }
    let end = skip_blanks(text, colon + 1);
    if found.is_none() && text.get(end) != Some(&b'%') {
        return None;
    }
    let time = found.and_then(|found| found.time);
    Some(Clock { time, is_uptime: found.is_none(), is_unsynced, end })
}

/// The length of an uptime: `hh:mm:ss`, or two counts with their units.
fn uptime(text: &[u8]) -> Option<usize> {
    let in_uptime = |byte: &&u8| matches!(byte, b'0'..=b'9' | b':' | b'y' | b'w' | b'd' | b'h');
    let len = text.iter().take(MAX_UPTIME).take_while(in_uptime).count();
    let word = text.get(..len)?;
    // The colon that ends it was taken for a part of it.
    let word = word.strip_suffix(b":").unwrap_or(word);
    word.first()?.is_ascii_digit().then_some(word.len())
}

/// Up to two counts, each ended by a colon and a blank; a colon alone stands for an empty one.
fn sequences(text: &[u8], at: usize) -> ([Span; 2], usize) {
    let mut spans = [Span::default(); 2];
    let mut at = at;
    for span in &mut spans {
        let len = text.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count();
        let blank = text.get(at + len + 1);
        if text.get(at + len) != Some(&b':') || (len > 0 && blank != Some(&b' ')) {
            break;
        }
        // JSON has no number that begins with a zero.
        let digits = text.iter().skip(at).take(len.saturating_sub(1));
        let zeros = digits.take_while(|byte| **byte == b'0').count();
        *span = Span::new(at + zeros, at + len);
        at = skip_blanks(text, at + len + 1);
    }
    (spans, at)
}

/// A host name that a colon ends, and what follows it.
fn host(text: &[u8], at: usize) -> Option<(Span, usize)> {
    let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let len = text.iter().skip(at).take_while(in_name).count();
    let ended = text.get(at + len..)?.starts_with(b": ");
    (len > 0 && ended).then(|| (Span::new(at, at + len), skip_blanks(text, at + len + 1)))
}

/// More than the longest host or card that is looked for.
const MAX_NODE: usize = 64;

/// The longest uptime, `hhhhh:mm:ss` or `99y52w`, and its colon.
const MAX_UPTIME: usize = 12;
