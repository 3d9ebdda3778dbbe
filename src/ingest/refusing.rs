//! Messages on their way that are turned away.

use super::sender::Sender;
use super::session::NamedKey;
use crate::gate::Refusal;

/// Messages in a row that were refused alike, and are booked and noted together.
pub(super) struct Refusing {
    pub(super) refusal: Refusal,
    /// The key that they came with.
    pub(super) secret: Option<Vec<u8>>,
    pub(super) named: Option<NamedKey>,
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// Whose messages were refused.
pub(super) enum Named<'a> {
    /// One who may pass, but for this.
    Sender(&'a Sender),
    /// One who may not, with the key that was shown, masked, and its project.
    Stranger(Option<NamedKey>),
}
