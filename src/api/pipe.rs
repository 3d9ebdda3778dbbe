//! Answers that are written by a thread while they are sent: bounded, however long they are.

use std::io::{self, Write};

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::sync::mpsc;

/// What is written here is sent. Writing waits for the client, and fails once it is gone.
#[derive(Debug)]
pub(super) struct Pipe {
    to: mpsc::Sender<io::Result<Bytes>>,
    full: Vec<u8>,
}

impl Pipe {
    /// A pipe, and the body that sends what is written to it. Only for threads that may wait.
    pub(super) fn new() -> (Self, Body) {
        let (to, mut from) = mpsc::channel(CHUNKS);
        let body = Body::from_stream(stream::poll_fn(move |context| from.poll_recv(context)));
        (Self { to, full: Vec::with_capacity(CHUNK) }, body)
    }

    /// Ends the answer before its end, so that nobody takes it for whole.
    pub(super) fn fail(self, why: &dyn std::fmt::Display) {
        let _gone = self.to.blocking_send(Err(io::Error::other(why.to_string()))).is_err();
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full.extend_from_slice(bytes);
        if self.full.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.full.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.full, Vec::with_capacity(CHUNK));
        let sent = self.to.blocking_send(Ok(full.into()));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Bytes that are sent together.
const CHUNK: usize = 64 * 1024;

/// So many of them wait for a client at most.
const CHUNKS: usize = 4;
