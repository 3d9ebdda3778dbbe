//! What is shown of those who send.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::gauges::{To, opts};

/// The metrics of senders; a field is named as on the page, but for what all of them begin with.
#[derive(Clone, Debug)]
pub struct Senders {
    /// Senders that are known: hosts of keys.
    pub known: IntGauge,
    /// Those that are overdue.
    pub overdue: IntGauge,
    /// Events whose senders there was no room to know.
    pub untold: IntCounter,
    /// Senders of a key that are overdue, by key: those keys that the ledger tells apart.
    pub key_overdue: IntGaugeVec,
    /// When a key was heard last, in seconds since the epoch, by key.
    pub key_last_seen: IntGaugeVec,
    /// Places at which numbers of messages are missing, by listener.
    pub sequence_gaps: IntCounterVec,
    /// Numbers of messages that are missing, by listener.
    pub sequence_missing: IntCounterVec,
}

impl Senders {
    pub(super) fn register(to: &To<'_>) -> Result<Self> {
        let (overdue, listener) = ("key_senders_overdue", &["listener"]);
        Ok(Self {
            known: to.gauge("senders", "Senders that are known: hosts of keys.")?,
            overdue: to.gauge("senders_overdue", OVERDUE)?,
            untold: to.add(IntCounter::with_opts(opts("senders_untold_total", UNTOLD)))?,
            key_overdue: to.gauges_by(overdue, OVERDUE, &["key"])?,
            key_last_seen: to.gauges_by("key_last_seen_timestamp_seconds", SEEN, &["key"])?,
            sequence_gaps: to.counters("sequence_gaps_total", GAPS, listener)?,
            sequence_missing: to.counters("sequence_missing_total", MISSED, listener)?,
        })
    }
}

const OVERDUE: &str = "Senders that are quiet for longer than they usually are.";
const UNTOLD: &str = "Events whose senders there was no room to know (senders.max).";
const SEEN: &str = "When events with this key came last.";
const GAPS: &str = "Places at which numbers of messages are missing (sequenceId, Cisco).";
const MISSED: &str = "Numbers of messages that are missing (sequenceId, Cisco).";
