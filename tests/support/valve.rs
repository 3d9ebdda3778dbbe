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
    /// The same of the answers. One that was held up never arrives. What keeps a connection of Beats
    /// alive is none: there is more of that the slower the machine is.
    answers: Arc<Left>,
}

/// How many bytes may still pass.
#[derive(Default)]
struct Left {
    bytes: Mutex<u64>,
    changed: Condvar,
    /// Whether something was held up.
    has_held: AtomicBool,
}

impl Valve {
    pub(crate) fn new(to: SocketAddr, bytes: u64) -> Self {
        Self::with(to, bytes, u64::MAX)
    }

    /// Holds up answers instead: their connections break when it is opened.
    pub(crate) fn of_answers(to: SocketAddr, bytes: u64) -> Self {
        Self::with(to, u64::MAX, bytes)
    }

    fn with(to: SocketAddr, bytes: u64, answers: u64) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let left = |bytes| Arc::new(Left { bytes: Mutex::new(bytes), ..Left::default() });
        let (left, answers) = (left(bytes), left(answers));
        let (shared, held) = (Arc::clone(&left), Arc::clone(&answers));
        thread::spawn(move || {
            for client in socket.incoming() {
                let (left, answers) = (Arc::clone(&shared), Arc::clone(&held));
                // A client whose connection cannot be passed on sees it closed.
                thread::spawn(move || pass(client?, TcpStream::connect(to)?, &left, &answers));
            }
        });
        Self { address, left, answers }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it has held something up.
    pub(crate) fn has_held(&self) -> bool {
        [&self.left, &self.answers].iter().any(|left| left.has_held.load(Ordering::Relaxed))
    }

    /// Lets all pass from here on.
    pub(crate) fn open(&self) {
        for left in [&self.left, &self.answers] {
            *left.bytes.lock() = u64::MAX;
            left.changed.notify_all();
        }
    }
}

impl Left {
    /// Copies answers to their end, or until one of them was held up.
    fn copy(&self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
        let mut piece = [0; 4096];
        loop {
            let taken = from.read(&mut piece)?;
            let (mut bytes, needed) = (self.bytes.lock(), said(&piece[..taken]));
            if *bytes < needed {
                self.has_held.store(true, Ordering::Relaxed);
                self.changed.wait_while(&mut bytes, |bytes| *bytes < needed);
                return Ok(());
            }
            *bytes -= needed;
            drop(bytes);
            if taken == 0 {
                return Ok(());
            }
            to.write_all(&piece[..taken])?;
        }
    }
}

/// Bytes of answers that are more than a sign of life: in Beats that is an acknowledgement of nothing.
fn said(answers: &[u8]) -> u64 {
    let is_alive = |answer: &&[u8]| matches!(answer, [_, b'A', 0, 0, 0, 0]);
    let alive = answers.chunks(6).filter(is_alive).count();
    (answers.len() - 6 * alive) as u64
}

/// Both directions of a connection, until one side has ended it.
fn pass(
    mut client: TcpStream,
    mut daemon: TcpStream,
    left: &Arc<Left>,
    held: &Arc<Left>,
) -> io::Result<()> {
    let held = Arc::clone(held);
    let (mut answers, mut answered) = (daemon.try_clone()?, client.try_clone()?);
    let has_ended = Arc::new(AtomicBool::new(false));
    let (ended, shared) = (Arc::clone(&has_ended), Arc::clone(left));
    thread::spawn(move || {
        // However it ended, the client has to know.
        let _copied = held.copy(&mut answers, &mut answered);
        let _unread = answers.shutdown(Shutdown::Both);
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
        if *bytes < needed {
            left.has_held.store(true, Ordering::Relaxed);
        }
        let is_held = |bytes: &mut u64| *bytes < needed && !has_ended.load(Ordering::Relaxed);
        left.changed.wait_while(&mut bytes, is_held);
        let Some(after) = bytes.checked_sub(needed) else { return Ok(()) };
        *bytes = after;
        drop(bytes);
        daemon.write_all(&piece[..taken])?;
    }
}
