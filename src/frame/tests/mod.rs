//! Tests of the decoders as a whole.

mod corpus;
pub(super) mod dialogue;
mod faults;
mod json;
mod properties;
mod reference;

use super::{FrameErrors, Frames, Framing, JsonValues, Step};

/// A message, and its length where it was cut.
pub(super) type Cut = (Vec<u8>, Option<u64>);

/// Either decoder of streams.
trait Decoder {
    fn step<'b>(&'b mut self, buf: &'b [u8], eof: bool) -> Step<'b>;
    fn counts(&self) -> FrameErrors;
    fn memory(&self) -> usize;
}

impl Decoder for Frames {
    fn step<'b>(&'b mut self, buf: &'b [u8], eof: bool) -> Step<'b> {
        self.next(buf, eof)
    }
    fn counts(&self) -> FrameErrors {
        self.errors()
    }
    fn memory(&self) -> usize {
        self.held()
    }
}

impl Decoder for JsonValues {
    fn step<'b>(&'b mut self, buf: &'b [u8], eof: bool) -> Step<'b> {
        self.next(buf, eof)
    }
    fn counts(&self) -> FrameErrors {
        self.errors()
    }
    fn memory(&self) -> usize {
        self.held()
    }
}

/// What came out of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    messages: Vec<Cut>,
    errors: FrameErrors,
}

/// Shows `reads` to a decoder as a connection would. The second value is the most bytes that it and
/// its caller had to keep between two reads.
fn run<'r>(
    mut decoder: impl Decoder,
    reads: impl IntoIterator<Item = &'r [u8]>,
) -> (Outcome, usize) {
    let (mut buf, mut messages, mut peak) = (Vec::new(), Vec::new(), 0);
    for read in reads {
        buf.extend_from_slice(read);
        drain(&mut decoder, &mut buf, false, &mut messages);
        peak = peak.max(buf.len() + decoder.memory());
    }
    drain(&mut decoder, &mut buf, true, &mut messages);
    assert!(buf.is_empty(), "left at the end: {}", buf.escape_ascii());
    (Outcome { messages, errors: decoder.counts() }, peak)
}

fn drain(decoder: &mut impl Decoder, buf: &mut Vec<u8>, eof: bool, messages: &mut Vec<Cut>) {
    let mut at = 0;
    loop {
        match decoder.step(&buf[at..], eof) {
            Step::Message { bytes, consumed, original_len } => {
                messages.push((bytes.to_vec(), original_len));
                at += consumed;
            }
            Step::More { consumed } => {
                buf.drain(..at + consumed);
                return;
            }
        }
    }
}

/// One line for a stream: `a|b|c+12 !resync=1`, where `+12` is the length of a message cut, and
/// only errors that happened are named. It checks on its way that splits do not matter.
fn show<D: Decoder>(new: impl Fn() -> D, stream: &[u8]) -> String {
    let (outcome, _) = run(new(), [stream]);
    for step in 1..4 {
        assert_eq!(run(new(), stream.chunks(step)).0, outcome, "reads of {step}");
    }
    let mut shown: Vec<String> = Vec::new();
    for (bytes, original_len) in &outcome.messages {
        let cut = original_len.map(|len| format!("+{len}")).unwrap_or_default();
        shown.push(format!("{}{cut}", bytes.escape_ascii()));
    }
    let mut line = shown.join("|");
    for (reason, count) in outcome.errors.iter().filter(|(_, count)| *count > 0) {
        line.push_str(&format!(" !{reason}={count}"));
    }
    line
}

/// [`show`] for syslog framings, with messages of up to 30 bytes.
fn frames(framing: Framing, stream: &[u8]) -> String {
    show(|| Frames::new(framing, 30), stream)
}

/// The first `len` letters.
fn head(text: &str, len: usize) -> String {
    text.chars().take(len).collect()
}
