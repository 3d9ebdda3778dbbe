//! What decoders have in common whose senders are answered.

use std::fmt::Debug;

use super::{FrameErrors, Step};

/// A decoder of a protocol that answers its sender: one per connection.
///
/// It does no I/O and keeps no clock. Who runs it stores the messages that it hands out, and says
/// its answers when all messages before them are durable, or refused.
pub trait Dialogue: Debug + Send {
    /// The next message at the front of `buffer`, which begins where the last step's `consumed`
    /// ended. `eof`: no more will come. A message borrows from the buffer, or from what the decoder
    /// inflated.
    fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b>;

    /// Whether there are [`answers`](Self::answers) before anything was said to it.
    fn speaks_first(&self) -> bool {
        false
    }

    /// Appends to `out` what to say once all messages handed out so far are durable, in order, and
    /// forgets it.
    fn answers(&mut self, out: &mut Vec<u8>);

    /// How many of the messages handed out so far are answered together with later ones, so that
    /// [`answers`](Self::answers) has no word of them yet.
    fn unanswered(&self) -> u64 {
        0
    }

    /// What tells a sender who waits that it is not forgotten, where the protocol has such a word.
    /// Said every few seconds while answers are held back.
    fn keep_alive(&self) -> Option<&'static [u8]> {
        None
    }

    /// What may be said last of all, to find out whether a sender is still there.
    fn last_word(&self) -> Option<&'static [u8]> {
        self.keep_alive()
    }

    /// Why the stream cannot go on. What came before is stored and answered, then the connection
    /// ends. It hands out no message from there on.
    fn broken(&self) -> Option<ProtocolError>;

    /// Whether both sides agree that nothing more will come: once all is answered, the connection
    /// is closed.
    fn is_over(&self) -> bool {
        false
    }

    /// What was stepped over since the beginning, by reason.
    fn errors(&self) -> FrameErrors {
        FrameErrors::default()
    }

    /// Bytes held of a message whose first part is no longer in the buffer.
    fn held(&self) -> usize;

    /// The memory that it keeps beside the buffer, in bytes: what is [`held`](Self::held), and what it
    /// needs to go on.
    fn memory(&self) -> usize {
        self.held()
    }

    /// How many bytes of memory it needs beyond [`memory`](Self::memory) to inflate what comes next; 0
    /// where nothing is to be inflated. It goes on when that is [granted](Self::grant): until then it
    /// hands out no message, and asks for more.
    fn wants(&self) -> usize {
        0
    }

    /// There is room for what it [wants](Self::wants).
    fn grant(&mut self) {}
}

/// A stream broke the rules of its protocol, and nothing says where it would go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProtocolError {
    /// Which rule, as a word for metrics and journals: `beats.version`. One of a few.
    pub code: &'static str,
    /// What was expected, and what was found. Shows no byte of a message.
    pub message: String,
}
