//! What leaves the daemon.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::gauges::To;

/// Metrics of webhooks and of forwarding; a field is named as on the page.
#[derive(Clone, Debug)]
pub struct Shipping {
    /// Deliveries of webhooks by what became of them: attempts `delivered` or `failed`, `dead` once
    /// given up, `dropped` where there was no room to keep them.
    pub webhook_deliveries: IntCounterVec,
    /// Deliveries that wait or are under way.
    pub webhook_queued: IntGauge,
    /// Deliveries that were given up and are kept to be seen.
    pub webhook_dead: IntGauge,
    /// Entries that a target took, by target and journal.
    pub forwarded: IntCounterVec,
    /// Attempts to forward that failed, by target.
    pub forward_failures: IntCounterVec,
    /// How long ago the oldest entry was stored that a target has not taken, in seconds.
    pub forward_lag: IntGaugeVec,
}

impl Shipping {
    pub(super) fn register(to: &To<'_>) -> Result<Self> {
        let webhook_deliveries =
            to.counters("webhook_deliveries_total", DELIVERIES, &["result"])?;
        for result in ["delivered", "failed", "dead", "dropped"] {
            webhook_deliveries.with_label_values(&[result]).reset();
        }
        Ok(Self {
            webhook_deliveries,
            webhook_queued: to.gauge("webhook_queued", "Deliveries of webhooks on their way.")?,
            webhook_dead: to.gauge("webhook_dead", "Deliveries of webhooks that were given up.")?,
            forwarded: to.counters("forwarded_total", FORWARDED, &["target", "journal"])?,
            forward_failures: to.counters("forward_failures_total", FAILURES, &["target"])?,
            forward_lag: to.gauges_by("forward_lag_seconds", LAG, &["target"])?,
        })
    }
}

const DELIVERIES: &str = "Deliveries of webhooks, by what became of them.";
const FORWARDED: &str = "Entries of journals that a target took.";
const FAILURES: &str = "Attempts to forward journals that failed.";
const LAG: &str = "Age of the oldest entry of a journal that a target has not taken.";
