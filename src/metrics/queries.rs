//! What questions to the store cost.

use prometheus::{Counter, IntCounter, IntGauge, Result};

use super::gauges::{To, opts};

/// The metrics of queries; a field is named as on the page, without `logtrace_` and the unit.
#[derive(Clone, Debug)]
pub struct Queries {
    /// Queries that run, turns of live tails among them.
    pub running: IntGauge,
    /// Seconds that they ran, all together.
    pub seconds: Counter,
    /// Queries and live tails that were refused for want of a place.
    pub refused: IntCounter,
}

impl Queries {
    pub(super) fn register(to: &To<'_>) -> Result<Self> {
        Ok(Self {
            running: to.gauge("queries_running", RUNNING)?,
            seconds: to.add(Counter::with_opts(opts("query_seconds_total", SECONDS)))?,
            refused: to.add(IntCounter::with_opts(opts("queries_refused_total", REFUSED)))?,
        })
    }
}

const RUNNING: &str = "Queries that run, turns of live tails among them.";
const SECONDS: &str = "Time that queries ran, all together.";
const REFUSED: &str = "Queries and live tails that were refused for want of a place.";
