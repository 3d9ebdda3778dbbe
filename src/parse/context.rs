//! What a parser cannot read from the message itself.

use crate::time::Timestamp;

/// What a parser is told about the circumstances of a message.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// When the message arrived. A time without a year is taken to be close to it.
    pub received_at: Timestamp,
    /// Seconds east of UTC of times that name no zone.
    pub zone_offset: i32,
    /// Whether every event keeps `event.original`, not only one that did not parse whole.
    pub keep_original: bool,
}
