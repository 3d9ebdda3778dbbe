//! A socket of datagrams: waited for while few come, and looked at once in a while when many do.
//!
//! A wake-up that brings a few datagrams costs more than they do, to their sender as well. Who waits for
//! a socket is woken by each datagram, also while it lets them gather: so a busy one is not waited for
//! at all.

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use quinn_udp::{BATCH_SIZE, UdpSockRef};
use tokio::io::Interest;
use tokio::task::coop::consume_budget;
use tokio::time::sleep;

/// A socket, and how fast datagrams come.
#[derive(Debug)]
pub(super) struct Paced {
    socket: UdpSocket,
    /// The same, for the runtime to wait for; none while much comes.
    waited: Option<tokio::net::UdpSocket>,
    pace: Pace,
    /// Whether the last call brought all that there was.
    is_drained: bool,
}

/// How fast datagrams come.
#[derive(Debug)]
struct Pace {
    count: usize,
    since: Instant,
    is_busy: bool,
}

impl Paced {
    /// One that does not block.
    pub(super) fn new(socket: UdpSocket) -> Self {
        let mut paced = Self { socket, waited: None, pace: Pace::new(), is_drained: true };
        paced.turn();
        paced
    }

    /// The socket, for whoever comes next.
    pub(super) fn into_inner(self) -> UdpSocket {
        self.socket
    }

    /// Returns when something may have come. May be dropped at any time and called again.
    ///
    /// # Errors
    ///
    /// The system cannot tell.
    pub(super) async fn ready(&self) -> io::Result<()> {
        match &self.waited {
            Some(waited) => waited.readable().await,
            None if self.is_drained => {
                sleep(GATHER).await;
                Ok(())
            }
            None => {
                consume_budget().await;
                Ok(())
            }
        }
    }

    /// What `receive` says of the socket, which is how many of [`BATCH_SIZE`] buffers it filled.
    ///
    /// # Errors
    ///
    /// As `receive`; [`io::ErrorKind::WouldBlock`] where nothing has come.
    pub(super) fn receive(
        &mut self,
        receive: impl FnOnce(UdpSockRef<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let received = match &self.waited {
            Some(waited) => waited.try_io(Interest::READABLE, || receive(waited.into())),
            None => receive((&self.socket).into()),
        };
        let count = received.as_ref().map_or(0, |count| *count);
        self.is_drained = count < BATCH_SIZE;
        self.pace.received(count, Instant::now());
        self.turn();
        received
    }

    /// Waits for the socket from now on, or no longer.
    fn turn(&mut self) {
        if self.pace.is_busy {
            self.waited = None;
        } else if self.waited.is_none() && self.is_drained {
            // Where there is no descriptor left for that, it is looked at as if it were busy.
            let waited = self.socket.try_clone().and_then(tokio::net::UdpSocket::from_std);
            self.waited = waited.ok();
        }
    }
}

impl Pace {
    fn new() -> Self {
        Self { count: 0, since: Instant::now(), is_busy: false }
    }

    /// Notes that `count` datagrams came, by `now`.
    fn received(&mut self, count: usize, now: Instant) {
        self.count += count;
        let passed = now.duration_since(self.since);
        if self.count >= BUSY || passed > BUSY_WITHIN {
            let is_busy = self.count >= BUSY && passed <= BUSY_WITHIN;
            *self = Self { count: 0, since: now, is_busy };
        }
    }
}

/// How long datagrams are left to gather on a busy socket: far less than fill its buffer.
const GATHER: Duration = Duration::from_millis(1);

/// So many datagrams…
const BUSY: usize = 64;

/// …within this time make a socket busy: about 13,000 a second.
const BUSY_WITHIN: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_busy_by_the_rate_of_its_datagrams() {
        let mut pace = Pace::new();
        let begin = pace.since;
        let mut after = |count, micros| {
            pace.received(count, begin + Duration::from_micros(micros));
            pace.is_busy
        };
        assert!(!after(BUSY - 1, 10), "too few to say");
        assert!(after(1, 20));
        assert!(after(1, 4_000), "too few to say that it no longer is");
        assert!(!after(0, 6_000));
        assert!(!after(BUSY, 2_000_000));
        assert!(after(BUSY, 2_004_000));
    }

    #[tokio::test]
    async fn a_busy_socket_is_not_waited_for_until_it_is_quiet() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(socket.local_addr().unwrap()).unwrap();
        let mut paced = Paced::new(socket);
        let much = |_: UdpSockRef<'_>| Ok(BATCH_SIZE);
        let nothing = |_: UdpSockRef<'_>| Err(io::ErrorKind::WouldBlock.into());
        assert!(paced.waited.is_some());
        sender.send(b"hello").unwrap();
        while paced.waited.is_some() {
            // As if much had come, and more were there.
            paced.ready().await.unwrap();
            paced.receive(much).unwrap();
        }
        paced.ready().await.unwrap();
        while paced.waited.is_none() {
            assert!(paced.receive(nothing).is_err());
            paced.ready().await.unwrap();
        }
        paced.ready().await.unwrap();
        let socket = paced.into_inner();
        assert_eq!(socket.recv(&mut [0; 9]).unwrap(), 5);
    }
}
