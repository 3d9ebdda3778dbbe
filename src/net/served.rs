//! A listener while it is served, and what becomes of it when the configuration changes.
//!
//! Its socket outlives its settings: when these change it is taken back from the task that reads it
//! and given to the next one. The system goes on completing connections and keeping datagrams in
//! between, so that nobody is refused and nothing is lost.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::auto::Variants;
use super::bind::{BindError, Bound, Door, ask_for_buffer, certificates};
use super::config::{ListenerConfig, Protocol};
use super::http;
use super::listen::Listen;
use super::tcp::{self, Acceptor};
use super::tls::{Look, Tls};
use super::urgent::urgently;
use super::{udp, unix};
use crate::ingest::{Ingest, Listener};
use crate::time::Timestamp;

/// Where listeners are served, and until when.
#[derive(Clone, Debug)]
pub struct Where {
    /// What takes their messages.
    pub ingest: Arc<Ingest>,
    /// Places for the connections of all listeners together.
    pub places: Arc<Semaphore>,
    /// Says that nobody reads their sockets afterwards: who waits to be accepted is taken.
    pub last: CancellationToken,
    /// Ends them: what has arrived by then is still taken.
    pub stop: CancellationToken,
    /// What they do.
    pub tasks: TaskTracker,
}

/// A listener that is served.
#[derive(Debug)]
pub struct Serving {
    config: Arc<ListenerConfig>,
    address: Option<Listen>,
    tls: Option<Arc<Tls>>,
    /// What reads its socket, and hands it back unless that was for the last time.
    socket: JoinHandle<Option<Bound>>,
    /// Says that its socket is read for the last time.
    last: CancellationToken,
    /// Whether a service manager holds its socket as well.
    is_held: bool,
    /// Ends the reading of its socket.
    close: CancellationToken,
    /// Ends its connections.
    stop: CancellationToken,
    slots: Arc<Semaphore>,
}

/// The certificates of a listener, which are taken from its files when these change.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The name of the listener.
    pub listener: Arc<str>,
    tls: Arc<Tls>,
}

/// What a listener that is served is to become: checked, and nothing of it done yet.
#[derive(Debug)]
pub struct Next {
    config: Arc<ListenerConfig>,
    listener: Arc<Listener>,
    tls: Option<Arc<Tls>>,
}

impl Door {
    /// Serves it; what has arrived by the stop is still taken.
    pub fn serve(self, at: &Where) -> Serving {
        let slots = tcp::slots(&self.config);
        self.serve_with(at, at.stop.child_token(), slots)
    }

    /// Serves it for `period`, or until the stop: then it ends, and all who wait there are taken.
    pub async fn leave(self, at: Where, period: Duration) {
        let leaving = self.serve(&at);
        leaving.is_last();
        let _stopped = timeout(period, at.stop.cancelled()).await.is_ok();
        leaving.end().await;
    }

    /// The same, with connections that end with `stop`.
    fn serve_with(self, at: &Where, stop: CancellationToken, slots: Arc<Semaphore>) -> Serving {
        let (close, tasks) = (at.stop.child_token(), &at.tasks);
        let address = self.address().ok();
        let Self { bound, tls, listener, config, is_held } = self;
        let last = if is_held { CancellationToken::new() } else { at.last.child_token() };
        let ingest = Arc::clone(&at.ingest);
        let socket = match bound {
            Bound::Streams(socket) => {
                let http = (config.protocol == Protocol::Http).then(|| {
                    let (ingest, listener) = (Arc::clone(&ingest), Arc::clone(&listener));
                    Arc::new(http::server(ingest, listener, &config, &stop))
                });
                let is_auto = config.protocol == Protocol::Auto;
                let mut acceptor = Acceptor {
                    ingest,
                    listener,
                    http,
                    variants: None,
                    host: unix::host(),
                    config: Arc::clone(&config),
                    tls: tls.clone(),
                    last: last.clone(),
                    close: close.clone(),
                    stop: stop.clone(),
                    slots: Arc::clone(&slots),
                    places: Arc::clone(&at.places),
                    tasks: tasks.clone(),
                };
                if is_auto {
                    acceptor.variants = Some(Arc::new(Variants::of(&acceptor)));
                }
                tasks.spawn(async { acceptor.run(socket).await.map(Bound::Streams) })
            }
            Bound::Udp(socket, state) => {
                let config = Arc::clone(&config);
                let (last, stop) = (last.clone(), close.clone());
                let receiver = udp::Receiver { ingest, listener, config, last, stop };
                tasks.spawn(async {
                    let name = receiver.listener.name.to_string();
                    let left = urgently(&name, receiver.run(socket, state)).await;
                    left.map(|(socket, state)| Bound::Udp(socket, state))
                })
            }
            Bound::Unixgram(socket, file) => {
                let (max_len, stop) = (config.max_len(), close.clone());
                let receiver = unix::Receiver { ingest, listener, max_len, stop };
                tasks.spawn(async { Some(Bound::Unixgram(receiver.run(socket).await, file)) })
            }
        };
        Serving { config, address, tls, socket, last, is_held, close, stop, slots }
    }
}

impl Certificates {
    /// Takes the files as they are, all together, if they are others and can be used. What is
    /// refused is told of once. It is called every second or so, where a disk may be waited for.
    pub fn look(&self, now: Timestamp) -> Look {
        self.tls.look(now)
    }

    /// Whether the files as they are can be used.
    ///
    /// # Errors
    ///
    /// They cannot.
    pub fn check(&self) -> Result<(), BindError> {
        let name = self.listener.to_string();
        self.tls.check().map_err(|error| BindError::Tls { name, error })
    }

    /// When the first of them ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.tls.expires_at()
    }
}

impl Next {
    /// What a listener is to become, if its certificates can be used.
    ///
    /// # Errors
    ///
    /// They cannot.
    pub fn new(config: Arc<ListenerConfig>, listener: Arc<Listener>) -> Result<Self, BindError> {
        let tls = certificates(&config)?;
        Ok(Self { config, listener, tls })
    }
}

impl Serving {
    /// What it was configured to be.
    pub fn config(&self) -> &ListenerConfig {
        &self.config
    }

    /// Its certificates, where it has some.
    pub fn certificates(&self) -> Option<Certificates> {
        let listener = self.config.name.as_str().into();
        Some(Certificates { listener, tls: Arc::clone(self.tls.as_ref()?) })
    }

    /// Whether nobody reads its socket any longer.
    pub fn has_ended(&self) -> bool {
        self.socket.is_finished()
    }

    /// Where it listens.
    pub fn address(&self) -> Option<&Listen> {
        self.address.as_ref()
    }

    /// Whether a listener of this configuration can have its socket.
    pub fn fits(&self, config: &ListenerConfig) -> bool {
        let same =
            self.config.listen == config.listen || self.address.as_ref() == Some(&config.listen);
        same && self.config.transport == config.transport
    }

    /// Goes on with other settings, on the same socket. Open connections stay as they are, unless
    /// who may come in has changed: then they end as they do at a stop, with all that has arrived
    /// taken. There is nothing to go on with where its socket was read for the last time.
    ///
    /// # Errors
    ///
    /// The task that read the socket had ended in a panic.
    pub async fn become_next(self, next: Next, at: &Where) -> Result<Option<Self>, JoinError> {
        self.close.cancel();
        let Some(bound) = self.socket.await? else { return Ok(None) };
        if let Bound::Udp(socket, _) = &bound {
            // One that is refused stays as large as it was, and is on the metrics page.
            let _same = ask_for_buffer(SockRef::from(socket), &next.config).is_err();
        }
        let path = next.config.listen.path();
        if let Some(path) = path.filter(|_| next.config.socket != self.config.socket)
            && let Err(error) = unix::give(path, &next.config.socket)
        {
            warn!(path = %path.display(), %error, "the file of a socket stays whose it was");
        }
        let keeps = next.config.keeps_connections_of(&self.config);
        let old = self.stop;
        if !keeps {
            old.cancel();
        }
        let connections = if keeps { old } else { at.stop.child_token() };
        let same_slots = next.config.max_connections == self.config.max_connections;
        let slots = if same_slots { self.slots } else { tcp::slots(&next.config) };
        let Next { config, listener, tls } = next;
        let door = Door { bound, tls, listener, config, is_held: self.is_held };
        Ok(Some(door.serve_with(at, connections, slots)))
    }

    /// Ends it as [`end`](Self::end) does, but keeps its socket open for the next daemon: the system
    /// goes on completing connections and keeping datagrams.
    pub async fn hand_over(self) -> Option<OwnedFd> {
        self.close.cancel();
        self.stop.cancel();
        let bound = self.socket.await.ok()??;
        let handed = bound.into_fd();
        handed.inspect_err(|error| warn!(name = %self.config.name, %error, "cannot hand over")).ok()
    }

    /// Says that nobody reads its socket after it, unless the service manager hands that out again.
    fn is_last(&self) {
        if !self.is_held {
            self.last.cancel();
        }
    }

    /// Ends it: what has arrived is taken, its connections end, its socket is closed.
    pub async fn end(self) {
        self.is_last();
        self.close.cancel();
        self.stop.cancel();
        let _panicked = self.socket.await.is_err();
    }
}

impl ListenerConfig {
    /// Whether its address names one socket: port 0 is another one each time.
    pub fn has_fixed_address(&self) -> bool {
        self.listen.address().is_none_or(|address| address.port() != 0)
    }

    /// Whether connections that were opened under `old` may go on: all that differs are limits and
    /// how messages are read, which count for those that are opened from now on.
    pub(super) fn keeps_connections_of(&self, old: &Self) -> bool {
        let mut old = old.clone();
        old.name.clone_from(&self.name);
        old.timezone.clone_from(&self.timezone);
        (old.framing, old.keep_original) = (self.framing, self.keep_original);
        (old.max_message, old.max_connections) = (self.max_message, self.max_connections);
        (old.idle_timeout, old.handshake_timeout) = (self.idle_timeout, self.handshake_timeout);
        old.receive_buffer = self.receive_buffer;
        old.socket.clone_from(&self.socket);
        (old.max_body, old.body_timeout) = (self.max_body, self.body_timeout);
        old == *self
    }
}
