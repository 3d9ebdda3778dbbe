//! A stream of which the first bytes were read already, and are read again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `front`, and behind it what `socket` has.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    front: Vec<u8>,
    /// Bytes of `front` that were read again.
    read: usize,
    socket: S,
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

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_read_is_read_again_and_first() {
        for room in 1..12 {
            let (socket, mut other) = tokio::io::duplex(64);
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
