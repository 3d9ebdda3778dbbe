//! The field names that the daemon gives a meaning to.

/// A field name with a meaning of its own. Everything else is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Known {
    /// What the event says.
    Message,
    /// `PRIVAL`, 0 to 191 (RFC 5424 §6.2.1): a number.
    Priority,
    /// `HOSTNAME` as the sender wrote it.
    Hostname,
    /// `APP-NAME`, or the tag of RFC 3164.
    AppName,
    /// `PROCID`.
    ProcId,
    /// `MSGID`.
    MsgId,
    /// `STRUCTURED-DATA` as it came, less what carried a key; shown as an object of objects.
    StructuredData,
    /// The service; where a sender names none, the application name.
    Service,
    /// `FATAL ERROR WARN INFO DEBUG`; where a sender names none, from the severity.
    Level,
    /// The host; where a sender names none, the syslog host, then the peer.
    HostName,
    /// The message as received, where it did not parse whole or the listener keeps all.
    Original,
    /// Failure tags and the sender's own, a JSON list of text.
    Tags,
    /// The length, in bytes, of a message that was cut.
    OriginalLength,
    /// Fields for which there was no column left, a JSON object (see `store::Rows`).
    More,
}

impl Known {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Message,
        Self::Priority,
        Self::Hostname,
        Self::AppName,
        Self::ProcId,
        Self::MsgId,
        Self::StructuredData,
        Self::Service,
        Self::Level,
        Self::HostName,
        Self::Original,
        Self::Tags,
        Self::OriginalLength,
        Self::More,
    ];

    /// The dotted name, as queried and shown (SPEC §2.2; ECS).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Priority => "log.syslog.priority",
            Self::Hostname => "log.syslog.hostname",
            Self::AppName => "log.syslog.appname",
            Self::ProcId => "log.syslog.procid",
            Self::MsgId => "log.syslog.msgid",
            Self::StructuredData => "log.syslog.structured_data",
            Self::Service => "service",
            Self::Level => "level",
            Self::HostName => "host.name",
            Self::Original => "event.original",
            Self::Tags => "tags",
            Self::OriginalLength => "event.original_length",
            Self::More => "event.more",
        }
    }

    /// The known name that `name` spells, if any.
    pub fn named(name: &str) -> Option<Self> {
        // Most names of a sender end here, on their first letter.
        if !matches!(name.as_bytes().first(), Some(b'm' | b'l' | b's' | b'h' | b'e' | b't')) {
            return None;
        }
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// Fields that are the daemon's own: a sender's value under such a name is moved to
/// `sender.<name>`, so that none can be forged (SPEC §2.2).
pub const RESERVED: [&str; 10] = [
    "_id",
    "@version",
    "received_at",
    "peer.ip",
    "peer.pid",
    "peer.uid",
    "peer.gid",
    "auth.method",
    "key",
    "listener",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again() {
        for (number, known) in Known::ALL.into_iter().enumerate() {
            assert_eq!(Known::named(known.as_str()), Some(known));
            assert_eq!(known as usize, number);
        }
        assert_eq!(Known::named("messages"), None);
        assert_eq!(Known::named(""), None);
    }
}
