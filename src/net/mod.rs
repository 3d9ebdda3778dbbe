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
//! * *Memory is bounded*: by the connections a listener may have, times a message and a read. One
//!   over which nothing comes has no buffer, and is a few kilobytes.
//! * *Sockets outlive settings*: a listener that changes hands its socket to the next one, and
//!   nobody who connects or sends meanwhile notices.
//! * *A stop loses nothing that has arrived*: what the kernel holds is read once more, then
//!   connections end.

mod answering;
mod auto;
mod bind;
mod clients;
mod config;
mod decoding;
mod der;
mod drops;
mod flushed;
mod held;
pub mod http;
mod identity;
mod inbox;
mod inherit;
mod leaving;
mod listen;
mod paced;
mod phase;
mod protocol;
mod proxies;
mod proxy;
mod rewound;
mod served;
mod sockets;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod unix;
mod urgent;
mod validity;
mod waiting;

pub use self::bind::{BindError, Door, bind, bind_calls};
pub use self::config::{ListenerConfig, Protocol, TlsConfig, Transport};
pub use self::drops::Drops;
pub use self::held::{FIRST, Held};
pub use self::inherit::Inherited;
pub use self::listen::Listen;
pub use self::proxies::ProxyConfig;
pub use self::served::{Certificates, Next, Serving, Where};
pub use self::tls::{Look, TlsError};
pub use self::unix::{FileError, SocketFile, SocketOwner};
