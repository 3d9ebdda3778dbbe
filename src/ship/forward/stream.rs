//! A receiver of syslog over TCP or TLS.
//!
//! Syslog has no acknowledgement. What was sent may lie in a buffer of ours, of the network or of
//! a receiver that was just killed. So now and then we close our side and wait for the receiver to
//! close its own: it has read to the end then, for a system that closes a connection with bytes
//! unread resets it. Whatever was sent over a connection that ended in any other way is sent again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::cef::cef;
use super::config::{Confirm, Format, ForwardConfig, ForwardTls, Framing};
use super::entry::Entry;
use super::syslog::{Sayer, frame, rfc5424};
use crate::ship::tls::{self, TlsError};

/// A receiver of syslog.
pub(super) struct StreamSink {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    format: Format,
    framing: Framing,
    confirm: Confirm,
    connect_timeout: Duration,
    sayer: Sayer,
    connection: Option<Box<dyn Connection>>,
}

trait Connection: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Connection for T {}

impl StreamSink {
    /// The receiver at `host` and `port`. Without `ca` of its own it is vouched for as others are.
    pub(super) fn new(
        config: &ForwardConfig,
        (host, port): (String, u16),
        is_tls: bool,
        connect_timeout: Duration,
    ) -> Result<Self, TlsError> {
        let tls = if is_tls { Some(connector(&config.tls, &host)?) } else { None };
        Ok(Self {
            host,
            port,
            tls,
            format: config.format(),
            framing: config.framing,
            confirm: config.confirm,
            connect_timeout,
            sayer: Sayer::here(),
            connection: None,
        })
    }

    /// Sends entries, over a new connection where there is none.
    pub(super) async fn send(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for entry in entries {
            let message = match self.format {
                Format::Cef => cef(&self.sayer, entry),
                Format::Rfc5424 | Format::Json => rfc5424(&self.sayer, entry),
            };
            frame(self.framing, &message, &mut bytes);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => in_time(self.connect_timeout, self.connect()).await?,
        };
        let write = async {
            connection.write_all(&bytes).await?;
            connection.flush().await
        };
        in_time(WRITE, write).await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Returns once the receiver has what was sent, as far as one can tell.
    pub(super) async fn confirm(&mut self) -> io::Result<()> {
        if self.is_gone() {
            self.connection = None;
            return Err(io::Error::other("the receiver closed the connection first"));
        }
        if self.confirm == Confirm::Sent {
            return Ok(());
        }
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        let close = async {
            connection.shutdown().await?;
            let mut unread = [0; 1024];
            loop {
                match connection.read(&mut unread).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    // Closed without a word of TLS: that is how rsyslog does it.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        };
        in_time(CLOSE, close).await
    }

    /// Forgets the connection, and what was sent over it.
    pub(super) fn reset(&mut self) {
        self.connection = None;
    }

    /// Whether the receiver has closed the connection. What it says, it says to nobody.
    pub(super) fn is_gone(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        let mut unread = [0; 1024];
        for _ in 0..MAX_READS {
            match connection.read(&mut unread).now_or_never() {
                None => return false,
                Some(Ok(0) | Err(_)) => return true,
                Some(Ok(_)) => {}
            }
        }
        false
    }

    async fn connect(&self) -> io::Result<Box<dyn Connection>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), stream).await?)),
        }
    }
}

impl std::fmt::Debug for StreamSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamSink").field("host", &self.host).finish_non_exhaustive()
    }
}

fn connector(
    config: &ForwardTls,
    host: &str,
) -> Result<(TlsConnector, ServerName<'static>), TlsError> {
    let own = config.cert.as_deref().zip(config.key.as_deref());
    let client = tls::client(tls::roots(config.ca.as_deref())?, own)?;
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| TlsError::Name(host.to_owned()))?;
    Ok((TlsConnector::from(Arc::new(client)), name))
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// How long a receiver may take to take a batch.
const WRITE: Duration = Duration::from_secs(30);

/// How long it may take to close the connection after we did.
const CLOSE: Duration = Duration::from_secs(10);

/// Reads of what it says, at once.
const MAX_READS: usize = 64;
