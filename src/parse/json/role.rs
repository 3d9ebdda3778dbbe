//! What a member's name means to us, by its whole dotted name.

/// What is done with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum Role {
    /// Kept under its name.
    Plain,
    /// `message`.
    Message,
    /// `@timestamp`.
    Timestamp,
    /// `timestamp`, which counts as `@timestamp` in the logs of a request.
    LogTimestamp,
    /// `tags`.
    Tags,
    /// `host`: text ends in `host.name`.
    Host,
    /// `service`.
    Service,
    /// `service.name`: the service, where `service` names none.
    ServiceName,
    /// `level`.
    Level,
    /// `log.level`: the level, where `level` names none.
    LogLevel,
    /// GELF's `short_message`: the message, where there is no full one.
    ShortMessage,
    /// GELF's `full_message`.
    FullMessage,
    /// GELF's `timestamp`: seconds since the epoch.
    Epoch,
    /// GELF's `level`: a severity of syslog.
    Severity,
    /// Not stored: `@version` and `@metadata`.
    Dropped,
    /// The daemon's own name (`event::RESERVED`).
    Reserved,
    /// `peer`: a list under it is not to pass for what the daemon's own fields hold.
    Peer,
    /// May carry an API key; of two that do, the lower rank is it.
    Credential(u8),
}

impl Role {
    /// The role of a member by its dotted name.
    pub(in crate::parse) fn of(name: &str) -> Self {
        match name.as_bytes() {
            b"message" => Self::Message,
            b"@timestamp" => Self::Timestamp,
            b"timestamp" => Self::LogTimestamp,
            b"tags" => Self::Tags,
            b"host" => Self::Host,
            b"service" => Self::Service,
            b"service.name" => Self::ServiceName,
            b"level" => Self::Level,
            b"log.level" => Self::LogLevel,
            b"_id" | b"received_at" | b"auth.method" | b"key" | b"listener" => Self::Reserved,
            b"peer" => Self::Peer,
            b"peer.ip" | b"peer.pid" | b"peer.uid" | b"peer.gid" => Self::Reserved,
            b"logtrace_key" => Self::Credential(0),
            b"api_key" => Self::Credential(1),
            b"apikey" => Self::Credential(2),
            b"token" => Self::Credential(3),
            b"fields.token" => Self::Credential(4),
            b"fields.private_key" => Self::Credential(5),
            b"_token" => Self::Credential(6),
            b"_api_key" => Self::Credential(7),
            b"@metadata.token" => Self::Credential(8),
            [b'@', ..] if is_dropped(name) => Self::Dropped,
            _ => Self::Plain,
        }
    }
}

/// Whether `name` is `@version` or `@metadata`, or a member of one.
fn is_dropped(name: &str) -> bool {
    let rest = name.strip_prefix("@metadata").or_else(|| name.strip_prefix("@version"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_go_by_the_whole_name() {
        let table = [
            ("", Role::Plain),
            ("messages", Role::Plain),
            ("x.message", Role::Plain),
            ("peer", Role::Peer),
            ("peer.ip", Role::Reserved),
            ("peer.pid", Role::Reserved),
            ("peer.uid", Role::Reserved),
            ("peer.gid", Role::Reserved),
            ("received_at", Role::Reserved),
            ("_id", Role::Reserved),
            ("auth.method", Role::Reserved),
            ("key", Role::Reserved),
            ("listener", Role::Reserved),
            ("@version", Role::Dropped),
            ("peer.ip.x", Role::Plain),
            ("@metadata", Role::Dropped),
            ("@metadata.beat", Role::Dropped),
            ("@metadata.token", Role::Credential(8)),
            ("@metadatum", Role::Plain),
            ("@t", Role::Plain),
        ];
        for (name, want) in table {
            assert_eq!(Role::of(name), want, "{name}");
        }
    }
}
