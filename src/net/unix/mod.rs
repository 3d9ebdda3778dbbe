//! Unix sockets: senders on this machine, of whom the kernel says who they are (`unix(7)`).
//!
//! | transport  | what writes to it                                            | a message ends     |
//! |------------|--------------------------------------------------------------|--------------------|
//! | `unix`     | `logger -u -T`, syslog-ng `unix-stream`, `SOCK_STREAM` of syslog(3) | as on TCP   |
//! | `unixgram` | syslog(3) at `/dev/log`, journald's forwarding, haproxy      | with its datagram  |
//!
//! The process that connected, or that sent a datagram, is kept with each event: `peer.pid`,
//! `peer.uid`, `peer.gid`. There is no `peer.ip`; for lists and limits the sender is the loopback
//! address. A message that names no host is this machine's, as with every local logger.

mod datagram;
mod file;
mod owner;

pub(super) use self::datagram::Receiver;
pub use self::file::{FileError, SocketFile};
pub(super) use self::file::{bind_datagrams, bind_stream, give, hear_credentials};
pub use self::owner::SocketOwner;

use std::fs;
use std::sync::Arc;

use tokio::net::unix::UCred;

use crate::ingest::Process;

/// The name of this machine; "localhost" where it has none.
pub(super) fn host() -> Arc<str> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}

/// Who connected.
pub(super) fn process(credentials: UCred) -> Process {
    Process { pid: credentials.pid(), uid: credentials.uid(), gid: credentials.gid() }
}
