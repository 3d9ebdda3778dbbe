//! The section `[ship]` of the configuration.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::gate::parse_net;

/// Calls to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Networks and addresses that calls may go to, beside the internet: webhooks and lists in
    /// one's own network. Default: none. Range: 1024 of them.
    #[serde(deserialize_with = "nets")]
    pub allow_networks: Vec<IpNet>,
    /// Whether calls may be made without TLS. Default: false.
    pub allow_http: bool,
    /// A file of the certificates, in PEM form, of those who vouch for receivers. Default: none,
    /// whom this machine trusts.
    pub ca: Option<PathBuf>,
    /// How long a connection may take to be made. Default: 5s. Range: 100ms to 1min.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long a call may take as a whole. Default: 15s. Range: 100ms to 10min.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Webhooks.
    pub webhooks: Webhooks,
}

/// Section `[ship.webhooks]`: receivers that are told of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// How many there may be. Default: 100. Range: 0 to 1000.
    pub max: usize,
    /// Deliveries of one that may wait; past it new ones are dropped and counted. Default: 1000.
    /// Range: 1 to 100000.
    pub max_queued: usize,
    /// How long after a first attempt that failed there is another; the wait doubles with each, and
    /// is of random length. Default: 5s. Range: 1ms to 1h.
    #[serde(with = "humantime_serde")]
    pub first_retry: Duration,
    /// The longest wait between two attempts. Default: 1h. Range: 1ms to 1d.
    #[serde(with = "humantime_serde")]
    pub max_retry: Duration,
    /// Attempts that fail before a delivery is given up: more than a day, with these waits.
    /// Default: 50. Range: 1 to 1000.
    pub max_attempts: u32,
}

impl Config {
    /// Every setting that makes no sense: its key within the section, and what was expected.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.allow_networks.len() > MAX_NETWORKS {
            let found = self.allow_networks.len();
            let what = format!("expected at most {MAX_NETWORKS}, but found {found}");
            problems.push(("allow_networks".to_owned(), what));
        }
        let mut time = |key: &str, found: Duration, words, range: RangeInclusive<Duration>| {
            if !range.contains(&found) {
                let found = humantime::format_duration(found);
                problems.push((key.to_owned(), format!("expected {words}, but found {found}")));
            }
        };
        time("connect_timeout", self.connect_timeout, "100ms to 1min", TENTH..=MINUTE);
        time("timeout", self.timeout, "100ms to 10min", TENTH..=10 * MINUTE);
        let webhooks = &self.webhooks;
        let milli = Duration::from_millis(1);
        time("webhooks.first_retry", webhooks.first_retry, "1ms to 1h", milli..=60 * MINUTE);
        time("webhooks.max_retry", webhooks.max_retry, "1ms to 1d", milli..=24 * 60 * MINUTE);
        let mut number = |key: &str, found: usize, range: RangeInclusive<usize>| {
            if !range.contains(&found) {
                let words = format!("{} to {}", range.start(), range.end());
                problems.push((key.to_owned(), format!("expected {words}, but found {found}")));
            }
        };
        number("webhooks.max", webhooks.max, 0..=1000);
        number("webhooks.max_queued", webhooks.max_queued, 1..=100_000);
        let attempts = usize::try_from(webhooks.max_attempts).unwrap_or(usize::MAX);
        number("webhooks.max_attempts", attempts, 1..=1000);
        problems
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            max: 100,
            max_queued: 1000,
            first_retry: Duration::from_secs(5),
            max_retry: 60 * MINUTE,
            max_attempts: 50,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            allow_http: false,
            ca: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            webhooks: Webhooks::default(),
        }
    }
}

fn nets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let net = |text: &String| {
        parse_net(text).ok_or_else(|| {
            D::Error::custom(format_args!("expected an address or a network, but found {text:?}"))
        })
    };
    texts.iter().map(net).collect()
}

const TENTH: Duration = Duration::from_millis(100);

const MINUTE: Duration = Duration::from_secs(60);

const MAX_NETWORKS: usize = 1024;
