//! Senders with an address of their own.
//!
//! Loopback can never be blocked, so that nobody locks themselves out of the machine; and whoever
//! connects to loopback comes from there as well. So a sender gets an address on the loopback device,
//! out of those that are kept for examples (RFC 5737). That takes the rights of an administrator, as
//! tests that mount do.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;

use socket2::{Domain, Socket, Type};

/// An address of this machine, until it is dropped.
pub(crate) struct Address(&'static str);

impl Address {
    pub(crate) fn add(address: &'static str) -> Self {
        // One that a test left which was killed is as good.
        let status = ip("replace", address);
        assert!(status, "cannot add an address: run as root, or with CAP_NET_ADMIN");
        Self(address)
    }

    /// A connection from it.
    pub(crate) fn connect(&self, to: &str) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let own: SocketAddr = format!("{}:0", self.0).parse().unwrap();
        socket.bind(&own.into()).unwrap();
        socket.connect(&to.parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.into()
    }

    /// Sends `bytes` over a connection of their own and returns what is answered.
    pub(crate) fn talk(&self, to: &str, bytes: &[u8]) -> String {
        let mut stream = self.connect(to);
        let mut answer = Vec::new();
        // Who is refused at once may be so before all is written, and the answer be a reset.
        let _written = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let _read = stream.read_to_end(&mut answer).is_ok();
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let _gone = ip("del", self.0);
    }
}

fn ip(what: &str, address: &str) -> bool {
    let net = format!("{address}/32");
    Command::new("ip").args(["addr", what, &net, "dev", "lo"]).status().unwrap().success()
}
