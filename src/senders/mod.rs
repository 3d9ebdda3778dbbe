//! Who sends: each host of each key, when it was heard last, how often it speaks, and whether it is
//! overdue.
//!
//! ```text
//!  ingest ──a read──▶ Hearing ──hosts of the read──▶ Senders ──once a second──▶ Notice ──▶ people
//!                                                       │
//!                                                       └── meta: sender/… , every few minutes
//! ```
//!
//! An event costs a comparison: whether its host is one of those just heard. What a read brought is
//! put down once for each of its hosts, under one lock.
//!
//! # Invariants
//!
//! * *Bounded*: there is room for so many senders and no more. Who cannot be told apart any longer
//!   is counted. Names that came once, as forged ones do, make room for others; those that are
//!   known do not.
//! * *Silence is time in which we listened*: neither a stop of the daemon, nor a clock that is set,
//!   nor a full disk makes anybody quiet.
//! * *It is told once*: when a sender is overdue, and when it is heard again. A restart forgets
//!   neither.

mod cadence;
mod config;
mod hearing;
mod kept;
mod looks;
mod notice;
mod numbers;
mod odd;
mod record;
mod shown;
mod table;
#[cfg(test)]
mod tests;
mod traits;

pub use self::config::Config;
pub use self::hearing::Hearing;
pub use self::notice::{Notice, What};
pub use self::numbers::Missing;
pub use self::odd::{Kind, Odd};
pub use self::shown::{Shown, State};
pub use self::table::{Counts, Place, Senders};
pub use self::traits::{Form, Framing};
