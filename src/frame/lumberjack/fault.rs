//! What ends a stream of lumberjack frames: there is no mark in it at which to begin anew.

use super::super::ProtocolError;
use super::frames::MAX_PAIRS;
use super::packed::{MAX_INFLATED, MAX_PACKED, MAX_RATIO};
use super::window::{MAX_EMPTY, MAX_WINDOW, MAX_WINDOW_BYTES};

/// What was found where something else had to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("expected version 1 or 2 of a lumberjack frame, but found {}", shown(*.0))]
    Version(u8),
    #[error("expected a lumberjack frame of type W, J, D or C, but found {}", shown(*.0))]
    Type(u8),
    #[error("expected an event of 1 to {max} bytes, but found one of {len}")]
    EventLen { len: u64, max: usize },
    #[error("expected 1 to {MAX_PAIRS} pairs in an event, but found {0}")]
    Pairs(u32),
    #[error("expected a window of at most {MAX_WINDOW} events, but found one of {0}")]
    Window(u32),
    #[error("expected a window of at most {MAX_WINDOW_BYTES} bytes, but found more")]
    WindowBytes,
    #[error("expected events in windows, but found {MAX_EMPTY} windows without one")]
    EmptyWindows,
    #[error("expected a compressed frame of 1 to {MAX_PACKED} bytes, but found one of {0}")]
    PackedLen(u32),
    #[error("expected no compressed frame within another, but found one")]
    Nested,
    #[error("expected a frame compressed as RFC 1950 has it, but found something else")]
    Corrupt,
    #[error("expected the rest of a compressed frame, but found its end")]
    Truncated,
    #[error("expected the end of a compressed frame, but found {0} bytes behind it")]
    Trailing(usize),
    #[error("expected whole frames in a compressed one, but found a part")]
    Unfinished,
    #[error("expected at most {MAX_INFLATED} bytes in a compressed frame, but found more")]
    TooLarge,
    #[error("expected to inflate a frame by {MAX_RATIO} at most, but found more")]
    Ratio,
}

impl Fault {
    /// What the journal calls it.
    fn code(self) -> &'static str {
        match self {
            Self::Version(_) | Self::Type(_) => "beats.frame",
            Self::EventLen { .. } | Self::Pairs(_) => "beats.event",
            Self::Window(_) | Self::WindowBytes | Self::EmptyWindows => "beats.window",
            Self::PackedLen(_)
            | Self::Nested
            | Self::Corrupt
            | Self::Truncated
            | Self::Trailing(_)
            | Self::Unfinished
            | Self::TooLarge
            | Self::Ratio => "beats.compressed",
        }
    }
}

impl From<Fault> for ProtocolError {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code(), message: fault.to_string() }
    }
}

/// A byte as a person reads it.
fn shown(byte: u8) -> String {
    match byte {
        b' '..=b'~' => format!("`{}`", char::from(byte)),
        _ => format!("byte {byte:#04x}"),
    }
}
