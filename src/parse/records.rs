//! Bodies that hold many records: what all formats of them have in common.

use super::body::{BodyError, Each};
use super::json::JsonError;
use super::wire::WireError;
use crate::event::Event;

/// The records of a body, one after the other. What of it belongs to all of them was read before.
pub(super) trait Records<'a> {
    /// Fills `event`, which is clear, from the next record; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// This record is no event; those behind it may be. `event` holds rubbish.
    fn next(&mut self, event: &mut Event<'a>) -> Option<Result<(), RecordError>>;
}

/// How much a body may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// Records. Shippers make up their bodies by size, and what is refused for its number is lost.
    pub records: usize,
    /// Bytes that records have in common, counted once for each record that has them: what is
    /// written once and stored often.
    pub shared: usize,
}

/// Why a body, or one of its records, is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not the JSON that was wanted.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is no protocol buffers message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It is not text.
    #[error("expected UTF-8, but found other octets")]
    Utf8,
    /// Labels that are not written as they should be.
    #[error("expected labels as {{name=\"value\", …}} at byte {at}, but found something else")]
    Labels {
        /// Where in the text of the labels.
        at: usize,
    },
    /// More records than one body may hold.
    #[error("expected at most {max} records, but found more")]
    TooMany {
        /// The most that were allowed.
        max: usize,
    },
    /// Records have so much in common that together they are too large.
    #[error("expected at most {max} bytes of what records have in common, but found more")]
    TooLarge {
        /// The most that was allowed.
        max: usize,
    },
    /// Values within values, too many of them.
    #[error("expected at most {max} levels of nesting, but found more")]
    TooDeep {
        /// The most that were allowed.
        max: u32,
    },
    /// There is nothing in it.
    #[error("expected a record with something to keep, but found none")]
    Empty,
    /// There is no event in it.
    #[error("expected a member \"event\", but found none")]
    NoEvent,
    /// Its event is empty.
    #[error("expected an event that is not blank, but found a blank one")]
    BlankEvent,
}

impl From<RecordError> for BodyError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::TooMany { max } => Self::TooMany { max, found: max + 1 },
            RecordError::TooLarge { max } => Self::TooLarge { max },
            error => Self::Malformed(error.to_string()),
        }
    }
}

/// Hands out all records, in order; `refused` hears of those that are none.
pub(super) fn hand_out<'a>(
    mut records: impl Records<'a>,
    event: &mut Event<'a>,
    each: Each<'_, 'a>,
    mut refused: impl FnMut(usize, RecordError),
) {
    let mut index = 0;
    while let Some(read) = records.next(event) {
        match read {
            Ok(()) => each(index, Ok(event)),
            Err(error) => {
                refused(index, error);
                each(index, Err(&error));
            }
        }
        event.clear();
        index += 1;
    }
}

/// Counts what a body holds, against its limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    limits: RecordLimits,
    records: usize,
    shared: usize,
}

impl Tally {
    pub(super) fn new(limits: RecordLimits) -> Self {
        Self { limits, records: 0, shared: 0 }
    }

    /// Counts a record that has `shared` bytes in common with others.
    pub(super) fn add(&mut self, shared: usize) -> Result<(), RecordError> {
        self.records += 1;
        self.shared = self.shared.saturating_add(shared);
        if self.records > self.limits.records {
            return Err(RecordError::TooMany { max: self.limits.records });
        }
        if self.shared > self.limits.shared {
            return Err(RecordError::TooLarge { max: self.limits.shared });
        }
        Ok(())
    }
}

/// Four times the largest body.
pub const MAX_SHARED: usize = 64 * 1024 * 1024;
