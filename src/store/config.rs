//! Section `[store]` of the configuration.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::db;

/// How events are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether a store is made where there is none. `false` refuses to start instead: for a folder
    /// that is mounted, and may not be. Default: true.
    pub create: bool,
    /// Staged events are sealed into segments once they take this much (before compression).
    /// Default: 32 MiB. Range: 1 MiB to 1 GiB.
    pub seal_bytes: ByteSize,
    /// …or once the oldest of them has waited this long. Default: 10s. Range: 100ms to 1h.
    #[serde(with = "humantime_serde")]
    pub seal_after: Duration,
    /// Bytes of values (before compression) that merges of segments may rewrite in a second.
    /// Default: 64 MiB. 0: segments are not merged.
    pub merge_rate: ByteSize,
    /// How fast old segments are read, in bytes a second, to see whether they are whole; each at
    /// most once a day, and none while much arrives. Default: 8 MiB. Range: 0 (never) to 1 GiB.
    pub scrub_rate: ByteSize,
    /// Columns of blocks that queries read not long ago are kept in memory, up to so many bytes.
    /// Default: 64 MiB. Range: 0 to 64 GiB.
    pub column_cache: ByteSize,
    /// How long events are kept. Default: 30d.
    pub retention: Retention,
    /// What is kept free on the disk.
    pub disk: db::DiskConfig,
    /// The memory that RocksDB may use.
    pub engine: db::Options,
}

/// How long events are kept: whole days are dropped, and nothing that stays is rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Of projects and journals that are not named. Default: 30d. Range: 1d to 36500d.
    #[serde(with = "humantime_serde")]
    pub default: Duration,
    /// Of projects that are, by name; journals are named with a leading underscore.
    pub projects: BTreeMap<String, Days>,
}

/// A length of time in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(#[serde(with = "humantime_serde")] pub Duration);

impl Default for Config {
    fn default() -> Self {
        Self {
            create: true,
            seal_bytes: ByteSize::mib(32),
            seal_after: Duration::from_secs(10),
            merge_rate: ByteSize::mib(64),
            scrub_rate: ByteSize::mib(8),
            column_cache: ByteSize::mib(64),
            retention: Retention::default(),
            disk: db::DiskConfig::default(),
            engine: db::Options::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { default: Duration::from_secs(30 * 86_400), projects: BTreeMap::new() }
    }
}

impl Retention {
    /// What a length of time may be.
    pub const RANGE: RangeInclusive<Duration> =
        Duration::from_secs(86_400)..=Duration::from_secs(36_500 * 86_400);

    /// How long the events of `project` are kept.
    pub fn of(&self, project: &str) -> Duration {
        self.projects.get(project).map_or(self.default, |days| days.0)
    }
}
