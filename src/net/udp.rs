//! Receives datagrams, many in one call.
//!
//! A sender of datagrams is not slowed down: what the kernel has no room for is lost. So its buffer
//! is as large as it grants ([`super::bind`]), and a busy socket is not waited for ([`Paced`]).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::slice::{Chunks, ChunksExact};
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::config::ListenerConfig;
use super::paced::Paced;
use crate::ingest::{Datagram, Ingest, Listener, Peers};

/// A listener of datagrams.
pub(super) struct Receiver {
    pub(super) ingest: Arc<Ingest>,
    pub(super) listener: Arc<Listener>,
    pub(super) config: Arc<ListenerConfig>,
    pub(super) stop: CancellationToken,
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
    /// Receives until the stop, and then what the kernel holds; hands the socket back.
    pub(super) async fn run(
        self,
        socket: UdpSocket,
        state: UdpSocketState,
    ) -> (UdpSocket, UdpSocketState) {
        let (mut peers, mut socket) = (Peers::default(), Paced::new(socket));
        self.receive(&mut socket, &state, &mut peers).await;
        self.ingest.end_chunks(&mut peers, &self.listener);
        self.ingest.note_all_datagrams(&mut peers);
        (socket.into_inner(), state)
    }

    async fn receive(&self, socket: &mut Paced, state: &UdpSocketState, peers: &mut Peers) {
        let mut look = interval(LOOK_EVERY);
        let mut buffers = vec![0_u8; BATCH_SIZE * DATAGRAM];
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        loop {
            tokio::select! {
                biased; // what has arrived comes before the order to stop
                ready = socket.ready() => match ready {
                    Ok(()) => {}
                    Err(error) => self.pause(&error).await,
                },
                () = self.stop.cancelled() => return,
                _ = look.tick() => {
                    self.ingest.note_datagrams(peers);
                    self.ingest.expire_chunks(peers, &self.listener);
                    continue;
                }
            }
            let received = {
                let mut room = buffers.chunks_exact_mut(DATAGRAM);
                let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                    std::array::from_fn(|_| IoSliceMut::new(room.next().unwrap_or_default()));
                socket.receive(|socket| state.recv(socket, &mut slices, &mut metas))
            };
            match received {
                Ok(count) => self.take(peers, &buffers, metas.get(..count)).await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => self.pause(&error).await,
            }
        }
    }

    async fn take(&self, peers: &mut Peers, buffers: &[u8], metas: Option<&[RecvMeta]>) {
        let datagrams = Datagrams::new(metas.unwrap_or_default(), buffers);
        let max_len = self.config.max_len();
        self.ingest.datagrams(peers, &self.listener, datagrams, max_len).await;
    }

    /// Waits out an error of the system; a socket goes on after every one of them.
    async fn pause(&self, error: &io::Error) {
        warn!(listener = %self.listener.name, %error, "cannot receive");
        sleep(PAUSE).await;
    }
}

impl<'d> Datagrams<'d> {
    fn new(metas: &'d [RecvMeta], buffers: &'d [u8]) -> Self {
        Self {
            metas: metas.iter(),
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

/// How often it is looked whether it is time to note what has come, where nothing comes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(10);
