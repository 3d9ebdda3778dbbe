//! Receives datagrams, many in one call.
//!
//! A sender of datagrams is not slowed down: what the kernel has no room for is lost. So its buffer
//! is as large as it grants ([`super::bind`]), a busy socket is not waited for ([`Paced`]), and other
//! work waits for it ([`super::urgent`]).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::slice::{Chunks, ChunksExact};
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::config::ListenerConfig;
use super::leaving;
use super::paced::Paced;
use crate::ingest::{Datagram, Ingest, Listener, Peers};

/// A listener of datagrams.
pub(super) struct Receiver {
    pub(super) ingest: Arc<Ingest>,
    pub(super) listener: Arc<Listener>,
    pub(super) config: Arc<ListenerConfig>,
    /// Says that nobody reads the socket afterwards.
    pub(super) last: CancellationToken,
    pub(super) stop: CancellationToken,
}

/// What one call of the system receives.
struct Call {
    buffers: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

/// The datagrams of one call. The kernel may join equal ones of one sender in one buffer.
struct Datagrams<'d> {
    metas: std::slice::Iter<'d, RecvMeta>,
    buffers: ChunksExact<'d, u8>,
    peer: IpAddr,
    /// What is left of the buffer that was begun last.
    joined: Chunks<'d, u8>,
}

impl Receiver {
    /// Receives until the stop, and then what the kernel holds; hands the socket back, unless nobody
    /// else reads it.
    pub(super) async fn run(
        self,
        socket: UdpSocket,
        state: UdpSocketState,
    ) -> Option<(UdpSocket, UdpSocketState)> {
        let (mut peers, mut paced) = (Peers::default(), Paced::new(socket));
        self.receive(&mut paced, &state, &mut peers).await;
        let socket = paced.into_inner();
        let is_last = self.last.is_cancelled();
        if is_last {
            leaving::hear_nobody(&socket);
        }
        self.receive_left(&socket, &state, &mut peers).await;
        let left = (!is_last).then_some((socket, state));
        self.ingest.end_chunks(&mut peers, &self.listener);
        self.ingest.note_all_datagrams(&mut peers);
        left
    }

    async fn receive(&self, socket: &mut Paced, state: &UdpSocketState, peers: &mut Peers) {
        let mut look = interval(LOOK_EVERY);
        let mut call = Call::new();
        loop {
            tokio::select! {
                biased; // there may always be more to receive
                () = self.stop.cancelled() => break,
                _ = look.tick() => {
                    self.ingest.note_datagrams(peers);
                    self.ingest.expire_chunks(peers, &self.listener);
                    continue;
                }
                ready = socket.ready() => if let Err(error) = ready {
                    self.pause(&error).await;
                },
            }
            let received = socket.receive(|socket| call.receive(socket, state));
            self.take(peers, &call, received).await;
        }
    }

    /// Receives what has arrived, which comes before the order to stop; not all that a sender goes on to
    /// send.
    async fn receive_left(&self, socket: &UdpSocket, state: &UdpSocketState, peers: &mut Peers) {
        let mut call = Call::new();
        for _ in 0..MAX_LEFT {
            let received = call.receive(socket.into(), state);
            let is_all = !matches!(received, Ok(BATCH_SIZE));
            self.take(peers, &call, received).await;
            if is_all {
                return;
            }
        }
    }

    /// Takes what a call has received, if anything.
    async fn take(&self, peers: &mut Peers, call: &Call, received: io::Result<usize>) {
        match received {
            Ok(count) => {
                let datagrams = Datagrams::new(call.metas.get(..count), &call.buffers);
                let max_len = self.config.max_len();
                self.ingest.datagrams(peers, &self.listener, datagrams, max_len).await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.pause(&error).await,
        }
    }

    /// Waits out an error of the system; a socket goes on after every one of them.
    async fn pause(&self, error: &io::Error) {
        warn!(listener = %self.listener.name, %error, "cannot receive");
        sleep(PAUSE).await;
    }
}

impl Call {
    fn new() -> Self {
        let metas = [RecvMeta::default(); BATCH_SIZE];
        Self { buffers: vec![0; BATCH_SIZE * DATAGRAM], metas }
    }

    /// Receives what fits; says in how many buffers.
    fn receive(&mut self, socket: UdpSockRef<'_>, state: &UdpSocketState) -> io::Result<usize> {
        let mut room = self.buffers.chunks_exact_mut(DATAGRAM);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(room.next().unwrap_or_default()));
        state.recv(socket, &mut slices, &mut self.metas)
    }
}

impl<'d> Datagrams<'d> {
    fn new(metas: Option<&'d [RecvMeta]>, buffers: &'d [u8]) -> Self {
        Self {
            metas: metas.unwrap_or_default().iter(),
            buffers: buffers.chunks_exact(DATAGRAM),
            peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            joined: [].chunks(1),
        }
    }
}

impl<'d> Iterator for Datagrams<'d> {
    type Item = Datagram<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(bytes) = self.joined.next() {
            return Some(datagram(self.peer, bytes));
        }
        let (meta, buffer) = (self.metas.next()?, self.buffers.next()?);
        self.peer = meta.addr.ip();
        // `stride` is the length of each but the last.
        self.joined = buffer.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1));
        Some(datagram(self.peer, self.joined.next().unwrap_or_default()))
    }
}

/// A whole one: there is room for the longest that UDP carries.
fn datagram(peer: IpAddr, bytes: &[u8]) -> Datagram<'_> {
    Datagram { peer, process: None, bytes, len: bytes.len() }
}

/// Room for one datagram: the longest that UDP can carry, or as many as the kernel joins. A few lines of
/// the cache more, an odd number of them, so that short ones do not all lie in the same of its sets.
const DATAGRAM: usize = (64 << 10) + 7 * 64;

/// Calls after the order to stop: more than fill a receive buffer of 256 MiB.
const MAX_LEFT: usize = 16_384;

/// How often it is looked whether it is time to note what has come.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::testing::Yard;
    use crate::net::config::{Protocol, Transport};

    #[tokio::test]
    async fn what_has_arrived_comes_before_the_order_to_stop() {
        let yard = Yard::new("{}", false);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let (here, state) = (socket.local_addr().unwrap(), UdpSocketState::new((&socket).into()));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(b"<13>1 - h a - - - hello", here).unwrap();
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let config = ListenerConfig::new("udp", Protocol::Syslog, Transport::Udp, here);
        let (ingest, listener) = (Arc::clone(&yard.ingest), Arc::clone(&yard.listener));
        let (config, last) = (Arc::new(config), CancellationToken::new());
        let receiver = Receiver { ingest, listener, config, last, stop };
        receiver.run(socket, state.unwrap()).await;
        assert_eq!(yard.listener.account.counts().received, 100);
    }
}
