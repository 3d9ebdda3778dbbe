//! Entries that somebody looks for, the newest first.

use std::net::IpAddr;
use std::ops::ControlFlow;

use ipnet::IpNet;

use super::entry::Entry;
use super::{Audit, AuditError, rows};
use crate::db::Family;
use crate::time::Timestamp;

/// Which entries; empty is all of somebody's doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The actor, or what it is known by for good; `*` is any text.
    pub actor: Option<String>,
    /// Events, such as `api_key.*`: any of them. Those of segments are found where one of these
    /// begins with `segment.`, or is `*`.
    pub events: Vec<String>,
    /// The resource; `*` is any text.
    pub resource: Option<String>,
    /// Where the call came from.
    pub address: Option<IpNet>,
    /// The earliest time.
    pub from: Option<Timestamp>,
    /// The last time.
    pub to: Option<Timestamp>,
}

/// Some entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The newest first.
    pub entries: Vec<Entry>,
    /// Where to go on: there may be more before this one.
    pub next: Option<u64>,
}

impl Audit {
    /// At most `limit` entries that `filter` finds, of those before number `before`. Looks at a
    /// bounded number of them: a page may be empty and not the last.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn page(
        &self,
        filter: &Filter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page, AuditError> {
        let mut before = before.unwrap_or(u64::MAX);
        let (mut page, mut looked) = (Page::default(), 0);
        while looked < MAX_LOOKED {
            let some = self.numbers_before(before, filter.wants_segments())?;
            for index in &some {
                if page.entries.len() >= limit {
                    page.next = Some(before);
                    return Ok(page);
                }
                before = *index;
                // One that cannot be read is for `logtrace verify` to tell of.
                let bytes = self.entry_bytes(*index)?.unwrap_or_default();
                let Ok(entry) = Entry::read(&bytes) else { continue };
                if filter.finds(&entry) {
                    page.entries.push(entry);
                }
            }
            looked += some.len();
            if some.len() < CHUNK {
                return Ok(page);
            }
        }
        page.next = Some(before);
        Ok(page)
    }

    /// Entries from number `from` on, at most `limit`, the first first: for whoever follows the
    /// log.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn following(&self, from: u64, limit: usize) -> Result<Vec<Entry>, AuditError> {
        let mut entries = Vec::new();
        let end = rows::entry(u64::MAX);
        self.db().scan_range(Family::Audit, &rows::entry(from), &end, |_, bytes| {
            entries.extend(Entry::read(bytes));
            if entries.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(entries)
    }

    /// Some numbers of entries before this one, the last first.
    fn numbers_before(&self, before: u64, all: bool) -> Result<Vec<u64>, AuditError> {
        let mut numbers = Vec::with_capacity(CHUNK);
        let Some(last) = before.checked_sub(1) else { return Ok(numbers) };
        let (prefix, from) = match all {
            true => (rows::ENTRY, rows::entry(last)),
            false => (rows::OF_SOMEBODY, rows::of_somebody(last)),
        };
        self.db().scan_back(Family::Audit, prefix, &from, |key, _| {
            numbers.extend(rows::number(key));
            if numbers.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(numbers)
    }
}

impl Filter {
    /// Whether this is an entry that is looked for.
    pub fn finds(&self, entry: &Entry) -> bool {
        let like = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| is_like(pattern, text))
        };
        let operator = entry.operator.as_deref().unwrap_or_default();
        let time = Timestamp::parse_rfc3339(entry.time.as_bytes());
        (like(&self.actor, &entry.actor) || like(&self.actor, operator))
            && (self.events.is_empty()
                || self.events.iter().any(|event| is_like(event, &entry.event)))
            && like(&self.resource, &entry.resource)
            && self.address.is_none_or(|net| entry.address.is_some_and(|at| holds(net, at)))
            && self.from.is_none_or(|from| time.is_some_and(|time| time >= from))
            && self.to.is_none_or(|to| time.is_some_and(|time| time <= to))
    }

    fn wants_segments(&self) -> bool {
        self.events.iter().any(|event| event == "*" || event.starts_with("segment."))
    }
}

fn holds(net: IpNet, address: IpAddr) -> bool {
    net.contains(&address.to_canonical())
}

/// Whether `text` is as `pattern` says, in which `*` is any text.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.split_at(at + part.len()).1,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Entries that are looked at together.
const CHUNK: usize = 512;

/// Entries that one page looks at: a tenth of a second or so.
const MAX_LOOKED: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("api_key.*", "api_key.created", true),
            ("api_key.*", "api_key", false),
            ("*", "", true),
            ("*.created", "api_key.created", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("ab*ba", "aba", false),
            ("", "", true),
            ("", "a", false),
            ("api_key.created", "api_key.created", true),
            ("api_key.created", "api_key.created2", false),
        ];
        for (pattern, text, want) in table {
            assert_eq!(is_like(pattern, text), want, "{pattern} {text}");
        }
    }
}
