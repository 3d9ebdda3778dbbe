//! What the members of an object mean: Logstash's schema (SPEC §2.2), and where keys travel.

use std::borrow::Cow;
use std::ops::Range;

use super::role::Role;
use super::secrets::Secrets;
use super::{MAX_FIELDS, epoch, gelf, level, timestamp};
use crate::event::{AuthMethod, Credential, Event, Kind, Known, Name, Tag, Value};
use crate::ids;

/// Whose schema an object follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum Schema {
    /// A line, as Logstash reads it.
    Logstash,
    /// A log of `POST /v1/logs/ingest`, where `timestamp` does for `@timestamp`.
    Ingest,
    /// A GELF message.
    Gelf,
}

/// Puts members into an event, each where it belongs.
#[derive(Debug)]
pub(in crate::parse) struct Mapping<'w, 'a> {
    pub(in crate::parse) event: &'w mut Event<'a>,
    /// Where the keys of the object stood.
    pub(in crate::parse) secrets: Secrets,
    schema: Schema,
    zone_offset: i32,
    seen: Seen,
}

/// The whole name of a member.
#[derive(Debug)]
pub(in crate::parse) enum Member<'p, 'a> {
    /// Of one at the top.
    Top(Cow<'a, str>),
    /// Of one within other objects: dotted, and copied only if it is kept.
    Below(&'p str),
}

/// What an object was found to hold so far. Places are indices of fields.
#[derive(Debug, Default)]
struct Seen {
    service: bool,
    service_name: Option<usize>,
    level: bool,
    log_level: Option<usize>,
    timestamp: bool,
    log_timestamp: LogTimestamp,
    credential: Option<u8>,
    too_many: bool,
    short_message: Option<usize>,
    full_message: Option<usize>,
}

/// The member `timestamp` of a log.
#[derive(Clone, Copy, Debug, Default)]
enum LogTimestamp {
    #[default]
    None,
    /// An object: its members are kept where they are.
    Object,
    Field(usize),
}

impl<'w, 'a> Mapping<'w, 'a> {
    pub(in crate::parse) fn new(
        schema: Schema,
        zone_offset: i32,
        event: &'w mut Event<'a>,
    ) -> Self {
        Self { event, secrets: Secrets::default(), schema, zone_offset, seen: Seen::default() }
    }

    /// Whose schema it follows.
    pub(super) fn schema(&self) -> Schema {
        self.schema
    }

    /// Forgets the object before.
    pub(in crate::parse) fn begin(&mut self) {
        self.seen = Seen::default();
        self.secrets = Secrets::default();
    }

    /// Does with a value what its name asks for. `place` is where it stands in the text.
    #[inline]
    pub(in crate::parse) fn put(
        &mut self,
        role: Role,
        member: Member<'_, 'a>,
        value: Value<'a>,
        place: Range<usize>,
    ) {
        match (role, value) {
            (Role::Message, value) => self.known(Known::Message, value),
            (Role::Host, value @ Value::Text(_)) => self.known(Known::HostName, value),
            (Role::Service, value) => {
                self.seen.service |= value != Value::Null;
                self.known(Known::Service, value);
            }
            (Role::Level, value) => {
                self.seen.level |= value != Value::Null;
                self.known(Known::Level, level::canonical(value));
            }
            (Role::Severity, value) => {
                self.seen.level |= value != Value::Null;
                let level = gelf::severity(&value).map(|level| Value::Text(Cow::Borrowed(level)));
                self.known(Known::Level, level.unwrap_or_else(|| level::canonical(value)));
            }
            (Role::Epoch | Role::Timestamp, value) => self.timestamp(value),
            (Role::Tags, Value::Text(tag)) => {
                self.event.labels.clear();
                self.event.labels.push(tag);
            }
            (Role::Tags, Value::Null) => self.event.labels.clear(),
            (Role::Tags, value) => self.unusable_tags(value),
            (Role::Dropped, _) => {}
            (Role::Reserved, value) | (Role::Peer, value @ Value::Json(_)) => {
                self.event.tag(Tag::ReservedField);
                let name = format!("sender.{}", member.as_str());
                self.plain(Member::Below(&name), value);
            }
            (Role::Credential(rank), Value::Text(secret)) if is_key(rank, &secret) => {
                self.secrets.add(place);
                self.credential(rank, secret);
            }
            (role, value) => {
                let place = self.event.fields.len();
                self.plain(member, value);
                if self.event.fields.len() > place {
                    self.remember(role, place);
                }
            }
        }
    }

    /// What is put in front of the name of an object at the top: something where it stands for
    /// what cannot be an object.
    pub(in crate::parse) fn descend(&mut self, role: Role) -> &'static str {
        match role {
            Role::Timestamp | Role::Epoch => {
                self.unusable_timestamp();
                "_"
            }
            Role::Tags => {
                self.event.labels.clear();
                self.event.tag(Tag::TagsParseFailure);
                "_"
            }
            Role::LogTimestamp => {
                self.seen.log_timestamp = LogTimestamp::Object;
                ""
            }
            _ => "",
        }
    }

    /// Keeps, as Logstash does, what should have been tags.
    pub(in crate::parse) fn unusable_tags(&mut self, value: Value<'a>) {
        self.event.labels.clear();
        self.event.tag(Tag::TagsParseFailure);
        self.plain(Member::Top(Cow::Borrowed("_tags")), value);
    }

    /// Remembers that something of the object was left out.
    pub(in crate::parse) fn too_many(&mut self) {
        self.seen.too_many = true;
    }

    /// Fills in, at the end of an object, what other members say. True if anything was left out.
    pub(in crate::parse) fn finish(&mut self) -> bool {
        let service = self.seen.service_name.filter(|_| !self.seen.service);
        if let Some(service) = service.and_then(|place| self.value(place)) {
            self.known(Known::Service, service);
        }
        let level = self.seen.log_level.filter(|_| !self.seen.level);
        if let Some(level) = level.and_then(|place| self.value(place)) {
            self.known(Known::Level, level::canonical(level));
        }
        if self.schema == Schema::Ingest && !self.seen.timestamp {
            match self.seen.log_timestamp {
                LogTimestamp::Field(place) if place < self.event.fields.len() => {
                    let field = self.event.fields.remove(place);
                    self.timestamp(field.value);
                }
                LogTimestamp::Object => self.unusable_timestamp(),
                LogTimestamp::Field(_) | LogTimestamp::None => {}
            }
        }
        if self.schema == Schema::Gelf {
            self.name_message();
        }
        self.seen.too_many
    }

    /// Makes of the full message, else of the short one, the message.
    fn name_message(&mut self) {
        let full = self.seen.full_message.filter(|place| self.says_something(*place));
        let short = self.seen.short_message;
        let Some(place) = full.or(short) else { return };
        let same = |short: &usize| full.is_some() && self.value(*short) == self.value(place);
        let same = short.filter(same);
        if let Some(field) = self.event.fields.get_mut(place) {
            field.name = Name::Known(Known::Message);
        }
        if let Some(short) = same {
            self.event.fields.remove(short);
        }
    }

    fn says_something(&self, place: usize) -> bool {
        let field = self.event.fields.get(place);
        field.is_some_and(|field| {
            field.value.as_ref().kind != Kind::Null && !field.value.as_ref().bytes.is_empty()
        })
    }

    fn value(&self, place: usize) -> Option<Value<'a>> {
        self.event.fields.get(place).map(|field| field.value.clone())
    }

    /// Adds a field, unless there are too many.
    #[inline]
    fn plain(&mut self, member: Member<'_, 'a>, value: Value<'a>) {
        if self.event.fields.len() < MAX_FIELDS {
            self.event.put(member.into_name(), value);
        } else {
            self.too_many();
        }
    }

    /// Adds a field that matters more than others: there is room for it behind [`MAX_FIELDS`].
    #[inline]
    fn known(&mut self, name: Known, value: Value<'a>) {
        if self.event.fields.len() < MAX_FIELDS + KNOWN_ROOM {
            self.event.set(name, value);
        } else {
            self.too_many();
        }
    }

    /// Remembers a field that may be wanted at the end of its object.
    fn remember(&mut self, role: Role, place: usize) {
        match role {
            Role::ServiceName => self.seen.service_name = Some(place),
            Role::LogLevel => self.seen.log_level = Some(place),
            Role::LogTimestamp => self.seen.log_timestamp = LogTimestamp::Field(place),
            Role::ShortMessage => self.seen.short_message = Some(place),
            Role::FullMessage => self.seen.full_message = Some(place),
            _ => {}
        }
    }

    /// Takes a value for the time; what is none is kept under `_@timestamp`, as by Logstash.
    fn timestamp(&mut self, value: Value<'a>) {
        let is_epoch = self.schema == Schema::Gelf;
        let time = match &value {
            Value::Number(text) if is_epoch => epoch::parse(text.as_bytes()),
            Value::Text(text) => {
                let epoch = is_epoch.then(|| epoch::parse(text.as_bytes())).flatten();
                epoch.or_else(|| timestamp::parse(text.as_bytes(), self.zone_offset))
            }
            _ => None,
        };
        if time.is_some() || value == Value::Null {
            self.seen.timestamp = true;
            self.event.timestamp = time;
        } else {
            self.unusable_timestamp();
            self.plain(Member::Top(Cow::Borrowed("_@timestamp")), value);
        }
    }

    fn unusable_timestamp(&mut self) {
        self.seen.timestamp = true;
        self.event.timestamp = None;
        self.event.tag(Tag::TimestampParseFailure);
    }

    /// Takes an API key for that of the event. An empty one is none.
    fn credential(&mut self, rank: u8, secret: Cow<'a, str>) {
        if secret.is_empty() || self.seen.credential.is_some_and(|other| other < rank) {
            return;
        }
        self.seen.credential = Some(rank);
        let secret = match secret {
            Cow::Borrowed(secret) => Cow::Borrowed(secret.as_bytes()),
            Cow::Owned(secret) => Cow::Owned(secret.into_bytes()),
        };
        self.event.credential = Some(Credential { secret, method: AuthMethod::JsonField });
    }
}

impl<'a> Member<'_, 'a> {
    fn as_str(&self) -> &str {
        match self {
            Self::Top(name) => name,
            Self::Below(path) => path,
        }
    }

    #[inline]
    fn into_name(self) -> Cow<'a, str> {
        match self {
            Self::Top(name) => name,
            Self::Below(path) => Cow::Owned(path.to_owned()),
        }
    }
}

/// Whether a value under a name that may carry a key is one. Only `logtrace_key` is nothing else.
fn is_key(rank: u8, value: &str) -> bool {
    let has_form = value.starts_with("lt_live_") || value.starts_with("lt_test_");
    rank == 0 || has_form || ids::is_secret(value.as_bytes())
}

/// Fields behind [`MAX_FIELDS`] for the message, the service, the level and the host, so that they
/// are there wherever in a long object they stand.
const KNOWN_ROOM: usize = 16;
