//! Bodies that hold many logs: what every format of them has in common.

use std::fmt::Display;

use super::Context;
use crate::event::Event;

/// A format of bodies, for one of them.
///
/// It keeps what its protocol wants to know of the body when it answers, and lends its own text to
/// the events.
pub trait BodyFormat: Send {
    /// Whether its events may say what the body does not show as it lies, but for escapes of JSON:
    /// because some of it is encoded, or came by another way.
    fn shows_more(&self) -> bool {
        false
    }

    /// Reads `body`, and hands every log in it to `each`, in order.
    ///
    /// `event` comes clear and is clear again for every log.
    ///
    /// # Errors
    ///
    /// The body as a whole cannot be read, or holds more logs than one may. `each` has not been
    /// called then: a sender that is told so may send all of it again.
    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError>;
}

/// What takes the logs of a body: each with its index, as an event or as the reason why it is none,
/// in words that its sender may see.
pub type Each<'e, 'a> = &'e mut dyn FnMut(usize, Result<&mut Event<'a>, &dyn Display>);

/// Why a body was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The body is not of its format: what was expected, and what was found.
    #[error("{0}")]
    Malformed(String),
    /// There is nothing in the body, where there has to be something.
    #[error("expected a body, but found an empty one")]
    Empty,
    /// The body is well formed, and what its logs share would make too much of them.
    #[error("expected at most {max} bytes of what logs have in common, but found more")]
    TooLarge {
        /// The most that was allowed, in bytes.
        max: usize,
    },
    /// The body is well formed and holds more logs than one may.
    #[error("expected at most {max} logs, but found {found}")]
    TooMany {
        /// The most that was allowed.
        max: usize,
        /// How many there were, as far as they were counted.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_speak_one_grammar() {
        let many = BodyError::TooMany { max: 2, found: 3 };
        assert_eq!(many.to_string(), "expected at most 2 logs, but found 3");
    }
}
