//! Says what TLS itself has to say on a connection that is only read.
//!
//! rustls keeps alerts and answers to key updates for the next write, which never comes where a
//! protocol has no answers: who asked for another handshake would wait for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that is flushed whenever it is read.
pub(super) struct Flushed<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Flushed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        // One who is gone is found out by the next read.
        let _unsent = Pin::new(&mut self.0).poll_flush(cx).is_pending();
        read
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, duplex};

    use super::*;

    #[tokio::test]
    async fn what_lies_in_a_buffer_is_sent_by_a_read() {
        let (near, mut far) = duplex(64);
        let mut near = BufWriter::new(near);
        near.write_all(b"alert").await.unwrap();
        far.write_all(b"line").await.unwrap();
        let mut text = [0; 4];
        Flushed(&mut near).read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"line");
        let mut said = [0; 5];
        far.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"alert");
    }
}
