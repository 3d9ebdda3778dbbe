//! What mends what is odd about senders: in words for each thing, and as the configuration of their
//! shipper.

use serde_json::{Map, Value, json};

use crate::advice::{Shipper, Target};
use crate::senders::{Form, Kind, Shown};

/// What there is to do, and the configuration of each of `shippers`. Nothing where there are no
/// senders. `target`: a host, or a host and a port.
pub(super) fn of(
    senders: &[Shown],
    shippers: &[Shipper],
    target: Option<&str>,
) -> Result<Map<String, Value>, String> {
    let (host, port) = place(target.unwrap_or(PLACE))?;
    let mut prescription = Map::new();
    let Some(sender) = senders.iter().find(|sender| !sender.odd.is_empty()).or(senders.first())
    else {
        return Ok(prescription);
    };
    let mut kinds: Vec<Kind> = Vec::new();
    for odd in senders.iter().flat_map(|sender| &sender.odd) {
        if !kinds.contains(&odd.kind) {
            kinds.push(odd.kind);
        }
    }
    let mends: Map<_, _> = kinds.into_iter().map(|kind| (name(kind), json!(mend(kind)))).collect();
    let has_key = sender.key.is_some();
    let target = Target::of(&sender.protocol, host, port, has_key);
    let configuration: Map<_, _> = shippers
        .iter()
        .map(|shipper| (shipper.as_str().to_owned(), json!(shipper.configuration(&target))))
        .collect();
    prescription.insert("mends".to_owned(), mends.into());
    prescription.insert("configuration".to_owned(), configuration.into());
    Ok(prescription)
}

/// The program that a sender seems to be, where anything tells.
pub(super) fn seems(sender: &Shown) -> Option<Shipper> {
    let is_odd = |kind| sender.odd.iter().any(|odd| odd.kind == kind);
    match sender.protocol.split('/').next()? {
        "beats" => Some(Shipper::Filebeat),
        "relp" => Some(Shipper::Rsyslog),
        "fluent" => Some(Shipper::FluentBit),
        "logstash" => Some(Shipper::Logstash),
        // A tag without a colon is written by it alone.
        _ if is_odd(Kind::StructuredDataLost) && sender.form == Some(Form::Rfc3164) => {
            Some(Shipper::Rsyslog)
        }
        _ => None,
    }
}

/// What mends it, whatever the shipper.
fn mend(kind: Kind) -> &'static str {
    match kind {
        Kind::ClockAhead | Kind::ClockBehind => {
            "set its clock by a time service (timedatectl set-ntp true, chrony); where it is right, \
             see what holds its messages up on the way"
        }
        Kind::Zone => {
            "let it write times with their zone (RFC 5424, RFC 3339), or set its zone (timedatectl \
             set-timezone); where it can do neither, give its listener here its zone: \
             timezone = \"+02:00\""
        }
        Kind::ClockUnsynced => "give it a time server (Cisco: ntp server ADDRESS)",
        Kind::NoTime => {
            "let it write the time of each message: what there is now is that of receipt"
        }
        Kind::OldTime => {
            "let it write RFC 5424: without year and zone times are guessed, and without a fraction \
             messages of a second have no order"
        }
        Kind::StructuredDataLost => {
            "let each relay on the way pass messages on in RFC 5424 (the configuration below), and \
             read them as such"
        }
        Kind::NoHost => "let it write its host's name: it is known by its address now",
        Kind::NoProgram => "let it write the program's name: messages have no service now",
        Kind::NoHeader => {
            "let it write a header for each message; if these are lines of messages with several, \
             let it count octets (RFC 6587), or join them before they are sent"
        }
        Kind::Framing => {
            "let it count octets, or end each message with a line feed; what is between here and \
             there may cut or join what it sends"
        }
        Kind::MixedFraming => "let all that sends over one connection frame in one way: counted",
        Kind::Truncated => "raise max_message of its listener here, or send less in one message",
        Kind::NotUtf8 => "let it write UTF-8: what is none is kept in event.original",
        Kind::NotParsed => "see event.original of such events, and the journal `failed`, for why",
        Kind::Missing => {
            "send over TCP or RELP and not over UDP, and see kernel_dropped here and queues there; a \
             device that numbers what it does not send (Cisco: service sequence-numbers with \
             logging trap) counts by itself with logging message-counter syslog"
        }
        Kind::KeyInClear => "send over TLS, and rotate the key: it may have been read",
    }
}

/// What a kind is called.
fn name(kind: Kind) -> String {
    json!(kind).as_str().unwrap_or_default().to_owned()
}

/// The host and the port of a place.
fn place(text: &str) -> Result<(&str, Option<u16>), String> {
    let wrong = || format!("expected a host, or a host and a port, but found {text:?}");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse().map_err(|_| wrong())?))
        }
        _ => (text, None),
    };
    // It is put into files of many kinds: nothing in it may end a text there.
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    if host.is_empty() || host.len() > 255 || !host.chars().all(is_of_a_name) {
        return Err(wrong());
    }
    Ok((host, port))
}

/// Where to send to, where nobody says.
const PLACE: &str = "logs.example.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_may_be_a_port() {
        assert_eq!(place("logs"), Ok(("logs", None)));
        assert_eq!(place("logs.example:514"), Ok(("logs.example", Some(514))));
        assert_eq!(place("192.0.2.1:1"), Ok(("192.0.2.1", Some(1))));
        assert_eq!(place("[::1]:514"), Ok(("[::1]", Some(514))));
        assert_eq!(place("2001:db8::1"), Ok(("2001:db8::1", None)));
        for wrong in ["", ":1", "a:b", "a:65536", "a b", "a\"b", "a\nb"] {
            assert!(place(wrong).is_err(), "{wrong:?}");
        }
    }
}
