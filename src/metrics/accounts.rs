//! The ledger's accounts as series.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};

use super::ledger::{Counts, Failure, Ledger};

/// The ledger as a collector: one reading of each account, so that its sums are exact.
pub(super) struct Accounts(pub(super) Arc<Ledger>);

/// The series of the accounts of listeners, or of keys.
struct Series {
    received: IntCounterVec,
    bytes: IntCounterVec,
    stored: IntCounterVec,
    blocked: IntCounterVec,
    failed: IntCounterVec,
    in_flight: IntGaugeVec,
}

impl Collector for Accounts {
    fn desc(&self) -> Vec<&Desc> {
        Vec::new() // the names are checked when the page is gathered, by the tests
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Vec::new();
        for (prefix, label, accounts) in
            [("", "listener", self.0.listeners()), ("key_", "key", self.0.keys())]
        {
            let series = Series::new(prefix, label).expect("the names are well formed");
            for (name, counts) in &accounts {
                series.set(name, counts, self.0.reasons());
            }
            families.extend(series.collect());
        }
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}

impl Series {
    fn new(prefix: &str, label: &str) -> prometheus::Result<Self> {
        let opts = |name: &str, help: &str| Opts::new(format!("logtrace_{prefix}{name}"), help);
        let counters = |name, help, labels: &[&str]| IntCounterVec::new(opts(name, help), labels);
        Ok(Self {
            received: counters("received_total", "Messages that came.", &[label])?,
            bytes: counters("received_bytes_total", "Bytes of those messages.", &[label])?,
            stored: counters("stored_total", "Messages in the synced log.", &[label])?,
            blocked: counters("blocked_total", "Messages turned away.", &[label, "reason"])?,
            failed: counters("failed_total", "Messages not kept.", &[label, "reason"])?,
            in_flight: IntGaugeVec::new(
                opts("in_flight", "Messages on their way to the log."),
                &[label],
            )?,
        })
    }

    fn set(&self, name: &str, counts: &Counts, reasons: &[&str]) {
        self.received.with_label_values(&[name]).inc_by(counts.received);
        self.bytes.with_label_values(&[name]).inc_by(counts.received_bytes);
        self.stored.with_label_values(&[name]).inc_by(counts.stored);
        let in_flight = i64::try_from(counts.in_flight).unwrap_or(i64::MAX);
        self.in_flight.with_label_values(&[name]).set(in_flight);
        for (reason, count) in reasons.iter().zip(&counts.blocked) {
            self.blocked.with_label_values(&[name, reason]).inc_by(*count);
        }
        for (failure, count) in Failure::ALL.iter().zip(&counts.failed) {
            self.failed.with_label_values(&[name, failure.as_str()]).inc_by(*count);
        }
    }

    fn collect(&self) -> impl Iterator<Item = MetricFamily> {
        let counters = [&self.received, &self.bytes, &self.stored, &self.blocked, &self.failed];
        counters.into_iter().flat_map(Collector::collect).chain(self.in_flight.collect())
    }
}
