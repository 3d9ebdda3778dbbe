//! Sockets that the service manager opened before the daemon started (`sd_listen_fds(3)`).

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tracing::warn;

use super::held::Held;
use super::listen::Listen;

/// Sockets handed over and not yet taken by a listener.
#[derive(Debug, Default)]
pub struct Inherited {
    streams: Vec<(SocketAddr, TcpListener)>,
    datagrams: Vec<(SocketAddr, UdpSocket)>,
    unix_streams: Vec<(PathBuf, UnixListener)>,
    unix_datagrams: Vec<(PathBuf, UnixDatagram)>,
    held: Held,
}

impl Inherited {
    /// Takes over what the environment names.
    ///
    /// # Errors
    ///
    /// A socket's address cannot be read.
    pub fn take() -> io::Result<Self> {
        let mut inherited = Self { held: Held::of_environment(), ..Self::default() };
        let mut handed = ListenFd::from_env();
        for number in 0..handed.len() {
            // A descriptor of another kind is refused, and left where it is for the next question.
            if let Ok(Some(socket)) = handed.take_tcp_listener(number) {
                inherited.streams.push((socket.local_addr()?, socket));
            } else if let Ok(Some(socket)) = handed.take_udp_socket(number) {
                inherited.datagrams.push((socket.local_addr()?, socket));
            } else if let Ok(Some(socket)) = handed.take_unix_listener(number) {
                inherited.unix_streams.push((path(&socket.local_addr()?), socket));
            } else if let Ok(Some(socket)) = handed.take_unix_datagram(number) {
                inherited.unix_datagrams.push((path(&socket.local_addr()?), socket));
            } else {
                let what =
                    "expected a TCP, UDP or unix socket to be handed over, but found another";
                warn!(number, what);
            }
        }
        Ok(inherited)
    }

    /// Whether the service manager holds a socket as well.
    pub(super) fn is_held(&self, socket: impl AsFd) -> bool {
        self.held.has(socket)
    }

    /// The socket of streams at this address, if one was handed over.
    pub(super) fn stream(&mut self, listen: SocketAddr) -> Option<TcpListener> {
        let at = self.streams.iter().position(|(address, _)| *address == listen)?;
        Some(self.streams.swap_remove(at).1)
    }

    /// The socket of datagrams at this address, if one was handed over.
    pub(super) fn datagram(&mut self, listen: SocketAddr) -> Option<UdpSocket> {
        let at = self.datagrams.iter().position(|(address, _)| *address == listen)?;
        Some(self.datagrams.swap_remove(at).1)
    }

    /// The socket of streams at this path, if one was handed over. Its file is the other's to remove.
    pub(super) fn unix_stream(&mut self, listen: &Path) -> Option<UnixListener> {
        let at = self.unix_streams.iter().position(|(path, _)| path == listen)?;
        Some(self.unix_streams.swap_remove(at).1)
    }

    /// The socket of datagrams at this path, if one was handed over.
    pub(super) fn unix_datagram(&mut self, listen: &Path) -> Option<UnixDatagram> {
        let at = self.unix_datagrams.iter().position(|(path, _)| path == listen)?;
        Some(self.unix_datagrams.swap_remove(at).1)
    }

    /// The socket of streams at this port of another address, if one was handed over.
    pub(super) fn stream_of_port(&mut self, listen: SocketAddr) -> Option<TcpListener> {
        let at = self.streams.iter().position(|(address, _)| address.port() == listen.port())?;
        Some(self.streams.swap_remove(at).1)
    }

    /// The socket of datagrams at this port of another address, if one was handed over.
    pub(super) fn datagram_of_port(&mut self, listen: SocketAddr) -> Option<UdpSocket> {
        let at = self.datagrams.iter().position(|(address, _)| address.port() == listen.port())?;
        Some(self.datagrams.swap_remove(at).1)
    }

    /// Where those with an address are that no listener has taken.
    pub fn addresses(&self) -> Vec<Listen> {
        let streams = self.streams.iter().map(|(address, _)| *address);
        let datagrams = self.datagrams.iter().map(|(address, _)| *address);
        streams.chain(datagrams).map(Listen::from).collect()
    }

    /// Says which sockets no listener wanted: whoever sends there waits for ever.
    pub fn warn_of_unused(&self) {
        let streams = self.streams.iter().map(|(address, _)| ("tcp", address));
        let datagrams = self.datagrams.iter().map(|(address, _)| ("udp", address));
        for (transport, address) in streams.chain(datagrams) {
            warn!(transport, %address, "a socket was handed over that no [[listener]] names");
        }
        let streams = self.unix_streams.iter().map(|(path, _)| ("unix", path));
        let datagrams = self.unix_datagrams.iter().map(|(path, _)| ("unixgram", path));
        for (transport, path) in streams.chain(datagrams) {
            let address = path.display();
            warn!(transport, %address, "a socket was handed over that no [[listener]] names");
        }
    }
}

/// Where a unix socket is; nowhere, if it has no path.
fn path(address: &UnixAddr) -> PathBuf {
    address.as_pathname().unwrap_or_else(|| Path::new("")).to_owned()
}
