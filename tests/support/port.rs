//! Ports for what has to come back where it was.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// A loopback address that nobody listens at and that the kernel gives to no connection, so that it
/// can be listened at again later. Each process, be it of one test or of all, has some of its own.
pub(crate) fn free_address() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let block = u16::try_from(process::id() % u32::from(BLOCKS)).unwrap();
    for _ in 0..PORTS {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(taken < PORTS, "all ports of this process are taken");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + block * PORTS + taken));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    unreachable!("the assertion comes before")
}

/// Below the ports that Linux gives to connections (32768 and up, `ip_local_port_range`).
const FIRST: u16 = 12_000;

/// Ports of a process, and processes until they begin anew.
const PORTS: u16 = 64;
const BLOCKS: u16 = 320;
