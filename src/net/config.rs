//! `[[listener]]`: one configured socket.

pub(super) use super::protocol::{Codec, OnRefused};
pub use super::protocol::{Protocol, Transport};

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::http::{HttpConfig, elasticsearch_version, max_body};
use super::listen::Listen;
use super::proxies::ProxyConfig;
use super::tls::{Tls, TlsError};
use super::unix::SocketOwner;
use crate::frame::{Framing, SharedKey};
use crate::gate::{Environment, Label, nets};
use crate::ingest::Format;
use crate::parse::{ForwardedHeader, TrustedProxies};

/// One socket that senders write to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Its name in metrics and journals. Range: 1 to 64 letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// What senders speak: `syslog`, `logstash`, `beats`, `gelf`, `relp`, `fluent`, `http`, or
    /// `auto`: any of them but `fluent`, told by the first bytes of a connection.
    pub protocol: Protocol,
    /// How it comes: `tcp`, `udp`, `unix` (a stream) or `unixgram` (datagrams, as at `/dev/log`).
    pub transport: Transport,
    /// Where: an address and a port; of `unix` and `unixgram` a path of at most 107 bytes.
    pub listen: Listen,
    /// Who may write to it, where it is a file.
    #[serde(default)]
    pub socket: SocketOwner,
    /// How syslog messages are told apart on a stream. Default: "auto".
    #[serde(default)]
    pub framing: Framing,
    /// How Logstash events are written: `json_lines`, `json` or `line`.
    /// Default: `"json_lines"`.
    #[serde(default)]
    pub codec: Codec,
    /// Whether a sender without a key is turned away. Default: false on loopback, else true.
    pub require_key: Option<bool>,
    /// Must be true for `require_key = false` on an address that others can reach. With it web
    /// pages may send without a key as well, where it is http. Default: false.
    #[serde(default)]
    pub allow_anonymous: bool,
    /// The public id of the key of all senders who name none. Default: none.
    pub key: Option<String>,
    /// The project of senders without a key. Default: "default".
    #[serde(default = "default_project")]
    pub project: String,
    /// The environment of all keys that may be used here: `production`, `staging` or
    /// `development`. Default: keys of any.
    pub environment: Option<Environment>,
    /// The zone of times that name none: `Z`, `+hh:mm` or `-hh:mm`. Default: "Z".
    #[serde(default = "default_timezone")]
    pub timezone: String,
    /// Whether all events keep the raw message as `event.original`. Default: false.
    #[serde(default)]
    pub keep_original: bool,
    /// A longer message is cut once and marked. Default: 256 KiB. Range: 1 KiB to 16 MiB.
    #[serde(default = "default_max_message")]
    pub max_message: ByteSize,
    /// Connections open at the same time; others wait to be accepted. Of all listeners there are no
    /// more than `[memory] limit` has room for. Default: 16384.
    #[serde(default = "default_max_connections")]
    pub max_connections: u32,
    /// A connection that says nothing for so long is closed; over HTTP also one whose next head
    /// has not come by then. Default: never; 5m for `beats`, 1min over HTTP.
    #[serde(default, with = "humantime_serde")]
    pub idle_timeout: Option<Duration>,
    /// What becomes of a sender whose key is refused, where the protocol acknowledges: `acknowledge`
    /// drops its events, so that it does not send them for ever, `close` ends the connection without
    /// a word, so that it keeps them. Both are noted. Default: "acknowledge".
    #[serde(default)]
    pub on_refused: OnRefused,
    /// A TLS handshake must be done in this time, and before it a PROXY header. Default: 10s.
    #[serde(default = "default_handshake_timeout", with = "humantime_serde")]
    pub handshake_timeout: Duration,
    /// The receive buffer asked of the kernel for datagrams: four fifths of a second of 300,000 short
    /// ones. Granted as far as `net.core.rmem_max` or `CAP_NET_ADMIN` allows. Default: 128 MiB.
    /// Range: up to 1 GiB.
    #[serde(default = "default_receive_buffer")]
    pub receive_buffer: ByteSize,
    /// The longest body over HTTP, as it comes and as it is after decompression. Default: 16 MiB.
    /// Range: 64 KiB to 64 MiB.
    #[serde(default = "max_body")]
    pub max_body: ByteSize,
    /// How long a body may take over HTTP. Default: 30s.
    #[serde(default = "default_body_timeout", with = "humantime_serde")]
    pub body_timeout: Duration,
    /// What Fluentd's senders prove to know before they send, as their `shared_key`; with `key` they
    /// are its senders. Default: nothing is to be proven. Range: 8 to 1024 bytes.
    pub shared_key: Option<SharedKey>,
    /// The version of Elasticsearch that its clients are told: Beats send nothing to one that is
    /// older than they are. Default: "9.99.0".
    #[serde(default = "elasticsearch_version")]
    pub elasticsearch_version: String,
    /// TLS, where there is to be any.
    pub tls: Option<TlsConfig>,
    /// Whether connections without TLS are refused by a listener with `protocol = "auto"`; others
    /// that have a certificate do so in any case. Default: false.
    #[serde(default)]
    pub require_tls: bool,
    /// Proxies that say for whom they connect. Default: none.
    pub proxy: Option<ProxyConfig>,
    /// Proxies over HTTP that say in a header for whom they call: networks and addresses. From
    /// anyone else that header is passed over. Default: none. Range: up to 256 of them.
    #[serde(default, deserialize_with = "nets")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say so, which they write themselves: `x-forwarded-for` or
    /// `forwarded`. Default: "x-forwarded-for".
    #[serde(default)]
    pub forwarded_header: ForwardedHeader,
}

/// Certificates of a listener: PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, and those that vouch for it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who vouches for clients. Default: clients show no certificate.
    pub client_ca: Option<PathBuf>,
    /// Certificates of clients that were revoked since: lists in PEM form, of all who vouch for
    /// clients. A client is refused whose authority has none in it. Default: none is revoked.
    pub client_crl: Option<PathBuf>,
    /// Whether a private key that everyone on the machine can read is refused; else it is warned
    /// of. Default: false.
    #[serde(default)]
    pub refuse_exposed_key: bool,
    /// Whether a client without a certificate is refused. Default: false.
    #[serde(default)]
    pub require_client_cert: bool,
    /// Where the names end that clients may ask for to show their key: of `web.logs.example` the
    /// label `web` does, if this is `logs.example` and a key has it. Anyone can read and send it.
    /// Default: no name shows a key.
    pub key_domain: Option<String>,
}

impl ListenerConfig {
    /// Whether the certificates and keys that it names can be used.
    ///
    /// # Errors
    ///
    /// The first file that is wrong.
    pub fn check_files(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |tls| Tls::open(tls).map(drop))
    }

    /// A listener with the defaults of everything else.
    pub fn new(
        name: &str,
        protocol: Protocol,
        transport: Transport,
        listen: impl Into<Listen>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            transport,
            listen: listen.into(),
            socket: SocketOwner::default(),
            framing: Framing::default(),
            codec: Codec::default(),
            require_key: None,
            allow_anonymous: false,
            key: None,
            project: default_project(),
            environment: None,
            timezone: default_timezone(),
            keep_original: false,
            max_message: default_max_message(),
            max_connections: default_max_connections(),
            idle_timeout: None,
            on_refused: OnRefused::default(),
            handshake_timeout: default_handshake_timeout(),
            receive_buffer: default_receive_buffer(),
            max_body: max_body(),
            body_timeout: default_body_timeout(),
            shared_key: None,
            elasticsearch_version: elasticsearch_version(),
            tls: None,
            require_tls: false,
            proxy: None,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
        }
    }

    /// Whether a sender without a key is turned away.
    pub fn requires_key(&self) -> bool {
        self.require_key.unwrap_or(!self.is_for_here())
    }

    /// Whether nobody comes but who is on this machine.
    fn is_for_here(&self) -> bool {
        self.listen.is_here() && self.trusted_proxies.is_empty()
    }

    /// Who is trusted to say for whom they call.
    pub(super) fn trusted_proxies(&self) -> TrustedProxies {
        TrustedProxies { networks: self.trusted_proxies.clone(), header: self.forwarded_header }
    }

    /// How its messages are read.
    pub fn format(&self) -> Format {
        match (self.protocol, self.codec) {
            (Protocol::Syslog | Protocol::Relp | Protocol::Auto, _) => Format::Syslog,
            (Protocol::Beats, _) => Format::Beats,
            (Protocol::Gelf, _) => Format::Gelf,
            (Protocol::Logstash, Codec::Line) => Format::Line,
            (Protocol::Logstash, Codec::Json | Codec::JsonLines)
            | (Protocol::Http | Protocol::Fluent, _) => Format::Json,
        }
    }

    /// Limits of a call over HTTP.
    pub(super) fn http(&self) -> HttpConfig {
        HttpConfig {
            max_body: usize::try_from(self.max_body.as_u64()).unwrap_or(usize::MAX),
            max_message: self.max_len(),
            body_timeout: self.body_timeout,
            elasticsearch_version: self.elasticsearch_version.clone(),
            ..HttpConfig::default()
        }
    }

    /// How long a connection may say nothing.
    pub(super) fn idle(&self) -> Option<Duration> {
        let usual = (self.protocol == Protocol::Beats).then_some(BEATS_IDLE);
        self.idle_timeout.or(usual)
    }

    /// The longest message, in bytes.
    pub(super) fn max_len(&self) -> usize {
        usize::try_from(self.max_message.as_u64()).unwrap_or(usize::MAX)
    }

    /// Seconds east of UTC of times that name no zone.
    pub fn zone_offset(&self) -> Option<i32> {
        let sign = match self.timezone.as_bytes() {
            b"Z" | b"UTC" => return Some(0),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            _ => return None,
        };
        let (hours, minutes) = self.timezone.get(1..)?.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let in_range = (0..=14).contains(&hours) && (0..60).contains(&minutes);
        in_range.then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// Every setting that makes no sense: its key, and what was expected.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(named) {
            let what = "expected 1 to 64 letters, digits, \"-\", \"_\" or \".\"";
            problems.push(("name", format!("{what}, but found {:?}", self.name)));
        }
        if OWN_NAMES.contains(&self.name.as_str()) {
            let what = "expected a name that is not the daemon's own";
            problems.push(("name", format!("{what}, but found {:?}", self.name)));
        }
        if self.project.is_empty() || self.project.starts_with('_') {
            let what = "expected a name that does not begin with \"_\"";
            problems.push(("project", format!("{what}, but found {:?}", self.project)));
        }
        if self.zone_offset().is_none() {
            let what = "expected \"Z\", \"+hh:mm\" or \"-hh:mm\"";
            problems.push(("timezone", format!("{what}, but found {:?}", self.timezone)));
        }
        if !(ByteSize::kib(1)..=ByteSize::mib(16)).contains(&self.max_message) {
            let found = self.max_message;
            problems.push(("max_message", format!("expected 1 KiB to 16 MiB, but found {found}")));
        }
        let times = [
            ("handshake_timeout", Some(self.handshake_timeout)),
            ("body_timeout", Some(self.body_timeout)),
            ("idle_timeout", self.idle_timeout),
        ];
        for (key, found) in times {
            let found = found.filter(|found| *found < Duration::from_millis(10));
            if let Some(found) = found.map(humantime::format_duration) {
                problems.push((key, format!("expected 10ms or more, but found {found}")));
            }
        }
        if self.receive_buffer > ByteSize::gib(1) {
            let found = self.receive_buffer;
            problems.push(("receive_buffer", format!("expected 1 GiB at most, but found {found}")));
        }
        self.protocol_problems(&mut problems);
        if self.max_connections == 0 {
            problems.push(("max_connections", "expected 1 or more, but found 0".to_owned()));
        }
        self.tls_problems(&mut problems);
        self.listen_problems(&mut problems);
        self.forwarded_problems(&mut problems);
        problems.extend(self.proxy.iter().flat_map(|proxy| proxy.problems(self.transport)));
        if !self.requires_key() && !self.allow_anonymous && !self.is_for_here() {
            let what = "expected allow_anonymous = true to let anyone write to";
            problems.push(("require_key", format!("{what} {}, but found false", self.listen)));
        }
        problems
    }

    fn protocol_problems(&self, problems: &mut Vec<(&'static str, String)>) {
        if !(ByteSize::kib(64)..=ByteSize::mib(64)).contains(&self.max_body) {
            let found = self.max_body;
            problems.push(("max_body", format!("expected 64 KiB to 64 MiB, but found {found}")));
        }
        if ANSWERING.contains(&self.protocol) && self.transport.is_datagrams() {
            let name = self.protocol.name();
            let what = format!("expected a stream for protocol = {name:?}, but found datagrams");
            problems.push(("transport", what));
        }
        if let Some(key) = &self.shared_key {
            if self.protocol != Protocol::Fluent {
                let what = "expected it where the protocol is fluent, but found it with another";
                problems.push(("shared_key", what.to_owned()));
            }
            if !(8..=1024).contains(&key.len()) {
                let what = format!("expected 8 to 1024 bytes, but found {}", key.len());
                problems.push(("shared_key", what));
            }
        }
    }

    /// About proxies that write headers of HTTP.
    fn forwarded_problems(&self, problems: &mut Vec<(&'static str, String)>) {
        if !self.trusted_proxies.is_empty() && !OF_HTTP.contains(&self.protocol) {
            let what = "expected proxies with a header where the protocol is http or auto, but found \
                        them with another";
            problems.push(("trusted_proxies", what.to_owned()));
        }
        let many = TrustedProxies::problem(&self.trusted_proxies);
        problems.extend(many.map(|what| ("trusted_proxies", what)));
    }

    fn listen_problems(&self, problems: &mut Vec<(&'static str, String)>) {
        let what = match (self.transport.is_unix(), &self.listen) {
            (false, Listen::Path(_)) => "expected an address and a port",
            (true, Listen::Address(_)) => "expected the path of a socket",
            (true, Listen::Path(path)) if path.as_os_str().len() > MAX_PATH => {
                "expected a path of at most 107 bytes"
            }
            _ => "",
        };
        if !what.is_empty() {
            problems.push(("listen", format!("{what}, but found {}", self.listen)));
        }
        if self.transport.is_unix() {
            problems.extend(self.socket.problems());
        } else if self.socket != SocketOwner::default() {
            let what = "expected the transport unix or unixgram beside it, but found another";
            problems.push(("socket", what.to_owned()));
        }
    }

    fn tls_problems(&self, problems: &mut Vec<(&'static str, String)>) {
        if self.tls.is_some() && self.transport != Transport::Tcp {
            let what = "expected a certificate on a listener of tcp only, but found one on another";
            problems.push(("tls", what.to_owned()));
        }
        if self.require_tls && self.tls.is_none() {
            let what = "expected tls beside require_tls = true, but found none";
            problems.push(("require_tls", what.to_owned()));
        }
        if let Some(TlsConfig { client_ca: None, require_client_cert: true, .. }) = &self.tls {
            let what = "expected client_ca beside require_client_cert = true, but found none";
            problems.push(("tls.client_ca", what.to_owned()));
        }
        if let Some(TlsConfig { client_ca: None, client_crl: Some(_), .. }) = &self.tls {
            let what = "expected client_ca beside client_crl, but found none";
            problems.push(("tls.client_ca", what.to_owned()));
        }
        let domain = self.tls.as_ref().and_then(|tls| tls.key_domain.as_ref());
        let is_name = |domain: &&String| domain.split('.').all(|part| Label::parse(part).is_some());
        if let Some(found) = domain.filter(|domain| !is_name(domain)) {
            let what = format!("expected the name of a domain, but found {found:?}");
            problems.push(("tls.key_domain", what));
        }
    }
}

/// Names under which the daemon books what comes in by its own doors.
const OWN_NAMES: [&str; 4] = ["http", "journal", "api", "admin"];

fn default_project() -> String {
    "default".to_owned()
}

fn default_timezone() -> String {
    "Z".to_owned()
}

fn default_max_message() -> ByteSize {
    ByteSize::kib(256)
}

fn default_max_connections() -> u32 {
    16_384
}

fn default_handshake_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_receive_buffer() -> ByteSize {
    ByteSize::mib(128)
}

fn default_body_timeout() -> Duration {
    Duration::from_secs(30)
}

/// The longest path of a unix socket, in bytes (`unix(7)`).
const MAX_PATH: usize = 107;

/// Protocols that answer their senders, or may.
const ANSWERING: [Protocol; 5] =
    [Protocol::Http, Protocol::Relp, Protocol::Beats, Protocol::Fluent, Protocol::Auto];

/// Protocols whose calls may come through proxies that write headers.
const OF_HTTP: [Protocol; 2] = [Protocol::Http, Protocol::Auto];

/// How long Beats may say nothing: they connect anew when they have something to say.
const BEATS_IDLE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(listen: &str) -> ListenerConfig {
        let listen: Listen = listen.parse().unwrap();
        ListenerConfig::new("x", Protocol::Syslog, Transport::Tcp, listen)
    }

    #[test]
    fn au_10_a_public_address_requires_a_key_unless_told_in_so_many_words() {
        assert!(listener("0.0.0.0:5514").requires_key());
        assert!(!listener("127.0.0.1:5514").requires_key());
        let mut open = listener("0.0.0.0:5514");
        open.require_key = Some(false);
        assert_eq!(open.problems().first().map(|(key, _)| *key), Some("require_key"));
        open.allow_anonymous = true;
        assert_eq!(open.problems(), []);
    }

    #[test]
    fn a_path_goes_with_a_unix_socket_and_an_address_with_a_port() {
        let problems = |transport, listen: &str| {
            let mut config = listener(listen);
            config.transport = transport;
            config.problems().into_iter().map(|(_, what)| what).collect::<Vec<_>>().join(", ")
        };
        for transport in [Transport::Unix, Transport::Unixgram] {
            assert_eq!(problems(transport, "/dev/log"), "");
            let what = "expected the path of a socket, but found 127.0.0.1:514";
            assert_eq!(problems(transport, "127.0.0.1:514"), what);
            assert_ne!(problems(transport, &format!("/{}", "x".repeat(107))), "");
        }
        let what = "expected an address and a port, but found /dev/log";
        assert_eq!(problems(Transport::Tcp, "/dev/log"), what);
        assert_eq!(problems(Transport::Udp, "/dev/log"), what);
        // Who is on this machine needs no key; everyone who may write to the file is let in.
        assert!(!listener("/dev/log").requires_key());
    }

    #[test]
    fn what_is_answered_comes_over_a_stream() {
        let mut listener = listener("127.0.0.1:2514");
        listener.protocol = Protocol::Relp;
        assert_eq!(listener.problems(), []);
        listener.transport = Transport::Udp;
        assert_eq!(listener.problems().first().map(|(key, _)| *key), Some("transport"));
    }

    #[test]
    fn zones() {
        let zone = |text: &str| {
            let mut config = listener("127.0.0.1:0");
            config.timezone = text.to_owned();
            config.zone_offset()
        };
        assert_eq!(zone("Z"), Some(0));
        assert_eq!(zone("+05:30"), Some(19_800));
        assert_eq!(zone("-03:00"), Some(-10_800));
        assert_eq!(zone("Europe/Berlin"), None);
        assert_eq!(zone("+99:00"), None);
    }
}
