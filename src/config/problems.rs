//! Values that are well formed and make no sense.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use tracing_subscriber::EnvFilter;

use super::Config;
use crate::net::ListenerConfig;
use crate::{batch, store};

/// Collects problems: the dotted key, and what was expected.
#[derive(Default)]
struct Problems(Vec<(String, String)>);

impl Config {
    /// Every value that makes no sense: its dotted key, and what was expected.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        problems.of_batch(&self.batch);
        problems.of_store(&self.store);
        problems.number("metrics.max_keys", self.metrics.max_keys, 0..=100_000);
        let grace = self.shutdown.grace;
        problems.time("shutdown.grace", grace, "0s to 10min", Duration::ZERO..=10 * MINUTE);
        if let Err(error) = EnvFilter::try_new(&self.log.level) {
            let what = format!("expected a level or levels by module, but found {error}");
            problems.0.push(("log.level".to_owned(), what));
        }
        let api = self.api.problems().into_iter();
        problems.0.extend(api.map(|(key, what)| (format!("api.{key}"), what)));
        let audit = self.audit.problems().into_iter();
        problems.0.extend(audit.map(|(key, what)| (format!("audit.{key}"), what)));
        let gate = self.gate.problems().into_iter();
        problems.0.extend(gate.map(|problem| (format!("gate.{}", problem.key), problem.what)));
        let people = self.people.problems().into_iter();
        problems.0.extend(people.map(|(key, what)| (format!("people.{key}"), what)));
        let senders = self.senders.problems().into_iter();
        problems.0.extend(senders.map(|(key, what)| (format!("senders.{key}"), what)));
        let ship = self.ship.problems().into_iter();
        problems.0.extend(ship.map(|(key, what)| (format!("ship.{key}"), what)));
        problems.of_memory(self);
        problems.of_listeners(&self.listener);
        problems.of_forwards(self);
        problems.0
    }
}

impl Problems {
    fn of_batch(&mut self, batch: &batch::Config) {
        let bytes = ByteSize::kib(64)..=ByteSize::mib(16);
        self.size("batch.max_bytes", batch.max_bytes, "64 KiB to 16 MiB", bytes);
        let delay = Duration::ZERO..=Duration::from_secs(1);
        self.time("batch.max_delay", batch.max_delay, "0s to 1s", delay);
    }

    fn of_store(&mut self, store: &store::Config) {
        let to_gib = |gib| ByteSize::mib(1)..=ByteSize::gib(gib);
        self.size("store.seal_bytes", store.seal_bytes, "1 MiB to 1 GiB", to_gib(1));
        let after = Duration::from_millis(100)..=60 * MINUTE;
        self.time("store.seal_after", store.seal_after, "100ms to 1h", after);
        let rates = ByteSize(0)..=ByteSize::gib(1);
        self.size("store.scrub_rate", store.scrub_rate, "0 to 1 GiB", rates);
        let named = store.retention.projects.iter();
        let named = named.map(|(project, days)| (format!("projects.{project}"), days.0));
        for (key, kept) in named.chain([("default".to_owned(), store.retention.default)]) {
            let key = format!("store.retention.{key}");
            self.time(&key, kept, "1d to 36500d", store::Retention::RANGE);
        }
        let disk = &store.disk;
        let free = ByteSize::mib(1)..=ByteSize::tib(1);
        self.size("store.disk.min_free", disk.min_free, "1 MiB to 1 TiB", free);
        self.number("store.disk.min_free_percent", disk.min_free_percent, 0..=25);
        let ballast = ByteSize::b(0)..=ByteSize::gib(64);
        self.size("store.disk.ballast", disk.ballast, "0 B to 64 GiB", ballast);
        let engine = &store.engine;
        self.size("store.engine.write_buffer", engine.write_buffer, "1 MiB to 1 GiB", to_gib(1));
        self.size("store.engine.block_cache", engine.block_cache, "1 MiB to 64 GiB", to_gib(64));
        self.number("store.engine.max_open_files", engine.max_open_files, 64..=100_000);
    }

    fn of_memory(&mut self, config: &Config) {
        let (key, limit) = ("memory.limit", config.memory.limit);
        let range = ByteSize::mib(128)..=ByteSize::tib(1);
        if !range.contains(&limit) {
            return self.size(key, limit, "128 MiB to 1 TiB", range);
        }
        let least = config.least_memory();
        let mib = least.div_ceil(1 << 20);
        let words = format!("at least {mib} MiB, for what the rest of the configuration takes");
        self.range(key, limit.as_u64() >= least, &words, limit);
    }

    fn of_listeners(&mut self, listeners: &[ListenerConfig]) {
        let mut names = BTreeSet::new();
        for (number, listener) in listeners.iter().enumerate() {
            for (key, what) in listener.problems() {
                self.0.push((format!("listener.{number}.{key}"), what));
            }
            if !names.insert(&listener.name) {
                let what =
                    format!("expected a name of its own, but found {:?} again", listener.name);
                self.0.push((format!("listener.{number}.name"), what));
            }
        }
    }

    fn of_forwards(&mut self, config: &Config) {
        let mut names = BTreeSet::new();
        for (number, forward) in config.forward.iter().enumerate() {
            for (key, what) in forward.problems(config.ship.allow_http) {
                self.0.push((format!("forward.{number}.{key}"), what));
            }
            if !names.insert(&forward.name) {
                let what =
                    format!("expected a name of its own, but found {:?} again", forward.name);
                self.0.push((format!("forward.{number}.name"), what));
            }
        }
    }

    fn size(&mut self, key: &str, found: ByteSize, words: &str, range: RangeInclusive<ByteSize>) {
        self.range(key, range.contains(&found), words, found);
    }

    fn time(&mut self, key: &str, found: Duration, words: &str, range: RangeInclusive<Duration>) {
        self.range(key, range.contains(&found), words, humantime::format_duration(found));
    }

    fn number<N: PartialOrd + Display>(&mut self, key: &str, found: N, range: RangeInclusive<N>) {
        let words = format!("{} to {}", range.start(), range.end());
        self.range(key, range.contains(&found), &words, found);
    }

    fn range(&mut self, key: &str, ok: bool, words: &str, found: impl Display) {
        if !ok {
            self.0.push((key.to_owned(), format!("expected {words}, but found {found}")));
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
