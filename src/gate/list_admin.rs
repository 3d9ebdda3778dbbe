//! Changes of the lists.
//!
//! As with keys, a change is in the store before it is in force, and one is made at a time. None
//! holds up those who ask the lists meanwhile.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::Gate;
use super::error::GateError;
use super::lists::{ListEntry, ListKind, ListSource, Lists, Match, Origin};
use super::range::Range;
use super::range_table::RangeTable;
use crate::time::Timestamp;

/// What is to be put on a list.
#[derive(Clone, Debug, Default)]
pub struct NewListEntry {
    /// When it ends. Without, a block lasts as long as is configured, and an allowance for good;
    /// [`Timestamp::MAX`] blocks for good.
    pub expires_at: Option<Timestamp>,
    /// Why it is put there.
    pub note: String,
    /// Whether a person puts it there, or which automatic rule.
    pub rule: Option<String>,
}

impl Gate {
    /// The entries of a list, by address; those that have expired and were not swept yet too.
    pub fn lists(&self, list: ListKind) -> Vec<ListEntry> {
        self.lists.load().entries(list)
    }

    /// Everything on a list that holds an address and counts.
    pub fn list_matches(&self, list: ListKind, peer: IpAddr, now: Timestamp) -> Vec<Match> {
        self.lists.load().holding(list, peer, now)
    }

    /// The entries of a list that count, by address, `limit` at most of those behind `after`; and
    /// what to go on behind, where there are more.
    pub fn list_page(
        &self,
        list: ListKind,
        after: Option<IpNet>,
        limit: usize,
        now: Timestamp,
    ) -> (Vec<ListEntry>, Option<IpNet>) {
        let after = after.map(Range::of);
        let mut entries = self.lists(list);
        entries.retain(|entry| {
            let is_behind = after.is_none_or(|after| Range::of(entry.net) > after);
            is_behind && entry.is_live(now)
        });
        let next = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| next).map(|entry| entry.net);
        (entries, next)
    }

    /// Puts a network on a list, in place of the entry that it has there.
    ///
    /// # Errors
    ///
    /// A block would hold a loopback address (`0.0.0.0/0` and `::/0` do), the note is too long, the
    /// configuration lists the network, the list is full, or the store failed.
    pub fn add_entry(
        &self,
        list: ListKind,
        net: IpNet,
        new: NewListEntry,
        now: Timestamp,
    ) -> Result<ListEntry, GateError> {
        let range = Range::of(net);
        let entry = self.new_entry(list, range, new, now)?;
        let _change = self.change.lock();
        let lists = self.lists.load();
        match lists.get(list, range) {
            Some(entry) if entry.origin == Origin::Config => {
                return Err(GateError::Configured(entry.net));
            }
            None if lists.len(list) >= MAX_ENTRIES => {
                return Err(GateError::Full { of: "entries", max: MAX_ENTRIES });
            }
            _ => {}
        }
        self.records.put_entry(&entry)?;
        self.put_lists(lists.with(entry.clone()));
        Ok(entry)
    }

    /// The entry that [`add_entry`](Self::add_entry) would make.
    fn new_entry(
        &self,
        list: ListKind,
        range: Range,
        new: NewListEntry,
        now: Timestamp,
    ) -> Result<ListEntry, GateError> {
        let NewListEntry { expires_at, note, rule } = new;
        let net = range.net();
        if list == ListKind::Block && range.touches_loopback() {
            return Err(GateError::invalid("net", "a network without a loopback address", net));
        }
        check_note(&note)?;
        check_end(expires_at, now)?;
        let expires_at = match list {
            ListKind::Allow => expires_at,
            ListKind::Block => expires_at.or_else(|| Some(self.block_until(now))),
        };
        let origin = if rule.is_some() { Origin::Automatic } else { Origin::Added };
        Ok(ListEntry { list, net, expires_at, note, created_at: now, origin, rule })
    }

    /// Takes a network off a list, and returns the entry that it had there.
    ///
    /// # Errors
    ///
    /// It is not on the list, the configuration lists it, or the store failed.
    pub fn remove_entry(&self, list: ListKind, net: IpNet) -> Result<ListEntry, GateError> {
        let range = Range::of(net);
        let _change = self.change.lock();
        let lists = self.lists.load();
        let entry = lists.get(list, range).ok_or(GateError::NotListed(range.net()))?;
        if entry.origin == Origin::Config {
            return Err(GateError::Configured(entry.net));
        }
        self.records.delete_entries([&entry])?;
        self.put_lists(lists.without(list, [range]));
        Ok(entry)
    }

    /// Takes the ranges of a file or URL, in place of those that it had before.
    pub fn set_source(&self, list: ListKind, source: ListSource) {
        let _change = self.change.lock();
        let lists = self.lists.load().with_source(list, Arc::new(source));
        self.put_lists(lists);
    }

    /// Says which proxies are trusted to name their clients: no automatic rule blocks them.
    pub fn trust(&self, proxies: impl IntoIterator<Item = IpNet>) {
        let proxies = proxies.into_iter().map(|net| (Range::of(net), ()));
        self.proxies.store(Arc::new(RangeTable::new(proxies)));
    }

    /// Whether the address of a trusted proxy is in a network.
    pub fn trusts_in(&self, net: IpNet) -> bool {
        let range = Range::of(net);
        let proxies = self.proxies.load();
        let is_in = |(proxy, ()): (Range, &())| range.encloses(proxy) || proxy.encloses(range);
        proxies.iter().any(is_in)
    }

    /// Forgets entries that have expired, [`SWEEP`] of each list at most, and returns how many. They
    /// have not counted since they expired: this only makes room, and is called now and then.
    ///
    /// # Errors
    ///
    /// The store failed, and what it has is not forgotten.
    pub fn sweep(&self, now: Timestamp) -> Result<usize, GateError> {
        let mut gone = 0;
        for list in ListKind::ALL {
            if self.lists.load().expired(list, now, SWEEP).is_none() {
                continue;
            }
            let _change = self.change.lock();
            let lists = self.lists.load();
            let Some(expired) = lists.expired(list, now, SWEEP) else { continue };
            self.records.delete_entries(&expired)?;
            let ranges = expired.iter().map(|entry| Range::of(entry.net));
            // Nobody's verdict is another for it.
            self.lists.store(Arc::new(lists.swept(list, ranges)));
            gone += expired.len();
        }
        Ok(gone)
    }

    fn put_lists(&self, lists: Lists) {
        self.lists.store(Arc::new(lists));
        self.changed();
    }

    fn block_until(&self, now: Timestamp) -> Timestamp {
        now.plus(i64::try_from(self.live.load().block_expiry.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Whether a note is one that can be kept and shown.
pub(super) fn check_note(note: &str) -> Result<(), GateError> {
    if note.len() > MAX_NOTE || note.chars().any(char::is_control) {
        let expected = format!("at most {MAX_NOTE} bytes without control characters");
        return Err(GateError::invalid("note", expected, format_args!("{} bytes", note.len())));
    }
    Ok(())
}

/// Whether something ends in the future.
pub(super) fn check_end(end: Option<Timestamp>, now: Timestamp) -> Result<(), GateError> {
    match end.filter(|end| *end <= now) {
        Some(end) => Err(GateError::invalid("expires_at", "a time to come", end)),
        None => Ok(()),
    }
}

/// The most entries of a list that one sweep forgets.
pub const SWEEP: usize = 1000;

/// The most entries of one list.
const MAX_ENTRIES: usize = 1_000_000;

/// The longest note, in bytes.
const MAX_NOTE: usize = 500;
