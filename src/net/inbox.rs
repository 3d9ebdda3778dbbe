//! What a connection has brought that is not used yet.
//!
//! One over which nothing comes has no memory for it: there is room only while a read is tried. Each
//! thread has a few buffers for that, which go from one connection to the next.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that were read.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// How many of them, at the front, were used.
    used: usize,
    /// Whether nothing has come for a while.
    is_resting: bool,
}

impl Inbox {
    /// What is not used yet.
    pub(super) fn unused(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// Marks so many bytes at the front as used.
    pub(super) fn advance(&mut self, len: usize) {
        self.used = self.used.saturating_add(len).min(self.bytes.len());
    }

    /// Reads more; returns how much, 0 at the end. Nothing is lost where it is dropped before.
    pub(super) async fn fill<R: AsyncRead + Unpin>(&mut self, socket: &mut R) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(socket, cx)).await
    }

    /// Keeps no more memory than there is left, until more comes.
    pub(super) fn rest(&mut self) {
        self.is_resting = true;
        self.settle();
    }

    /// Gives the memory of a read back, unless what is left would be long to copy: then it most likely
    /// goes on soon.
    pub(super) fn narrow(&mut self) {
        if self.is_resting || self.unused().len() <= SHORT {
            self.settle();
        }
    }

    fn is_wide(&self) -> bool {
        self.bytes.capacity() >= WIDE
    }

    fn settle(&mut self) {
        if self.is_wide() {
            let left = self.unused().to_vec();
            give(std::mem::replace(&mut self.bytes, left));
            self.used = 0;
        }
    }

    fn poll_fill<R>(&mut self, socket: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        R: AsyncRead + Unpin,
    {
        self.widen();
        let read = pin!(socket.read_buf(&mut self.bytes)).poll(cx);
        match read {
            Poll::Pending => self.narrow(),
            Poll::Ready(_) => self.is_resting = false,
        }
        read
    }

    /// Makes room for a read behind what is left.
    fn widen(&mut self) {
        let left = self.unused().len();
        if !self.is_wide() && left <= SHORT {
            let mut wide = take();
            wide.extend_from_slice(self.unused());
            (self.bytes, self.used) = (wide, 0);
            return;
        }
        self.bytes.drain(..self.used);
        self.used = 0;
        if self.bytes.capacity() - left < WIDE / 2 {
            self.bytes.reserve(WIDE);
        }
    }
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

/// Takes it back. One that grew for a long message is not kept.
fn give(mut bytes: Vec<u8>) {
    bytes.clear();
    let _ended = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MAX_SPARE && bytes.capacity() <= 2 * WIDE {
            spare.push(bytes);
        }
    });
}

/// Room for a read, in bytes; for one behind a part of a message at least half of it.
const WIDE: usize = 256 << 10;

/// What is left of a read and no longer than this is copied rather than kept where it is, in bytes.
const SHORT: usize = 4 << 10;

/// Buffers that a thread keeps.
const MAX_SPARE: usize = 2;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    fn spare() -> usize {
        SPARE.with(|spare| spare.borrow().len())
    }

    #[tokio::test]
    async fn what_waits_has_no_memory_and_buffers_go_from_one_to_the_next() {
        let (mut near, mut far) = duplex(1 << 20);
        let (mut one, mut other) = (Inbox::default(), Inbox::default());
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
        let mut inbox = Inbox::default();
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn all_that_came_is_there_in_order(
            steps in prop::collection::vec((0..200_000_usize, 0..200_000_usize, any::<bool>()), 1..12),
        ) {
            let (mut near, mut far) = duplex(4 << 20);
            let (mut inbox, mut sent) = (Inbox::default(), Vec::new());
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
