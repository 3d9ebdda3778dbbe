//! What a door says of itself.

use std::net::IpAddr;
use std::sync::Arc;

use crate::gate::Environment;
use crate::journal::Call;
use crate::metrics::Account;

/// How the messages of a listener are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 5424 and RFC 3164.
    Syslog,
    /// Logstash's `json_lines` and `json`.
    Json,
    /// GELF.
    Gelf,
    /// Logstash's `line`.
    Line,
    /// Entries of systemd's journal.
    JournalExport,
    /// Events of Beats.
    Beats,
}

/// A configured socket, as the way of its messages sees it.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in the configuration, the metrics and the journals.
    pub name: Arc<str>,
    /// Protocol and transport, for the journals: `syslog/tcp`.
    pub protocol: String,
    /// How its messages are read.
    pub format: Format,
    /// The project of senders that have no key.
    pub project: Arc<str>,
    /// The environment of all keys that may be used here.
    pub environment: Option<Environment>,
    /// Whether a sender without a key is turned away.
    pub require_key: bool,
    /// Whether web pages may send without a key, where others may. A page is let in by where its
    /// browser is, which is not its own doing.
    pub takes_pages: bool,
    /// The public id of its own key: that of every sender who names none.
    pub key: Option<String>,
    /// Seconds east of UTC of times that name no zone.
    pub zone_offset: i32,
    /// Whether all events keep `event.original`.
    pub keep_original: bool,
    /// Whether its source addresses can be forged, and senders cannot be slowed down.
    pub datagrams: bool,
    /// What becomes of its messages.
    pub account: Arc<Account>,
}

impl Listener {
    /// The same one, whose messages are read in another way.
    pub fn reading(&self, format: Format) -> Self {
        Self { format, ..self.clone() }
    }

    /// What the journals say of someone who came in here.
    pub fn call(&self, peer: IpAddr, key: Option<&str>) -> Call {
        Call {
            target: self.name.to_string(),
            method: self.protocol.clone(),
            peer: Some(peer),
            key: key.map(str::to_owned),
            is_forgeable: self.datagrams,
            ..Call::default()
        }
    }
}
