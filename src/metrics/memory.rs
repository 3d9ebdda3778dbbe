//! What is shown of the memory that all share.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::gauges::To;

/// The metrics of the ceiling of memory; `by` is who asks: `messages`, `bodies`, `queries`.
#[derive(Clone, Debug)]
pub struct MemoryMetrics {
    /// The most that the daemon may take, in bytes.
    pub limit: IntGauge,
    /// What all who may grow share of it, in bytes.
    pub shared: IntGauge,
    /// What is reserved of that, in bytes, by who has it.
    pub reserved: IntGaugeVec,
    /// How often someone waited for room, by who.
    pub waits: IntCounterVec,
    /// How often there was none for someone who does not wait, by who.
    pub refused: IntCounterVec,
    /// Those that had to end because others waited for what they held, by who.
    pub closed: IntCounterVec,
}

impl MemoryMetrics {
    pub(super) fn register(to: &To<'_>) -> Result<Self> {
        let by = &["by"];
        Ok(Self {
            limit: to.gauge("memory_limit_bytes", LIMIT)?,
            shared: to.gauge("memory_shared_bytes", SHARED)?,
            reserved: to.gauges_by("memory_reserved_bytes", RESERVED, by)?,
            waits: to.counters("memory_waits_total", WAITS, by)?,
            refused: to.counters("memory_refused_total", REFUSED, by)?,
            closed: to.counters("memory_closed_total", CLOSED, by)?,
        })
    }
}

const LIMIT: &str = "The most memory that the daemon may take (memory.limit).";
const SHARED: &str = "What senders and readers share of it.";
const RESERVED: &str = "What is reserved of the memory that is shared.";
const WAITS: &str = "How often reading waited for memory.";
const REFUSED: &str = "What was refused because there was no memory for it.";
const CLOSED: &str = "What had to end because others waited for its memory.";
