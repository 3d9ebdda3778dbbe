//! One ceiling of memory over all that senders and readers cause (SPEC §11).
//!
//! What is fixed by the configuration (buffers and caches of the store, batches) is bounded by that.
//! What is left below the ceiling is a [`Budget`], which everyone shares who may grow: connections
//! with messages that have not ended, bodies of calls, queries and their answers.
//!
//! ```text
//!  limit ─┬─ fixed: store, caches, batches, connections that rest, the program itself
//!         └─ Budget ─┬─ messages   wait for room: they are not read, so TCP slows the sender
//!                    ├─ bodies     wait for a moment, then 503
//!                    └─ queries    503 at once, and never the last of it
//! ```
//!
//! Not of it: the small part of a message, or the head of a call, that each connection may have of its
//! own. What connections take over which nothing comes is fixed: there are no more of them than there
//! is memory for.
//!
//! # Invariants
//!
//! * *Nothing is asked per event*: a connection asks when its buffer grows beyond the part that is
//!   its own, and gives back when it shrinks.
//! * *Queries are refused first*: they have a share of the budget, and none of what is left when most
//!   of it is in use.
//! * *Nobody waits for ever*: while someone waits for room, those that hold most and have not come to
//!   the end of a message for long are told to go, one after the other. Who waits for us, such as for a
//!   disk that is slow, is not.

mod budget;
mod config;
mod hold;
mod relief;
#[cfg(test)]
mod tests;

pub use self::budget::{Budget, Full};
pub use self::config::{Config, LEAST};
pub use self::hold::Hold;

/// Who reserves memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// Connections whose messages have not ended.
    Messages,
    /// Bodies of calls, as they come and inflated.
    Bodies,
    /// Queries, exports and live tails, and answers that are not read.
    Queries,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Messages, Self::Bodies, Self::Queries];

    /// Its name on the metrics page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Bodies => "bodies",
            Self::Queries => "queries",
        }
    }
}
