//! Where the values of a field are: beside the rows, in a column, or computed from columns.
//!
//! This is the one list of fields that every event has and no column holds. What is asked and what
//! is shown both go by it, so that a query never sees what its answer does not show.

use std::net::IpAddr;

use crate::event::derived::{self, Derived};
use crate::event::{Kind, Known, ValueRef};
use crate::store::{Origin, Run};
use crate::time::Timestamp;

/// Where the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'n> {
    /// The id of each row.
    Id,
    /// The time of each row.
    Time,
    /// The same in all.
    Version,
    /// The origin of a run of rows.
    Origin(OriginField),
    /// Columns, and rules for what they stand for.
    Computed(Computed),
    /// A column of that name.
    Column(&'n str),
}

/// A field that is said once for a run of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OriginField {
    ReceivedAt,
    PeerIp,
    AuthMethod,
    Key,
    Listener,
}

/// A field with rules of its own (`event::derived`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Computed {
    Service,
    Level,
    HostName,
    Derived(Derived),
}

/// How a value of a column becomes one of a computed field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// It is the value.
    Itself,
    /// From a priority: the level.
    Level,
    /// From a priority.
    Derived(Derived),
}

impl<'n> Place<'n> {
    /// The place of the field called `name`.
    pub(super) fn of(name: &'n str) -> Self {
        let own = OWN.iter().find(|(own, _)| *own == name);
        own.map_or(Self::Column(name), |(_, place)| *place)
    }

    /// All fields that are not simply a column of their name, with that name.
    pub(super) fn own() -> impl Iterator<Item = (&'static str, Place<'static>)> {
        OWN.into_iter()
    }
}

impl OriginField {
    /// Its value as text; `received_at` is a time and has none.
    pub(super) fn text<T>(self, origin: &Origin, then: impl FnOnce(&str) -> T) -> Option<T> {
        match self {
            Self::ReceivedAt => None,
            Self::PeerIp => origin.peer.map(|peer| then(&peer_text(peer))),
            Self::AuthMethod => origin.auth.map(|method| then(method.as_str())),
            Self::Key => origin.key.as_deref().map(then),
            Self::Listener => Some(then(&origin.listener)),
        }
    }

    /// Its value as it is shown.
    pub(super) fn shown(self, run: Run, origin: &Origin) -> Option<String> {
        match self {
            Self::ReceivedAt => Some(Timestamp::from_micros(run.received_at).to_string()),
            _ => self.text(origin, str::to_owned),
        }
    }
}

impl Computed {
    /// The columns it is taken from. The first of them that gives a row a value decides.
    pub(super) fn steps(self) -> impl Iterator<Item = (&'static str, Via)> {
        let known = match self {
            Self::Service => Some(Known::Service),
            Self::Level => Some(Known::Level),
            Self::HostName => Some(Known::HostName),
            Self::Derived(_) => None,
        };
        let from = |known: &Known| match known {
            Known::Priority => (known.as_str(), Via::Level),
            _ => (known.as_str(), Via::Itself),
        };
        let fallbacks = known.map_or(&[][..], derived::fallback).iter().map(from);
        let own = known.map(|known| (known.as_str(), Via::Itself));
        let derived = match self {
            Self::Derived(derived) => [
                Some((Known::Priority.as_str(), Via::Derived(derived))),
                Some((derived.as_str(), Via::Itself)),
            ],
            _ => [None, None],
        };
        own.into_iter().chain(fallbacks).chain(derived.into_iter().flatten())
    }
}

impl Via {
    /// What `value` becomes, if anything.
    pub(super) fn read(self, value: ValueRef<'_>) -> Option<ValueRef<'_>> {
        match self {
            Self::Itself => Some(value),
            Self::Level => Some(ValueRef::text(derived::level(derived::priority(value.bytes)?))),
            Self::Derived(derived) => {
                let kind = if derived.is_number() { Kind::Number } else { Kind::Text };
                let text = derived.of(derived::priority(value.bytes)?)?;
                Some(ValueRef::new(kind, text.as_bytes()))
            }
        }
    }
}

/// An address as it is asked and shown.
pub(super) fn peer_text(peer: IpAddr) -> String {
    peer.to_canonical().to_string()
}

/// `_id` as it is asked and shown: 16 hex digits.
pub(super) fn id_text(id: i64) -> String {
    format!("{id:016x}")
}

/// `@version`, which is the same in all events (SPEC §2.2).
pub(super) const VERSION: &str = "1";

const OWN: [(&str, Place<'static>); 15] = [
    ("_id", Place::Id),
    ("@timestamp", Place::Time),
    ("@version", Place::Version),
    ("received_at", Place::Origin(OriginField::ReceivedAt)),
    ("peer.ip", Place::Origin(OriginField::PeerIp)),
    ("auth.method", Place::Origin(OriginField::AuthMethod)),
    ("key", Place::Origin(OriginField::Key)),
    ("listener", Place::Origin(OriginField::Listener)),
    (Known::Service.as_str(), Place::Computed(Computed::Service)),
    (Known::Level.as_str(), Place::Computed(Computed::Level)),
    (Known::HostName.as_str(), Place::Computed(Computed::HostName)),
    computed(Derived::FacilityCode),
    computed(Derived::FacilityName),
    computed(Derived::SeverityCode),
    computed(Derived::SeverityName),
];

const fn computed(derived: Derived) -> (&'static str, Place<'static>) {
    (derived.as_str(), Place::Computed(Computed::Derived(derived)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RESERVED;

    #[test]
    fn fields_have_their_places() {
        for (name, place) in Place::own() {
            assert_eq!(Place::of(name), place, "{name}");
        }
        assert_eq!(Place::of("message"), Place::Column("message"));
        // The process behind a unix socket is a field that only the daemon writes.
        let stored = ["peer.pid", "peer.uid", "peer.gid"];
        for name in RESERVED.into_iter().filter(|name| !stored.contains(name)) {
            assert!(!matches!(Place::of(name), Place::Column(_)), "{name} is the daemon's own");
        }
    }

    #[test]
    fn computed_fields_ask_their_columns_in_order() {
        let steps = |computed: Computed| computed.steps().collect::<Vec<_>>();
        let priority = "log.syslog.priority";
        assert_eq!(steps(Computed::Level), [("level", Via::Itself), (priority, Via::Level)]);
        let code = Derived::SeverityCode;
        assert_eq!(
            steps(Computed::Derived(code)),
            [(priority, Via::Derived(code)), (code.as_str(), Via::Itself)]
        );
        let host = [("host.name", Via::Itself), ("log.syslog.hostname", Via::Itself)];
        assert_eq!(steps(Computed::HostName), host);
    }

    #[test]
    fn ids_are_sixteen_digits() {
        assert_eq!(id_text(171), "00000000000000ab");
        assert_eq!(id_text(-1), "ffffffffffffffff");
    }
}
