//! Receives datagrams, many in one call.

use std::io::{self, IoSliceMut};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use rustc_hash::FxHashMap;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::config::ListenerConfig;
use crate::ingest::{Ingest, Listener, Session};

/// A listener of datagrams.
pub(super) struct Receiver {
    pub(super) ingest: Arc<Ingest>,
    pub(super) listener: Arc<Listener>,
    pub(super) config: Arc<ListenerConfig>,
    pub(super) stop: CancellationToken,
}

impl Receiver {
    /// Receives until the stop, and then what the kernel holds.
    pub(super) async fn run(self, socket: UdpSocket, state: UdpSocketState) {
        let mut sessions = FxHashMap::default();
        let mut buffers = vec![0_u8; BATCH_SIZE * DATAGRAM];
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        loop {
            tokio::select! {
                biased; // what has arrived comes before the order to stop
                ready = socket.readable() => match ready {
                    Ok(()) => {}
                    Err(error) => self.pause(&error).await,
                },
                () = self.stop.cancelled() => return,
            }
            let received = {
                let mut slices: Vec<IoSliceMut<'_>> =
                    buffers.chunks_exact_mut(DATAGRAM).map(IoSliceMut::new).collect();
                let receive = || state.recv((&socket).into(), &mut slices, &mut metas);
                socket.try_io(Interest::READABLE, receive)
            };
            match received {
                Ok(count) => self.take(&mut sessions, &buffers, metas.get(..count)).await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => self.pause(&error).await,
            }
        }
    }

    async fn take(
        &self,
        sessions: &mut FxHashMap<IpAddr, Session>,
        buffers: &[u8],
        metas: Option<&[RecvMeta]>,
    ) {
        let messages = metas.unwrap_or_default().iter().zip(buffers.chunks_exact(DATAGRAM));
        // The kernel may join equal datagrams of one sender; `stride` is the length of each.
        let datagrams = messages.flat_map(|(meta, buffer)| {
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            let (peer, empty) = (meta.addr.ip(), bytes.is_empty().then_some(bytes));
            let each = bytes.chunks(meta.stride.max(1));
            each.chain(empty).map(move |bytes| (peer, bytes))
        });
        let datagrams: Vec<(IpAddr, &[u8])> = datagrams.collect();
        let max_len = self.config.max_len();
        // Nobody waits for datagrams to be durable: there is no one to tell.
        let _ticket = self.ingest.datagrams(sessions, &self.listener, &datagrams, max_len).await;
    }

    /// Waits out an error of the system; a socket goes on after every one of them.
    async fn pause(&self, error: &io::Error) {
        warn!(listener = %self.listener.name, %error, "cannot receive");
        sleep(PAUSE).await;
    }
}

/// Room for one datagram: the longest that UDP can carry, or as many as the kernel joins.
const DATAGRAM: usize = 64 << 10;

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(10);
