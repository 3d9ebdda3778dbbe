//! GELF over UDP: datagrams that are a message, or a chunk of one (Graylog's GELF 1.1).
//!
//! ```text
//!  1e 0f | id, 8 bytes | number of this chunk | count of chunks | a part of the message
//! ```
//!
//! A message may come in up to [`MAX_CHUNKS`] chunks, in any order, and is there once all of them
//! are; those of which a chunk is missing after [`VALIDITY`] are given up. Whole messages are JSON,
//! as text or compressed, which the first bytes tell. Over TCP there are neither chunks nor
//! compression: [`JsonValues`](super::JsonValues) cuts that.
//!
//! Chunks are told apart by sender and id, so that nobody completes or spoils the message of
//! another; and what waits for its rest is bounded in number and bytes, by sender and over all.

mod chunks;
mod payload;
#[cfg(test)]
mod tests;

pub use self::chunks::{Chunk, Chunks};
pub use self::payload::gelf_payload;

use std::time::Duration;

/// The most chunks that a message may have.
pub const MAX_CHUNKS: u8 = 128;

/// How long after its first chunk a message is waited for.
pub const VALIDITY: Duration = Duration::from_secs(5);

/// Messages of which a chunk is missing, of all senders together.
pub const MAX_PENDING: usize = 4096;

/// The same of one sender. UDP shows who that is, but does not prove it.
pub const MAX_PENDING_OF_ONE: usize = 512;

/// Bytes of messages of which a chunk is missing, of all senders together, with what it takes to
/// keep them.
pub const MAX_PENDING_BYTES: usize = 32 << 20;
