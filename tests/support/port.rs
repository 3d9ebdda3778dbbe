//! Ports for what has to come back where it was.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;

use parking_lot::Mutex;

/// A loopback address that nobody listens at and that the kernel gives to no connection, so that it
/// can be listened at again later. It is this process's until it ends: meanwhile no other test is
/// given it, whether somebody listens there or not.
pub(crate) fn free_address() -> SocketAddr {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let uid = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("logtrace-test-ports-{uid}"));
    fs::create_dir_all(&folder).unwrap();
    let begin = u16::try_from(process::id() * 64 % u32::from(PORTS)).unwrap();
    for number in 0..PORTS {
        let port = FIRST + (begin + number) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let file = File::create(folder.join(port.to_string())).unwrap();
        if file.try_lock().is_ok() && TcpListener::bind(address).is_ok() {
            TAKEN.lock().push(file);
            return address;
        }
    }
    panic!("expected a free port, but found none");
}

/// Below the ports that Linux gives to connections (32768 and up, `ip_local_port_range`).
const FIRST: u16 = 12_000;

const PORTS: u16 = 20_480;
