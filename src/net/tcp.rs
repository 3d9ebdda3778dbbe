//! Accepts connections.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::auto::Variants;
use super::bind::BACKLOG;
use super::config::ListenerConfig;
use super::http::{self, Carrier, Server};
use super::identity;
use super::leaving;
use super::phase::Phase;
use super::proxy::{self, ProxyError};
use super::sockets::{Incoming, Streams};
use super::stream::Stream;
use super::tls::{self, Tls};
use super::waiting::{arrived, before};
use crate::event::AuthMethod;
use crate::failpoint;
use crate::gate::{Connection, Refusal};
use crate::ingest::{Ingest, Listener, Process, Session};
use crate::journal::Failed;
use crate::metrics::Failure;

/// What a listener of streams hands to each of its connections.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) ingest: Arc<Ingest>,
    pub(super) listener: Arc<Listener>,
    pub(super) config: Arc<ListenerConfig>,
    pub(super) tls: Option<Arc<Tls>>,
    /// What serves connections that are of calls.
    pub(super) http: Option<Arc<Server>>,
    /// As what else it may serve a connection, where it is told by its first bytes.
    pub(super) variants: Option<Arc<Variants>>,
    /// The name of this machine.
    pub(super) host: Arc<str>,
    /// Says that who waits to be accepted is not served by anyone else.
    pub(super) last: CancellationToken,
    /// Ends the accepting.
    pub(super) close: CancellationToken,
    /// Ends the connections.
    pub(super) stop: CancellationToken,
    /// Places for its connections.
    pub(super) slots: Arc<Semaphore>,
    /// Places for those of all listeners.
    pub(super) places: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
}

/// Who connected.
#[derive(Clone, Copy)]
pub(super) enum Client {
    /// Someone at an address.
    At(IpAddr),
    /// A process on this machine.
    Here(Option<Process>),
}

/// Counts an open connection on the metrics page.
struct Gauged(IntGauge);

impl Acceptor {
    /// Accepts until it is closed, and hands its socket back, unless nobody else reads it. Nothing that a
    /// peer or the system does ends it before.
    pub(super) async fn run(self, socket: Streams) -> Option<Streams> {
        failpoint::reached("accept");
        let this = Arc::new(self);
        loop {
            let next = async {
                // Its own first: a listener that is full is not to keep others waiting.
                let own = Arc::clone(&this.slots).acquire_owned().await.expect("never closed");
                let of_all = Arc::clone(&this.places).acquire_owned().await.expect("never closed");
                ([own, of_all], socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                next = next => next,
                () = this.close.cancelled() => {
                    if this.last.is_cancelled() {
                        this.accept_last(socket).await;
                        return None;
                    }
                    return Some(socket);
                }
            };
            match accepted {
                Ok(incoming) => this.admit(incoming, slot),
                // Out of descriptors, or the peer is gone already: no reason to end, and without
                // the pause the first would spin.
                Err(error) => {
                    warn!(listener = %this.listener.name, %error, "cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Accepts those who wait, as nobody else will, and closes the socket.
    async fn accept_last(self: &Arc<Self>, socket: Streams) {
        if let Streams::Tcp(socket) = &socket {
            leaving::let_nobody_in(socket);
        }
        let all = async {
            for _ in 0..BACKLOG {
                let own = Arc::clone(&self.slots).acquire_owned().await.expect("never closed");
                let of_all = Arc::clone(&self.places).acquire_owned().await.expect("never closed");
                let Some(Ok(incoming)) = arrived(socket.accept()).await else { return };
                self.admit(incoming, [own, of_all]);
            }
        };
        // Whoever comes to a path is let in, and there may be no place for those who wait.
        let _no_end = timeout(LAST, all).await.is_err();
    }

    /// Serves a connection, if its address may come in.
    fn admit(self: &Arc<Self>, incoming: Incoming, slot: [OwnedSemaphorePermit; 2]) {
        let client = match &incoming {
            Incoming::Tcp(_, peer) => Client::At(peer.ip()),
            Incoming::Unix(_, process) => Client::Here(*process),
        };
        let peer = client.ip();
        let trusted = self.config.proxy.as_ref().is_some_and(|proxy| proxy.trusts(peer));
        // Behind a trusted proxy it is the client who may come in or not.
        let connection = match trusted {
            true => None,
            false => match self.ingest.admit(peer, || self.listener.call(peer, None)) {
                Ok(connection) => Some(connection),
                Err(_) => return debug!(%incoming, "refused"),
            },
        };
        debug!(%incoming, "accepted");
        match incoming {
            Incoming::Tcp(socket, _) => {
                keep_alive(&socket);
                self.start(socket, client, connection, slot);
            }
            Incoming::Unix(socket, _) => self.start(socket, client, connection, slot),
        }
    }

    fn start(
        self: &Arc<Self>,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client: Client,
        connection: Option<Connection>,
        slot: [OwnedSemaphorePermit; 2],
    ) {
        self.tasks.spawn(Arc::clone(self).connected(socket, client, connection, slot));
    }

    /// Serves a connection to its end. All of them have what is held here: that is little.
    #[expect(clippy::manual_async_fn, reason = "an async fn holds twice what it is given")]
    pub(super) fn connected(
        self: Arc<Self>,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client: Client,
        connection: Option<Connection>,
        slot: [OwnedSemaphorePermit; 2],
    ) -> impl Future<Output = ()> + Send {
        async move {
            let _open = Gauged::new(&self);
            failpoint::reached("connection");
            let phase = match connection {
                Some(connection) => self.serve(socket, client, connection),
                None => Phase::new(self.serve_proxied(socket, client)),
            };
            phase.run().await;
            debug!(peer = %client.ip(), "closed");
            drop(slot);
        }
    }

    /// Serves a connection that a trusted proxy opened for someone.
    async fn serve_proxied<'a, S>(&'a self, socket: S, proxy: Client) -> Phase<'a>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        let peer = proxy.ip();
        let required = self.config.proxy.as_ref().is_none_or(|proxy| proxy.required);
        let accepting = proxy::accept(socket, required, self.config.handshake_timeout);
        let accepting = std::pin::pin!(accepting);
        let Some(accepted) = before(&self.stop, accepting).await else { return Phase::END };
        let (client, socket) = match accepted {
            Ok((client, socket)) => (client.map_or(proxy, Client::At), socket),
            Err(ProxyError::Silent) => return Phase::END,
            Err(error) => {
                self.refuse_form(peer, "form:proxy_header");
                self.note(peer, "PROXY_HEADER", error.to_string());
                return Phase::END;
            }
        };
        let ip = client.ip();
        match self.ingest.admit(ip, || self.listener.call(ip, None)) {
            Ok(connection) => self.serve(socket, client, connection),
            Err(_) => {
                debug!(%peer, client = %ip, "refused");
                Phase::END
            }
        }
    }

    pub(super) fn serve<'a, S>(
        &'a self,
        socket: S,
        client: Client,
        connection: Connection,
    ) -> Phase<'a>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        match (&self.variants, &self.tls) {
            (Some(variants), _) => Phase::new(self.serve_any(variants, socket, client, connection)),
            (None, None) => self.talk(socket, client, connection, None),
            (None, Some(tls)) => Phase::new(async move {
                match self.handshake(tls, socket, client).await {
                    Some((socket, shown)) => self.talk(socket, client, connection, shown),
                    None => Phase::END,
                }
            }),
        }
    }

    /// The stream behind a handshake, and the key that it showed; or nothing, and that is noted.
    pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        tls: &Tls,
        socket: S,
        client: Client,
    ) -> Option<(Box<TlsStream<S>>, Option<(String, AuthMethod)>)> {
        let handshake = timeout(self.config.handshake_timeout, tls.acceptor().accept(socket));
        let handshake = std::pin::pin!(handshake);
        let what = match before(&self.stop, handshake).await? {
            Ok(Ok(socket)) => {
                let key_domain = self.config.tls.as_ref().and_then(|tls| tls.key_domain.as_deref());
                let shown = identity::key(self.ingest.gate(), socket.get_ref().1, key_domain);
                return Some((Box::new(socket), shown));
            }
            Ok(Err(error)) => {
                if tls::is_malformed(&error) {
                    self.refuse_form(client.ip(), "form:tls_handshake");
                }
                tls::explain(&error)
            }
            Err(_) => "expected a TLS handshake in time, but it did not end".to_owned(),
        };
        self.ingest.gauges().tls_failures.with_label_values(&[&*self.listener.name]).inc();
        self.note(client.ip(), "TLS_HANDSHAKE", what);
        None
    }

    fn session(&self, client: Client, connection: Connection) -> Session {
        let listener = Arc::clone(&self.listener);
        match client {
            Client::At(peer) => Session::new(listener, peer, Some(connection)),
            Client::Here(process) => {
                let mut session =
                    Session::local(listener, Arc::clone(&self.host), Some(connection));
                session.set_process(process);
                session
            }
        }
    }

    /// Serves a connection, plain or through TLS, whose handshake may have shown a key.
    pub(super) fn talk<'a, S>(
        &'a self,
        socket: S,
        client: Client,
        connection: Connection,
        key: Option<(String, AuthMethod)>,
    ) -> Phase<'a>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        let peer = client.ip();
        let Some(server) = &self.http else {
            let mut stream = Stream::new(self, self.session(client, connection));
            if let Some((id, method)) = key {
                stream.bind(&id, method);
            }
            return stream.serve(socket);
        };
        let carrier = Carrier::new(connection, key);
        Phase::last(async move {
            match http::serve(server, socket, peer, carrier).await {
                Err(error) if error.is_parse() => self.note_foreign(peer, &error),
                Err(error) => debug!(%peer, %error, "a connection ended early"),
                Ok(()) => {}
            }
        })
    }

    /// Books and notes what came to be a call and is none.
    fn note_foreign(&self, peer: IpAddr, error: &hyper::Error) {
        self.listener.account.fail(Failure::Malformed, 1, 0);
        self.refuse_form(peer, "form:http");
        self.note(peer, "INVALID_HTTP", format!("expected HTTP, but {error}"));
    }

    /// Notes that a connection is refused for what it began with.
    fn refuse_form(&self, peer: IpAddr, rule: &'static str) {
        let call = self.listener.call(peer, None);
        self.ingest.note_refusal(&Refusal::malformed(rule), 1, call);
    }

    /// Notes a TLS handshake, of which `seen` bytes have come, on a port that has no TLS: binary, and
    /// no log.
    pub(super) fn note_tls_on_plain_port(&self, peer: IpAddr, seen: usize) {
        let call = self.listener.call(peer, None);
        let refusal = Refusal::malformed("form:tls_on_plain_port");
        self.ingest.note_refusal(&refusal, 1, call.clone());
        let failed = Failed {
            call,
            code: "TLS_ON_PLAIN_PORT",
            message: "expected log lines, but found what looks like a TLS handshake".to_owned(),
            request_bytes: seen as u64,
            ..Failed::default()
        };
        self.ingest.note_failure(1, failed);
    }

    /// Notes that a connection ended before its first message.
    pub(super) fn note(&self, peer: IpAddr, code: &'static str, message: String) {
        let call = self.listener.call(peer, None);
        self.ingest.note_failure(1, Failed { call, code, message, ..Failed::default() });
    }
}

impl Client {
    /// What lists and limits go by.
    pub(super) fn ip(self) -> IpAddr {
        match self {
            Self::At(peer) => peer,
            Self::Here(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

impl Gauged {
    fn new(acceptor: &Acceptor) -> Self {
        let connections = &acceptor.ingest.gauges().connections;
        let gauge = connections.with_label_values(&[&*acceptor.listener.name]);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Gauged {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Places for as many connections as a listener may have.
pub(super) fn slots(config: &ListenerConfig) -> Arc<Semaphore> {
    let max = usize::try_from(config.max_connections).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)))
}

/// Finds out about peers that went without a word.
fn keep_alive(socket: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&keepalive) {
        debug!(%error, "cannot keep alive");
    }
}

/// How long those who wait are taken for the last time.
const LAST: Duration = Duration::from_secs(1);

/// How long to wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
