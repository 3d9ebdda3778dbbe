//! Tests of the decoder as a whole.

mod faults;
mod properties;

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::Lumberjack;
use crate::frame::tests::dialogue::{Heard, granted, hear};
use crate::frame::{Dialogue, Step};

/// What came of a stream, with messages of up to `max_len` bytes; and the most that was kept.
fn run<'r>(max_len: usize, reads: impl IntoIterator<Item = &'r [u8]>) -> (Heard, usize) {
    hear(Lumberjack::new(max_len), reads)
}

/// One line for a stream: its events, then its answers, then why it ended. It checks on its way that
/// splits do not matter.
fn show(max_len: usize, stream: &[u8]) -> String {
    let (outcome, _) = run(max_len, [stream]);
    for step in 1..4 {
        assert_eq!(run(max_len, stream.chunks(step)).0, outcome, "reads of {step}");
    }
    let mut words = Vec::new();
    for (bytes, original_len) in &outcome.messages {
        let cut = original_len.map(|len| format!("+{len}")).unwrap_or_default();
        words.push(format!("{}{cut}", bytes.escape_ascii()));
    }
    for answer in outcome.answers.chunks(6) {
        let (version, sequence) = (answer[0] - b'0', &answer[2..]);
        assert_eq!(answer[1], b'A');
        let sequence = u32::from_be_bytes(sequence.try_into().unwrap());
        words.push(format!("v{version}={sequence}"));
    }
    words.extend(outcome.broken.map(|why| format!("!{why}")));
    words.join(" ")
}

fn frame(version: u8, kind: u8, value: u32) -> Vec<u8> {
    [&[version, kind][..], &value.to_be_bytes()].concat()
}

/// A window, of version 2.
fn w(count: u32) -> Vec<u8> {
    frame(b'2', b'W', count)
}

/// An event of version 2.
fn j(sequence: u32, text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&frame(b'2', b'J', sequence), &number(text.len()).to_be_bytes()[..], text].concat()
}

/// The pairs of an event of version 1.
fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let strings = pairs.iter().flat_map(|(key, value)| [key, value]);
    let strings =
        strings.flat_map(|text| [&number(text.len()).to_be_bytes(), text.as_bytes()].concat());
    number(pairs.len()).to_be_bytes().into_iter().chain(strings).collect()
}

/// An event of version 1.
fn d(sequence: u32, all: &[(&str, &str)]) -> Vec<u8> {
    [frame(b'1', b'D', sequence), pairs(all)].concat()
}

/// Frames, compressed.
fn c(frames: &[u8]) -> Vec<u8> {
    packed(&zlib(frames))
}

/// A frame that says it is compressed.
fn packed(bytes: &[u8]) -> Vec<u8> {
    [&frame(b'2', b'C', number(bytes.len())), bytes].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap()
}
