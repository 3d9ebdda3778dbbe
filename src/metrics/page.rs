//! The page itself, in Prometheus's text format.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::ledger::{Counts, Failure, Ledger};

/// Everything that is shown.
#[derive(Clone, Debug)]
pub struct Page(Registry);

/// What the parts of the daemon report of their state.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Datagrams that the kernel dropped before the daemon saw them, by listener.
    pub kernel_dropped: IntCounterVec,
    /// The receive buffer that the kernel granted, in bytes, by listener.
    pub receive_buffer: IntGaugeVec,
    /// Open connections, by listener.
    pub connections: IntGaugeVec,
    /// Streams that had to be resynchronised or were not framed as they should be, by listener and
    /// reason.
    pub framing_errors: IntCounterVec,
    /// Events that did not parse whole, by listener and tag. They are stored.
    pub parse_failures: IntCounterVec,
    /// TLS handshakes that failed, by listener.
    pub tls_failures: IntCounterVec,
    /// Events not sealed yet.
    pub staged_events: IntGauge,
    /// Bytes of them before compression.
    pub staged_bytes: IntGauge,
    /// Sealed segments.
    pub segments: IntGauge,
    /// Bytes of them on disk.
    pub segment_bytes: IntGauge,
    /// Events in them.
    pub segment_events: IntGauge,
    /// Synced commits.
    pub commits: prometheus::IntCounter,
    /// Seconds that commits took, all together.
    pub commit_seconds: prometheus::Counter,
    /// Refusals and failures that were noted in a journal, by journal.
    pub journal_noted: IntCounterVec,
    /// Seconds since the start.
    pub uptime: Gauge,
    /// Resident memory of the daemon, in bytes.
    pub resident: IntGauge,
}

impl Page {
    /// A page of the ledger's counters and the gauges that come with it.
    ///
    /// # Errors
    ///
    /// Only when two metrics have one name, which the first test run finds.
    pub fn new(ledger: Arc<Ledger>) -> prometheus::Result<(Self, Gauges)> {
        let registry = Registry::new();
        registry.register(Box::new(Accounts(ledger)))?;
        let gauges = Gauges::register(&registry)?;
        Ok((Self(registry), gauges))
    }

    /// The page as text.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.0.gather(), &mut text);
        encoded.expect("a gathered page is always text");
        String::from_utf8(text).expect("the text format is UTF-8")
    }

    /// The media type of [`text`](Self::text).
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

impl Gauges {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        fn add<C: Collector + Clone + 'static>(
            registry: &Registry,
            metric: prometheus::Result<C>,
        ) -> prometheus::Result<C> {
            let metric = metric?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        }
        let opts = |name: &str, help: &str| Opts::new(format!("logtrace_{name}"), help);
        let counters = |name, help, labels: &[&str]| {
            add(registry, IntCounterVec::new(opts(name, help), labels))
        };
        let gauges = |name, help| add(registry, IntGaugeVec::new(opts(name, help), &["listener"]));
        let gauge = |name, help| add(registry, IntGauge::with_opts(opts(name, help)));
        Ok(Self {
            kernel_dropped: counters(
                "kernel_dropped_total",
                "Datagrams that the kernel dropped before the daemon saw them.",
                &["listener"],
            )?,
            receive_buffer: gauges("receive_buffer_bytes", "The granted receive buffer.")?,
            connections: gauges("connections", "Open connections.")?,
            framing_errors: counters(
                "framing_errors_total",
                "Places where a stream was not framed as it should be.",
                &["listener", "reason"],
            )?,
            parse_failures: counters(
                "parse_failures_total",
                "Events that did not parse whole; they are stored.",
                &["listener", "tag"],
            )?,
            tls_failures: counters(
                "tls_handshake_failures_total",
                "TLS handshakes that failed.",
                &["listener"],
            )?,
            staged_events: gauge("staged_events", "Events that are durable and not sealed yet.")?,
            staged_bytes: gauge("staged_bytes", "Bytes of them before compression.")?,
            segments: gauge("segments", "Sealed segments.")?,
            segment_bytes: gauge("segment_bytes", "Bytes of sealed segments on disk.")?,
            segment_events: gauge("segment_events", "Events in sealed segments.")?,
            commits: add(
                registry,
                prometheus::IntCounter::with_opts(opts("commits_total", "Synced commits.")),
            )?,
            commit_seconds: add(
                registry,
                prometheus::Counter::with_opts(opts(
                    "commit_seconds_total",
                    "Time spent in synced commits.",
                )),
            )?,
            journal_noted: counters(
                "journal_noted_total",
                "Refusals and failures noted in a journal, folded ones counted each.",
                &["journal"],
            )?,
            uptime: add(registry, Gauge::with_opts(opts("uptime_seconds", "Since the start.")))?,
            resident: gauge("resident_memory_bytes", "Resident memory of the daemon.")?,
        })
    }
}

/// The ledger as a collector: one reading of each account, so that its sums are exact.
struct Accounts(Arc<Ledger>);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_is_on_the_page_from_zero() {
        let ledger = Arc::new(Ledger::new(&["IP_BLOCKLISTED"], 10));
        let (page, _gauges) = Page::new(Arc::clone(&ledger)).unwrap();
        let account = ledger.listener("syslog-tcp");
        account.accept(5, 500);
        account.block(0, 2, 20);
        ledger.settle("syslog-tcp", None, 3, true);
        let text = page.text();
        for line in [
            r#"logtrace_received_total{listener="syslog-tcp"} 7"#,
            r#"logtrace_stored_total{listener="syslog-tcp"} 3"#,
            r#"logtrace_in_flight{listener="syslog-tcp"} 2"#,
            r#"logtrace_blocked_total{listener="syslog-tcp",reason="IP_BLOCKLISTED"} 2"#,
            r#"logtrace_failed_total{listener="syslog-tcp",reason="STORE"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
