//! Requests an hour, by the tier of a key (SPEC §5).

use serde::{Deserialize, Serialize};

use super::limits::Policy;

/// What a key was promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// What most have.
    #[default]
    Standard,
    /// More requests, and what is over a limit is queued where the key does not say otherwise.
    Enterprise,
}

/// How many requests over HTTP a key may make in an hour, which begins with each hour of UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Requests {
    /// Of a key of tier `standard`. Default: 10000 of logs, 2000 that read.
    pub standard: Hourly,
    /// Of a key of tier `enterprise`. Default: 50000 of logs, 10000 that read.
    pub enterprise: Hourly,
    /// Requests of logs over these that are taken all the same in an hour, their events tagged
    /// `queued`, under the policy `queue`. Default: 10000. Range: from 0.
    pub queued: u64,
    /// Whether these limits only note what they would do. Default: false.
    pub shadow: bool,
}

/// How many requests of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hourly {
    /// Requests that bring logs. Range: from 0, which lets none pass.
    pub ingest: u64,
    /// Requests that read logs or journals. Range: from 0.
    pub query: u64,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// It brings logs.
    Ingest,
    /// It reads logs or journals.
    Query,
}

impl Tier {
    /// What happens over its limits to a key that does not say.
    pub(super) fn policy(self, configured: Policy) -> Policy {
        match self {
            Self::Standard => configured,
            Self::Enterprise => Policy::Queue,
        }
    }
}

impl Requests {
    /// How many requests of a kind a key of a tier may make.
    pub(super) fn of(&self, tier: Tier, kind: RequestKind) -> u64 {
        let hourly = match tier {
            Tier::Standard => self.standard,
            Tier::Enterprise => self.enterprise,
        };
        match kind {
            RequestKind::Ingest => hourly.ingest,
            RequestKind::Query => hourly.query,
        }
    }
}

impl RequestKind {
    /// The name of its limit.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Ingest => "limit:key:ingest_requests",
            Self::Query => "limit:key:query_requests",
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            standard: Hourly { ingest: 10_000, query: 2000 },
            enterprise: Hourly { ingest: 50_000, query: 10_000 },
            queued: 10_000,
            shadow: false,
        }
    }
}
