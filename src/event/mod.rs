//! One log record, as it is between a parser and the batch it is copied into.
//!
//! An [`Event`] borrows from the bytes it was parsed from, so making one copies nothing; a text
//! that had to be changed (a JSON escape, a stripped credential) is the exception and is owned.
//! Fields are a flat list with dotted names: nested JSON is flattened by its parser, and what has
//! no flat form (an array, an empty object) is kept as the JSON text it came in.
//!
//! Only what cannot be computed is a field here. Facility, severity and their names follow from
//! `log.syslog.priority`; `level`, `service` and `host.name` have a fallback. [`derived`] holds
//! those rules for everyone who reads events back.

pub mod derived;
mod known;
mod tags;
mod value;

pub use self::known::{Known, RESERVED};
pub use self::tags::Tag;
pub use self::value::{Kind, Value, ValueRef};

use std::borrow::Cow;

use crate::time::Timestamp;

/// One log record that borrows from the message it came in.
#[derive(Debug, Default)]
pub struct Event<'a> {
    /// When it happened, by its sender's clock; `None` where the time of receipt is to be used.
    pub timestamp: Option<Timestamp>,
    /// What it says, in the order of the message. A name that comes twice counts as it came last.
    pub fields: Vec<Field<'a>>,
    /// What the parser found wrong with it, each once.
    pub tags: Vec<Tag>,
    /// The sender's own `tags`.
    pub labels: Vec<Cow<'a, str>>,
    /// The API key found in the message; it is in no field.
    pub credential: Option<Credential<'a>>,
    /// What tells it from a copy of itself, where its sender says.
    pub identity: Option<Identity<'a>>,
}

/// The memory of an event that is over, for the next one. An event itself is large to be moved.
#[derive(Debug, Default)]
pub struct Memory {
    fields: Vec<Field<'static>>,
    tags: Vec<Tag>,
    labels: Vec<Cow<'static, str>>,
}

/// What tells an event from a copy of itself, which a sender sends who heard no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Within what its id is its own.
    pub space: Cow<'a, str>,
    /// What its sender calls it.
    pub id: Cow<'a, str>,
    /// What it says.
    pub content: &'a [u8],
    /// Whether another one with this id is no copy if it says something else.
    pub may_replace: bool,
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<'a> {
    /// What it is called.
    pub name: Name<'a>,
    /// What it holds.
    pub value: Value<'a>,
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// A name that the daemon itself gives a meaning to.
    Known(Known),
    /// Any other, dotted.
    Other(Cow<'a, str>),
}

/// An API key as it was found in a message, and how it was carried.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The secret itself: never stored, never printed.
    pub secret: Cow<'a, [u8]>,
    /// How it was carried.
    pub method: AuthMethod,
}

/// How a sender was identified: the value of `auth.method` (SPEC §2.3, in its order).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuthMethod {
    /// A TLS client certificate.
    Certificate,
    /// The name asked for in the TLS handshake.
    Sni,
    /// A parameter of RFC 5424 structured data.
    StructuredData,
    /// In front of the message: `KEY <PRI>` or `[KEY] <PRI>`.
    Prefix,
    /// A field of a JSON message.
    JsonField,
    /// The first line of the connection: `AUTH KEY`.
    Hello,
    /// An HTTP header.
    Http,
    /// The key that the listener itself is bound to.
    Listener,
    /// The key that the source network is bound to.
    Network,
    /// None was needed.
    Anonymous,
}

impl<'a> Event<'a> {
    /// Adds a field that the daemon knows by name.
    pub fn set(&mut self, name: Known, value: Value<'a>) {
        self.fields.push(Field { name: Name::Known(name), value });
    }

    /// Adds text under a name that the daemon knows.
    #[inline]
    pub fn text(&mut self, name: Known, text: &'a str) {
        self.add(|| Field { name: Name::Known(name), value: Value::Text(Cow::Borrowed(text)) });
    }

    /// Adds digits under a name that the daemon knows.
    #[inline]
    pub fn number(&mut self, name: Known, digits: &'a str) {
        self.add(|| Field { name: Name::Known(name), value: Value::Number(Cow::Borrowed(digits)) });
    }

    /// Adds a field once there is room for it: it is made where it stays. What is pushed is made
    /// before, and slow to be moved then.
    #[inline]
    fn add(&mut self, field: impl FnOnce() -> Field<'a>) {
        self.fields.extend(std::iter::once_with(field));
    }

    /// Adds a field of any name; one that is known is recognised.
    pub fn put(&mut self, name: Cow<'a, str>, value: Value<'a>) {
        let name = Known::named(&name).map_or(Name::Other(name), Name::Known);
        self.fields.push(Field { name, value });
    }

    /// Marks the event, once, however often it is said.
    pub fn tag(&mut self, tag: Tag) {
        if !self.tags.contains(&tag) {
            self.tags.push(tag);
        }
    }

    /// The last value under `name`.
    pub fn find(&self, name: Known) -> Option<&Value<'a>> {
        let is = |field: &&Field<'_>| field.name == Name::Known(name);
        self.fields.iter().rfind(is).map(|field| &field.value)
    }

    /// Whether it is of level ERROR or worse.
    pub fn is_severe(&self) -> bool {
        match self.find(Known::Level).map(Value::as_ref) {
            Some(level) => matches!(level.bytes, b"ERROR" | b"FATAL"),
            None => {
                let priority = self.find(Known::Priority).map(Value::as_ref);
                priority.and_then(|p| derived::priority(p.bytes)).is_some_and(|p| p % 8 <= 3)
            }
        }
    }

    /// Forgets everything but the memory, for the next message.
    pub fn clear(&mut self) {
        self.timestamp = None;
        self.fields.clear();
        self.tags.clear();
        self.labels.clear();
        (self.credential, self.identity) = (None, None);
    }

    /// Leaves its memory to an event that borrows from another message, and is then empty but for
    /// what has none. Each part goes where it stays: what was just written a part at a time is slow
    /// to be moved as a whole.
    #[inline]
    pub fn leave(&mut self, memory: &mut Memory) {
        let mut fields = std::mem::take(&mut self.fields);
        let mut tags = std::mem::take(&mut self.tags);
        let mut labels = std::mem::take(&mut self.labels);
        fields.clear();
        tags.clear();
        // Collecting an emptied vector into one of the same layout keeps its allocation. Labels are
        // rare, and most often there is none to keep.
        if fields.capacity() <= MAX_KEPT {
            memory.fields = fields.into_iter().map(|_| unreachable!("cleared")).collect();
        }
        memory.tags = tags;
        if labels.capacity() > 0 {
            labels.clear();
            memory.labels = labels.into_iter().map(|_| unreachable!("cleared")).collect();
        }
    }
}

/// Fields of an event whose memory is kept for the next one.
const MAX_KEPT: usize = 256;

impl Memory {
    /// An empty event in this memory.
    #[inline]
    pub fn begin<'a>(self) -> Event<'a> {
        let Self { fields, tags, labels } = self;
        Event { timestamp: None, fields, tags, labels, credential: None, identity: None }
    }
}

impl Name<'_> {
    /// The name as it is queried and shown.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.as_str(),
            Self::Other(name) => name,
        }
    }
}

impl AuthMethod {
    /// Every method, in the order in which they are asked.
    pub const ALL: [Self; 10] = [
        Self::Certificate,
        Self::Sni,
        Self::StructuredData,
        Self::Prefix,
        Self::JsonField,
        Self::Hello,
        Self::Http,
        Self::Listener,
        Self::Network,
        Self::Anonymous,
    ];

    /// The value of `auth.method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Sni => "sni",
            Self::StructuredData => "structured_data",
            Self::Prefix => "prefix",
            Self::JsonField => "json_field",
            Self::Hello => "hello",
            Self::Http => "http",
            Self::Listener => "listener",
            Self::Network => "network",
            Self::Anonymous => "anonymous",
        }
    }
}

impl std::fmt::Debug for Credential<'_> {
    /// Shows how it was carried and never what it is.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_used_memory_are_empty_and_keep_it() {
        let text = String::from("x");
        let mut event = Event::default();
        for _ in 0..20 {
            event.text(Known::Message, &text);
        }
        let room = event.fields.capacity();
        let mut memory = Memory::default();
        event.leave(&mut memory);
        let event: Event<'static> = memory.begin();
        assert!(event.fields.is_empty());
        assert_eq!(event.fields.capacity(), room);
    }

    #[test]
    fn severe_is_what_its_level_or_priority_says() {
        let of = |name, value| {
            let mut event = Event::default();
            event.set(name, value);
            event.is_severe()
        };
        for (priority, want) in [("11", true), ("8", true), ("12", false), ("191", false)] {
            assert_eq!(of(Known::Priority, Value::Number(priority.into())), want, "{priority}");
        }
        for (level, want) in [("ERROR", true), ("FATAL", true), ("WARN", false), ("x", false)] {
            assert_eq!(of(Known::Level, Value::Text(level.into())), want, "{level}");
        }
        assert!(!Event::default().is_severe());
    }

    #[test]
    fn a_credential_is_never_printed() {
        let secret = Credential { secret: b"lt_live_abc"[..].into(), method: AuthMethod::Prefix };
        assert!(!format!("{secret:?}").contains("abc"));
    }
}
