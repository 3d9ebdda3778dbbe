//! Shows streams to the decoders whose senders are answered.

use super::super::{Dialogue, FrameErrors, Step};
use super::Cut;

/// What came of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::frame) struct Heard {
    pub(in crate::frame) messages: Vec<Cut>,
    pub(in crate::frame) answers: Vec<u8>,
    /// Why it ended: `code: message`.
    pub(in crate::frame) broken: Option<String>,
    pub(in crate::frame) errors: FrameErrors,
}

/// Shows `reads` to a decoder as a connection would, and asks for the answers after each. The
/// second value is the most bytes that it and its caller had to keep between two reads.
pub(in crate::frame) fn hear<'r>(
    mut decoder: impl Dialogue,
    reads: impl IntoIterator<Item = &'r [u8]>,
) -> (Heard, usize) {
    let (mut heard, mut buffer, mut peak) = (Heard::default(), Vec::new(), 0);
    for read in reads {
        buffer.extend_from_slice(read);
        drain(&mut decoder, &mut buffer, false, &mut heard);
        peak = peak.max(buffer.len() + decoder.held());
    }
    drain(&mut decoder, &mut buffer, true, &mut heard);
    assert!(buffer.is_empty(), "left at the end: {}", buffer.escape_ascii());
    heard.broken = decoder.broken().map(|error| format!("{}: {error}", error.code));
    heard.errors = decoder.errors();
    (heard, peak)
}

/// Shows all of `stream` to a decoder that is to hand out so many messages, and grants what it wants:
/// how much that was. It checks that no more is taken before, but for `beside` bytes, and that nothing
/// is lost meanwhile.
#[track_caller]
pub(in crate::frame) fn granted(
    decoder: &mut impl Dialogue,
    stream: &[u8],
    messages: usize,
    beside: usize,
) -> usize {
    let (mut at, mut granted, mut came) = (0, 0, 0);
    while came < messages || at < stream.len() {
        match decoder.next(&stream[at..], false) {
            Step::Message { consumed, .. } => (at, came) = (at + consumed, came + 1),
            Step::More { consumed } => at += consumed,
        }
        let memory = decoder.memory();
        assert!(memory <= granted + beside, "{memory} of {granted}");
        let more = decoder.wants();
        if more > 0 {
            assert_eq!(decoder.next(&stream[at..], true), Step::More { consumed: 0 });
            assert_eq!(decoder.wants(), more, "also at the end it waits");
            granted += more;
            decoder.grant();
        }
    }
    assert_eq!(came, messages);
    granted
}

fn drain(decoder: &mut impl Dialogue, buffer: &mut Vec<u8>, eof: bool, heard: &mut Heard) {
    let mut at = 0;
    let left = loop {
        match decoder.next(&buffer[at..], eof) {
            Step::Message { bytes, consumed, original_len } => {
                heard.messages.push((bytes.to_vec(), original_len));
                at += consumed;
            }
            Step::More { consumed } => {
                at += consumed;
                if decoder.wants() == 0 {
                    break at;
                }
                decoder.grant();
            }
        }
    };
    buffer.drain(..left);
    decoder.answers(&mut heard.answers);
}
