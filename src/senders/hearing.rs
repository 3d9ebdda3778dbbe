//! What a read brought, by the hosts that its messages name.

use std::hash::BuildHasher;

use memchr::{memchr, memmem};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::numbers::{Kind, MAX_SEQUENCE_ID};
use super::traits::Form;
use crate::eights::is_same;
use crate::event::{Event, Field, Known, Name};
use crate::parse::parameter;
use crate::time::Timestamp;

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
    /// Events without a time.
    pub(super) timeless: u64,
    /// The least time from that of an event to its receipt, in microseconds.
    pub(super) delay: Option<i64>,
    /// A bit for each tag of an event.
    pub(super) tags: u16,
    /// The numbers that its sender gave them.
    pub(super) numbers: Vec<(Kind, u64)>,
    /// Whether any has structured data.
    pub(super) has_data: bool,
    /// Whether any was cut.
    pub(super) is_cut: bool,
    /// Of the first one: how it is written, and what is missing.
    pub(super) form: Form,
    pub(super) is_appless: bool,
    pub(super) is_colonless: bool,
    pub(super) is_unsynced: bool,
}

/// What of an event is looked at.
#[derive(Default)]
struct Seen<'e> {
    host: &'e [u8],
    of_syslog: &'e [u8],
    data: &'e [u8],
    /// What a Cisco device numbers by: the first of its counts is that of what it sent here.
    number: &'e [u8],
    app: &'e [u8],
    is_syslog: bool,
    is_unsynced: bool,
}

impl Default for Hearing {
    fn default() -> Self {
        Self { hosts: Vec::new(), count: 0, places: FxHashMap::default(), recent: [0; RECENT] }
    }
}

impl Hearing {
    /// Takes note of an event that was parsed from `raw`, received `at`; `is_cut` says that it was
    /// longer.
    #[inline]
    pub fn note(&mut self, event: &Event<'_>, raw: &[u8], at: Timestamp, is_cut: bool) {
        let seen = Seen::of(event);
        let host = seen.host();
        let alike = alike(host);
        let recent = usize::from(self.recent.get(alike).copied().unwrap_or_default());
        let is_recent = self.heard().get(recent).is_some_and(|heard| is_same(&heard.host, host));
        let place = if is_recent { recent } else { self.find(host, alike) };
        let Some(heard) = self.hosts.get_mut(place) else { return };
        if heard.events == 0 {
            heard.look(&seen, raw);
        }
        heard.events += 1;
        heard.is_cut |= is_cut;
        heard.has_data |= !seen.data.is_empty();
        match event.timestamp {
            None => heard.timeless += 1,
            Some(time) => {
                let delay = at.as_micros().saturating_sub(time.as_micros());
                heard.delay = Some(heard.delay.map_or(delay, |least| least.min(delay)));
            }
        }
        for tag in &event.tags {
            heard.tags |= 1 << *tag as u16;
        }
        if !seen.number.is_empty() || !seen.data.is_empty() {
            heard.numbers.extend(seen.number());
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

    /// Where this host is, which is then the recent one of those like it.
    fn find(&mut self, host: &[u8], alike: usize) -> usize {
        let place = self.place(host);
        if let Some((recent, place)) = self.recent.get_mut(alike).zip(u16::try_from(place).ok()) {
            *recent = place;
        }
        place
    }

    fn place(&mut self, host: &[u8]) -> usize {
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
        let (host, mut numbers) =
            (std::mem::take(&mut self.host), std::mem::take(&mut self.numbers));
        numbers.clear();
        *self = Self { host, numbers, ..Self::default() };
    }

    /// Looks how a message is written.
    fn look(&mut self, seen: &Seen<'_>, raw: &[u8]) {
        self.form = if seen.is_syslog { form(raw) } else { Form::Fields };
        self.is_appless = seen.app.is_empty();
        self.is_unsynced = seen.is_unsynced;
        let is_brief = matches!(self.form, Form::Rfc3164 | Form::Rfc3164Iso);
        self.is_colonless = is_brief && !seen.app.is_empty() && {
            let behind = memmem::find(raw, seen.app).map(|at| at + seen.app.len());
            let behind = behind.and_then(|at| raw.get(at..)).unwrap_or_default();
            let pid = memchr(b']', behind).filter(|_| behind.first() == Some(&b'['));
            behind.get(pid.map_or(0, |end| end + 1)) == Some(&b' ')
        };
    }
}

impl<'e> Seen<'e> {
    #[inline]
    fn of(event: &'e Event<'_>) -> Self {
        let mut seen = Self::default();
        // By their numbers, those that are not looked at too: a place is found quicker than a case.
        let mut known: [&[u8]; Known::ALL.len()] = Default::default();
        for Field { name, value } in &event.fields {
            match name {
                Name::Known(name) => {
                    if let Some(place) = known.get_mut(*name as usize) {
                        *place = value.as_ref().bytes;
                    }
                }
                Name::Other(name) => match &**name {
                    "event.sequence" if seen.number.is_empty() => {
                        seen.number = value.as_ref().bytes;
                    }
                    "time.unsynced" => seen.is_unsynced = true,
                    _ => {}
                },
            }
        }
        let of = |name: Known| known.get(name as usize).copied().unwrap_or_default();
        (seen.host, seen.of_syslog) = (of(Known::HostName), of(Known::Hostname));
        (seen.data, seen.app) = (of(Known::StructuredData), of(Known::AppName));
        seen.is_syslog = !of(Known::Priority).is_empty();
        seen
    }

    /// The host that it names, no more of it than a name can have.
    fn host(&self) -> &'e [u8] {
        let host = if self.host.is_empty() { self.of_syslog } else { self.host };
        host.get(..MAX_HOST).unwrap_or(host)
    }

    /// The number that its sender gave it: of JSON a field of that name may be anything.
    fn number(&self) -> Option<(Kind, u64)> {
        let read = |digits: &str| digits.parse().ok();
        let text = |bytes| std::str::from_utf8(bytes).ok();
        if !self.is_syslog {
            return None;
        }
        if !self.number.is_empty() {
            return Some((Kind::Cisco, text(self.number).and_then(read)?));
        }
        memmem::find(self.data, SEQUENCE_ID)?;
        let id = parameter(text(self.data)?, "meta.sequenceId")?;
        let number = read(&id).filter(|number| (1..=MAX_SEQUENCE_ID).contains(number))?;
        Some((Kind::SequenceId, number))
    }
}

/// How a message of syslog is written.
fn form(raw: &[u8]) -> Form {
    let priority = raw.iter().position(|byte| *byte == b'<');
    let priority = priority.filter(|at| *at < MAX_PREFIX);
    let text = priority.and_then(|at| raw.get(at..)).unwrap_or_default();
    let end = text.iter().take(5).position(|byte| *byte == b'>');
    match end.and_then(|end| text.get(end + 1..)) {
        None => Form::Text,
        Some([b'1', b' ', ..]) => Form::Rfc5424,
        Some([b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..]) => Form::Rfc3164Iso,
        Some(_) => Form::Rfc3164,
    }
}

/// Which of the recent ones a host is compared with, by parts of its name.
#[inline]
fn alike(host: &[u8]) -> usize {
    let part = |octets: Option<&[u8; 8]>| octets.map_or(0, |octets| u64::from_le_bytes(*octets));
    let (start, end) = (part(host.first_chunk()), part(host.last_chunk()));
    let middle = host.get(host.len() / 2..).unwrap_or_default().first_chunk();
    let middle = part(middle).rotate_left(11);
    let short = host.last_chunk::<2>().map_or(0, |end| u64::from(u16::from_le_bytes(*end)));
    let mixed = (start ^ middle ^ end.rotate_left(23) ^ short).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as usize % RECENT
}

/// Names that are compared first.
const RECENT: usize = 512;

/// What stands in front of a `sequenceId`.
const SEQUENCE_ID: &[u8] = b"sequenceId=\"";

/// Bytes in front of a priority: a key, in brackets.
const MAX_PREFIX: usize = 512;

/// Bytes of a host's name (RFC 5424 §6: `HOSTNAME`).
const MAX_HOST: usize = 255;

/// Hosts whose memory is kept for the next read.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Context;

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
                hearing.note(&event, b"", Timestamp::default(), false);
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
        hearing.note(&event, b"", Timestamp::default(), false);
        assert_eq!(heard(&hearing), [("x".repeat(255), 1)]);
    }

    #[test]
    fn how_a_message_is_written_is_seen() {
        let at = Timestamp::from_micros(1_790_000_000_000_000);
        let cx = Context { received_at: at, zone_offset: 0, keep_original: false };
        // The message, how it is written, whether a relay wrote its tag, its numbers.
        let sequence = |n| Some((Kind::SequenceId, n));
        let cisco = |n| Some((Kind::Cisco, n));
        let table: [(&str, Form, bool, Option<_>); 13] = [
            ("<13>1 - h a - - - x", Form::Rfc5424, false, None),
            ("<13>1 - h a - - [meta sequenceId=\"7\"] x", Form::Rfc5424, false, sequence(7)),
            (
                "<13>1 - h a - - [z a=\"b\"][meta x=\"y\" sequenceId=\"8\"]",
                Form::Rfc5424,
                false,
                sequence(8),
            ),
            ("<13>1 - h a - - [other sequenceId=\"8\"] x", Form::Rfc5424, false, None),
            ("<13>1 - h a - - [meta sequenceId=\"0\"] x", Form::Rfc5424, false, None),
            ("<13>1 - h a - - - [meta sequenceId=\"7\"] x", Form::Rfc5424, false, None),
            ("<13>Nov 20 12:15:58 vm app via rsyslog one", Form::Rfc3164, true, None),
            ("<13>Nov 20 12:15:58 vm app[77] one", Form::Rfc3164, true, None),
            ("<13>Nov 20 12:15:58 vm app[77]: one", Form::Rfc3164, false, None),
            ("<13>2026-11-20T12:15:58+00:00 vm app: one", Form::Rfc3164Iso, false, None),
            ("<189>29: *Sep 20 12:15:58.1: %SYS-5-CONFIG_I: x", Form::Rfc3164, false, cisco(29)),
            (
                "<189>29: 000031: h: Sep 20 12:15:58.1: %SYS-5-CONFIG_I: x",
                Form::Rfc3164,
                false,
                cisco(29),
            ),
            ("\tat com.example.Main", Form::Text, false, None),
        ];
        for (line, form, is_colonless, number) in table {
            let (mut hearing, mut event) = (Hearing::default(), Event::default());
            crate::parse::syslog(line.as_bytes(), &cx, &mut event);
            hearing.note(&event, line.as_bytes(), at, false);
            let [heard] = hearing.heard() else { panic!("{line}") };
            assert_eq!((heard.form, heard.is_colonless), (form, is_colonless), "{line}");
            assert_eq!(heard.numbers, Vec::from_iter(number), "{line}");
        }
    }
}
