//! What leaves the daemon: calls to others.
//!
//! Whoever calls out does it through [`Outbound`], which knows where calls may go.

mod config;
mod outbound;
mod tls;

pub use self::config::Config;
pub use self::outbound::{Answer, Fetched, Headers, Outbound, OutboundError};
pub use self::tls::TlsError;
