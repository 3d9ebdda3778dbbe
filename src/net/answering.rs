//! Says the answers of a protocol when what they acknowledge is durable, in order.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::batch::{NotStored, Ticket};

/// The answers of one connection, on their way to its sender.
pub(super) struct Answering<W> {
    /// Where to; `None` in a protocol without answers.
    to: Option<W>,
    /// What is held back, in order.
    held: VecDeque<Held>,
    /// How many bytes that is.
    held_bytes: usize,
    /// What can be said, and is not written yet.
    out: BytesMut,
    /// How many messages are answered by what was said, and by what is about to be.
    said: u64,
    saying: u64,
    /// Whether something was written that may still lie in a buffer below.
    is_unflushed: bool,
    /// What tells a sender who waits that it is not forgotten.
    keep_alive: Option<&'static [u8]>,
    /// When something was written last, or began to be waited for.
    last: Instant,
    /// Since when the sender takes nothing of what can be said.
    stuck: Option<Instant>,
}

/// An answer, and what it waits for beside all before it.
struct Held {
    ticket: Option<Ticket>,
    bytes: Vec<u8>,
    /// How many messages of the connection are answered with it.
    answered: u64,
}

/// No more can be said on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mute;

impl<W: AsyncWrite + Unpin> Answering<W> {
    /// The answers to a sender; `None` where it is not answered.
    pub(super) fn new(to: Option<W>) -> Self {
        let (held, out) = (VecDeque::new(), BytesMut::new());
        let last = Instant::now();
        Self {
            to,
            held,
            held_bytes: 0,
            out,
            said: 0,
            saying: 0,
            is_unflushed: false,
            keep_alive: None,
            last,
            stuck: None,
        }
    }

    /// Holds `bytes` back until `ticket`, and all before it, are durable. With them, so many messages
    /// of the connection are answered.
    pub(super) fn hold(&mut self, ticket: Option<Ticket>, bytes: Vec<u8>, answered: u64) {
        if self.to.is_none() || (ticket.is_none() && bytes.is_empty()) {
            return;
        }
        if self.held.is_empty() && self.out.is_empty() {
            self.last = Instant::now();
        }
        self.held_bytes += bytes.capacity();
        self.held.push_back(Held { ticket, bytes, answered });
    }

    /// Says what keeps a sender alive who waits, from now on.
    pub(super) fn keep_alive(&mut self, bytes: Option<&'static [u8]>) {
        self.keep_alive = bytes;
    }

    /// How many messages of the connection were answered: what was said of them is on its way.
    pub(super) fn said(&self) -> u64 {
        self.said
    }

    /// Whether all was said that there was to say.
    pub(super) fn is_done(&self) -> bool {
        self.held.is_empty() && self.out.is_empty() && !self.is_unflushed
    }

    /// Whether so much is held back that no more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= MAX_HELD || self.out.len() >= MAX_OUT
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.held_bytes + self.out.capacity() + self.held.len() * size_of::<Held>()
    }

    /// Keeps no memory where there is nothing to say.
    pub(super) fn rest(&mut self) {
        if self.is_done() {
            (self.held, self.out) = (VecDeque::new(), BytesMut::new());
        }
    }

    /// Says what can be said next; returns when some of it was written. `is_waiting` says that the
    /// sender may be waiting though nothing is held back. Never returns where there is nothing to
    /// say; may be dropped at any time and called again.
    ///
    /// # Errors
    ///
    /// The sender reads no answers, or is gone, or what it sent was not stored.
    pub(super) async fn speak(&mut self, is_waiting: bool) -> Result<(), Mute> {
        if self.to.is_none() {
            return std::future::pending().await;
        }
        if self.out.is_empty() && !self.is_unflushed {
            let due = async {
                match self.held.front() {
                    Some(Held { ticket: Some(ticket), .. }) => ticket.clone().durable().await,
                    Some(Held { ticket: None, .. }) => Ok(()),
                    None => std::future::pending().await,
                }
            };
            let patience = match self.keep_alive {
                Some(_) if is_waiting || !self.held.is_empty() => self.last + KEEP_ALIVE,
                _ => self.last + FOREVER,
            };
            tokio::select! {
                biased;
                durable = due => durable.map_err(|NotStored| Mute)?,
                () = sleep_until(patience) => {
                    self.out.extend_from_slice(self.keep_alive.unwrap_or_default());
                }
            }
            self.take_due();
        }
        let Some(to) = &mut self.to else { return Ok(()) };
        if !self.out.is_empty() {
            // It counts from the first try on, however often that was dropped.
            let until = *self.stuck.get_or_insert_with(Instant::now) + WRITE_PATIENCE;
            let written = timeout_at(until, to.write_buf(&mut self.out)).await;
            if !matches!(written, Ok(Ok(1..))) {
                return Err(Mute);
            }
            self.is_unflushed = true;
            (self.last, self.stuck) = (Instant::now(), None);
        }
        if self.out.is_empty() && self.is_unflushed {
            let until = *self.stuck.get_or_insert_with(Instant::now) + WRITE_PATIENCE;
            let flushed = timeout_at(until, to.flush()).await;
            if !matches!(flushed, Ok(Ok(()))) {
                return Err(Mute);
            }
            (self.is_unflushed, self.stuck) = (false, None);
        }
        if self.out.is_empty() {
            self.said = self.saying;
        }
        Ok(())
    }

    /// Says all that is held back, and after a moment a `last` word, which may be empty; ends the
    /// stream of answers. Says whether anybody was there before that word, as far as their system
    /// told.
    pub(super) async fn finish(&mut self, last: Option<&[u8]>) -> bool {
        while !self.is_done() && self.speak(true).await.is_ok() {}
        let mut is_there = true;
        if let Some(last) = last.filter(|_| self.is_done()) {
            // What was said to one who is gone comes back as an error, though not at once: to nothing
            // that is written where that is plain, to what TLS makes of a word where it is not.
            sleep(ECHO).await;
            if let Some(to) = &mut self.to {
                is_there = to.write(&[]).await.is_ok();
            }
            self.out.extend_from_slice(last);
            while !self.is_done() && self.speak(true).await.is_ok() {}
        }
        if let Some(to) = &mut self.to {
            let ended = timeout(WRITE_PATIENCE, to.shutdown()).await;
            // It is the first word there is; behind another it may fail for that.
            is_there &= last != Some(&[]) || matches!(ended, Ok(Ok(())));
        }
        is_there && self.is_done()
    }

    /// Moves to what can be said the answers at the front that nothing holds back.
    fn take_due(&mut self) {
        let is_due = |held: &mut Held| held.ticket.as_ref().is_none_or(Ticket::is_durable);
        while self.out.len() < MAX_OUT
            && let Some(answer) = self.held.pop_front_if(is_due)
        {
            self.out.extend_from_slice(&answer.bytes);
            self.held_bytes -= answer.bytes.capacity();
            self.saying = self.saying.max(answer.answered);
        }
    }
}

/// How long a sender waits without a word. Senders give up after 30 s, some after 10.
const KEEP_ALIVE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 3000 });

/// Reads whose answers are held back at the same time.
const MAX_HELD: usize = 64;

/// Bytes of answers that the sender has not read.
const MAX_OUT: usize = 64 << 10;

/// How long a sender may take to read an answer.
const WRITE_PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 60_000 });

/// How long an error takes to come back from a sender who is near.
const ECHO: Duration = Duration::from_millis(5);

/// Where nobody waits.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;
    use crate::batch::{self, Batcher};

    fn pair() -> (Answering<DuplexStream>, DuplexStream) {
        let (to, from) = duplex(1024);
        (Answering::new(Some(to)), from)
    }

    async fn said(answering: &mut Answering<DuplexStream>, from: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        let len = tokio::select! {
            biased;
            len = from.read(&mut bytes) => len.unwrap(),
            // It goes on until what it said was read.
            () = async { while answering.speak(false).await.is_ok() {} } => panic!("mute"),
        };
        bytes.truncate(len);
        bytes
    }

    #[tokio::test]
    async fn an_answer_waits_for_those_before_it_and_the_sender_is_told_so() {
        let batcher = Batcher::new(&batch::Config::default());
        let ticket = batcher.append(|_| ()).await.1;
        let (mut answering, mut from) = pair();
        answering.hold(None, b"hello ".to_vec(), 0);
        answering.hold(Some(ticket), b"first".to_vec(), 1);
        answering.hold(None, b"second".to_vec(), 2);
        answering.keep_alive(Some(b"wait"));
        assert_eq!(said(&mut answering, &mut from).await, b"hello ");
        for _ in 0..3 {
            assert_eq!(said(&mut answering, &mut from).await, b"wait");
        }
        // A batch that nobody wrote acknowledges nothing.
        drop(batcher);
        assert_eq!(answering.speak(false).await, Err(Mute));
        drop(answering);
        assert_eq!(from.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn nobody_is_kept_alive_who_does_not_wait() {
        let (mut answering, _from) = pair();
        answering.keep_alive(Some(b"wait"));
        timeout(KEEP_ALIVE * 10, answering.speak(false)).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_sender_that_reads_no_answers_is_bounded_and_given_up() {
        let (mut answering, from) = pair();
        for _ in 0..MAX_HELD {
            assert!(!answering.is_full());
            answering.hold(None, vec![b'a'; 1024], 0);
        }
        assert!(answering.is_full());
        assert_eq!(answering.speak(false).await, Ok(()), "what fits is written");
        assert_eq!(answering.speak(false).await, Err(Mute), "then nobody reads");
        drop(from);
    }

    #[tokio::test]
    async fn st_21_what_is_held_back_is_counted_until_it_is_said() {
        let (mut answering, mut from) = pair();
        assert_eq!(answering.memory(), 0);
        for count in 1..=10 {
            answering.hold(None, vec![b'a'; 10], 0);
            assert!(answering.memory() >= count * (10 + size_of::<Held>()));
        }
        assert_eq!(said(&mut answering, &mut from).await.len(), 64);
        assert!(answering.memory() >= 36, "a part of it was not read");
        while !answering.is_done() {
            answering.speak(false).await.unwrap();
        }
        answering.rest();
        assert_eq!(answering.memory(), 0);
    }

    #[tokio::test]
    async fn a_sender_that_reads_no_answers_is_given_up_however_often_it_is_asked() {
        let (mut answering, _from) = pair();
        answering.hold(None, vec![b'a'; 4096], 0);
        let given_up = async {
            let mut spoken = Ok(Ok(()));
            while spoken != Ok(Err(Mute)) {
                spoken = timeout(WRITE_PATIENCE / 10, answering.speak(false)).await;
            }
        };
        timeout(WRITE_PATIENCE * 1000, given_up).await.expect("it is given up");
    }

    #[tokio::test]
    async fn who_is_gone_hears_nothing() {
        let (mut answering, from) = pair();
        answering.hold(None, b"ok".to_vec(), 1);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut gone = Answering::new(Some(listener.accept().await.unwrap().0));
        drop((from, peer));
        assert!(!answering.finish(Some(b".")).await);
        gone.hold(None, b"ok".to_vec(), 1);
        assert!(!gone.finish(Some(b"")).await, "its system says so a moment later");
    }

    #[tokio::test]
    async fn what_is_held_back_is_said_before_the_end() {
        let (mut answering, mut from) = pair();
        for _ in 0..3 {
            answering.hold(None, b"ok".to_vec(), 0);
        }
        assert!(answering.finish(Some(b".")).await);
        let mut all = Vec::new();
        from.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"okokok.");
    }
}
