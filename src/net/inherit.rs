//! Sockets that the service manager opened before the daemon started (`sd_listen_fds(3)`).

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use listenfd::ListenFd;
use tracing::warn;

/// Sockets handed over and not yet taken by a listener.
#[derive(Debug, Default)]
pub struct Inherited {
    streams: Vec<(SocketAddr, TcpListener)>,
    datagrams: Vec<(SocketAddr, UdpSocket)>,
}

impl Inherited {
    /// Takes over what the environment names.
    ///
    /// # Errors
    ///
    /// A socket's address cannot be read.
    pub fn take() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut inherited = Self::default();
        for number in 0..handed.len() {
            // A descriptor of another kind is refused, and left where it is for the next question.
            if let Ok(Some(socket)) = handed.take_tcp_listener(number) {
                inherited.streams.push((socket.local_addr()?, socket));
            } else if let Ok(Some(socket)) = handed.take_udp_socket(number) {
                inherited.datagrams.push((socket.local_addr()?, socket));
            } else {
                warn!(number, "expected a TCP or UDP socket to be handed over, but found another");
            }
        }
        Ok(inherited)
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

    /// Says which sockets no listener wanted: whoever sends there waits for ever.
    pub fn warn_of_unused(&self) {
        let streams = self.streams.iter().map(|(address, _)| ("tcp", address));
        let datagrams = self.datagrams.iter().map(|(address, _)| ("udp", address));
        for (transport, address) in streams.chain(datagrams) {
            warn!(transport, %address, "a socket was handed over that no [[listener]] names");
        }
    }
}
