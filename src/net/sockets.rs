//! Where connections come from, whatever they come by.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::unix::{self, SocketFile};
use crate::ingest::Process;

/// An open socket of streams.
#[derive(Debug)]
pub(super) enum Streams {
    /// At an address.
    Tcp(TcpListener),
    /// At a path.
    Unix {
        /// The socket.
        socket: UnixListener,
        /// Its file, where it is ours to remove.
        _file: Option<SocketFile>,
    },
}

/// A connection, just accepted.
#[derive(Debug)]
pub(super) enum Incoming {
    /// From an address.
    Tcp(TcpStream, SocketAddr),
    /// From a process of this machine.
    Unix(UnixStream, Option<Process>),
}

impl Streams {
    pub(super) async fn accept(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                Ok(Incoming::Tcp(stream, peer))
            }
            Self::Unix { socket, .. } => {
                let (stream, _unnamed) = socket.accept().await?;
                let process = stream.peer_cred().ok().map(unix::process);
                Ok(Incoming::Unix(stream, process))
            }
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, peer) => write!(f, "{peer}"),
            Self::Unix(_, Some(Process { pid: Some(pid), .. })) => write!(f, "process {pid}"),
            Self::Unix(_, _) => write!(f, "a process of this machine"),
        }
    }
}
