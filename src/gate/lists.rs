//! The allowlist and the blocklist.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::range::{Range, bits};
use super::range_table::RangeTable;
use super::reason::Reason;
use super::refusal::{Refusal, RuleId};
use super::rfc3339;
use crate::time::Timestamp;

/// One of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// Who is never turned away for the address.
    Allow,
    /// Who is.
    Block,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration; it changes only there.
    Config,
    /// It was added at run time.
    Added,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEntry {
    /// The list it is on.
    pub list: ListKind,
    /// The network: bits behind the prefix are zero, and an IPv4-mapped one is an IPv4 one.
    pub net: IpNet,
    /// The first moment at which it does not count any more; `None` is never.
    #[serde(with = "rfc3339::option")]
    pub expires_at: Option<Timestamp>,
    /// Why it is there.
    pub note: String,
    /// When it was put there.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
}

/// Both lists; immutable, a change makes another.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    allow: List,
    block: List,
}

#[derive(Clone, Debug, Default)]
struct List(Arc<RangeTable<Arc<Listed>>>);

#[derive(Debug)]
struct Listed {
    entry: ListEntry,
    rule: RuleId,
}

impl ListKind {
    /// What the rules of its entries begin with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allowlist",
            Self::Block => "blocklist",
        }
    }
}

impl ListEntry {
    /// Whether it still counts.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl Lists {
    /// Lists of these entries; a later one replaces an earlier one of the same network.
    pub(super) fn new(entries: impl IntoIterator<Item = ListEntry>) -> Self {
        let (allow, block): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.list == ListKind::Allow);
        let list = |entries: Vec<ListEntry>| List::new(entries.into_iter().map(Listed::row));
        Self { allow: list(allow), block: list(block) }
    }

    /// Whether an address may come in: allowlist, then blocklist.
    pub(super) fn admit(&self, peer: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        if self.block.0.is_empty() {
            return Ok(());
        }
        let address = bits(peer);
        let live = |listed: &Arc<Listed>| listed.entry.is_live(now);
        if self.allow.0.find(address, live).is_some() {
            return Ok(());
        }
        match self.block.0.find(address, live) {
            Some(listed) => {
                Err(Refusal { reason: Reason::IpBlocklisted, rule: listed.rule.clone() })
            }
            None => Ok(()),
        }
    }

    /// The entry of exactly this network.
    pub(super) fn get(&self, list: ListKind, range: Range) -> Option<&ListEntry> {
        self.list(list).0.get(range).map(|listed| &listed.entry)
    }

    /// Every entry of a list, by address.
    pub(super) fn iter(&self, list: ListKind) -> impl Iterator<Item = &ListEntry> {
        self.list(list).0.iter().map(|(_, listed)| &listed.entry)
    }

    pub(super) fn len(&self, list: ListKind) -> usize {
        self.list(list).0.len()
    }

    /// These lists with one more entry, in place of the one of its network.
    #[must_use]
    pub(super) fn with(&self, entry: ListEntry) -> Self {
        let mut lists = self.clone();
        let list = match entry.list {
            ListKind::Allow => &mut lists.allow,
            ListKind::Block => &mut lists.block,
        };
        *list = List::new(list.rows().chain([Listed::row(entry)]));
        lists
    }

    /// Those entries that are to stay.
    #[must_use]
    pub(super) fn retain(&self, stays: impl Fn(&ListEntry) -> bool) -> Self {
        let list = |list: &List| List::new(list.rows().filter(|(_, listed)| stays(&listed.entry)));
        Self { allow: list(&self.allow), block: list(&self.block) }
    }

    fn list(&self, list: ListKind) -> &List {
        match list {
            ListKind::Allow => &self.allow,
            ListKind::Block => &self.block,
        }
    }
}

impl List {
    fn new(rows: impl IntoIterator<Item = (Range, Arc<Listed>)>) -> Self {
        Self(Arc::new(RangeTable::new(rows)))
    }

    fn rows(&self) -> impl Iterator<Item = (Range, Arc<Listed>)> {
        self.0.iter().map(|(range, listed)| (range, Arc::clone(listed)))
    }
}

impl Listed {
    fn row(entry: ListEntry) -> (Range, Arc<Self>) {
        let range = Range::of(entry.net);
        let rule = RuleId::made(&format!("{}:{}", entry.list.as_str(), range.net()));
        (range, Arc::new(Self { entry, rule }))
    }
}
