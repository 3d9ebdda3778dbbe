//! The doors that listen on sockets: bytes in, and for HTTP an answer out.
//!
//! ```text
//!  bind ─▶ accept ─▶ [PROXY] ─▶ admit ─▶ [TLS] ─▶ read ─▶ ingest.stream ─┐
//!          receive a batch of datagrams ─▶ ingest.datagrams ─────────────┴▶ wait, if limits say so
//!          [answers] ◀─ durable ◀─────────────────────────────────────────┘
//! ```
//!
//! One axis is the transport, and it is here; the other is the format, and it is in `frame` and
//! `parse`. A door reads only as fast as batches are written: when they are full it waits, its
//! socket's buffer fills, and so the sender waits.
//!
//! # Invariants
//!
//! * *Nothing a peer sends ends the door*: accept errors are waited out, a bad stream ends only
//!   its own connection.
//! * *Memory is bounded*: by the connections a listener may have, times a message and a read.
//! * *A stop loses nothing that has arrived*: what the kernel holds is read once more, then
//!   connections end.

mod answering;
mod bind;
mod config;
mod drops;
pub mod http;
mod identity;
mod inherit;
mod listen;
mod proxies;
mod proxy;
mod rewound;
mod sockets;
mod stream;
mod tcp;
mod tls;
mod udp;
mod unix;

pub use self::bind::{Bound, Door, bind};
pub use self::config::{ListenerConfig, Protocol, TlsConfig, Transport};
pub use self::drops::Drops;
pub use self::inherit::Inherited;
pub use self::listen::Listen;
pub use self::proxies::ProxyConfig;
pub use self::sockets::Streams;
pub use self::tls::TlsError;
pub use self::unix::{FileError, SocketFile, SocketOwner};

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ingest::Ingest;

/// Serves `door` on `tasks` until `stop`; what has arrived by then is still taken.
pub fn serve(door: Door, ingest: Arc<Ingest>, stop: &CancellationToken, tasks: &TaskTracker) {
    let Door { bound, listener, config } = door;
    match bound {
        Bound::Streams { socket, tls } => {
            let http = (config.protocol == Protocol::Http)
                .then(|| http::server(Arc::clone(&ingest), Arc::clone(&listener), &config, stop));
            let acceptor = tcp::Acceptor {
                ingest,
                listener,
                config,
                tls,
                http: http.map(Arc::new),
                host: unix::host(),
                stop: stop.clone(),
                tasks: tasks.clone(),
            };
            tasks.spawn(acceptor.run(socket));
        }
        Bound::Udp { socket, state } => {
            let receiver = udp::Receiver { ingest, listener, config, stop: stop.clone() };
            tasks.spawn(receiver.run(socket, state));
        }
        Bound::Unixgram { socket, file } => {
            let (max_len, stop) = (config.max_len(), stop.clone());
            let receiver = unix::Receiver { ingest, listener, max_len, stop };
            tasks.spawn(async move {
                receiver.run(socket).await;
                drop(file);
            });
        }
    }
}
