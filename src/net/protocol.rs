//! What a listener's senders speak, and how their bytes come.

use serde::{Deserialize, Serialize};

/// What senders speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 5424 and RFC 3164.
    Syslog,
    /// Logstash's tcp and udp outputs.
    Logstash,
    /// Graylog's GELF: datagrams and their chunks, and streams.
    Gelf,
    /// All that comes over HTTP.
    Http,
    /// Any of them, told by its first bytes, on a stream.
    Auto,
    /// Syslog messages that are acknowledged, as rsyslog's `omrelp` sends them.
    Relp,
    /// Fluentd's and Fluent Bit's forward protocol.
    Fluent,
    /// Beats and others that speak lumberjack, versions 1 and 2.
    Beats,
}

/// What becomes of a sender who may not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRefused {
    /// It is told that its events were taken, and they are dropped.
    #[default]
    Acknowledge,
    /// Its connection is closed.
    Close,
}

/// How bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
    /// A stream of a process on this machine.
    Unix,
    /// Datagrams of processes on this machine.
    Unixgram,
}

/// How Logstash events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// A JSON value on each line.
    #[default]
    JsonLines,
    /// JSON values one after the other.
    Json,
    /// Text lines.
    Line,
}

impl Protocol {
    /// Its name in the configuration, and in journals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syslog => "syslog",
            Self::Logstash => "logstash",
            Self::Gelf => "gelf",
            Self::Http => "http",
            Self::Auto => "auto",
            Self::Relp => "relp",
            Self::Beats => "beats",
            Self::Fluent => "fluent",
        }
    }
}

impl Transport {
    /// Whether it is one of datagrams.
    pub fn is_datagrams(self) -> bool {
        matches!(self, Self::Udp | Self::Unixgram)
    }

    /// Whether it is one of this machine's files.
    pub fn is_unix(self) -> bool {
        matches!(self, Self::Unix | Self::Unixgram)
    }
}
