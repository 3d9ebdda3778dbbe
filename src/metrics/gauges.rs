//! What the parts of the daemon report of their state, beside the ledger.

use prometheus::core::Collector;
use prometheus::{Counter, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use prometheus::{Opts, Registry, Result};

use super::memory::MemoryMetrics;
use super::queries::Queries;
use super::senders::Senders;
use super::ship::Shipping;

/// The metrics themselves; a field is named as on the page, without `logtrace_` and the unit.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Datagrams that the kernel dropped before the daemon saw them, by listener.
    pub kernel_dropped: IntCounterVec,
    /// The receive buffer that the kernel granted, in bytes, by listener.
    pub receive_buffer: IntGaugeVec,
    /// Open connections, by listener.
    pub connections: IntGaugeVec,
    /// Places where a stream was not framed as it should be, by listener and reason.
    pub framing_errors: IntCounterVec,
    /// Events that did not parse whole, by listener and tag. They are stored.
    pub parse_failures: IntCounterVec,
    /// TLS handshakes that failed, by listener.
    pub tls_failures: IntCounterVec,
    /// Events that are durable and not sealed yet.
    pub staged_events: IntGauge,
    /// Bytes of them before compression.
    pub staged_bytes: IntGauge,
    /// Sealed segments.
    pub segments: IntGauge,
    /// Bytes of them on disk.
    pub segment_bytes: IntGauge,
    /// Events in them.
    pub segment_events: IntGauge,
    /// Segments in quarantine, whole or in part.
    pub quarantined_segments: IntGauge,
    /// Bytes of segments that the scrubber read.
    pub scrubbed: IntCounter,
    /// When the scrubber had last read all segments, in seconds since the epoch; 0 is never.
    pub scrubbed_at: IntGauge,
    /// Bytes that the disk of the data folder has free.
    pub disk_free: IntGauge,
    /// Bytes that it has in all.
    pub disk_total: IntGauge,
    /// Bytes that are to stay free.
    pub disk_floor: IntGauge,
    /// 1 while nothing is stored because the disk has no room or cannot be written to.
    pub disk_full: IntGauge,
    /// How often the engine was opened anew, to go on after a full disk.
    pub reopened: IntGauge,
    /// Batches that were acknowledged and are not there.
    pub missing_batches: IntGauge,
    /// Synced commits.
    pub commits: IntCounter,
    /// Seconds that commits took, all together.
    pub commit_seconds: Counter,
    /// Questions to the store.
    pub queries: Queries,
    /// What was noted, by journal; folded ones are counted each.
    pub journal_noted: IntCounterVec,
    /// Events that were over a limit, by limit and by what became of them: `drop`, `pace`,
    /// `queue`, `sample`; `would` of limits that only say what they would do.
    pub limited: IntCounterVec,
    /// 1 if the last reading of the configuration, at the start or later, changed what it should.
    pub config_successful: IntGauge,
    /// When the configuration was last read and taken, in seconds since the epoch.
    pub config_success_at: IntGauge,
    /// When the first certificate of a listener expires, in seconds since the epoch, by listener.
    pub certificate_expires_at: IntGaugeVec,
    /// Certificate files that were found to be others and cannot be used, by listener.
    pub certificate_failures: IntCounterVec,
    /// Ranges of lists from files and URLs that count, by source.
    pub list_ranges: IntGaugeVec,
    /// 1 while what is at a source cannot be used and what was read before still counts, by source.
    pub list_failed: IntGaugeVec,
    /// When what counts was read, in seconds since the epoch, by source; 0 is never.
    pub list_loaded_at: IntGaugeVec,
    /// Who sends.
    pub senders: Senders,
    /// The memory that all share.
    pub memory: MemoryMetrics,
    /// Those whom automatic rules found, by rule and by what became of them: `block`, `would`.
    pub automatic: IntCounterVec,
    /// What leaves the daemon.
    pub ship: Shipping,
    /// Lines of the daemon's own log that could not be written.
    pub log_lost: IntCounter,
    /// Mistakes of the daemon's own that ended a connection, a call, or itself.
    pub panics: IntCounter,
    /// Seconds since the start.
    pub uptime: Gauge,
    /// Resident memory of the daemon, in bytes.
    pub resident: IntGauge,
}

impl Gauges {
    pub(super) fn register(registry: &Registry) -> Result<Self> {
        let to = To(registry);
        to.gauges_by("build_info", BUILD, &["version"])?.with_label_values(&[VERSION]).set(1);
        Ok(Self {
            kernel_dropped: to.counters("kernel_dropped_total", DROPPED, &["listener"])?,
            receive_buffer: to.gauges("receive_buffer_bytes", "The granted receive buffer.")?,
            connections: to.gauges("connections", "Open connections.")?,
            framing_errors: to.counters(
                "framing_errors_total",
                FRAMING,
                &["listener", "reason"],
            )?,
            parse_failures: to.counters("parse_failures_total", PARSE, &["listener", "tag"])?,
            tls_failures: to.counters("tls_handshake_failures_total", TLS, &["listener"])?,
            staged_events: to.gauge("staged_events", "Durable events that are not sealed yet.")?,
            staged_bytes: to.gauge("staged_bytes", "Bytes of them before compression.")?,
            segments: to.gauge("segments", "Sealed segments.")?,
            segment_bytes: to.gauge("segment_bytes", "Bytes of sealed segments on disk.")?,
            segment_events: to.gauge("segment_events", "Events in sealed segments.")?,
            quarantined_segments: to.gauge("quarantined_segments", QUARANTINED)?,
            scrubbed: to.add(IntCounter::with_opts(opts("scrubbed_bytes_total", SCRUBBED)))?,
            scrubbed_at: to.gauge("scrubbed_timestamp_seconds", ROUND)?,
            disk_free: to.gauge("disk_free_bytes", "Free bytes on the disk of the data folder.")?,
            disk_total: to.gauge("disk_total_bytes", "Bytes that it has in all.")?,
            disk_floor: to.gauge("disk_min_free_bytes", "Bytes that are to stay free.")?,
            disk_full: to.gauge("disk_full", FULL)?,
            reopened: to.gauge("store_reopened", REOPENED)?,
            missing_batches: to.gauge("store_missing_batches", MISSING)?,
            commits: to.add(IntCounter::with_opts(opts("commits_total", "Synced commits.")))?,
            commit_seconds: to.add(Counter::with_opts(opts("commit_seconds_total", COMMIT)))?,
            queries: Queries::register(&to)?,
            journal_noted: to.counters("journal_noted_total", NOTED, &["journal"])?,
            limited: to.counters("limited_total", LIMITED, &["limit", "action"])?,
            config_successful: to.gauge("config_last_reload_successful", RELOADED)?,
            config_success_at: to
                .gauge("config_last_reload_success_timestamp_seconds", RELOADED_AT)?,
            certificate_expires_at: to.gauges("certificate_expiry_timestamp_seconds", EXPIRY)?,
            certificate_failures: to.counters(
                "certificate_reload_failures_total",
                CERTIFICATES,
                &["listener"],
            )?,
            list_ranges: to.gauges_by("list_source_ranges", RANGES, &["source"])?,
            list_failed: to.gauges_by("list_source_failed", STALE, &["source"])?,
            list_loaded_at: to.gauges_by(
                "list_source_loaded_timestamp_seconds",
                LOADED,
                &["source"],
            )?,
            automatic: to.counters("automatic_blocks_total", AUTOMATIC, &["rule", "action"])?,
            senders: Senders::register(&to)?,
            memory: MemoryMetrics::register(&to)?,
            ship: Shipping::register(&to)?,
            log_lost: to.add(IntCounter::with_opts(opts("log_lines_lost_total", LOG_LOST)))?,
            panics: to.add(IntCounter::with_opts(opts("panics_total", PANICS)))?,
            uptime: to.add(Gauge::with_opts(opts("uptime_seconds", "Since the start.")))?,
            resident: to.gauge("resident_memory_bytes", "Resident memory of the daemon.")?,
        })
    }
}

/// A registry to add metrics to.
pub(super) struct To<'r>(&'r Registry);

impl To<'_> {
    pub(super) fn add<C: Collector + Clone + 'static>(&self, metric: Result<C>) -> Result<C> {
        let metric = metric?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec> {
        self.add(IntCounterVec::new(opts(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str) -> Result<IntGaugeVec> {
        self.gauges_by(name, help, &["listener"])
    }

    pub(super) fn gauges_by(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(opts(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.add(IntGauge::with_opts(opts(name, help)))
    }
}

pub(super) fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("logtrace_{name}"), help)
}

/// What a dashboard shows beside everything else.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const BUILD: &str = "1, with the version that runs.";
const DROPPED: &str = "Datagrams that the kernel dropped before the daemon saw them.";
const FRAMING: &str = "Places where a stream was not framed as it should be.";
const PARSE: &str = "Events that did not parse whole; they are stored.";
const TLS: &str = "TLS handshakes that failed.";
const QUARANTINED: &str = "Segments in which damage was found: answers lack their events.";
const SCRUBBED: &str = "Bytes of segments that were read to see whether they are whole.";
const ROUND: &str = "When all segments had last been read to see whether they are whole.";
const FULL: &str = "1 while nothing is stored because the disk has no room.";
const MISSING: &str = "Batches that were acknowledged and are not there.";
const REOPENED: &str = "How often the store was opened anew since the start.";
const COMMIT: &str = "Time spent in synced commits.";
const LIMITED: &str = "Events over a limit, by what became of them.";
const RELOADED: &str = "1 if the last reading of the configuration was taken.";
const RELOADED_AT: &str = "When the configuration was last read and taken.";
const LOG_LOST: &str = "Lines of the daemon's own log that could not be written.";
const PANICS: &str = "Mistakes of the daemon's own, each of which ended something.";
const EXPIRY: &str = "When the first certificate of a listener's chain expires.";
const CERTIFICATES: &str = "Certificate files that changed and cannot be used.";
const NOTED: &str = "What was noted in a journal, folded ones counted each.";
const RANGES: &str = "Ranges that count of a list from a file or URL.";
const STALE: &str = "1 while what is there cannot be used and what was read before counts.";
const LOADED: &str = "When what counts was read.";
const AUTOMATIC: &str = "Those whom automatic rules found, by what became of them.";
