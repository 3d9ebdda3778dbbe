//! An event of lumberjack's version 1: names and values, all of them text.

use std::borrow::Cow;

use super::mapping::{Mapping, Member, Schema};
use super::role::Role;
use super::{JsonError, MAX_FIELDS};
use crate::event::{Event, Known, Tag, Value};
use crate::ids;
use crate::parse::Context;

/// Reads an event of Beats: the JSON text of version 2, with the meaning of Logstash's Beats input,
/// or the pairs of version 1, where `line` is the message and all else as its name says.
///
/// The pairs come as they are on the wire: their number, then the length of each name and value in
/// front of it, in 32 bits. Their number is small, and so they begin with a zero, as JSON never does.
///
/// # Errors
///
/// As [`json`](super::json); pairs have none.
pub fn beats<'a>(
    raw: &'a [u8],
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    if raw.first() != Some(&0) {
        return super::json(raw, cx, event, each);
    }
    pairs(raw, cx, event);
    each(event);
    event.clear();
    Ok(())
}

/// Fills `event` (already clear) from pairs; what was cut off from the last one is not missed.
fn pairs<'a>(raw: &'a [u8], cx: &Context, event: &mut Event<'a>) {
    let mut mapping = Mapping::new(Schema::Logstash, cx.zone_offset, event);
    mapping.begin();
    let (mut line, mut secrets, mut is_text) = (None, Vec::new(), true);
    let mut rest = raw.get(LEN..).unwrap_or_default();
    while let Some((name, after)) = string(rest)
        && let Some((value, after)) = string(after)
    {
        rest = after;
        let (name, text) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        is_text &= matches!((&name, &text), (Cow::Borrowed(_), Cow::Borrowed(_)));
        let role = if name == "line" { Role::Message } else { Role::of(&name) };
        if role == Role::Message {
            line = Some(text.clone());
        }
        let before = mapping.event.fields.len();
        mapping.put(role, Member::Top(name), Value::Text(text), 0..0);
        if matches!(role, Role::Credential(_)) && mapping.event.fields.len() == before {
            secrets.push(value);
        }
    }
    let too_many = mapping.finish();
    if too_many {
        event.tag(Tag::TooManyFields);
    }
    if !is_text {
        event.tag(Tag::EncodingError);
    }
    if too_many || !is_text {
        event.set(Known::Original, Value::Bytes(without(raw, &secrets).into()));
    } else if let Some(line) = line.filter(|_| cx.keep_original) {
        event.set(Known::Original, Value::Text(line));
    }
}

/// The text at the front, as much of it as there is, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<LEN>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
    Some(rest.split_at_checked(len).unwrap_or((rest, &[])))
}

/// The bytes of an event without the secrets in it.
#[cold]
fn without(raw: &[u8], secrets: &[&[u8]]) -> Vec<u8> {
    let mut clean = ids::scrub(raw).into_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        while let Some(at) = memchr::memmem::find(&clean, secret) {
            clean.splice(at..at + secret.len(), *b"...");
        }
    }
    clean
}

/// Bytes of a length.
const LEN: usize = 4;

/// All pairs that a frame may have fit into an event, but for a few.
const _: () = assert!(MAX_FIELDS < 1024);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::json::corpus::{CX, Shown};

    fn number(len: usize) -> u32 {
        u32::try_from(len).unwrap()
    }

    fn wire(pairs: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = number(pairs.len()).to_be_bytes().to_vec();
        for text in pairs.iter().flat_map(|(name, value)| [name.as_bytes(), *value]) {
            bytes.extend(number(text.len()).to_be_bytes());
            bytes.extend(text);
        }
        bytes
    }

    fn read(raw: &[u8], cx: &Context) -> (Vec<Shown>, Option<String>) {
        let (mut event, mut found, mut credential) = (Event::default(), Vec::new(), None);
        let mut each = |event: &mut Event<'_>| {
            let secret = event.credential.as_ref().map(|found| found.secret.to_vec());
            credential = secret.map(|secret| String::from_utf8(secret).unwrap());
            found.push(Shown::of(event));
        };
        let _tagged = beats(raw, cx, &mut event, &mut each).is_err();
        (found, credential)
    }

    const SECRET: &str = "lt_live_0123456789abcdef0123456789abcdef";

    #[test]
    fn pairs_are_an_event_whose_line_is_the_message() {
        let raw = wire(&[
            ("line", b"a \"b\" \\u0041"),
            ("host", b"web-1"),
            ("file", b"/var/log/x"),
            ("offset", b"17"),
            ("@timestamp", b"2026-06-15T11:59:58.000Z"),
            ("@metadata.beat", b"x"),
            ("tags", b"one"),
            ("level", b"warning"),
            ("peer.ip", b"192.0.2.1"),
            ("fields.token", SECRET.as_bytes()),
        ]);
        let (found, credential) = read(&raw, &Context { keep_original: true, ..CX });
        let event = &found[0];
        assert_eq!(credential.as_deref(), Some(SECRET));
        for (name, want) in [
            ("message", r#""a \"b\" \\u0041""#),
            ("host.name", "\"web-1\""),
            ("file", "\"/var/log/x\""),
            ("offset", "\"17\""),
            ("level", "\"WARN\""),
            ("sender.peer.ip", "\"192.0.2.1\""),
            ("event.original", r#""a \"b\" \\u0041""#),
        ] {
            assert_eq!(event.get(name), want, "{name}");
        }
        assert_eq!(event.timestamp.unwrap().to_string(), "2026-06-15T11:59:58.000Z");
        assert!(!format!("{:?}", event.fields).contains("0123456789abcdef"));
    }

    #[test]
    fn json_is_read_as_of_a_line() {
        let (found, credential) = read(
            format!(
                r#"{{"message":"m","host":{{"name":"web-1"}},"@metadata":{{"beat":"filebeat"}},"fields":{{"token":"{SECRET}","x":1}}}}"#
            )
            .as_bytes(),
            &CX,
        );
        let event = &found[0];
        assert_eq!(credential.as_deref(), Some(SECRET));
        assert_eq!(
            (event.get("host.name"), event.get("fields.x")),
            ("\"web-1\"".into(), "1".into())
        );
        assert_eq!(
            (event.get("@metadata.beat"), event.get("fields.token")),
            (String::new(), String::new())
        );
    }

    #[test]
    fn what_was_cut_or_is_no_text_is_kept_as_far_as_it_goes() {
        let raw = wire(&[("line", b"abcdef"), ("x", b"y")]);
        for (len, want) in
            [(raw.len(), "\"abcdef\""), (22, "\"abcdef\""), (20, "\"abcd\""), (15, ""), (4, "")]
        {
            let (found, _) = read(&raw[..len], &CX);
            assert_eq!((found.len(), found[0].get("message")), (1, want.to_owned()), "{len}");
        }
        let raw = wire(&[("line", b"a\xffb"), ("logtrace_key", b"of any form")]);
        let (found, credential) = read(&raw, &CX);
        assert_eq!(credential.as_deref(), Some("of any form"));
        assert_eq!(found[0].tags, ["encoding_error"]);
        assert_eq!(found[0].get("message"), "\"a\u{fffd}b\"");
        assert!(!format!("{:?}", found[0].fields).contains("of any form"));
    }

    #[test]
    fn more_pairs_than_fields_are_all_in_the_original() {
        let names: Vec<String> = (0..1024).map(|n| format!("n{n}")).collect();
        let all: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"v"[..])).collect();
        let (found, _) = read(&wire(&all), &CX);
        assert_eq!(found[0].tags, ["too_many_fields"]);
        assert_ne!(found[0].get("event.original"), "");
    }
}
