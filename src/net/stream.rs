//! Reads a connection to its end.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::config::{Codec, ListenerConfig, Protocol};
use super::tcp::Acceptor;
use crate::event::AuthMethod;
use crate::frame::{FrameErrors, Frames, Framing, JsonValues};
use crate::ingest::{Decoder, Session};
use crate::journal::Failed;

/// A connection, plain or through TLS.
pub(super) struct Stream<'a> {
    acceptor: &'a Acceptor,
    session: Session,
    decoder: Decoder,
    buffer: BytesMut,
    /// How much to make room for: grows while reads fill it, so that idle connections are small.
    room: usize,
    published: FrameErrors,
    /// Says when its sender may be one who is blocked by now.
    changes: watch::Receiver<u64>,
}

/// What a read brought.
enum Read {
    Bytes,
    End,
    Idle,
    Stop,
    /// Nothing: keys or lists have changed.
    Changed,
}

impl<'a> Stream<'a> {
    pub(super) fn new(acceptor: &'a Acceptor, session: Session) -> Self {
        let mut changes = acceptor.ingest.gate().changes();
        changes.mark_changed(); // the address was asked for some time ago, before a handshake
        Self {
            acceptor,
            session,
            changes,
            decoder: decoder(&acceptor.config),
            buffer: BytesMut::new(),
            room: MIN_READ,
            published: FrameErrors::default(),
        }
    }

    /// Binds the connection to the key of that public id.
    pub(super) fn bind(&mut self, id: &str, method: AuthMethod) {
        self.session.bind_id(id, method);
    }

    /// Reads until the peer ends, the connection breaks, idles too long, or the stop.
    pub(super) async fn run(mut self, mut socket: impl AsyncRead + Unpin) {
        self.read_all(&mut socket).await;
        self.acceptor.ingest.note_end(&mut self.session);
    }

    async fn read_all(&mut self, socket: &mut (impl AsyncRead + Unpin)) {
        let mut first = true;
        loop {
            let read = self.read(socket).await;
            if matches!(read, Read::Changed) {
                if self.acceptor.ingest.is_cut(&self.session) {
                    return;
                }
                continue;
            }
            if std::mem::take(&mut first) && self.is_foreign() {
                return;
            }
            let end = matches!(read, Read::End | Read::Idle | Read::Stop);
            if matches!(read, Read::Stop) {
                self.drain(socket).await;
            }
            let wait = self.take(end).await;
            self.publish_errors();
            if end {
                return;
            }
            // A sender over its limit is read more slowly; it loses nothing.
            if !wait.is_zero() && self.pause(wait).await {
                return;
            }
        }
    }

    /// Waits; says whether the sender was blocked meanwhile.
    async fn pause(&mut self, wait: Duration) -> bool {
        let mut over = std::pin::pin!(sleep(wait));
        loop {
            tokio::select! {
                () = &mut over => return false,
                () = self.acceptor.stop.cancelled() => return false,
                Ok(()) = self.changes.changed() => {
                    if self.acceptor.ingest.is_cut(&self.session) {
                        return true;
                    }
                }
            }
        }
    }

    async fn read(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> Read {
        if self.buffer.is_empty() && self.buffer.capacity() > self.room {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(self.room);
        if self.acceptor.stop.is_cancelled() {
            return Read::Stop; // a sender that never pauses would otherwise never be stopped
        }
        let mut idle = self.acceptor.config.idle_timeout.unwrap_or(FOREVER);
        let read = loop {
            // What an idle connection has brought before is noted in time all the same.
            let due = self.acceptor.ingest.note_minute(&mut self.session);
            let patience = due.map_or(idle, |due| due.min(idle));
            let read = tokio::select! {
                biased; // what has arrived comes before the order to stop
                Ok(()) = self.changes.changed() => return Read::Changed,
                read = timeout(patience, socket.read_buf(&mut self.buffer)) => read,
                () = self.acceptor.stop.cancelled() => return Read::Stop,
            };
            idle = idle.saturating_sub(patience);
            if read.is_ok() || idle.is_zero() {
                break read;
            }
        };
        match read {
            Ok(Ok(0)) => Read::End,
            Ok(Ok(len)) => {
                self.room = if len >= self.room { self.room * 2 } else { len * 2 };
                self.room = self.room.clamp(MIN_READ, MAX_READ);
                Read::Bytes
            }
            // A reset connection ends like any other: what came before it counts.
            Ok(Err(_)) => Read::End,
            Err(_) => Read::Idle,
        }
    }

    /// Reads what the kernel holds already.
    async fn drain(&mut self, socket: &mut (impl AsyncRead + Unpin)) {
        for _ in 0..MAX_DRAINS {
            self.buffer.reserve(MAX_READ);
            let read = timeout(DRAIN, socket.read_buf(&mut self.buffer)).await;
            if !matches!(read, Ok(Ok(1..))) {
                return;
            }
            self.take(false).await;
        }
    }

    /// Takes what is in the buffer; says how long to wait.
    async fn take(&mut self, eof: bool) -> Duration {
        let mut wait = Duration::ZERO;
        loop {
            let (session, decoder) = (&mut self.session, &mut self.decoder);
            let taken = self.acceptor.ingest.stream(session, decoder, &self.buffer, eof).await;
            self.buffer.advance(taken.consumed.min(self.buffer.len()));
            wait = wait.max(taken.wait);
            if taken.drained {
                return wait;
            }
        }
    }

    /// Whether this is a TLS handshake on a port that has none: binary, and no log. Noted, so that
    /// an operator finds out.
    fn is_foreign(&self) -> bool {
        let foreign = self.acceptor.tls.is_none() && self.buffer.starts_with(&[0x16, 0x03]);
        if foreign {
            let what = "expected log lines, but found what looks like a TLS handshake";
            let failed = Failed {
                call: self.acceptor.listener.call(self.session.peer(), None),
                code: "TLS_ON_PLAIN_PORT",
                message: what.to_owned(),
                request_bytes: self.buffer.len() as u64,
                ..Failed::default()
            };
            self.acceptor.ingest.note_failure(1, failed);
        }
        foreign
    }

    fn publish_errors(&mut self) {
        let errors = self.decoder.errors();
        if errors == self.published {
            return;
        }
        let (ingest, name) = (&self.acceptor.ingest, &*self.acceptor.listener.name);
        for ((reason, now), (_, before)) in errors.iter().zip(self.published.iter()) {
            let counter = ingest.gauges().framing_errors.with_label_values(&[name, reason]);
            counter.inc_by(now - before);
        }
        self.published = errors;
    }
}

fn decoder(config: &ListenerConfig) -> Decoder {
    let max_len = config.max_len();
    match (config.protocol, config.codec) {
        (Protocol::Syslog, _) => Decoder::Frames(Box::new(Frames::new(config.framing, max_len))),
        (Protocol::Logstash, Codec::Json) => Decoder::Json(Box::new(JsonValues::new(max_len))),
        (Protocol::Logstash, Codec::JsonLines | Codec::Line) => {
            Decoder::Frames(Box::new(Frames::new(Framing::Lf, max_len)))
        }
    }
}

/// Room for a read of a connection that says little.
const MIN_READ: usize = 4 << 10;

/// Room for a read of one that says much.
const MAX_READ: usize = 128 << 10;

/// Where there is no idle timeout.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// How long the kernel is waited for at a stop; what it holds is there at once.
const DRAIN: Duration = Duration::from_millis(20);

/// Reads after a stop, for senders that never pause.
const MAX_DRAINS: usize = 64;
