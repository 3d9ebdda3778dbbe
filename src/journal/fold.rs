//! Equal notes become one with a count.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use super::entry::{Blocked, Call, Failed, Which, number, put};
use crate::event::Event;
use crate::time::Timestamp;

/// Takes notes.
#[derive(Debug, Default)]
pub struct Journal {
    open: Mutex<HashMap<Fold, Entry>>,
}

/// One entry of a journal, as it is to be stored.
#[derive(Debug)]
pub struct Note {
    /// Whose entry.
    pub journal: Which,
    /// Its fields.
    pub event: Event<'static>,
    /// How many it stands for.
    pub count: u64,
}

/// What equal notes have in common: reason, rule, source and key (SPEC §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Fold {
    journal: Which,
    code: &'static str,
    rule: String,
    peer: Option<IpAddr>,
    key: Option<String>,
    target: String,
}

#[derive(Debug)]
struct Entry {
    what: What,
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Debug)]
enum What {
    Blocked(Blocked),
    Failed(Failed),
}

impl Journal {
    /// Notes that the gate turned something away, `count` times.
    pub fn blocked(&self, count: u64, now: Timestamp, entry: Blocked) {
        let fold = Fold {
            journal: Which::Blocked,
            code: entry.reason,
            rule: entry.rule.clone(),
            peer: entry.call.peer,
            key: entry.call.key.clone(),
            target: entry.call.target.clone(),
        };
        self.note(fold, count, now, What::Blocked(entry));
    }

    /// Notes that something failed, `count` times.
    pub fn failed(&self, count: u64, now: Timestamp, entry: Failed) {
        let fold = Fold {
            journal: Which::Failed,
            code: entry.code,
            rule: String::new(),
            peer: entry.call.peer,
            key: entry.call.key.clone(),
            target: entry.call.target.clone(),
        };
        self.note(fold, count, now, What::Failed(entry));
    }

    /// The notes since the last call, as events, the earliest first. `score` gives the threat score
    /// of what was blocked so many times.
    pub fn drain(&self, mut score: impl FnMut(&Blocked, u64) -> u8) -> Vec<Note> {
        let entries = std::mem::take(&mut *self.open.lock());
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|(_, entry)| entry.first);
        let note = |(fold, mut entry): (Fold, Entry)| {
            if let What::Blocked(blocked) = &mut entry.what {
                blocked.threat_score = score(blocked, entry.count);
            }
            entry.note(&fold)
        };
        entries.into_iter().map(note).collect()
    }

    fn note(&self, mut fold: Fold, count: u64, now: Timestamp, mut what: What) {
        let mut open = self.open.lock();
        if open.len() >= MAX_OPEN && !open.contains_key(&fold) {
            (fold.peer, fold.key) = (None, None);
            what.forget_source();
        }
        if open.len() >= 2 * MAX_OPEN && !open.contains_key(&fold) {
            fold.rule = String::new();
            fold.target = String::new();
        }
        let new = Entry { what, count: 0, first: now, last: now };
        let entry = open.entry(fold).or_insert(new);
        entry.count += count;
        entry.last = now;
    }
}

impl Entry {
    fn note(self, fold: &Fold) -> Note {
        let mut event = match self.what {
            What::Blocked(entry) => entry.into_event(),
            What::Failed(entry) => entry.into_event(),
        };
        event.timestamp = Some(self.first);
        number(&mut event, "count", Some(self.count));
        if fold.journal == Which::Failed {
            // The same call from the same source, again within the second.
            number(&mut event, "retry_count", Some(self.count.saturating_sub(1)));
        }
        put(&mut event, "last_seen", Some(self.last.to_string()));
        Note { journal: fold.journal, event, count: self.count }
    }
}

impl What {
    fn forget_source(&mut self) {
        let (Self::Blocked(Blocked { call, .. }) | Self::Failed(Failed { call, .. })) = self;
        *call = Call {
            target: std::mem::take(&mut call.target),
            method: std::mem::take(&mut call.method),
            ..Call::default()
        };
    }
}

/// Different notes that are held apart in a second; past it they are told apart by less.
const MAX_OPEN: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Name, Value};

    fn blocked(peer: &str) -> Blocked {
        Blocked {
            call: Call {
                target: "syslog-tcp".into(),
                peer: Some(peer.parse().unwrap()),
                ..Call::default()
            },
            reason: "INVALID_API_KEY",
            rule: "key:unknown".into(),
            fingerprint: String::new(),
            threat_score: 30,
            dry_run: false,
        }
    }

    fn field(note: &Note, name: &str) -> Option<String> {
        let found = note.event.fields.iter().find(|field| match &field.name {
            Name::Known(known) => known.as_str() == name,
            Name::Other(other) => other == name,
        });
        found.map(|field| match &field.value {
            Value::Text(text) | Value::Number(text) => text.to_string(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn equal_notes_are_one_with_a_count() {
        let journal = Journal::default();
        for second in 0..5 {
            journal.blocked(3, Timestamp::from_micros(second), blocked("192.0.2.1"));
        }
        journal.blocked(1, Timestamp::from_micros(9), blocked("192.0.2.2"));
        let notes = journal.drain(|_, count| u8::try_from(count).unwrap_or(100));
        let seen: Vec<_> =
            notes.iter().map(|n| (field(n, "count"), field(n, "source.ip"))).collect();
        let want = |count: &str, peer: &str| (Some(count.to_owned()), Some(peer.to_owned()));
        assert!(notes.iter().all(|n| field(n, "count") == field(n, "threat_score")));
        assert_eq!(seen, [want("15", "192.0.2.1"), want("1", "192.0.2.2")]);
        assert!(journal.drain(|_, _| 0).is_empty());
    }

    #[test]
    fn a_flood_of_sources_is_bounded_and_counted_exactly() {
        let journal = Journal::default();
        for n in 0..100_000_u32 {
            let peer = std::net::Ipv4Addr::from(n).to_string();
            journal.blocked(2, Timestamp::from_micros(0), blocked(&peer));
        }
        let notes = journal.drain(|_, count| u8::try_from(count).unwrap_or(100));
        assert!(notes.len() <= 2 * MAX_OPEN + 1);
        assert_eq!(notes.iter().map(|note| note.count).sum::<u64>(), 200_000);
    }
}
