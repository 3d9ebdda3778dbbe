//! How a stream is cut into messages, whatever the protocol.

use crate::frame::{FrameErrors, Frames, JsonValues, Step};

/// How a stream is cut into messages.
#[derive(Debug)]
pub enum Decoder {
    /// By counts and delimiters.
    Frames(Box<Frames>),
    /// Into JSON values.
    Json(Box<JsonValues>),
}

impl Decoder {
    pub(super) fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        match self {
            Self::Frames(frames) => frames.next(buffer, eof),
            Self::Json(values) => values.next(buffer, eof),
        }
    }

    /// Places where the stream was not framed as it should be, by reason, since the beginning.
    pub fn errors(&self) -> FrameErrors {
        match self {
            Self::Frames(frames) => frames.errors(),
            Self::Json(values) => values.errors(),
        }
    }
}
