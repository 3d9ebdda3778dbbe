//! Reads messages from standard input, as a listener reads them from a connection.

use std::io::{self, Read, Write};

use crate::frame::{Frames, JsonValues, Step};

/// How the input is cut into messages.
#[derive(Debug)]
pub(super) enum Decoder {
    Frames(Box<Frames>),
    Json(Box<JsonValues>),
}

/// Hands every message of `input` to `each`, with its length where it was cut, and what `each`
/// writes on to `output` after every read: who types a line sees its answer.
pub(super) fn each_message<W: Write>(
    input: &mut impl Read,
    decoder: &mut Decoder,
    output: &mut W,
    mut each: impl FnMut(&[u8], Option<u64>, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let len = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        buffer.extend_from_slice(chunk.get(..len).unwrap_or_default());
        let (eof, mut at) = (len == 0, 0);
        loop {
            match decoder.next(buffer.get(at..).unwrap_or_default(), eof) {
                Step::Message { bytes, consumed, original_len } => {
                    each(bytes, original_len, output)?;
                    at += consumed;
                }
                Step::More { consumed } => {
                    at += consumed;
                    break;
                }
            }
        }
        buffer.drain(..at.min(buffer.len()));
        output.flush()?;
        if eof {
            return Ok(());
        }
    }
}

impl Decoder {
    fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        match self {
            Self::Frames(frames) => frames.next(buffer, eof),
            Self::Json(values) => values.next(buffer, eof),
        }
    }
}

/// Bytes of a read.
const CHUNK: usize = 64 * 1024;
