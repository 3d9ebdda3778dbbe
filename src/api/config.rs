//! Section `[api]` of the configuration.

use std::net::SocketAddr;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::gate::{Environment, nets};
use crate::parse::{ForwardedHeader, TrustedProxies};

/// REST, and logs over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where: an address and a port. Default: "127.0.0.1:8514".
    pub listen: SocketAddr,
    /// Whether callers on this machine need a key, as all others do. Default: false.
    pub require_key: bool,
    /// Whether callers on other machines, and web pages, may read and write logs of project
    /// `default` without a key. Default: false.
    pub allow_anonymous: bool,
    /// The environment of all keys that may be used here: `production`, `staging` or
    /// `development`. Default: keys of any.
    pub environment: Option<Environment>,
    /// The longest body of logs, as it comes and as it is after decompression. Default: 16 MiB.
    /// Range: 64 KiB to 64 MiB.
    pub max_body: ByteSize,
    /// The most logs in a call. Default: 5000. Range: 1 to 100000.
    pub max_events: usize,
    /// Open connections; others wait. Fewer are accepted where `[memory] limit` has no room for them.
    /// Default: 4096. Range: 1 to 65536.
    pub max_connections: usize,
    /// How long the head of a request may take to arrive, and a connection may be idle.
    /// Default: 10s. Range: 100ms to 10min.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How long the body may take. Default: 30s. Range: 100ms to 10min.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long a query may take before it is answered with what there is. Default: 30s.
    /// Range: 100ms to 10min.
    #[serde(with = "humantime_serde")]
    pub query_timeout: Duration,
    /// Queries at the same time; four times as many wait. Fewer run at once where `[memory] limit`
    /// leaves no more than a little for each. Default: 4. Range: 1 to 256.
    pub max_concurrent_queries: usize,
    /// Threads that a query may run on at once: its own, and helpers, which all queries share.
    /// 0 is one for each core. Default: 0. Range: 0 to 256.
    pub query_threads: usize,
    /// The memory that the answers of all running queries may take; one that would need more is
    /// shorter, or partial. Default: 64 MiB. Range: 1 MiB to 64 GiB.
    pub query_memory: ByteSize,
    /// Live tails at the same time. Default: 64. Range: 0 to 4096.
    pub max_tails: usize,
    /// The version of Elasticsearch that its clients are told: Beats send nothing to one that is
    /// older than they are. Default: "9.99.0".
    pub elasticsearch_version: String,
    /// Proxies that say in a header for whom they call: networks and addresses. From anyone else
    /// that header is passed over. With them, who brings logs needs a key from everywhere.
    /// Default: none. Range: up to 256 of them.
    #[serde(deserialize_with = "nets")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say so, which they write themselves: `x-forwarded-for` or
    /// `forwarded`. Default: "x-forwarded-for".
    pub forwarded_header: ForwardedHeader,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8514)),
            require_key: false,
            allow_anonymous: false,
            environment: None,
            max_body: ByteSize::mib(16),
            max_events: 5000,
            max_connections: 4096,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(30),
            max_concurrent_queries: 4,
            query_threads: 0,
            query_memory: ByteSize::mib(64),
            max_tails: 64,
            elasticsearch_version: "9.99.0".to_owned(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
        }
    }
}

impl Config {
    /// Whether a caller needs a key: where it is said so, and on any address but loopback unless
    /// the contrary is said in so many words.
    pub fn requires_key(&self) -> bool {
        self.require_key || !(self.listen.ip().is_loopback() || self.allow_anonymous)
    }

    /// Who is trusted to say for whom they call.
    pub fn trusted_proxies(&self) -> TrustedProxies {
        TrustedProxies { networks: self.trusted_proxies.clone(), header: self.forwarded_header }
    }

    /// Threads that help queries, beside the one that each has.
    pub(super) fn query_helpers(&self) -> usize {
        let cores = || available_parallelism().map_or(1, NonZero::get);
        let threads = if self.query_threads == 0 { cores() } else { self.query_threads };
        threads.saturating_sub(1)
    }

    /// The memory for answers, in bytes.
    pub(super) fn query_memory_bytes(&self) -> usize {
        usize::try_from(self.query_memory.as_u64()).unwrap_or(usize::MAX)
    }

    /// Every value that makes no sense: its key, and what was expected.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut range = |key, ok: bool, expected: &str, found: String| {
            if !ok {
                problems.push((key, format!("expected {expected}, but found {found}")));
            }
        };
        let body = self.max_body;
        let ok = (ByteSize::kib(64)..=ByteSize::mib(64)).contains(&body);
        range("max_body", ok, "64 KiB to 64 MiB", body.to_string());
        let memory = self.query_memory;
        let ok = (ByteSize::mib(1)..=ByteSize::gib(64)).contains(&memory);
        range("query_memory", ok, "1 MiB to 64 GiB", memory.to_string());
        let numbers = [
            ("max_events", self.max_events, 1, 100_000),
            ("max_connections", self.max_connections, 1, 65_536),
            ("max_concurrent_queries", self.max_concurrent_queries, 1, 256),
            ("query_threads", self.query_threads, 0, 256),
            ("max_tails", self.max_tails, 0, 4096),
        ];
        for (key, found, min, max) in numbers {
            let ok = (min..=max).contains(&found);
            range(key, ok, &format!("{min} to {max}"), found.to_string());
        }
        let times = [
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("query_timeout", self.query_timeout),
        ];
        for (key, found) in times {
            let ok = (Duration::from_millis(100)..=Duration::from_secs(600)).contains(&found);
            range(key, ok, "100ms to 10min", humantime::format_duration(found).to_string());
        }
        let many = TrustedProxies::problem(&self.trusted_proxies);
        problems.extend(many.map(|what| ("trusted_proxies", what)));
        if self.require_key && self.allow_anonymous {
            let what = "expected one of require_key and allow_anonymous, but found both";
            problems.push(("allow_anonymous", what.to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_round_trip() {
        assert_eq!(Config::default().problems(), []);
        let text = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), Config::default());
    }

    #[test]
    fn au_10_a_public_address_requires_a_key_unless_told_in_so_many_words() {
        let mut config = Config::default();
        assert!(!config.requires_key());
        config.listen = "0.0.0.0:8514".parse().unwrap();
        assert!(config.requires_key());
        config.allow_anonymous = true;
        assert!(!config.requires_key());
        config.require_key = true;
        assert!(config.requires_key());
        assert_eq!(config.problems().len(), 1);
    }

    #[test]
    fn cf_01_every_problem_is_named() {
        let text = r#"{"max_body":"1 KiB","max_events":0,"header_timeout":"1ms","max_tails":5000}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let problems: Vec<_> =
            config.problems().into_iter().map(|(key, what)| format!("{key}: {what}")).collect();
        insta::assert_snapshot!(problems.join("\n"), @r"
        max_body: expected 64 KiB to 64 MiB, but found 1.0 KiB
        max_events: expected 1 to 100000, but found 0
        max_tails: expected 0 to 4096, but found 5000
        header_timeout: expected 100ms to 10min, but found 1ms
        ");
    }
}
