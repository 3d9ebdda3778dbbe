//! Opens sockets early, so that ports are known and errors come before anything is served.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol as IpProtocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UnixDatagram, UnixListener};
use tracing::warn;

use super::config::{ListenerConfig, Transport};
use super::inherit::Inherited;
use super::listen::Listen;
use super::sockets::Streams;
use super::tls::{Tls, TlsError};
use super::unix::{self, FileError, SocketFile};
use crate::ingest::Listener;

/// A listener whose socket is open.
#[derive(Debug)]
pub struct Door {
    pub(super) bound: Bound,
    /// What answers handshakes, where there are any.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) listener: Arc<Listener>,
    pub(super) config: Arc<ListenerConfig>,
    /// Whether a service manager holds its socket as well.
    pub(super) is_held: bool,
}

/// An open socket.
pub(super) enum Bound {
    /// Of streams.
    Streams(Streams),
    /// Of datagrams.
    Udp(UdpSocket, UdpSocketState),
    /// Of datagrams, at a path; with its file, where it is ours to remove.
    Unixgram(UnixDatagram, Option<SocketFile>),
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
        listen: Listen,
        /// What the system said, or is in the way.
        error: FileError,
    },
    /// The system said no to the API or the admin port.
    #[error("[{name}] listen: expected to listen on {listen}, but {error}")]
    Calls {
        /// Which of them.
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

/// Opens the socket of `config`, or takes the one that was handed over for its address.
///
/// Must be called inside a tokio runtime. It may be beside one at `own`, of this process, which has
/// the same port of another address and is to be closed soon.
///
/// # Errors
///
/// The address is taken or not ours, or the certificates cannot be used.
pub fn bind(
    config: Arc<ListenerConfig>,
    listener: Arc<Listener>,
    inherited: &mut Inherited,
    own: &[Listen],
) -> Result<Door, BindError> {
    let tls = certificates(&config)?;
    let failed = |error| {
        let (name, listen) = (config.name.clone(), config.listen.clone());
        BindError::Socket { name, listen, error }
    };
    let bound = open(&config, inherited, own).map_err(failed)?;
    let is_held = inherited.is_held(&bound);
    Ok(Door { bound, tls, listener, config, is_held })
}

/// Opens the socket of the API or the admin port, or takes the one that was handed over for its
/// address; must be called inside a tokio runtime.
///
/// # Errors
///
/// The address is taken or not ours.
pub fn bind_calls(
    name: &str,
    listen: SocketAddr,
    inherited: &mut Inherited,
) -> Result<TcpListener, BindError> {
    let own = inherited.addresses();
    let bound = tcp(listen, inherited, &own);
    bound.map_err(|error| BindError::Calls { name: name.to_owned(), listen, error })
}

/// What answers the handshakes of a listener, where there are any.
pub(super) fn certificates(config: &ListenerConfig) -> Result<Option<Arc<Tls>>, BindError> {
    let tls = config.tls.as_ref().map(Tls::open).transpose();
    let tls = tls.map_err(|error| BindError::Tls { name: config.name.clone(), error })?;
    Ok(tls.map(Arc::new))
}

fn open(
    config: &ListenerConfig,
    inherited: &mut Inherited,
    own: &[Listen],
) -> Result<Bound, FileError> {
    match (config.transport, &config.listen) {
        (Transport::Tcp, Listen::Address(listen)) => {
            Ok(Bound::Streams(Streams::Tcp(tcp(*listen, inherited, own)?)))
        }
        (Transport::Udp, Listen::Address(listen)) => {
            let (socket, state) = udp(config, *listen, inherited, own)?;
            Ok(Bound::Udp(socket, state))
        }
        (Transport::Unix, Listen::Path(path)) => {
            Ok(Bound::Streams(unix_streams(config, path, inherited)?))
        }
        (Transport::Unixgram, Listen::Path(path)) => unixgram(config, path, inherited),
        // Refused with the rest of what makes no sense, before anything is opened.
        (Transport::Tcp | Transport::Udp, _) | (Transport::Unix | Transport::Unixgram, _) => {
            Err(io::Error::from(io::ErrorKind::InvalidInput).into())
        }
    }
}

impl Door {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What it was configured to be.
    pub fn config(&self) -> &ListenerConfig {
        &self.config
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn address(&self) -> io::Result<Listen> {
        match &self.bound {
            Bound::Streams(Streams::Tcp(socket)) => Ok(socket.local_addr()?.into()),
            Bound::Udp(socket, _) => Ok(socket.local_addr()?.into()),
            Bound::Streams(Streams::Unix { .. }) | Bound::Unixgram(..) => {
                Ok(self.config.listen.clone())
            }
        }
    }

    /// The socket that was handed over for its port, but at another address than it has by now: what
    /// still waits there is to be taken, and then it ends.
    pub fn leaving(&self, inherited: &mut Inherited) -> Option<Self> {
        let listen = self.config.listen.address()?;
        let bound = match self.config.transport {
            Transport::Tcp => inherited.stream_of_port(listen).map(|socket| {
                socket.set_nonblocking(true)?;
                Ok(Bound::Streams(Streams::Tcp(TcpListener::from_std(socket)?)))
            }),
            Transport::Udp => inherited.datagram_of_port(listen).map(|socket| {
                socket.set_nonblocking(true)?;
                let state = UdpSocketState::new((&socket).into())?;
                Ok(Bound::Udp(socket, state))
            }),
            Transport::Unix | Transport::Unixgram => None,
        };
        let bound: io::Result<Bound> = bound?;
        let bound = bound
            .inspect_err(|error| warn!(name = self.name(), %error, "cannot take what waits there"))
            .ok()?;
        let (tls, listener) = (self.tls.clone(), Arc::clone(&self.listener));
        let is_held = inherited.is_held(&bound);
        Some(Self { bound, tls, listener, config: Arc::clone(&self.config), is_held })
    }

    /// The bytes that the kernel keeps for a listener of datagrams.
    pub fn receive_buffer(&self) -> Option<usize> {
        match &self.bound {
            Bound::Streams(_) | Bound::Unixgram(..) => None,
            Bound::Udp(socket, _) => SockRef::from(socket).recv_buffer_size().ok(),
        }
    }

    /// The socket's number among those of the system, where it is one of datagrams.
    pub fn datagram_inode(&self) -> Option<u64> {
        match &self.bound {
            Bound::Streams(_) | Bound::Unixgram(..) => None,
            Bound::Udp(socket, _) => super::drops::inode(socket),
        }
    }
}

fn tcp(listen: SocketAddr, inherited: &mut Inherited, own: &[Listen]) -> io::Result<TcpListener> {
    if let Some(socket) = inherited.stream(listen) {
        socket.set_nonblocking(true)?;
        return TcpListener::from_std(socket);
    }
    let open = |is_beside| {
        let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(IpProtocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_port(is_beside)?;
        socket.bind(&listen.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    TcpListener::from_std(beside(listen, own, open)?.into())
}

/// Opens a socket; beside another of our own, if that is what is in its way. From then on others of
/// our own, and only these, can be put beside it.
fn beside(
    listen: SocketAddr,
    own: &[Listen],
    open: impl Fn(bool) -> io::Result<Socket>,
) -> io::Result<Socket> {
    let is_ours = |own: &Listen| {
        own.address().is_some_and(|own| own.port() == listen.port() && own != listen)
    };
    let socket = match open(false) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && own.iter().any(is_ours) => {
            open(true)?
        }
        opened => opened?,
    };
    socket.set_reuse_port(true)?;
    Ok(socket)
}

fn unix_streams(
    config: &ListenerConfig,
    path: &Path,
    inherited: &mut Inherited,
) -> Result<Streams, FileError> {
    let (socket, file) = match inherited.unix_stream(path) {
        Some(socket) => (socket, None),
        None => {
            let (socket, file) = unix::bind_stream(path, &config.socket, BACKLOG)?;
            (socket, Some(file))
        }
    };
    socket.set_nonblocking(true)?;
    Ok(Streams::Unix { socket: UnixListener::from_std(socket)?, _file: file })
}

fn unixgram(
    config: &ListenerConfig,
    path: &Path,
    inherited: &mut Inherited,
) -> Result<Bound, FileError> {
    let (socket, file) = match inherited.unix_datagram(path) {
        Some(socket) => (socket, None),
        None => {
            let (socket, file) = unix::bind_datagrams(path, &config.socket)?;
            (socket, Some(file))
        }
    };
    unix::hear_credentials(&socket)?;
    socket.set_nonblocking(true)?;
    Ok(Bound::Unixgram(UnixDatagram::from_std(socket)?, file))
}

fn udp(
    config: &ListenerConfig,
    listen: SocketAddr,
    inherited: &mut Inherited,
    own: &[Listen],
) -> io::Result<(UdpSocket, UdpSocketState)> {
    let socket = match inherited.datagram(listen) {
        Some(socket) => {
            let socket = Socket::from(socket);
            ask_for_buffer(SockRef::from(&socket), config)?;
            socket
        }
        None => beside(listen, own, |is_beside| {
            let domain = Domain::for_address(listen);
            let socket = Socket::new(domain, Type::DGRAM, Some(IpProtocol::UDP))?;
            ask_for_buffer(SockRef::from(&socket), config)?;
            socket.set_reuse_port(is_beside)?;
            socket.bind(&listen.into())?;
            Ok(socket)
        })?,
    };
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from(socket);
    let state = UdpSocketState::new((&socket).into())?;
    Ok((socket, state))
}

impl Bound {
    /// The socket, for another process. The file of one that has some stays.
    pub(super) fn into_fd(self) -> io::Result<OwnedFd> {
        match self {
            Self::Streams(Streams::Tcp(socket)) => Ok(socket.into_std()?.into()),
            Self::Streams(Streams::Unix { socket, _file: file }) => {
                std::mem::forget(file);
                Ok(socket.into_std()?.into())
            }
            Self::Udp(socket, _) => Ok(socket.into()),
            Self::Unixgram(socket, file) => {
                std::mem::forget(file);
                Ok(socket.into_std()?.into())
            }
        }
    }
}

/// Asks for the receive buffer. Who may (`CAP_NET_ADMIN`) gets what is wanted; all others what
/// `net.core.rmem_max` allows. What was granted is on the metrics page.
pub(super) fn ask_for_buffer(socket: SockRef<'_>, config: &ListenerConfig) -> io::Result<()> {
    let wanted = usize::try_from(config.receive_buffer.as_u64()).unwrap_or(usize::MAX);
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&*socket, wanted).is_err() {
        socket.set_recv_buffer_size(wanted)?;
    }
    Ok(())
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Streams(Streams::Tcp(socket)) => socket.as_fd(),
            Self::Streams(Streams::Unix { socket, .. }) => socket.as_fd(),
            Self::Udp(socket, _) => socket.as_fd(),
            Self::Unixgram(socket, _) => socket.as_fd(),
        }
    }
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Streams(socket) => f.debug_tuple("Streams").field(socket).finish(),
            Self::Udp(socket, _) => f.debug_tuple("Udp").field(socket).finish(),
            Self::Unixgram(socket, _) => f.debug_tuple("Unixgram").field(socket).finish(),
        }
    }
}

/// Connections that the system completes before they are accepted.
pub(super) const BACKLOG: i32 = 4096;
