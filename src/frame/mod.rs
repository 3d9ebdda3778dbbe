//! Cuts byte streams and datagrams into messages.
//!
//! ```text
//!  socket bytes ──▶ [frame] ──▶ one message, any bytes ──▶ [parse]
//! ```
//!
//! A decoder here answers one question, *where does this message end?*, and hands out slices of
//! the caller's buffer. Encodings, priorities and timestamps are the business of `parse`. It does
//! no I/O and keeps no clock, so every behaviour below is a table in the tests.
//!
//! # Shape
//!
//! | door                          | decoder              | source                                    |
//! |-------------------------------|----------------------|-------------------------------------------|
//! | syslog over TCP, TLS, unix    | [`Frames`]           | RFC 6587 §3.4.1 and §3.4.2, RFC 5425 §4.3 |
//! | Logstash `json_lines`, `line` | [`Frames`], LF       | one line, one message                     |
//! | Logstash `json`, GELF on TCP  | [`JsonValues`]       | RFC 8259, values one after the other      |
//! | RELP                          | [`Relp`]             | librelp, `doc/relp.md`                    |
//! | Beats                         | [`Lumberjack`]       | lumberjack, versions 1 and 2              |
//! | Fluentd's `forward`           | [`Fluent`]           | Forward Protocol Specification v1         |
//! | any datagram                  | [`datagram()`]       | RFC 5426 §3.1                             |
//! | GELF over UDP                 | [`Chunks`]           | GELF 1.1, chunks                          |
//! | systemd-journal-upload        | [`JournalExport`]    | systemd, Journal Export Formats           |
//! | HTTP bodies                   | [`inflate()`]        | RFC 9110 §8.4.1, RFC 8878, snappy         |
//! | those that go on for hours    | [`Inflating`]        | RFC 8878                                  |
//! | streams of any protocol       | [`recognize()`]      | their first bytes                         |
//! | streams from a proxy          | [`proxy()`]          | PROXY protocol, versions 1 and 2          |
//!
//! The caller owns the buffer: it reads into it, calls `next` until that wants more, and drops
//! from the front what each [`Step`] says was consumed.
//!
//! # Invariants
//!
//! Each has a property test of its name for every decoder of streams.
//!
//! * *Splits do not matter*: messages and errors do not depend on how the bytes were cut into
//!   reads. Where a few bytes more are needed to tell two readings apart, the decoder waits.
//! * *Memory is bounded*: what the caller must keep and what the decoder holds are together at
//!   most `max_len` and a few bytes, whatever the peer sends or announces.
//! * *What fits round-trips*: a message of at most `max_len` bytes comes out byte for byte as sent,
//!   but for the line ends after it.
//! * *State decides*: while the rest of a message too long is dropped, no byte of it can be taken
//!   for the start of another.
//!
//! Nothing that a peer sends ends a stream here, but for protocols that answer ([`Dialogue`]), where
//! nothing says how to go on behind an error. What had to be stepped over is counted, by reason, in
//! [`FrameErrors`]; a longer message is cut once, and its [`Step`] says how long it was.

mod count;
mod datagram;
mod dialogue;
mod ends;
mod errors;
mod fluent;
mod foreign;
mod frames;
mod gelf;
mod inflate;
mod inflating;
mod journal_export;
mod json_scan;
mod json_values;
mod lumberjack;
mod oversize;
mod proxy;
mod recognize;
mod relp;
mod snappy;
#[cfg(test)]
mod tests;

pub use self::datagram::datagram;
pub use self::dialogue::{Dialogue, ProtocolError};
pub use self::errors::FrameErrors;
pub use self::fluent::{Fluent, SharedKey};
pub use self::foreign::{Foreign, foreign};
pub use self::frames::{Delimited, Frames};
pub use self::gelf::{
    Chunk, Chunks, MAX_CHUNKS, MAX_PENDING, MAX_PENDING_BYTES, MAX_PENDING_OF_ONE, VALIDITY,
    gelf_payload,
};
pub use self::inflate::{Encoding, InflateError, inflate};
pub use self::inflating::Inflating;
pub use self::journal_export::JournalExport;
pub use self::json_values::JsonValues;
pub use self::lumberjack::Lumberjack;
pub use self::proxy::{MAX_PROXY, Proxy, proxy};
pub use self::recognize::{MAX_RECOGNIZED, Spoken, recognize};
pub use self::relp::Relp;

use serde::{Deserialize, Serialize};

use self::oversize::Oversize;

/// How messages are told apart on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// Each message by itself: octet counted where it begins with a count and the start of a
    /// message, else up to LF or NUL.
    #[default]
    Auto,
    /// Octet counted (RFC 6587 §3.4.1). What has no count is read as text up to LF or NUL, and is
    /// an error.
    Octet,
    /// Up to LF, with or without CR; NUL is text (RFC 6587 §3.4.2).
    Lf,
    /// Up to NUL; LF is text.
    Nul,
    /// Every line is a message just as it is: nothing but its LF is taken off, and a blank one
    /// counts.
    None,
}

/// One step of a decoder over the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'b> {
    /// A message.
    Message {
        /// The message, without its count or delimiter. Not necessarily UTF-8.
        bytes: &'b [u8],
        /// How many bytes at the front of the buffer it took: to be dropped once it is used.
        consumed: usize,
        /// The length it had, where that was above the limit; `bytes` are then its first `max_len`.
        original_len: Option<u64>,
    },
    /// Nothing whole yet: drop `consumed` bytes and read more. At the end of a stream: it is done.
    More {
        /// How many bytes at the front of the buffer need not be shown again.
        consumed: usize,
    },
}

/// What a decoder found, in offsets: a [`Step`] before it borrows.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// The message is these bytes of the buffer.
    Body { start: usize, end: usize, consumed: usize },
    /// The message is what was kept of one too long for the buffer.
    Kept { consumed: usize },
    /// No message yet.
    More { consumed: usize },
}

impl Found {
    /// The step, with the message cut at `max_len` and a cut counted.
    #[inline]
    fn step<'b>(
        self,
        buf: &'b [u8],
        max_len: usize,
        oversize: &'b mut Oversize,
        errors: &mut FrameErrors,
    ) -> Step<'b> {
        let (bytes, original_len, consumed) = match self {
            Self::More { consumed } => return Step::More { consumed },
            Self::Body { start, end, consumed } => {
                let body = buf.get(start..end).unwrap_or_default();
                let (bytes, original_len) = cut(body, max_len);
                (bytes, original_len, consumed)
            }
            Self::Kept { consumed } => {
                let (bytes, original_len) = oversize.finish();
                (bytes, original_len, consumed)
            }
        };
        errors.too_long += u64::from(original_len.is_some());
        Step::Message { bytes, consumed, original_len }
    }
}

/// The first `max_len` bytes of a message, and its length where they are not all of it.
#[inline]
fn cut(message: &[u8], max_len: usize) -> (&[u8], Option<u64>) {
    match message.get(..max_len) {
        Some(head) if message.len() > max_len => (head, Some(message.len() as u64)),
        _ => (message, None),
    }
}

/// Whether `byte` belongs to the transport where it stands before or after a message: CR, LF, NUL.
#[inline]
fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

/// How much of `message` is left without the bytes at its end for which `blank` holds.
#[inline]
fn trimmed_len(message: &[u8], blank: fn(u8) -> bool) -> usize {
    message.iter().rposition(|&byte| !blank(byte)).map_or(0, |last| last + 1)
}
