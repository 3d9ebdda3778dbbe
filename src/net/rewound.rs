//! A stream of which the first bytes were read already, and are read again.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `front`, and behind it what `socket` has.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    front: Vec<u8>,
    /// Bytes of `front` that were read again.
    read: usize,
    socket: S,
}

/// Reads a little more of a stream; returns how much, 0 at its end. There is no memory for it until
/// something comes: a sender may connect long before it has something to say.
pub(super) async fn read_some<S: AsyncRead + Unpin>(
    socket: &mut S,
    bytes: &mut Vec<u8>,
) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut room = [const { MaybeUninit::uninit() }; FRONT];
        let mut room = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *socket).poll_read(cx, &mut room))?;
        bytes.extend_from_slice(room.filled());
        Poll::Ready(Ok(room.filled().len()))
    })
    .await
}

impl<S> Rewound<S> {
    pub(super) fn new(front: Vec<u8>, socket: S) -> Self {
        Self { front, read: 0, socket }
    }

    /// Bytes in front that were not read again yet.
    pub(super) fn unread(&self) -> usize {
        self.front.len() - self.read
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.front.get(self.read..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let len = left.len().min(buf.remaining());
        buf.put_slice(left.get(..len).unwrap_or_default());
        self.read += len;
        if self.read == self.front.len() {
            (self.front, self.read) = (Vec::new(), 0); // connections live long
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// How much is read at once to find out what a stream is of, in bytes.
pub(super) const FRONT: usize = 512;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_waits_for_the_first_byte_has_no_memory() {
        let (mut socket, mut other) = duplex(1024);
        let mut bytes = Vec::new();
        assert!(read_some(&mut socket, &mut bytes).now_or_never().is_none());
        assert_eq!(bytes.capacity(), 0);
        other.write_all(&[b'a'; FRONT + 1]).await.unwrap();
        assert_eq!(read_some(&mut socket, &mut bytes).await.unwrap(), FRONT);
        assert_eq!(read_some(&mut socket, &mut bytes).await.unwrap(), 1);
        drop(other);
        assert_eq!(read_some(&mut socket, &mut bytes).await.unwrap(), 0);
        assert_eq!(bytes, [b'a'; FRONT + 1]);
    }

    #[tokio::test]
    async fn what_was_read_is_read_again_and_first() {
        for room in 1..12 {
            let (socket, mut other) = duplex(64);
            other.write_all(b" behind").await.unwrap();
            let mut rewound = Rewound::new(b"front".to_vec(), socket);
            rewound.write_all(b"back").await.unwrap();
            let mut answer = [0; 4];
            other.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"back");
            drop(other);
            let (mut all, mut some) = (Vec::new(), vec![0; room]);
            while let len @ 1.. = rewound.read(&mut some).await.unwrap() {
                all.extend_from_slice(&some[..len]);
            }
            assert_eq!(all, b"front behind");
        }
    }
}
