//! What stands between a client and the daemon, and holds the client up in the middle of its work,
//! however fast it is.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::{Condvar, Mutex};

/// Passes connections on to an address: at first so many bytes of their clients and no more, and
/// all once it is opened.
pub(crate) struct Valve {
    address: SocketAddr,
    left: Arc<Left>,
}

/// How many bytes may still pass.
struct Left {
    bytes: Mutex<u64>,
    changed: Condvar,
}

impl Valve {
    pub(crate) fn new(to: SocketAddr, bytes: u64) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let left = Arc::new(Left { bytes: Mutex::new(bytes), changed: Condvar::new() });
        let shared = Arc::clone(&left);
        thread::spawn(move || {
            for client in socket.incoming() {
                let left = Arc::clone(&shared);
                // A client whose connection cannot be passed on sees it closed.
                thread::spawn(move || pass(client?, TcpStream::connect(to)?, &left));
            }
        });
        Self { address, left }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets all pass from here on.
    pub(crate) fn open(&self) {
        *self.left.bytes.lock() = u64::MAX;
        self.left.changed.notify_all();
    }
}

/// Both directions of a connection, until one side has ended it.
fn pass(mut client: TcpStream, mut daemon: TcpStream, left: &Arc<Left>) -> io::Result<()> {
    let (mut answers, mut answered) = (daemon.try_clone()?, client.try_clone()?);
    let has_ended = Arc::new(AtomicBool::new(false));
    let (ended, shared) = (Arc::clone(&has_ended), Arc::clone(left));
    thread::spawn(move || {
        // However it ended, the client has to know.
        let _copied = io::copy(&mut answers, &mut answered);
        let _closed = answered.shutdown(Shutdown::Both);
        drop(answered);
        let _bytes = shared.bytes.lock();
        ended.store(true, Ordering::Relaxed);
        shared.changed.notify_all();
    });
    let mut piece = [0; 4096];
    loop {
        let taken = client.read(&mut piece)?;
        if taken == 0 {
            return daemon.shutdown(Shutdown::Write);
        }
        let (mut bytes, needed) = (left.bytes.lock(), taken as u64);
        let is_held = |bytes: &mut u64| *bytes < needed && !has_ended.load(Ordering::Relaxed);
        left.changed.wait_while(&mut bytes, is_held);
        let Some(after) = bytes.checked_sub(needed) else { return Ok(()) };
        *bytes = after;
        drop(bytes);
        daemon.write_all(&piece[..taken])?;
    }
}
