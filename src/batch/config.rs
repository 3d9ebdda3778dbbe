//! Section `[batch]` of the configuration.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// When a batch of events is made durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A batch is written once it holds this much. Default: 1 MiB. Range: 64 KiB to 16 MiB.
    pub max_bytes: ByteSize,
    /// …or this long after the commit before it; at once where that is past. What is less than half a
    /// batch, and no sender waits for, is written no sooner than 50ms after it. Default: 5ms.
    /// Range: 0s to 1s.
    #[serde(with = "humantime_serde")]
    pub max_delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_bytes: ByteSize::mib(1), max_delay: Duration::from_millis(5) }
    }
}
