//! Datagrams that the kernel dropped because a socket's buffer was full.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsRawFd;

use prometheus::IntCounterVec;

/// Watches the sockets of some listeners.
#[derive(Debug, Default)]
pub struct Drops {
    /// The listener of each socket, by the socket's inode, and what was counted of it so far.
    sockets: HashMap<u64, (String, u64)>,
}

impl Drops {
    /// Watches the socket with this inode.
    pub fn watch(&mut self, inode: u64, listener: &str) {
        self.sockets.insert(inode, (listener.to_owned(), 0));
    }

    /// Goes on watching a listener's socket under another name.
    pub fn rename(&mut self, old: &str, new: &str) {
        let sockets = self.sockets.values_mut();
        for (listener, _) in sockets.filter(|(listener, _)| listener == old) {
            new.clone_into(listener);
        }
    }

    /// Watches a listener's socket no longer.
    pub fn forget(&mut self, listener: &str) {
        self.sockets.retain(|_, (other, _)| other != listener);
    }

    /// Adds to `counters` what was dropped since the last call.
    pub fn publish(&mut self, counters: &IntCounterVec) {
        if self.sockets.is_empty() {
            return;
        }
        for table in ["/proc/net/udp", "/proc/net/udp6"] {
            let Ok(table) = fs::read_to_string(table) else { continue };
            for (inode, drops) in table.lines().filter_map(inode_and_drops) {
                if let Some((listener, counted)) = self.sockets.get_mut(&inode) {
                    let new = drops.saturating_sub(*counted);
                    counters.with_label_values(&[listener.as_str()]).inc_by(new);
                    *counted = drops.max(*counted);
                }
            }
        }
    }
}

/// The inode of a socket.
pub(super) fn inode(socket: &impl AsRawFd) -> Option<u64> {
    let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The tenth and the last column of a row of `/proc/net/udp` (`proc_net(5)`).
fn inode_and_drops(row: &str) -> Option<(u64, u64)> {
    let mut columns = row.split_ascii_whitespace();
    let inode = columns.nth(9)?.parse().ok()?;
    Some((inode, columns.next_back()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_table() {
        let row = "  513: 0100007F:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
                   0        0 11926 2 000000009d5f3a7c 42";
        assert_eq!(inode_and_drops(row), Some((11_926, 42)));
        assert_eq!(inode_and_drops("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn our_own_socket_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let inode = inode(&socket).unwrap();
        let table = fs::read_to_string("/proc/net/udp").unwrap();
        assert!(table.lines().filter_map(inode_and_drops).any(|(found, _)| found == inode));
    }
}
