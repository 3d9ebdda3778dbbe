//! What `/metrics` says, and the ledger that accounts for every message.
//!
//! Names are `logtrace_<what>_<unit>[_total]`, in base units (bytes, seconds). A name or label
//! value printed here is public. No label is ever made from input: its values are the names of
//! listeners, ids of keys up to a configured number, and closed sets of reasons.

mod accounts;
mod gauges;
mod ledger;
mod memory;
mod page;
mod queries;
mod senders;
mod ship;

pub use self::gauges::Gauges;
pub use self::ledger::{Account, Counts, Failure, Ledger};
pub use self::memory::MemoryMetrics;
pub use self::page::Page;
pub use self::queries::Queries;
pub use self::senders::Senders as SenderMetrics;
pub use self::ship::Shipping;
