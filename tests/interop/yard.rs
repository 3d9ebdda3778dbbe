//! A daemon that is killed and comes back on the same port, and what it has stored by then.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::support::{self, free_address};

/// Numbered messages of a client.
pub(crate) const COUNT: usize = 150;

/// Where the daemon comes back.
pub(crate) struct Yard {
    folder: tempfile::TempDir,
    /// The settings of its listener.
    listener: String,
    /// Where it listens.
    pub(crate) at: SocketAddr,
}

impl Yard {
    /// For one listener of that protocol.
    pub(crate) fn new(protocol: &str) -> Self {
        Self::with(protocol, "")
    }

    /// The same, with more settings.
    pub(crate) fn with(protocol: &str, settings: &str) -> Self {
        let at = free_address();
        let listener = format!("protocol = \"{protocol}\"\ntransport = \"tcp\"\nlisten = \"{at}\"");
        Self {
            folder: tempfile::tempdir().unwrap(),
            listener: format!("{listener}\n{settings}"),
            at,
        }
    }

    /// For datagrams of syslog at the socket `log` in its folder.
    pub(crate) fn local() -> Self {
        let listener = "protocol = \"syslog\"\ntransport = \"unixgram\"\nlisten = \"FOLDER/log\"";
        Self { listener: listener.to_owned(), ..Self::new("syslog") }
    }

    #[track_caller]
    pub(crate) fn start(&self) -> support::Daemon {
        let listeners = format!("[[listener]]\nname = \"push\"\n{}\n", self.listener);
        support::Daemon::with_listeners(self.folder(), "", &listeners)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The numbered messages of a client that are stored: `number 000007 of NAME`.
    pub(crate) fn stored(&self, daemon: &support::Daemon, name: &str) -> BTreeSet<String> {
        self.all_stored(daemon, name).into_iter().collect()
    }

    /// The same, as often as each is.
    pub(crate) fn all_stored(&self, daemon: &support::Daemon, name: &str) -> Vec<String> {
        let first = |message: &str| message.lines().next().unwrap_or_default().to_owned();
        let mut stored = Vec::new();
        // By leading digits, so that no page is too long.
        for digits in 0..100 {
            let filter =
                format!("message:\"number\" and message:\"of {name}\" and message:{digits:03}*");
            let query = json!({"filter": filter, "limit": 10_000, "fields": ["message"]});
            let found = daemon.query_with(&query);
            stored.extend(found.iter().map(|log| first(log["message"].as_str().unwrap())));
            if found.is_empty() {
                break;
            }
        }
        stored
    }
}
