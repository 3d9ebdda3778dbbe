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
        problems
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
