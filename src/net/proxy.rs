//! Finds out for whom a trusted proxy opened a connection.
//!
//! The header is the first thing on the wire, before a TLS handshake. What came in the same read
//! is kept in front of the rest of the stream.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy, sink};
use tokio::time::timeout;

use super::rewound::{Rewound, read_some};
use crate::frame::{Proxy, proxy};

/// Why a connection has no client.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// It ended before it began, as health checks do.
    #[error("expected a PROXY header, but found the end of the connection")]
    Silent,
    /// Something else came, or nothing in time.
    #[error("expected a PROXY header, but found none")]
    Missing,
    /// A header came that cannot be read.
    #[error("{0}")]
    Bad(&'static str),
    /// A part of it came, and no more in time.
    #[error("expected all of a PROXY header in time, but found only a part of it")]
    Partial,
}

/// The front of a stream.
struct Front {
    /// The client; none where the header names none, or there is no header.
    client: Option<IpAddr>,
    /// What was read behind the header.
    rest: Vec<u8>,
}

/// Reads the header off `socket`, which must come within `limit`; the client that it names, and
/// the stream behind it. A stream without a header is handed on whole unless one is `required`.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    required: bool,
    limit: Duration,
) -> Result<(Option<IpAddr>, Rewound<S>), ProxyError> {
    let mut buffer = Vec::new();
    let front = match timeout(limit, read(&mut socket, &mut buffer)).await {
        Ok(front) => front,
        Err(_) => Err(unfinished(&buffer)),
    };
    let front = match front {
        Err(ProxyError::Silent | ProxyError::Missing) if !required => {
            Front { client: None, rest: buffer }
        }
        front => front?,
    };
    Ok((front.client, Rewound::new(front.rest, socket)))
}

/// Reads until the header has ended or there is none; `buffer` holds what was read, but for what
/// was skipped.
async fn read(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Result<Front, ProxyError> {
    loop {
        let (source, len) = match proxy(buffer) {
            Proxy::Header { source, len } => (source, len),
            Proxy::None => return Err(ProxyError::Missing),
            Proxy::Bad { what } => return Err(ProxyError::Bad(what)),
            Proxy::More { .. } => match read_some(socket, buffer).await {
                Ok(1..) => continue,
                Ok(0) | Err(_) if buffer.is_empty() => return Err(ProxyError::Silent),
                Ok(0) | Err(_) => return Err(unfinished(buffer)),
            },
        };
        if skip(socket, len.saturating_sub(buffer.len())).await.is_err() {
            return Err(ProxyError::Partial);
        }
        let client = source.map(|source| source.ip().to_canonical());
        let rest = buffer.get(len..).unwrap_or_default().to_vec();
        return Ok(Front { client, rest });
    }
}

/// Drops `len` bytes.
async fn skip(socket: &mut (impl AsyncRead + Unpin), len: usize) -> io::Result<()> {
    let len = len as u64;
    let skipped = copy(&mut socket.take(len), &mut sink()).await?;
    if skipped == len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// What is wrong with a stream of which no more came.
fn unfinished(buffer: &[u8]) -> ProxyError {
    match proxy(buffer) {
        Proxy::More { begun: false } => ProxyError::Missing,
        _ => ProxyError::Partial,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rewound::FRONT;
    use super::*;

    /// The client and what is behind the header, or what is wrong; however the bytes are read.
    async fn answer(bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), String> {
        let mut answers = Vec::new();
        for middle in 0..=bytes.len().min(200) {
            let (before, after) = bytes.split_at(middle);
            let (mut socket, mut buffer) = (before.chain(after), Vec::new());
            let front = read(&mut socket, &mut buffer).await.map_err(|error| error.to_string());
            assert!(buffer.capacity() <= 4 * FRONT, "memory is bounded");
            let front = front.map(|front| (front.client.map(|ip| ip.to_string()), front.rest));
            let mut unread = Vec::new();
            socket.read_to_end(&mut unread).await.unwrap();
            answers.push(front.map(|(client, rest)| (client, [rest, unread].concat())));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }

    #[tokio::test]
    async fn fr_20_what_is_behind_the_header_is_all_there() {
        let rest = b"<13>1 - h a - - - x\n".repeat(100);
        let skipped = [7; 65_535 - 12];
        let addresses = [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2];
        let signature = b"\r\n\r\n\0\r\nQUIT\n";
        let table = [
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), Some("1.2.3.4")),
            (b"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\n".to_vec(), Some("1.2.3.4")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            ([signature, &b"\x20\0\0\0"[..]].concat(), None),
            ([signature, &b"\x21\x11\0\x0c"[..], &addresses].concat(), Some("1.2.3.4")),
            ([signature, &b"\x21\x11\xff\xff"[..], &addresses, &skipped].concat(), Some("1.2.3.4")),
        ];
        for (header, client) in table {
            let got = answer(&[&header[..], &rest].concat()).await;
            assert_eq!(got, Ok((client.map(str::to_owned), rest.clone())));
        }
    }

    #[tokio::test]
    async fn fr_20_a_connection_without_a_client_says_why() {
        let part = "expected all of a PROXY header in time, but found only a part of it";
        let none = "expected a PROXY header, but found none";
        #[rustfmt::skip]
        let table: &[(&[u8], &str)] = &[
            (b"",                                        "expected a PROXY header, but found the end of the connection"),
            (b"PRO",                                     none),
            (b"<13>x\n",                                 none),
            (b"\r\n\r\n",                                none),
            (b"PROXY TCP4 1.2",                          part),
            (b"\r\n\r\n\0\r\nQUIT\n\x21",                part),
            (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\x05four",    part),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 x\n",
             "expected two addresses and two ports in a PROXY header, but found other words"),
        ];
        for (bytes, want) in table {
            assert_eq!(answer(bytes).await, Err((*want).to_owned()), "{}", bytes.escape_ascii());
        }
    }
}
