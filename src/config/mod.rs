//! Reads the configuration and refuses anything it does not understand.
//!
//! ```text
//!  defaults ◀─ file ◀─ LOGTRACE_SECTION__KEY ◀─ --set section.key=value ──▶ Config ──check──▶ app
//! ```
//!
//! Each part of the program owns the struct of its section; this module only composes them. Wrong
//! types, units and spellings are found while reading, values that make no sense by `problems`, and
//! all of the latter are reported at once, each as `path:line: key: expected …, but found …`.

mod changes;
mod connections;
mod error;
mod memory;
mod overrides;
mod problems;
mod read;

pub use self::changes::{Changes, ListenerChanges};
pub use self::connections::Connections;
pub use self::error::{ConfigErrors, Problem};
pub use self::read::{Reader, load};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::net::{ListenerConfig, Protocol, Transport};
use crate::{admin, api, audit, batch, gate, memory as shared, people, senders, ship, store};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything is kept. Default: "data", in the folder that the daemon is started in.
    pub data_dir: PathBuf,
    /// REST.
    pub api: api::Config,
    /// Health and metrics.
    pub admin: admin::Config,
    /// Who may pass.
    pub gate: gate::Config,
    /// How long people stay signed in.
    pub people: people::Config,
    /// The record of changes.
    pub audit: audit::Config,
    /// When events are made durable.
    pub batch: batch::Config,
    /// How events are kept.
    pub store: store::Config,
    /// Who sends, and how long they may be quiet.
    pub senders: senders::Config,
    /// Calls to others.
    pub ship: ship::Config,
    /// How much memory all of it may take.
    pub memory: shared::Config,
    /// What the daemon says of itself.
    pub log: Log,
    /// How it ends.
    pub shutdown: Shutdown,
    /// What is shown of it.
    pub metrics: Metrics,
    /// Where journals are forwarded to.
    pub forward: Vec<ship::ForwardConfig>,
    /// The sockets that senders write to.
    pub listener: Vec<ListenerConfig>,
}

/// Section `[log]`: what the daemon says of itself, on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module: `info,logtrace::net=debug`.
    /// Default: "info".
    pub level: String,
    /// `text` or `json`. Default: "text".
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Section `[shutdown]`: how the daemon ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long connections have to end. What was accepted is stored in any case. Default: 10s.
    /// Range: 0s to 10min.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

/// Section `[metrics]`: what is shown of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Keys that have series of their own; the others share some. Default: 1000.
    /// Range: 0 to 100000.
    pub max_keys: usize,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let listener = |name, protocol, transport, port| {
            ListenerConfig::new(name, protocol, transport, local(port))
        };
        Self {
            data_dir: PathBuf::from("data"),
            api: api::Config::default(),
            admin: admin::Config::default(),
            gate: gate::Config::default(),
            people: people::Config::default(),
            audit: audit::Config::default(),
            batch: batch::Config::default(),
            store: store::Config::default(),
            senders: senders::Config::default(),
            ship: ship::Config::default(),
            memory: shared::Config::default(),
            log: Log::default(),
            shutdown: Shutdown::default(),
            metrics: Metrics::default(),
            forward: Vec::new(),
            listener: vec![
                listener("syslog-tcp", Protocol::Syslog, Transport::Tcp, 5514),
                listener("syslog-udp", Protocol::Syslog, Transport::Udp, 5514),
                listener("logstash-tcp", Protocol::Logstash, Transport::Tcp, 5000),
                listener("logstash-udp", Protocol::Logstash, Transport::Udp, 5000),
                listener("relp", Protocol::Relp, Transport::Tcp, 2514),
                listener("beats", Protocol::Beats, Transport::Tcp, 5044),
                listener("gelf-tcp", Protocol::Gelf, Transport::Tcp, 12201),
                listener("gelf-udp", Protocol::Gelf, Transport::Udp, 12201),
            ],
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default() }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10) }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { max_keys: 1000 }
    }
}

#[cfg(test)]
mod tests;
