//! How a socket is left whose port another socket has at another address.
//!
//! The system gives each arrival to the socket whose address is the narrower: for as long as this one is
//! open it has what the other is to have, and what it has when it is closed is lost. So nothing new is
//! let in, what is there is taken, and it is closed at once.
//!
//! A service manager may hold the same socket, and have its service start with it again: it is left as
//! it was.

use std::net::UdpSocket;

use rustix::net::{connect, connect_unspec};
use socket2::{SockFilter, SockRef};

use super::sockets::Streams;

/// A socket of streams that completes no connection which is not begun: who tries it again finds the
/// other.
#[derive(Debug)]
pub(super) struct LastStreams(Streams);

/// A socket that has no datagrams but those that wait: all others are the other's.
#[derive(Debug)]
pub(super) struct LastDatagrams(UdpSocket);

impl LastStreams {
    /// Lets nobody in from now on, where the system can do that.
    pub(super) fn new(streams: Streams) -> Self {
        if let Streams::Tcp(socket) = &streams {
            let _refused = SockRef::from(socket).attach_filter(&NO_NEW).is_err();
        }
        Self(streams)
    }

    /// The socket, for those who wait.
    pub(super) fn streams(&self) -> &Streams {
        &self.0
    }
}

impl Drop for LastStreams {
    fn drop(&mut self) {
        if let Streams::Tcp(socket) = &self.0 {
            let _none = SockRef::from(socket).detach_filter().is_err();
        }
    }
}

impl LastDatagrams {
    /// Hears nobody else from now on, where the system can do that: it is connected to itself.
    pub(super) fn new(socket: UdpSocket) -> Self {
        let _refused = socket.local_addr().map(|own| connect(&socket, &own)).is_err();
        Self(socket)
    }

    /// The socket, for what waits.
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.0
    }
}

impl Drop for LastDatagrams {
    fn drop(&mut self) {
        let _none = connect_unspec(&self.0).is_err();
    }
}

/// Passes all segments but those that begin a connection (`SYN` without `ACK`; RFC 9293 §3.1), in the
/// form of `linux/filter.h`: load the octet of flags, keep these two, pass if they are others, or drop.
const NO_NEW: [SockFilter; 5] = [
    SockFilter::new(0x30, 0, 0, 13),
    SockFilter::new(0x54, 0, 0, 0x12),
    SockFilter::new(0x15, 1, 0, 0x02),
    SockFilter::new(0x06, 0, 0, u32::MAX),
    SockFilter::new(0x06, 0, 0, 0),
];

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use socket2::{Domain, Socket, Type};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Sockets at the loopback address, at all addresses of its port, and where to find both.
    fn beside(kind: Type) -> (Socket, Socket, SocketAddr) {
        let open = |address: Ipv4Addr, port| {
            let socket = Socket::new(Domain::IPV4, kind, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&SocketAddr::from((address, port)).into()).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        // A port that was chosen by the system would be given back with the connection.
        let chooser = open(Ipv4Addr::LOCALHOST, 0);
        let chosen = chooser.local_addr().unwrap().as_socket().unwrap();
        let narrow = open(Ipv4Addr::LOCALHOST, chosen.port());
        (narrow, open(Ipv4Addr::UNSPECIFIED, chosen.port()), chosen)
    }

    #[tokio::test]
    async fn who_connects_to_a_socket_that_is_left_finds_the_other() {
        let (narrow, wide, at) = beside(Type::STREAM);
        let [narrow, wide] = [narrow, wide].map(|socket| {
            socket.listen(9).unwrap();
            TcpListener::from_std(socket.into()).unwrap()
        });
        let waiting = TcpStream::connect(at).await.unwrap();
        let last = LastStreams::new(Streams::Tcp(narrow));
        let connecting = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        connecting.set_nonblocking(true).unwrap();
        connecting.connect(&at.into()).unwrap_err(); // it has been sent, and is tried again
        let accepted = last.streams().accept().await.unwrap();
        assert_eq!(accepted.to_string(), waiting.local_addr().unwrap().to_string());
        drop(last);
        let (_, peer) = wide.accept().await.unwrap();
        assert_eq!(connecting.local_addr().unwrap().as_socket(), Some(peer));
    }

    #[tokio::test]
    async fn a_socket_that_is_left_is_as_it_was_for_who_holds_it_too() {
        let (narrow, _wide, at) = beside(Type::STREAM);
        narrow.listen(9).unwrap();
        let held = TcpListener::from_std(narrow.try_clone().unwrap().into()).unwrap();
        drop(LastStreams::new(Streams::Tcp(TcpListener::from_std(narrow.into()).unwrap())));
        let connected = TcpStream::connect(at).await.unwrap();
        assert_eq!(held.accept().await.unwrap().1, connected.local_addr().unwrap());
    }

    #[test]
    fn what_is_sent_to_a_socket_that_is_left_is_the_others() {
        let (narrow, wide, at) = beside(Type::DGRAM);
        let (held, wide) = (UdpSocket::from(narrow.try_clone().unwrap()), UdpSocket::from(wide));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let heard = |socket: &UdpSocket| {
            let mut bytes = [0; 9];
            socket.recv(&mut bytes).map(|len| String::from_utf8_lossy(&bytes[..len]).into_owned())
        };
        sender.send_to(b"before", at).unwrap();
        let last = LastDatagrams::new(narrow.into());
        sender.send_to(b"while", at).unwrap();
        assert_eq!(heard(last.socket()).unwrap(), "before");
        assert!(heard(last.socket()).is_err());
        assert_eq!(heard(&wide).unwrap(), "while");
        drop(last);
        sender.send_to(b"after", at).unwrap();
        assert_eq!(heard(&held).unwrap(), "after");
    }
}
