//! Gathers events into batches, makes them durable, and seals them later.
//!
//! ```text
//!  readers ──append──▶ open batches ──▶ writer thread ──▶ store.stage ──▶ tickets answered
//!                      (one a shard)     one sync for all
//!                                        sealer thread ──▶ store.seal, store.expire
//!                                        merger thread ──▶ store.merge, when there is time
//! ```
//!
//! There is no queue between readers and the writer: the writer takes the open batches themselves.
//! While it compresses and syncs, readers fill the next ones; when those are full too, readers
//! wait, and so does the sender. Memory is therefore twice the open batches, whatever happens.
//!
//! On a disk without room the writer waits, and so does everyone before it; what was refused is put
//! again under the same numbers once the engine was opened anew ([`Room`]).
//!
//! An idle daemon commits at once; a busy one at most every [`Config::max_delay`], and less often where
//! no sender waits for that, unless a batch is full before.

mod config;
mod merger;
mod open;
mod room;
mod sealer;
mod ticket;
mod writer;

pub use self::config::Config;
pub use self::merger::run_merger;
pub use self::open::Batcher;
pub use self::room::{Room, RoomStatus};
pub use self::sealer::{SealerStop, run_sealer};
pub use self::ticket::{NotStored, Ticket};
pub use self::writer::{Commit, Writing, run_writer};
