//! Puts the parts together, runs them, and takes them apart again.
//!
//! ```text
//!  build: db ─▶ store ─▶ gate ─▶ ledger ─▶ batcher ─▶ ingest ─▶ doors bound (ports are known)
//!  run:   writer and sealer threads, doors, API, admin, journal flush
//!  stop:  doors end ─▶ connections finish ─▶ journals flushed ─▶ writer syncs ─▶ sealer seals
//! ```
//!
//! What runs until the stop is held by `vital`: should it end in a panic, so does the daemon.
//!
//! Only doors look at the order to stop. What is behind them ends because its input has ended, so
//! that no stage can stop before the one that feeds it.

mod advise;
mod build;
mod certificates;
mod disk;
mod failure;
mod http;
mod keys;
mod list_urls;
mod listening;
mod lists;
mod log_lines;
mod logging;
mod people;
mod reload;
mod restart;
mod run;
mod scrub;
mod senders;
mod serve;
mod signals;
mod surroundings;
mod tell;
mod vital;

pub use self::failure::Failure;
pub use self::run::run;
