//! The allowlist and the blocklist.
//!
//! A list has layers: what was added, by people, the configuration and automatic rules, and each
//! file or URL that it is also read from. Whoever asks has all of them looked at; the longest range
//! counts. A change of the first makes a small table anew, that of what changed lately, and only
//! now and then the large one; a file that changed makes its own.

use std::collections::BTreeMap;
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

/// Where an entry or a rule comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration; it changes only there.
    Config,
    /// It was added at run time.
    #[default]
    Added,
    /// An automatic rule put it there.
    Automatic,
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
    /// The id of the automatic rule that put it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// The ranges of a file or URL.
#[derive(Debug, Default)]
pub struct ListSource {
    pub(super) name: Arc<str>,
    pub(super) ranges: RangeTable<()>,
}

/// A range of a list that holds an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// An entry.
    Entry(ListEntry),
    /// A line of a file or URL.
    Source {
        /// The name of the file or URL in the configuration.
        source: String,
        /// The network.
        net: IpNet,
    },
}

/// Both lists; immutable, a change makes another.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    allow: List,
    block: List,
}

#[derive(Clone, Debug, Default)]
struct List {
    /// The entries, but for what changed since it was made.
    settled: Arc<RangeTable<Listed>>,
    /// What changed: an entry, or none where there was one.
    recent: Arc<RangeTable<Option<Listed>>>,
    /// How many entries there are.
    len: usize,
    /// No entry expires before this.
    next_expiry: Option<Timestamp>,
    sources: Vec<Arc<ListSource>>,
}

/// An entry without what its place tells.
#[derive(Clone, Debug)]
struct Listed {
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    note: Option<Arc<str>>,
    rule: Option<Arc<str>>,
    origin: Origin,
}

impl ListKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Block];

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
        Self { allow: List::new(allow), block: List::new(block) }
    }

    /// Whether nobody is on the blocklist.
    pub(super) fn blocks_nobody(&self) -> bool {
        self.block.is_empty()
    }

    /// Whether an address is on the allowlist.
    pub(super) fn allows(&self, peer: IpAddr, now: Timestamp) -> bool {
        !self.allow.is_empty() && self.allow.longest(bits(peer), now).is_some()
    }

    /// Whether an address is not on the blocklist.
    pub(super) fn admit(&self, peer: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        match self.block.longest(bits(peer), now) {
            None => Ok(()),
            Some((range, by)) => {
                let rule = RuleId::made(&by.rule(ListKind::Block, range));
                Err(Refusal { reason: Reason::IpBlocklisted, rule })
            }
        }
    }

    /// Everything on a list that holds an address and counts, the longest of each layer first.
    pub(super) fn holding(&self, list: ListKind, peer: IpAddr, now: Timestamp) -> Vec<Match> {
        let (kind, list) = (list, self.list(list));
        let address = bits(peer);
        let recent =
            list.recent.holding(address).filter_map(|(range, e)| Some((range, e.as_ref()?)));
        let settled = list.settled.holding(address);
        let settled = settled.filter(|(range, _)| list.recent.get(*range).is_none());
        let entries = recent.chain(settled).map(|(range, listed)| listed.entry(kind, range));
        let entries = entries.filter(|entry| entry.is_live(now)).map(Match::Entry);
        let sources = list.sources.iter().flat_map(|source| {
            let lines = source.ranges.holding(address);
            lines.map(|(range, ())| Match::Source {
                source: source.name.to_string(),
                net: range.net(),
            })
        });
        entries.chain(sources).collect()
    }

    /// The entry of exactly this network.
    pub(super) fn get(&self, list: ListKind, range: Range) -> Option<ListEntry> {
        self.list(list).get(range).map(|listed| listed.entry(list, range))
    }

    /// Every entry of a list, by address.
    pub(super) fn entries(&self, kind: ListKind) -> Vec<ListEntry> {
        let list = self.list(kind);
        let recent = list.recent.iter().filter_map(|(range, e)| Some((range, e.as_ref()?)));
        let mut entries: Vec<_> = list.settled().chain(recent).collect();
        entries.sort_by_key(|(range, _)| *range);
        entries.into_iter().map(|(range, listed)| listed.entry(kind, range)).collect()
    }

    /// How many entries a list has.
    pub(super) fn len(&self, list: ListKind) -> usize {
        self.list(list).len
    }

    /// These lists with one more entry, in place of the one of its network.
    #[must_use]
    pub(super) fn with(&self, entry: ListEntry) -> Self {
        let kind = entry.list;
        let (range, listed) = Listed::row(entry);
        self.changed(kind, [(range, Some(listed))])
    }

    /// These lists without some entries of one of them.
    #[must_use]
    pub(super) fn without(&self, list: ListKind, ranges: impl IntoIterator<Item = Range>) -> Self {
        self.changed(list, ranges.into_iter().map(|range| (range, None)))
    }

    /// These lists with the ranges of a file or URL, in place of those that it had.
    #[must_use]
    pub(super) fn with_source(&self, list: ListKind, source: Arc<ListSource>) -> Self {
        let mut lists = self.clone();
        let sources = &mut lists.list_mut(list).sources;
        sources.retain(|other| other.name != source.name);
        sources.push(source);
        lists
    }

    /// The ranges of files and URLs of a list.
    pub(super) fn sources(&self, list: ListKind) -> &[Arc<ListSource>] {
        &self.list(list).sources
    }

    /// The entries of a list that have expired, `max` at most; `None` where it is not time yet to
    /// look for them.
    pub(super) fn expired(
        &self,
        list: ListKind,
        now: Timestamp,
        max: usize,
    ) -> Option<Vec<ListEntry>> {
        self.list(list).next_expiry.filter(|next| *next <= now)?;
        let mut entries = self.entries(list);
        entries.retain(|entry| !entry.is_live(now));
        entries.truncate(max);
        Some(entries)
    }

    /// These lists without entries of one of them that have expired.
    #[must_use]
    pub(super) fn swept(&self, list: ListKind, ranges: impl IntoIterator<Item = Range>) -> Self {
        let mut lists = self.without(list, ranges);
        *lists.list_mut(list) = lists.list(list).clone().dated();
        lists
    }

    fn changed(
        &self,
        list: ListKind,
        rows: impl IntoIterator<Item = (Range, Option<Listed>)>,
    ) -> Self {
        let mut lists = self.clone();
        let changed = self.list(list).changed(rows);
        *lists.list_mut(list) = changed;
        lists
    }

    fn list(&self, list: ListKind) -> &List {
        match list {
            ListKind::Allow => &self.allow,
            ListKind::Block => &self.block,
        }
    }

    fn list_mut(&mut self, list: ListKind) -> &mut List {
        match list {
            ListKind::Allow => &mut self.allow,
            ListKind::Block => &mut self.block,
        }
    }
}

/// What a range comes from.
enum By<'a> {
    Entry(&'a Listed),
    Source(&'a ListSource),
}

impl By<'_> {
    /// The name of the rule that turns someone away.
    fn rule(&self, list: ListKind, range: Range) -> String {
        match self {
            Self::Entry(Listed { rule: Some(rule), .. }) => format!("automatic:{rule}"),
            Self::Entry(_) => format!("{}:{}", list.as_str(), range.net()),
            Self::Source(source) => format!("{}:{}:{}", list.as_str(), source.name, range.net()),
        }
    }
}

impl List {
    fn new(entries: Vec<ListEntry>) -> Self {
        let settled = RangeTable::new(entries.into_iter().map(Listed::row));
        Self { len: settled.len(), settled: Arc::new(settled), ..Self::default() }.dated()
    }

    fn is_empty(&self) -> bool {
        self.len == 0 && self.sources.is_empty()
    }

    /// The longest range that holds an address and counts.
    fn longest(&self, address: u128, now: Timestamp) -> Option<(Range, By<'_>)> {
        let live = |listed: &Listed| listed.expires_at.is_none_or(|end| now < end);
        let recent = self.recent.find(address, |_, listed| listed.as_ref().is_some_and(live));
        let recent = recent.and_then(|(range, listed)| Some((range, By::Entry(listed.as_ref()?))));
        let counts = |range, listed: &Listed| live(listed) && self.recent.get(range).is_none();
        let settled = self.settled.find(address, counts);
        let settled = settled.map(|(range, listed)| (range, By::Entry(listed)));
        let sources = self.sources.iter().filter_map(|source| {
            let (range, ()) = source.ranges.find(address, |_, ()| true)?;
            Some((range, By::Source(source)))
        });
        // Of equals the last counts, and an entry says more than a line of a file.
        sources.chain(settled).chain(recent).max_by_key(|(range, _)| range.prefix())
    }

    fn get(&self, range: Range) -> Option<&Listed> {
        match self.recent.get(range) {
            Some(recent) => recent.as_ref(),
            None => self.settled.get(range),
        }
    }

    /// The settled entries that have not changed since.
    fn settled(&self) -> impl Iterator<Item = (Range, &Listed)> {
        self.settled.iter().filter(|(range, _)| self.recent.get(*range).is_none())
    }

    fn changed(&self, rows: impl IntoIterator<Item = (Range, Option<Listed>)>) -> Self {
        let kept = self.recent.iter().map(|(range, listed)| (range, listed.clone()));
        let mut recent: BTreeMap<Range, Option<Listed>> = kept.collect();
        let mut len = self.len;
        for (range, listed) in rows {
            let before = match recent.get(&range) {
                Some(recent) => recent.is_some(),
                None => self.settled.get(range).is_some(),
            };
            len = len + usize::from(listed.is_some()) - usize::from(before);
            recent.insert(range, listed);
        }
        let mut list = self.clone();
        (list.len, list.recent) = (len, Arc::new(RangeTable::new(recent)));
        if list.recent.len() > MAX_RECENT {
            let settled = list.settled().map(|(range, listed)| (range, listed.clone()));
            let recent = list.recent.iter();
            let recent = recent.filter_map(|(range, listed)| Some((range, listed.clone()?)));
            list.settled = Arc::new(RangeTable::new(settled.chain(recent)));
            list.recent = Arc::default();
            return list.dated();
        }
        let soonest =
            list.recent.iter().filter_map(|(_, listed)| listed.as_ref()?.expires_at).min();
        list.next_expiry = [list.next_expiry, soonest].into_iter().flatten().min();
        list
    }

    /// Finds out anew when the next entry expires.
    fn dated(mut self) -> Self {
        let recent = self.recent.iter().filter_map(|(_, listed)| listed.as_ref());
        let all = self.settled().map(|(_, listed)| listed).chain(recent);
        self.next_expiry = all.filter_map(|listed| listed.expires_at).min();
        self
    }
}

impl Listed {
    fn row(entry: ListEntry) -> (Range, Self) {
        let ListEntry { net, expires_at, note, created_at, origin, rule, .. } = entry;
        let note = (!note.is_empty()).then(|| note.into());
        let rule = rule.map(Into::into);
        (Range::of(net), Self { expires_at, created_at, note, rule, origin })
    }

    fn entry(&self, list: ListKind, range: Range) -> ListEntry {
        ListEntry {
            list,
            net: range.net(),
            expires_at: self.expires_at,
            note: self.note.as_deref().unwrap_or_default().to_owned(),
            created_at: self.created_at,
            origin: self.origin,
            rule: self.rule.as_deref().map(str::to_owned),
        }
    }
}

/// Changes that are kept apart before the large table is made anew.
const MAX_RECENT: usize = 1024;
