//! Section `[admin]` of the configuration.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Health and metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where: an address and a port. Default: "127.0.0.1:9514".
    pub listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9514)) }
    }
}
