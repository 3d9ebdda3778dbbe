//! What a read brought, by the hosts that its messages name.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::event::{Event, Known, Name};

/// What was heard of each host in one read. Kept for its memory: one that is used again allocates
/// nothing for hosts like those before.
#[derive(Debug)]
pub struct Hearing {
    hosts: Vec<Heard>,
    /// How many of `hosts` are of this read.
    count: usize,
    /// Their places by the hash of their names.
    places: FxHashMap<u64, usize>,
    /// The place last heard of those whose names are much alike: most messages need no more.
    recent: [u16; RECENT],
}

/// What was heard of one host.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// As its messages name it; empty where they name none.
    pub(super) host: Vec<u8>,
    pub(super) events: u64,
}

impl Default for Hearing {
    fn default() -> Self {
        Self { hosts: Vec::new(), count: 0, places: FxHashMap::default(), recent: [0; RECENT] }
    }
}

impl Hearing {
    /// Takes note of an event.
    #[inline]
    pub fn note(&mut self, event: &Event<'_>) {
        let host = host(event);
        let alike = alike(host);
        let place = usize::from(self.recent.get(alike).copied().unwrap_or_default());
        if let Some(heard) = self.hosts.get_mut(place)
            && place < self.count
            && heard.host == host
        {
            heard.events += 1;
            return;
        }
        let place = self.find(host);
        if let Some(heard) = self.hosts.get_mut(place) {
            heard.events += 1;
        }
        if let Some((recent, place)) = self.recent.get_mut(alike).zip(u16::try_from(place).ok()) {
            *recent = place;
        }
    }

    /// Whether nothing was heard.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What was heard.
    pub(super) fn heard(&self) -> &[Heard] {
        self.hosts.get(..self.count).unwrap_or_default()
    }

    /// Forgets it, but not the memory.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.places.clear();
        self.hosts.truncate(KEPT);
        self.places.shrink_to(KEPT);
    }

    /// Where this host is.
    fn find(&mut self, host: &[u8]) -> usize {
        let hash = FxBuildHasher.hash_one(host);
        let is = |place: &&usize| self.hosts.get(**place).is_some_and(|heard| heard.host == host);
        if let Some(place) = self.places.get(&hash).filter(is) {
            return *place;
        }
        let place = self.count;
        self.count += 1;
        if self.hosts.len() < self.count {
            self.hosts.push(Heard::default());
        }
        if let Some(heard) = self.hosts.get_mut(place) {
            heard.begin(host);
        }
        // Of two hosts with one hash the first is noted twice, which is only slower.
        self.places.insert(hash, place);
        place
    }
}

impl Heard {
    fn begin(&mut self, host: &[u8]) {
        self.host.clear();
        self.host.extend_from_slice(host);
        self.events = 0;
    }
}

/// The host that an event names, no more of it than a name can have.
#[inline]
fn host<'e>(event: &'e Event<'_>) -> &'e [u8] {
    let (mut name, mut of_syslog) = (None, None);
    for field in &event.fields {
        match field.name {
            Name::Known(Known::HostName) => name = Some(&field.value),
            Name::Known(Known::Hostname) => of_syslog = Some(&field.value),
            _ => {}
        }
    }
    let host = name.or(of_syslog).map_or(&[][..], |value| value.as_ref().bytes);
    host.get(..MAX_HOST).unwrap_or(host)
}

/// Which of the recent ones a host is compared with: names differ most at their ends.
#[inline]
fn alike(host: &[u8]) -> usize {
    let end = host.last_chunk::<4>().map_or(0, |end| u32::from_le_bytes(*end));
    let mixed = (end ^ host.first().copied().map_or(0, u32::from)).wrapping_mul(0x9e37_79b1);
    (mixed >> 16) as usize % RECENT
}

/// Names that are compared first.
const RECENT: usize = 64;

/// Bytes of a host's name (RFC 5424 §6: `HOSTNAME`).
const MAX_HOST: usize = 255;

/// Hosts whose memory is kept for the next read.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(hearing: &Hearing) -> Vec<(String, u64)> {
        let of = |heard: &Heard| (String::from_utf8_lossy(&heard.host).into_owned(), heard.events);
        hearing.heard().iter().map(of).collect()
    }

    #[test]
    fn events_are_counted_by_host() {
        let mut hearing = Hearing::default();
        for round in 0..2 {
            assert!(hearing.is_empty());
            for host in ["a", "a", "b", "a", "", "b"] {
                let mut event = Event::default();
                if !host.is_empty() {
                    event.text(Known::Hostname, host);
                }
                hearing.note(&event);
            }
            let want = [("a".to_owned(), 3), ("b".to_owned(), 2), (String::new(), 1)];
            assert_eq!(heard(&hearing), want, "{round}");
            hearing.clear();
        }
    }

    #[test]
    fn the_name_of_the_host_is_that_of_the_message_cut_to_what_a_name_can_have() {
        let (mut hearing, long) = (Hearing::default(), "x".repeat(300));
        let mut event = Event::default();
        event.text(Known::Hostname, "syslog");
        event.text(Known::HostName, &long);
        event.text(Known::AppName, "app");
        hearing.note(&event);
        assert_eq!(heard(&hearing), [("x".repeat(255), 1)]);
    }
}
