//! Receives datagrams of a unix socket, each with the process that sent it.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::host;
use crate::ingest::{Datagram, Ingest, Listener, Peers, Process};

/// A listener of datagrams on this machine.
pub(in super::super) struct Receiver {
    pub(in super::super) ingest: Arc<Ingest>,
    pub(in super::super) listener: Arc<Listener>,
    /// The longest message, in bytes.
    pub(in super::super) max_len: usize,
    pub(in super::super) stop: CancellationToken,
}

/// One datagram in the buffer.
#[derive(Clone, Copy, Debug)]
struct Received {
    start: usize,
    /// Bytes of it that there was room for.
    kept: usize,
    /// Bytes that it had.
    len: usize,
    process: Option<Process>,
}

/// The datagrams of one turn.
struct Datagrams<'d> {
    buffer: &'d [u8],
    received: std::slice::Iter<'d, Received>,
}

impl Receiver {
    /// Receives until the stop, and then what the kernel holds; hands the socket back.
    ///
    /// Senders wait while it does not receive, as the kernel has them: nothing is lost.
    pub(in super::super) async fn run(self, socket: UnixDatagram) -> UnixDatagram {
        let mut peers = Peers::local(host());
        self.receive(&socket, &mut peers).await;
        self.ingest.end_chunks(&mut peers, &self.listener);
        self.ingest.note_all_datagrams(&mut peers);
        socket
    }

    async fn receive(&self, socket: &UnixDatagram, peers: &mut Peers) {
        let mut look = interval(LOOK_EVERY);
        let room = ROOM.max(self.max_len.saturating_add(1));
        let mut buffer = vec![0_u8; room + GATHERED];
        let mut received = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased; // there may always be more to receive
                () = self.stop.cancelled() => break,
                _ = look.tick() => {
                    self.ingest.note_datagrams(peers);
                    self.ingest.expire_chunks(peers, &self.listener);
                    continue;
                }
                ready = socket.readable() => if let Err(error) = ready {
                    self.pause(&error).await;
                },
            }
            received.clear();
            let gathered = socket
                .try_io(Interest::READABLE, || gather(socket, &mut buffer, room, &mut received));
            self.take(peers, &buffer, &received).await;
            match gathered {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => self.pause(&error).await,
            }
        }
        // What has arrived comes before the order to stop; not all that a sender goes on to send.
        for _ in 0..MAX_LEFT {
            received.clear();
            let gathered = gather(socket, &mut buffer, room, &mut received);
            self.take(peers, &buffer, &received).await;
            if gathered.is_err() {
                return;
            }
        }
    }

    async fn take(&self, peers: &mut Peers, buffer: &[u8], received: &[Received]) {
        if received.is_empty() {
            return;
        }
        let datagrams = Datagrams { buffer, received: received.iter() };
        self.ingest.datagrams(peers, &self.listener, datagrams, self.max_len).await;
    }

    /// Waits out an error of the system; a socket goes on after every one of them.
    async fn pause(&self, error: &io::Error) {
        warn!(listener = %self.listener.name, %error, "cannot receive");
        sleep(PAUSE).await;
    }
}

impl<'d> Iterator for Datagrams<'d> {
    type Item = Datagram<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        let Received { start, kept, len, process } = *self.received.next()?;
        let bytes = self.buffer.get(start..start + kept).unwrap_or_default();
        Some(Datagram { peer: IpAddr::V4(Ipv4Addr::LOCALHOST), process, bytes, len })
    }
}

/// Receives what there is, as far as there is room for one more of the longest. `WouldBlock` says
/// that there is no more.
fn gather(
    socket: &UnixDatagram,
    buffer: &mut [u8],
    room: usize,
    received: &mut Vec<Received>,
) -> io::Result<()> {
    let mut start = 0;
    while received.len() < BATCH {
        let Some(free) = buffer.get_mut(start..).filter(|free| free.len() >= room) else {
            return Ok(());
        };
        let one = receive_one(socket, free.get_mut(..room).unwrap_or_default(), start)?;
        start += one.kept;
        received.push(one);
    }
    Ok(())
}

/// Receives one datagram to the front of `free`, which begins at `start`.
fn receive_one(socket: &UnixDatagram, free: &mut [u8], start: usize) -> io::Result<Received> {
    let room = free.len();
    // As large as credentials are, so that descriptors that someone sends find no room.
    let mut control = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
    let mut slices = [IoSliceMut::new(free)];
    let flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let process = message.cmsgs().ok().and_then(|mut found| {
        found.find_map(|found| match found {
            ControlMessageOwned::ScmCredentials(found) => Some(Process {
                pid: Some(found.pid()).filter(|pid| *pid > 0),
                uid: found.uid(),
                gid: found.gid(),
            }),
            _ => None,
        })
    });
    let len = message.bytes;
    Ok(Received { start, kept: len.min(room), len, process })
}

/// Room for one datagram: the longest that a sender can send with the kernel's default buffers.
const ROOM: usize = 512 << 10;

/// Bytes of shorter ones that are received together.
const GATHERED: usize = 256 << 10;

/// How many are received together.
const BATCH: usize = 64;

/// Turns after the order to stop: far more than the kernel holds (`net.unix.max_dgram_qlen`, unix(7)).
const MAX_LEFT: usize = 1024;

/// How often it is looked whether it is time to note what has come.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ud_01_datagrams_are_whole_or_cut_and_their_sender_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let socket = UnixDatagram::bind(&path).unwrap();
        super::super::hear_credentials(&socket).unwrap();
        let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
        for bytes in [&b"one"[..], b"", b"three", &[b'x'; 100]] {
            sender.send_to(bytes, &path).unwrap();
        }
        socket.readable().await.unwrap();
        let (mut buffer, mut received) = (vec![0; 64 + 100], Vec::new());
        let gathered = gather(&socket, &mut buffer, 64, &mut received);
        assert!(gathered.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        let shown: Vec<_> = received
            .iter()
            .map(|one| (buffer[one.start..one.start + one.kept].to_vec(), one.len))
            .collect();
        let long = vec![b'x'; 64];
        let want = [(b"one".to_vec(), 3), (vec![], 0), (b"three".to_vec(), 5), (long, 100)];
        assert_eq!(shown, want);
        let us = i32::try_from(std::process::id()).unwrap();
        assert!(received.iter().all(|one| one.process.is_some_and(|by| by.pid == Some(us))));
        // Where there is no room for one more of the longest, what came is taken first.
        for _ in 0..3 {
            sender.send_to(&[b'y'; 10], &path).unwrap();
        }
        received.clear();
        gather(&socket, &mut buffer[..80], 64, &mut received).unwrap();
        assert_eq!(received.len(), 2);
    }
}
