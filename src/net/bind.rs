//! Opens sockets early, so that ports are known and errors come before anything is served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol as IpProtocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

use super::config::{ListenerConfig, Transport};
use super::inherit::Inherited;
use super::tls::{self, TlsError};
use crate::ingest::Listener;

/// A listener whose socket is open.
#[derive(Debug)]
pub struct Door {
    pub(super) bound: Bound,
    pub(super) listener: Arc<Listener>,
    pub(super) config: Arc<ListenerConfig>,
}

/// An open socket.
pub enum Bound {
    /// Of streams.
    Tcp {
        /// The socket.
        socket: TcpListener,
        /// What answers handshakes, where there are any.
        tls: Option<TlsAcceptor>,
    },
    /// Of datagrams.
    Udp {
        /// The socket.
        socket: UdpSocket,
        /// What the system can do with it.
        state: UdpSocketState,
    },
}

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system said no.
    #[error("listener {name:?}: expected to listen on {listen}, but {error}")]
    Socket {
        /// The listener.
        name: String,
        /// Its address.
        listen: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Its certificates cannot be used.
    #[error("listener {name:?}: {error}")]
    Tls {
        /// The listener.
        name: String,
        /// What is wrong.
        error: TlsError,
    },
}

/// Opens the socket of `config`, or takes the one that was handed over for its address; must be
/// called inside a tokio runtime.
///
/// # Errors
///
/// The address is taken or not ours, or the certificates cannot be used.
pub fn bind(
    config: Arc<ListenerConfig>,
    listener: Arc<Listener>,
    inherited: &mut Inherited,
) -> Result<Door, BindError> {
    let failed =
        |error| BindError::Socket { name: config.name.clone(), listen: config.listen, error };
    let bound = match config.transport {
        Transport::Tcp => {
            let tls = config.tls.as_ref().map(tls::acceptor).transpose();
            let tls = tls.map_err(|error| BindError::Tls { name: config.name.clone(), error })?;
            Bound::Tcp { socket: tcp(config.listen, inherited).map_err(failed)?, tls }
        }
        Transport::Udp => {
            let (socket, state) = udp(&config, inherited).map_err(failed)?;
            Bound::Udp { socket, state }
        }
    };
    Ok(Door { bound, listener, config })
}

impl Door {
    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        match &self.bound {
            Bound::Tcp { socket, .. } => socket.local_addr(),
            Bound::Udp { socket, .. } => socket.local_addr(),
        }
    }

    /// The bytes that the kernel keeps for a listener of datagrams.
    pub fn receive_buffer(&self) -> Option<usize> {
        match &self.bound {
            Bound::Tcp { .. } => None,
            Bound::Udp { socket, .. } => SockRef::from(socket).recv_buffer_size().ok(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The socket's number among those of the system, where it is one of datagrams.
    pub fn datagram_inode(&self) -> Option<u64> {
        match &self.bound {
            Bound::Tcp { .. } => None,
            Bound::Udp { socket, .. } => super::drops::inode(socket),
        }
    }
}

fn tcp(listen: SocketAddr, inherited: &mut Inherited) -> io::Result<TcpListener> {
    if let Some(socket) = inherited.stream(listen) {
        socket.set_nonblocking(true)?;
        return TcpListener::from_std(socket);
    }
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(IpProtocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn udp(
    config: &ListenerConfig,
    inherited: &mut Inherited,
) -> io::Result<(UdpSocket, UdpSocketState)> {
    let (socket, handed_over) = match inherited.datagram(config.listen) {
        Some(socket) => (Socket::from(socket), true),
        None => {
            let domain = Domain::for_address(config.listen);
            (Socket::new(domain, Type::DGRAM, Some(IpProtocol::UDP))?, false)
        }
    };
    socket.set_nonblocking(true)?;
    let wanted = usize::try_from(config.receive_buffer.as_u64()).unwrap_or(usize::MAX);
    // Who may (CAP_NET_ADMIN) gets what is wanted; all others what net.core.rmem_max allows. What
    // was granted is on the metrics page.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, wanted).is_err() {
        socket.set_recv_buffer_size(wanted)?;
    }
    if !handed_over {
        socket.bind(&config.listen.into())?;
    }
    let socket = UdpSocket::from_std(socket.into())?;
    let state = UdpSocketState::new((&socket).into())?;
    Ok((socket, state))
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { socket, tls } => {
                f.debug_struct("Tcp").field("socket", socket).field("tls", &tls.is_some()).finish()
            }
            Self::Udp { socket, .. } => f.debug_struct("Udp").field("socket", socket).finish(),
        }
    }
}

/// Connections that the system completes before they are accepted.
const BACKLOG: i32 = 4096;
