//! Section `[memory]` of the configuration.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// How much memory the daemon may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The most that it is to take; [what is not of it](super) comes on top. What the store, its caches
    /// and connections that rest leave of it is for unfinished messages, bodies of calls, queries and
    /// exports. Default: 1 GiB.
    /// Range: 128 MiB to 1 TiB, and what the rest of the configuration takes at the least.
    pub limit: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self { limit: ByteSize::gib(1) }
    }
}

/// The least that is left for all that grows, in bytes.
pub const LEAST: u64 = 32 << 20;
