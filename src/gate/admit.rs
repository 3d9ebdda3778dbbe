//! Whether an address may come in, and what tells that this may have changed.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::Gate;
use super::refusal::Refusal;
use crate::time::Timestamp;

impl Gate {
    /// Tells of every change of keys and lists, for who has nothing to read meanwhile.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Says that keys or lists are others now.
    pub(super) fn changed(&self) {
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        self.changes.send_replace(generation);
    }

    /// Whether an address may come in at all: allowlist, then blocklist. An IPv4-mapped IPv6
    /// address is the IPv4 address.
    ///
    /// # Errors
    ///
    /// It may not; the rule names the longest range that blocks it.
    pub fn admit_peer(&self, peer: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        let (lists, rules) = (self.lists.load(), self.rules.load());
        let ask_nobody = lists.blocks_nobody() && rules.ask_no_country();
        if ask_nobody || peer.to_canonical().is_loopback() || lists.allows(peer, now) {
            return Ok(());
        }
        lists.admit(peer, now)?;
        match self.country_verdicts(peer, now).refusal {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }
}
