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

    /// Whether a part of the next message came in an earlier read and is no longer in the buffer.
    pub(super) fn is_holding(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.held() > 0,
            Self::Json(values) => values.held() > 0,
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
