//! How a socket is left that nobody reads any longer, and whose port another one may have at another
//! address.
//!
//! The system gives each arrival to the socket whose address is the narrower: for as long as this one is
//! open it has what the other is to have, and what it has when it is closed is lost. So nothing new is
//! let in, what is there is taken, and it is closed at once. That is not undone: nobody else may hold it.

use std::net::UdpSocket;

use rustix::net::connect;
use socket2::{SockFilter, SockRef};
use tokio::net::TcpListener;

/// Has the system complete no connection which is not begun, where it can do that: who tries it again
/// finds the other.
pub(super) fn let_nobody_in(socket: &TcpListener) {
    let _refused = SockRef::from(socket).attach_filter(&NO_NEW).is_err();
}

/// Has the socket hear no datagrams but those that wait, where the system can do that: it is connected to
/// itself.
pub(super) fn hear_nobody(socket: &UdpSocket) {
    let _refused = socket.local_addr().map(|own| connect(socket, &own)).is_err();
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
        let narrow = open(Ipv4Addr::LOCALHOST, 0);
        let at = narrow.local_addr().unwrap().as_socket().unwrap();
        (narrow, open(Ipv4Addr::UNSPECIFIED, at.port()), at)
    }

    #[tokio::test]
    async fn who_connects_to_a_socket_that_is_left_finds_the_other() {
        let (narrow, wide, at) = beside(Type::STREAM);
        let [narrow, wide] = [narrow, wide].map(|socket| {
            socket.listen(9).unwrap();
            TcpListener::from_std(socket.into()).unwrap()
        });
        let waiting = TcpStream::connect(at).await.unwrap();
        let_nobody_in(&narrow);
        let connecting = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        connecting.set_nonblocking(true).unwrap();
        connecting.connect(&at.into()).unwrap_err(); // it has been sent, and is tried again
        let (_, peer) = narrow.accept().await.unwrap();
        assert_eq!(peer, waiting.local_addr().unwrap());
        drop(narrow);
        let (_, peer) = wide.accept().await.unwrap();
        assert_eq!(connecting.local_addr().unwrap().as_socket(), Some(peer));
    }

    #[test]
    fn what_is_sent_to_a_socket_that_is_left_is_the_others() {
        let (narrow, wide, at) = beside(Type::DGRAM);
        let [narrow, wide] = [narrow, wide].map(UdpSocket::from);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let heard = |socket: &UdpSocket| {
            let mut bytes = [0; 9];
            socket.recv(&mut bytes).map(|len| String::from_utf8_lossy(&bytes[..len]).into_owned())
        };
        sender.send_to(b"before", at).unwrap();
        hear_nobody(&narrow);
        sender.send_to(b"while", at).unwrap();
        assert_eq!(heard(&narrow).unwrap(), "before");
        assert!(heard(&narrow).is_err());
        assert_eq!(heard(&wide).unwrap(), "while");
    }
}
