//! Frames of lumberjack, version 2, as Beats send them.

#![allow(dead_code, reason = "a bench uses a part of it")]

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The announcement of so many events.
pub(crate) fn window(events: usize) -> Vec<u8> {
    frame(b'W', number(events))
}

/// An event.
pub(crate) fn event(sequence: u32, text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_event(&mut bytes, sequence, text);
    bytes
}

/// Appends an event.
pub(crate) fn push_event(to: &mut Vec<u8>, sequence: u32, text: &[u8]) {
    to.extend(b"2J");
    to.extend(sequence.to_be_bytes());
    to.extend(number(text.len()).to_be_bytes());
    to.extend(text);
}

/// Frames, compressed as Filebeat does unless told otherwise: at level 3.
pub(crate) fn packed(frames: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::new(3));
    to.write_all(frames).expect("memory takes all");
    let bytes = to.finish().expect("memory takes all");
    let mut packed = frame(b'C', number(bytes.len()));
    packed.extend(bytes);
    packed
}

fn frame(kind: u8, number: u32) -> Vec<u8> {
    let mut bytes = vec![b'2', kind];
    bytes.extend(number.to_be_bytes());
    bytes
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
