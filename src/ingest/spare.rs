//! The memory that a session keeps from one message to the next.

use super::session::Session;

impl Session {
    /// Gives it back: the next message may be long in coming.
    pub fn drop_spare(&mut self) {
        drop(std::mem::take(&mut self.spare));
    }
}
