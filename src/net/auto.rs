//! Listeners that take whatever protocol their senders speak, told by its first bytes.
//!
//! ```text
//!  accept ─▶ [PROXY] ─▶ recognize ─▶ TLS ─▶ recognize ─┬▶ as a listener of that protocol
//!                            └────── no TLS ───────────┘    (not where TLS is required)
//! ```
//!
//! A connection has the protocol of its first message to its end. A sender that says too little to
//! tell is waited for, from its first byte on as long as a handshake may take; then it is syslog.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::config::{Codec, Protocol};
use super::http;
use super::phase::Phase;
use super::rewound::{Rewound, read_some};
use super::tcp::{Acceptor, Client};
use super::tls::Tls;
use super::waiting::before;
use crate::frame::{Spoken, recognize};
use crate::gate::Connection;
use crate::ingest::Listener;

/// As listeners of which protocols connections may be served.
#[derive(Clone)]
pub(super) struct Variants(Vec<(Protocol, Acceptor)>);

impl Variants {
    /// Those of `acceptor`, which is one for all protocols.
    pub(super) fn of(acceptor: &Acceptor) -> Self {
        let protocols = Spoken::ALL.into_iter().filter_map(protocol);
        Self(protocols.map(|protocol| (protocol, variant(acceptor, protocol))).collect())
    }

    fn find(&self, spoken: Spoken) -> Option<&Acceptor> {
        let wanted = protocol(spoken);
        let found = self.0.iter().find(|(protocol, _)| Some(*protocol) == wanted);
        found.map(|(_, acceptor)| acceptor)
    }
}

/// How a listener would be configured for what is spoken; TLS is no protocol of messages.
fn protocol(spoken: Spoken) -> Option<Protocol> {
    Some(match spoken {
        Spoken::Tls => return None,
        Spoken::Http => Protocol::Http,
        Spoken::Lumberjack => Protocol::Beats,
        Spoken::Relp => Protocol::Relp,
        Spoken::Gelf => Protocol::Gelf,
        Spoken::Json => Protocol::Logstash,
        Spoken::Syslog => Protocol::Syslog,
    })
}

fn variant(acceptor: &Acceptor, protocol: Protocol) -> Acceptor {
    let mut config = (*acceptor.config).clone();
    (config.protocol, config.codec) = (protocol, Codec::Json);
    let listener = Listener {
        protocol: acceptor.listener.protocol.replacen("auto", protocol.name(), 1),
        format: config.format(),
        ..(*acceptor.listener).clone()
    };
    let (config, listener) = (Arc::new(config), Arc::new(listener));
    let http = (protocol == Protocol::Http).then(|| {
        let (ingest, listener) = (Arc::clone(&acceptor.ingest), Arc::clone(&listener));
        Arc::new(http::server(ingest, listener, &config, &acceptor.stop))
    });
    Acceptor { config, listener, http, variants: None, ..acceptor.clone() }
}

impl Acceptor {
    /// Serves a connection as what it is.
    pub(super) async fn serve_any<'a, S>(
        &'a self,
        variants: &'a Variants,
        socket: S,
        client: Client,
        connection: Connection,
    ) -> Phase<'a>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        let Some((spoken, socket)) = self.recognized(socket).await else { return Phase::END };
        match (spoken, &self.tls) {
            (Spoken::Tls, Some(tls)) => {
                let within = self.serve_within(tls, variants, socket, client, connection);
                return Phase::new(within);
            }
            (Spoken::Tls, None) => self.note_tls_on_plain_port(client.ip(), socket.unread()),
            (spoken, _) if self.config.require_tls => {
                let what = format!("expected a TLS handshake, but found {}", spoken.name());
                self.note(client.ip(), "TLS_REQUIRED", what);
            }
            (spoken, _) => match variants.find(spoken) {
                Some(variant) => return variant.talk(socket, client, connection, None),
                None => self.note_unspoken(spoken, client),
            },
        }
        Phase::END
    }

    /// Serves what is in TLS as what it is.
    async fn serve_within<'a, S>(
        &'a self,
        tls: &'a Tls,
        variants: &'a Variants,
        socket: S,
        client: Client,
        connection: Connection,
    ) -> Phase<'a>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        let shaken = self.handshake(tls, socket, client).await;
        let Some((socket, key)) = shaken else { return Phase::END };
        Phase::new(async move {
            let Some((spoken, socket)) = self.recognized(socket).await else { return Phase::END };
            if let Some(variant) = variants.find(spoken) {
                return variant.talk(socket, client, connection, key);
            }
            self.note_unspoken(spoken, client);
            Phase::END
        })
    }

    /// Notes that a connection is of nothing that can be served here, as TLS within TLS is.
    fn note_unspoken(&self, spoken: Spoken, client: Client) {
        let what = format!("expected a protocol of messages, but found {}", spoken.name());
        self.note(client.ip(), "PROTOCOL_UNKNOWN", what);
    }

    /// What a connection is of, and all of it; none if it ended before it began, or at the stop.
    async fn recognized<S>(&self, mut socket: S) -> Option<(Spoken, Rewound<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut bytes = Vec::new();
        let told = {
            let reading = std::pin::pin!(self.read_until_told(&mut socket, &mut bytes));
            before(&self.stop, reading).await
        };
        let spoken = match told {
            Some(spoken) => spoken?,
            None => recognize(&bytes, true).filter(|_| !bytes.is_empty())?,
        };
        debug!(listener = %self.listener.name, spoken = spoken.name(), "recognized");
        Some((spoken, Rewound::new(bytes, socket)))
    }

    async fn read_until_told<S>(&self, socket: &mut S, bytes: &mut Vec<u8>) -> Option<Spoken>
    where
        S: AsyncRead + Unpin,
    {
        let idle = self.config.idle_timeout.unwrap_or(FOREVER);
        match timeout(idle, read_some(socket, bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => return None,
        }
        let until = Instant::now() + self.config.handshake_timeout;
        loop {
            if let Some(spoken) = recognize(bytes, false) {
                return Some(spoken);
            }
            match timeout_at(until, read_some(socket, bytes)).await {
                Ok(Ok(1..)) => {}
                // It is over, or nothing more comes in time: what there is has to do.
                Ok(Ok(0) | Err(_)) | Err(_) => return recognize(bytes, true),
            }
        }
    }
}

/// Where there is no idle timeout.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
