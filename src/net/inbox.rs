//! What a connection has brought that is not used yet.
//!
//! One over which nothing comes has no memory for it: there is room only while a read is tried. Each
//! thread has a few buffers for that, which go from one connection to the next. What a connection
//! keeps beyond a small part of its own is of the memory that all share ([`Hold`]), be it here or
//! beside it: it asks before its buffer grows, and before it reads on where more is kept beside it.
//! While there is little it reads no more than a small part at once.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::memory::{Budget, By, Hold};

/// Bytes that were read.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// How many of them, at the front, were used.
    used: usize,
    /// Whether nothing has come for a while.
    is_resting: bool,
    /// What it has of the memory that all share.
    hold: Hold,
    /// Bytes that are kept of the connection elsewhere.
    beside: usize,
}

impl Inbox {
    /// One of a connection that shares `memory` with all others.
    pub(super) fn new(memory: Arc<Budget>) -> Self {
        let hold = Hold::new(memory, By::Messages);
        Self { bytes: Vec::new(), used: 0, is_resting: false, hold, beside: 0 }
    }

    /// What is not used yet.
    pub(super) fn unused(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// Marks so many bytes at the front as used.
    pub(super) fn advance(&mut self, len: usize) {
        self.used = self.used.saturating_add(len).min(self.bytes.len());
    }

    /// What is not used yet, lent to someone who may have to wait.
    pub(super) fn lend(&mut self) -> (&[u8], Lent<'_>) {
        let kept = self.kept();
        let unused = self.bytes.get(self.used..).unwrap_or_default();
        (unused, Lent { hold: &mut self.hold, kept })
    }

    /// Says how many bytes are kept of the connection elsewhere.
    pub(super) fn beside(&mut self, bytes: usize) {
        self.beside = bytes;
    }

    /// What it has of the memory that all share, in bytes.
    pub(super) fn held(&self) -> usize {
        self.hold.bytes()
    }

    /// Says that messages came to their end.
    pub(super) fn progress(&self) {
        if self.hold.bytes() > 0 {
            self.hold.progress();
        }
    }

    /// Keeps nothing any longer but so many bytes elsewhere: the connection ends.
    pub(super) fn close(&mut self, beside: usize) {
        let _unused = std::mem::take(&mut self.bytes);
        (self.used, self.beside) = (0, beside);
        self.charge();
    }

    /// Returns once the connection has to end, because others wait for the memory that it holds.
    pub(super) fn told(&self) -> impl Future<Output = ()> + Send + use<> {
        self.hold.told()
    }

    /// Reserves `more` than what it keeps, when there is room for it. Nothing is reserved where it is
    /// dropped before.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill): others wait.
    pub(super) async fn reserve(&mut self, more: usize) -> io::Result<()> {
        let wanted = self.kept().saturating_add(more);
        let lacking = wanted.saturating_sub(self.hold.bytes());
        if lacking == 0 {
            return Ok(());
        }
        let told = self.hold.told();
        tokio::select! {
            biased;
            () = self.hold.grow(lacking) => Ok(()),
            () = told => Err(crowded()),
        }
    }

    /// Reads more, when there is room for it; returns how much, 0 at the end. Nothing is lost where it
    /// is dropped before.
    ///
    /// # Errors
    ///
    /// The connection broke; or, [`io::ErrorKind::QuotaExceeded`], it has to end because others wait
    /// for the memory that it holds.
    pub(super) async fn fill<R: AsyncRead + Unpin>(&mut self, socket: &mut R) -> io::Result<usize> {
        loop {
            let read = poll_fn(|cx| self.poll_fill(socket, cx)).await?;
            match read {
                Filled::Read(len) => return Ok(len),
                Filled::Wants(more) => self.grow(more).await?,
            }
        }
    }

    /// Keeps no more memory than there is left, until more comes.
    pub(super) fn rest(&mut self) {
        self.is_resting = true;
        self.settle();
        self.charge();
    }

    /// Gives the memory of a read back, unless what is left would be long to copy: then it most likely
    /// goes on soon.
    pub(super) fn narrow(&mut self) {
        if self.is_resting || self.unused().len() <= SHORT {
            self.settle();
        }
        self.charge();
    }

    /// Says what it keeps, beyond the part that is its own: for as long as it waits for something.
    pub(super) fn charge(&mut self) {
        let kept = self.kept();
        if kept != self.hold.bytes() {
            self.hold.set(kept);
        }
    }

    /// Bytes that are kept of the connection; none where that is no more than is its own.
    fn kept(&self) -> usize {
        match self.bytes.capacity() + self.beside {
            ..=OWN => 0,
            kept => kept,
        }
    }

    fn is_wide(&self) -> bool {
        self.bytes.capacity() >= WIDE
    }

    fn settle(&mut self) {
        if self.bytes.capacity() > self.unused().len() + OWN / 2 {
            let left = self.unused().to_vec();
            give(std::mem::replace(&mut self.bytes, left));
            self.used = 0;
        }
    }

    fn poll_fill<R>(&mut self, socket: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<Filled>>
    where
        R: AsyncRead + Unpin,
    {
        // What came to be kept beside it since the last read is reserved before the next.
        let is_owed = self.beside > self.hold.bytes().max(OWN);
        let room = match if is_owed { Err(0) } else { self.widen() } {
            Ok(room) => room,
            Err(more) => return Poll::Ready(Ok(Filled::Wants(more))),
        };
        let mut bytes = (&mut self.bytes).limit(room);
        let read = pin!(socket.read_buf(&mut bytes)).poll(cx);
        match read {
            Poll::Pending => {
                self.narrow();
                ready!(self.hold.poll_told(cx));
                Poll::Ready(Err(crowded()))
            }
            Poll::Ready(read) => {
                self.is_resting = false;
                Poll::Ready(read.map(Filled::Read))
            }
        }
    }

    /// Makes room for a read behind what is left: how much may be read. Fails where there is none, with
    /// how much more is wanted for it.
    fn widen(&mut self) -> Result<usize, usize> {
        let left = self.unused().len();
        if !self.is_wide() && left <= SHORT && !self.hold.is_pressed() {
            let mut wide = take();
            wide.extend_from_slice(self.unused());
            (self.bytes, self.used) = (wide, 0);
            return Ok(usize::MAX);
        }
        self.bytes.drain(..self.used);
        self.used = 0;
        if !self.is_wide() && left <= SHORT {
            self.bytes.reserve_exact(NARROW - left);
            return Ok(NARROW - left);
        }
        // In one step, also while there is little: memory that grows by little leaves gaps.
        match self.bytes.capacity() - left {
            room if room >= WIDE / 2 => Ok(usize::MAX),
            _ => Err(WIDE.max(left / 2)),
        }
    }

    /// Makes so much more room, when there is memory for it.
    async fn grow(&mut self, more: usize) -> io::Result<()> {
        self.reserve(more).await?;
        self.bytes.reserve_exact(more);
        Ok(())
    }
}

/// What is kept of a connection while someone uses it.
pub(super) struct Lent<'i> {
    hold: &'i mut Hold,
    kept: usize,
}

impl Lent<'_> {
    /// Says so: it is kept for as long as that takes, which is not for its sender to say.
    pub(super) fn keep_for_us(&mut self) {
        if self.kept != self.hold.bytes() {
            self.hold.set(self.kept);
        }
        self.hold.keep_for_us();
    }

    /// Says that it took no longer.
    pub(super) fn go_on(&self) {
        self.hold.go_on();
    }
}

/// What came of trying to read.
enum Filled {
    /// So many bytes.
    Read(usize),
    /// There is no room, and so many bytes more are wanted.
    Wants(usize),
}

/// Others wait for the memory that a connection holds.
fn crowded() -> io::Error {
    io::ErrorKind::QuotaExceeded.into()
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if self.is_wide() {
            give(std::mem::take(&mut self.bytes));
        }
    }
}

thread_local! {
    /// Memory for reads that no connection holds.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Memory for a read.
fn take() -> Vec<u8> {
    // A thread that ends has none any longer.
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
    spare.unwrap_or_else(|| Vec::with_capacity(WIDE))
}

/// Takes it back. One that grew for a long message is not kept, and neither is a small one.
fn give(mut bytes: Vec<u8>) {
    bytes.clear();
    let _ended = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MAX_SPARE && (WIDE..=2 * WIDE).contains(&bytes.capacity()) {
            spare.push(bytes);
        }
    });
}

/// Room for a read, in bytes; for one behind a part of a message at least half of it.
const WIDE: usize = 256 << 10;

/// What is left of a read and no longer than this is copied rather than kept where it is, in bytes.
const SHORT: usize = 4 << 10;

/// Room for a read while there is little memory, in bytes.
const NARROW: usize = 8 << 10;

/// The part of its memory that is a connection's own, in bytes: it asks nobody for it.
const OWN: usize = 1 << 10;

/// Buffers that a thread keeps.
const MAX_SPARE: usize = 2;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    fn inbox() -> Inbox {
        Inbox::new(Arc::new(Budget::unlimited()))
    }

    fn spare() -> usize {
        SPARE.with(|spare| spare.borrow().len())
    }

    #[tokio::test]
    async fn what_waits_has_no_memory_and_buffers_go_from_one_to_the_next() {
        let (mut near, mut far) = duplex(1 << 20);
        let (mut one, mut other) = (inbox(), inbox());
        assert!(one.fill(&mut far).now_or_never().is_none());
        assert_eq!((one.bytes.capacity(), spare()), (0, 1), "nothing came");
        near.write_all(b"line\npart").await.unwrap();
        assert_eq!(one.fill(&mut far).await.unwrap(), 9);
        assert_eq!((one.is_wide(), spare()), (true, 0), "it went to whom something came");
        one.advance(5);
        assert!(one.fill(&mut far).now_or_never().is_none());
        assert_eq!((one.unused(), one.bytes.capacity(), spare()), (&b"part"[..], 4, 1));
        assert!(other.fill(&mut far).now_or_never().is_none());
        assert_eq!((other.bytes.capacity(), spare()), (0, 1), "the same for both");
        one.advance(4);
        assert!(one.fill(&mut far).now_or_never().is_none());
        assert_eq!(one.bytes.capacity(), 0, "all is used");
    }

    #[tokio::test]
    async fn the_part_of_a_long_message_keeps_its_memory_until_nothing_more_comes() {
        let (mut near, mut far) = duplex(1 << 20);
        let mut inbox = inbox();
        near.write_all(&vec![b'a'; 3 * WIDE]).await.unwrap();
        for _ in 0..5 {
            let _all = inbox.fill(&mut far).now_or_never();
        }
        assert_eq!(inbox.unused().len(), 3 * WIDE);
        assert!(inbox.bytes.capacity() <= 6 * WIDE, "{}", inbox.bytes.capacity());
        inbox.advance(3 * WIDE - (100 << 10));
        inbox.rest();
        assert_eq!(spare(), 0, "one that grew is not kept");
        assert!(inbox.fill(&mut far).now_or_never().is_none());
        assert_eq!((inbox.unused().len(), inbox.bytes.capacity()), (100 << 10, 100 << 10));
        near.write_all(b"b").await.unwrap();
        assert_eq!(inbox.fill(&mut far).await.unwrap(), 1);
        assert!(inbox.unused().ends_with(b"ab"));
        drop(inbox);
        assert!(spare() <= MAX_SPARE);
    }

    #[tokio::test]
    async fn st_21_while_there_is_little_memory_a_connection_reads_little_and_keeps_what_it_must() {
        let memory = Arc::new(Budget::of(4 << 20));
        let mut others = Hold::new(Arc::clone(&memory), By::Messages);
        others.try_set((4 << 20) - (64 << 10)).unwrap();
        let (mut near, mut far) = duplex(1 << 20);
        let mut inbox = Inbox::new(Arc::clone(&memory));
        near.write_all(&vec![b'a'; 100 << 10]).await.unwrap();
        assert_eq!(inbox.fill(&mut far).await.unwrap(), NARROW);
        assert!(inbox.fill(&mut far).now_or_never().is_none(), "there is no room for more");
        assert!(inbox.unused().len() == NARROW && memory.reserved() <= 4 << 20);
        inbox.advance(NARROW);
        assert!(inbox.fill(&mut far).now_or_never().is_some(), "for as little there is");
        // What it keeps beside that is waited for before more is read.
        inbox.advance(NARROW);
        inbox.beside(200 << 10);
        assert!(inbox.fill(&mut far).now_or_never().is_none());
        assert!(memory.reserved() <= 4 << 20);
        others.set(0);
        assert!(inbox.fill(&mut far).now_or_never().is_some());
        assert!(inbox.held() >= 200 << 10);
        inbox.close(0);
        assert_eq!((inbox.held(), memory.reserved()), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn all_that_came_is_there_in_order(
            steps in prop::collection::vec((0..200_000_usize, 0..200_000_usize, any::<bool>()), 1..12),
        ) {
            let (mut near, mut far) = duplex(4 << 20);
            let (mut inbox, mut sent) = (inbox(), Vec::new());
            let (mut used, mut longest) = (0, 0);
            for (more, using, rests) in steps {
                let byte = |n| u8::try_from(n / 7 % 251).unwrap();
                let bytes: Vec<u8> = (sent.len()..sent.len() + more).map(byte).collect();
                near.write_all(&bytes).now_or_never().unwrap().unwrap();
                sent.extend_from_slice(&bytes);
                while inbox.fill(&mut far).now_or_never().is_some() {}
                prop_assert_eq!(inbox.unused(), &sent[used..]);
                longest = longest.max(sent.len() - used);
                inbox.advance(using);
                used = (used + using).min(sent.len());
                if rests {
                    inbox.rest();
                }
                prop_assert_eq!(inbox.unused(), &sent[used..]);
                prop_assert!(inbox.bytes.capacity() <= 2 * (longest + 2 * WIDE));
            }
        }
    }
}
