//! How a stream is cut into messages, whatever the protocol.

use crate::frame::{Delimited, Dialogue, FrameErrors, Frames, JsonValues, ProtocolError, Step};

/// How a stream is cut into messages.
#[derive(Debug)]
pub enum Decoder {
    /// By counts and delimiters.
    Frames(Box<Frames>),
    /// Into JSON values.
    Json(Box<JsonValues>),
    /// By a protocol whose sender is answered.
    Dialogue(Box<dyn Dialogue>),
}

impl Decoder {
    pub(super) fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        match self {
            Self::Frames(frames) => frames.next(buffer, eof),
            Self::Json(values) => values.next(buffer, eof),
            Self::Dialogue(dialogue) => dialogue.next(buffer, eof),
        }
    }

    /// Whether a part of the next message came in an earlier read and is no longer in the buffer.
    pub(super) fn is_holding(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.held() > 0,
            Self::Json(values) => values.held() > 0,
            Self::Dialogue(dialogue) => dialogue.held() > 0,
        }
    }

    /// The memory that it keeps beside the buffer, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Frames(frames) => frames.held(),
            Self::Json(values) => values.held(),
            Self::Dialogue(dialogue) => dialogue.memory(),
        }
    }

    /// How much more it needs to inflate what comes next, in bytes; 0 where it needs none.
    pub fn wants(&self) -> usize {
        match self {
            Self::Dialogue(dialogue) => dialogue.wants(),
            _ => 0,
        }
    }

    /// There is room for what it [wants](Self::wants).
    pub fn grant(&mut self) {
        if let Self::Dialogue(dialogue) = self {
            dialogue.grant();
        }
    }

    /// Places where the stream was not framed as it should be, by reason, since the beginning.
    pub fn errors(&self) -> FrameErrors {
        match self {
            Self::Frames(frames) => frames.errors(),
            Self::Json(values) => values.errors(),
            Self::Dialogue(dialogue) => dialogue.errors(),
        }
    }

    /// How its last message was told from the next, of syslog.
    pub(super) fn told_apart(&self) -> Option<Delimited> {
        match self {
            Self::Frames(frames) => frames.told_apart(),
            _ => None,
        }
    }

    /// Whether its sender is answered.
    pub fn is_dialogue(&self) -> bool {
        matches!(self, Self::Dialogue(_))
    }

    /// What tells a sender who waits that it is not forgotten.
    pub fn keep_alive(&self) -> Option<&'static [u8]> {
        match self {
            Self::Dialogue(dialogue) => dialogue.keep_alive(),
            _ => None,
        }
    }

    /// What may be said last of all, to find out whether a sender is still there.
    pub fn last_word(&self) -> Option<&'static [u8]> {
        match self {
            Self::Dialogue(dialogue) => dialogue.last_word(),
            _ => None,
        }
    }

    /// What is said before anything was heard.
    pub fn greeting(&mut self) -> Vec<u8> {
        match self {
            Self::Dialogue(dialogue) if dialogue.speaks_first() => self.answers(),
            _ => Vec::new(),
        }
    }

    /// Why the stream cannot go on.
    pub fn broken(&self) -> Option<ProtocolError> {
        match self {
            Self::Dialogue(dialogue) => dialogue.broken(),
            _ => None,
        }
    }

    /// Whether both sides agree that nothing more will come.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Dialogue(dialogue) => dialogue.is_over(),
            _ => false,
        }
    }

    /// How many of the messages handed out so far are answered together with later ones.
    pub(super) fn unanswered(&self) -> u64 {
        match self {
            Self::Dialogue(dialogue) => dialogue.unanswered(),
            _ => 0,
        }
    }

    /// What to say once all messages handed out so far are durable.
    pub(super) fn answers(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Self::Dialogue(dialogue) = self {
            dialogue.answers(&mut out);
        }
        out
    }
}
