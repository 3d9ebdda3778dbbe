//! A daemon of its own for each test, asked what came of it.

use std::path::Path;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::event::Event;
use crate::support::{self, LISTENERS, wait_for};

/// The daemon, on free ports of the loopback, until it is dropped: then it has to end well.
pub(crate) struct Daemon {
    /// There until it is dropped.
    running: Option<support::Daemon>,
    folder: TempDir,
}

/// An API key.
pub(crate) struct Key {
    /// What everyone may see.
    pub(crate) id: String,
    /// What its sender sends.
    pub(crate) secret: String,
}

impl Daemon {
    /// Starts one with the listeners of all tests, those of [`MTLS`], and those of
    /// [`ANSWERING`].
    #[track_caller]
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listeners = format!("{LISTENERS}{MTLS}{ANSWERING}");
        let running = support::Daemon::with_listeners(folder.path(), "", &listeners);
        Self { running: Some(running), folder }
    }

    /// Where a test may leave files; `ca.pem` and the other certificates are there.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in that folder, as text for a configuration.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder().join(name).to_str().unwrap().to_owned()
    }

    /// `127.0.0.1:PORT` of a listener, of `api` or of `admin`.
    pub(crate) fn address(&self, listener: &str) -> &str {
        self.running().address(listener)
    }

    /// The port alone.
    pub(crate) fn port(&self, listener: &str) -> &str {
        self.address(listener).rsplit_once(':').unwrap().1
    }

    /// An address of the API.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("api"))
    }

    /// Waits for the one event with this phrase in its message.
    #[track_caller]
    pub(crate) fn find(&self, phrase: &str) -> Event {
        Event(self.running().find(&format!("message:\"{phrase}\"")))
    }

    /// As [`find`](Self::find), of those that came in at `listener`.
    #[track_caller]
    pub(crate) fn find_at(&self, listener: &str, phrase: &str) -> Event {
        let query = format!("listener:\"{listener}\" and message:\"{phrase}\"");
        Event(self.running().find(&query))
    }

    /// Waits until a query finds something, and expects so many events.
    #[track_caller]
    pub(crate) fn expect_count(&self, query: &str, count: usize) {
        let ask = || Some(self.running().query(query)).filter(|found| found.len() >= count);
        let found = wait_for(&format!("{count} events by {query}"), ask);
        assert_eq!(found.len(), count, "{found:#?}");
    }

    /// Makes a key that may write logs.
    #[track_caller]
    pub(crate) fn key(&self) -> Key {
        let new = json!({"name": "interop", "scopes": ["write:logs"]});
        let (id, secret) = self.running().create_key(&new);
        Key { id, secret }
    }

    /// The same with what else is asked of it.
    #[track_caller]
    pub(crate) fn key_with(&self, more: Value) -> Key {
        let mut new = json!({"name": "interop", "scopes": ["write:logs"]});
        for (name, value) in more.as_object().unwrap() {
            new[name] = value.clone();
        }
        let (id, secret) = self.running().create_key(&new);
        Key { id, secret }
    }

    /// What the API answers.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str) -> Value {
        let (status, answer) = self.running().call("GET", path, None, None);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Sends a line over a connection of its own.
    pub(crate) fn send(&self, listener: &str, line: &str) {
        self.running().send(listener, format!("{line}\n").as_bytes());
    }

    /// Takes a key back.
    #[track_caller]
    pub(crate) fn revoke(&self, key: &Key) {
        let path = format!("/v1/keys/{}", key.id);
        assert_eq!(self.running().call("DELETE", &path, None, None).0, 200);
    }

    /// Waits for an entry of who was turned away.
    #[track_caller]
    pub(crate) fn refused(&self, filter: &str) {
        self.running().find_in("blocked", filter);
    }

    fn running(&self) -> &support::Daemon {
        self.running.as_ref().expect("it runs until it is dropped")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        if thread::panicking() {
            eprintln!("== the daemon said:\n{}", running.said());
            return;
        }
        let ended = running.stop();
        assert!(ended.success(), "the daemon ended with {ended}");
        let listening = self.folder().join("data/listening.json");
        assert!(!listening.exists(), "{} outlived the daemon", listening.display());
    }
}

/// Beside the listeners of all tests, one of calls, one that lets nobody in without a certificate,
/// and one where a key can be shown by a server name. `FOLDER` stands for the folder of the test.
const MTLS: &str = r#"
[[listener]]
name = "web"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
require_key = true

[[listener]]
name = "gelf"
protocol = "gelf"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "gelf-udp"
protocol = "gelf"
transport = "udp"
listen = "127.0.0.1:0"

[[listener]]
name = "unix"
protocol = "syslog"
transport = "unix"
listen = "FOLDER/unix.sock"

[[listener]]
name = "log"
protocol = "syslog"
transport = "unixgram"
listen = "FOLDER/log"

[[listener]]
name = "proxied"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"] }

[[listener]]
name = "proxied-tls"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"] }
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "proxied-auto"
protocol = "auto"
transport = "tcp"
listen = "127.0.0.1:0"
proxy = { trusted = ["127.0.0.1"] }
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "mtls"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[listener.tls]
cert = "FOLDER/server.pem"
key = "FOLDER/server.key"
client_ca = "FOLDER/ca.pem"
require_client_cert = true

[[listener]]
name = "named"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[listener.tls]
cert = "FOLDER/server.pem"
key = "FOLDER/server.key"
key_domain = "logs.example"
"#;

/// Listeners for protocols that answer, with TLS and without.
const ANSWERING: &str = r#"
[[listener]]
name = "relp"
protocol = "relp"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "relp-tls"
protocol = "relp"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "fluent"
protocol = "fluent"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "fluent-tls"
protocol = "fluent"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }
"#;
