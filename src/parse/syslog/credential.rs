//! Keys in messages: found, noted in the event, and cut from what is kept (SPEC §2.3).
//!
//! | carried as                                          | spelling of           |
//! |-----------------------------------------------------|-----------------------|
//! | `[lt@32473 key="…"]`, `[logtrace@… key="…"]`        | logtrace              |
//! | `[logdna@48950 key="…"]`                            | Mezmo                 |
//! | `[logtail@11993 source_token="…"]`                  | Better Stack          |
//! | `[honeybadger@61642 api_key="…"]`                   | Honeybadger           |
//! | `[TOKEN@41058 …]`, `[TOKEN@41123 …]`                | Loggly, Sumo Logic    |
//! | any parameter whose value has the form of a secret  |                       |
//! | `KEY <PRI>…`, `[KEY] <PRI>…`                        | Datadog, Logz.io      |
//! | `KEY` as the first word of the message              | Sumo Logic            |
//!
//! In the first five any value is a key: whoever writes it there means it as one. The others have
//! to look like one of ours, so that nothing is mistaken for a key. The number behind the `@` is
//! not looked at, except for the two services that have no other mark: relays rewrite it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::header::Header;
use super::source::{Source, skip_blanks};
use crate::event::{AuthMethod, Credential, Event};
use crate::ids;
use crate::parse::structured_data::{Scan, Span, unescape};

/// Reads the structured data that begins at `at`, and the keys in it. Where it ends; `None` if it
/// breaks off.
pub(super) fn in_structured_data<'a>(
    source: &mut Source<'a>,
    at: usize,
    event: &mut Event<'a>,
) -> Option<usize> {
    let text = source.body();
    let mut scan = Scan::new(text, at);
    loop {
        let start = scan.at;
        let Some(id) = scan.element() else { return scan.end() };
        let carrier = Carrier::of(id.of(text));
        let mut others = 0_usize;
        let mut keys = 0_usize;
        if let Carrier::Id { len } = carrier {
            let name = Span::new(id.start, id.start + len);
            note(event, Cow::Borrowed(name.of(text)), AuthMethod::StructuredData);
            source.cut(name);
            keys += 1;
        }
        while let Some(param) = scan.param() {
            let value = param.value.of(text);
            if carrier.is_key(param.name.of(text), value) {
                note(event, unescaped(value), AuthMethod::StructuredData);
                source.cut(param.span);
                keys += 1;
            } else {
                others += 1;
            }
        }
        if keys > 0 && others == 0 && scan.end().is_some() {
            source.cut(Span::new(start, scan.at));
        }
    }
}

/// Reads the key in front of the message, and where the message then begins.
pub(in crate::parse) fn in_front<'a>(source: &mut Source<'a>, event: &mut Event<'a>) -> usize {
    let text = source.body();
    if text.first() == Some(&b'<') {
        return 0;
    }
    // What ended the message before may be left over in front of this one.
    let start = if text.starts_with(BOM) { BOM.len() } else { 0 };
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0);
    let start = start + text.iter().skip(start).take_while(is_space).count();
    let rest = text.get(start..).unwrap_or_default();
    let (key, end) = match rest {
        [b'<', ..] => return start,
        [b'[', key @ ..] => {
            let len = memchr(b']', key).unwrap_or_default();
            (key.get(..len), start + len + 2)
        }
        _ => {
            let len = memchr2(b' ', b'<', rest).unwrap_or(rest.len());
            (rest.get(..len), start + len)
        }
    };
    let Some(key) = key.filter(|key| ids::is_secret(key)) else { return 0 };
    let end = skip_blanks(text, end);
    note(event, Cow::Borrowed(key), AuthMethod::Prefix);
    source.cut(Span::new(start, end));
    end
}

/// Reads the key that is the first word of the message, and steps over it and the byte order mark
/// (RFC 5424 §6.4).
pub(super) fn in_message<'a>(source: &mut Source<'a>, header: &mut Header, event: &mut Event<'a>) {
    let text = source.body();
    if header.message.of(text).starts_with(BOM) {
        header.message.start += BOM.len();
    }
    let start = header.message.start;
    let message = header.message.of(text);
    if !message.starts_with(b"lt_") {
        return;
    }
    let key = message.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !ids::is_secret(key) {
        header.may_hold_key = true;
        return;
    }
    let end = start + key.len();
    header.message.start = if text.get(end) == Some(&b' ') { end + 1 } else { end };
    note(event, Cow::Borrowed(key), AuthMethod::Prefix);
    source.cut(Span::new(start, header.message.start));
}

/// Where an element of structured data can hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// In the parameter of this name.
    Param(&'static [u8]),
    /// In the first `len` bytes of the id.
    Id { len: usize },
    /// In any parameter, by the form of its value.
    Unknown,
}

impl Carrier {
    fn of(id: &[u8]) -> Self {
        let at = id.iter().position(|byte| *byte == b'@').unwrap_or(id.len());
        match (id.get(..at).unwrap_or_default(), id.get(at + 1..).unwrap_or_default()) {
            (b"lt" | b"logtrace" | b"logdna", _) => Self::Param(b"key"),
            (b"logtail", _) => Self::Param(b"source_token"),
            (b"honeybadger", _) => Self::Param(b"api_key"),
            (name @ [_, ..], b"41058" | b"41123") => Self::Id { len: name.len() },
            _ => Self::Unknown,
        }
    }

    fn is_key(self, name: &[u8], value: &[u8]) -> bool {
        let is_named = matches!(self, Self::Param(key) if key == name);
        (is_named && !value.is_empty()) || ids::is_secret(value)
    }
}

/// Notes a key, unless one that counts before it was found (SPEC §2.3).
fn note<'a>(event: &mut Event<'a>, secret: Cow<'a, [u8]>, method: AuthMethod) {
    if event.credential.as_ref().is_none_or(|found| method < found.method) {
        event.credential = Some(Credential { secret, method });
    }
}

fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(unescape(&String::from_utf8_lossy(value)).into_owned().into_bytes())
}

/// The byte order mark of UTF-8.
const BOM: &[u8] = "\u{FEFF}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Known, Value};
    use crate::parse::{Context, syslog};
    use crate::time::Timestamp;

    const KEY: &str = "lt_live_0123456789abcdef0123456789abcdef";
    const KEY2: &str = "lt_test_fedcba9876543210fedcba9876543210";

    /// Parses `raw`, with `K` and `L` for two keys, and writes the answer in the same way.
    fn shown(raw: &str) -> String {
        let raw = raw.replace("{K}", KEY).replace("{L}", KEY2);
        let cx = Context {
            received_at: Timestamp::from_micros(1_781_524_800_000_000),
            zone_offset: 0,
            keep_original: true,
        };
        let mut event = Event::default();
        syslog(raw.as_bytes(), &cx, &mut event);
        let text = |name| match event.find(name) {
            Some(Value::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        let key = event.credential.as_ref().map(|found| {
            format!("{} {}", found.method.as_str(), String::from_utf8_lossy(&found.secret))
        });
        let parts = [
            key.unwrap_or_default().replace(KEY, "{K}").replace(KEY2, "{L}"),
            text(Known::StructuredData),
            text(Known::Message),
            text(Known::Original),
        ];
        parts.join(" | ")
    }

    #[test]
    fn keys_in_structured_data() {
        let table = [
            (r#"[lt@32473 key="k"]"#, "structured_data k", "", ""),
            (r#"[logtrace@1 key="k"]"#, "structured_data k", "", ""),
            (r#"[lt key="k" a="b"]"#, "structured_data k", r#"[lt a="b"]"#, r#"[lt a="b"]"#),
            (r#"[lt a="b" key="k"]"#, "structured_data k", r#"[lt a="b"]"#, r#"[lt a="b"]"#),
            (r#"[a][lt key="k"]"#, "structured_data k", "[a]", "[a]"),
            (r#"[lt key="k"][b]"#, "structured_data k", "[b]", "[b]"),
            (r#"[a][lt key="k"][b]"#, "structured_data k", "[a][b]", "[a][b]"),
            (r#"[lt key="k"][b][lt key="l"]"#, "structured_data k", "[b]", "[b]"),
            (r#"[lt key="k\"1\\\]"]"#, r#"structured_data k"1\]"#, "", ""),
            (
                r#"[logdna@48950 key="K" tags="a"]"#,
                "structured_data K",
                r#"[logdna@48950 tags="a"]"#,
                r#"[logdna@48950 tags="a"]"#,
            ),
            (r#"[logtail@11993 source_token="T"]"#, "structured_data T", "", ""),
            (
                r#"[honeybadger@61642 api_key="K" env="p"]"#,
                "structured_data K",
                r#"[honeybadger@61642 env="p"]"#,
                r#"[honeybadger@61642 env="p"]"#,
            ),
            (
                r#"[T0K3N@41058 tag="x"]"#,
                "structured_data T0K3N",
                r#"[@41058 tag="x"]"#,
                r#"[@41058 tag="x"]"#,
            ),
            ("[T0K3N@41123]", "structured_data T0K3N", "", ""),
            (r#"[any k="{K}"]"#, "structured_data {K}", "", ""),
            (r#"[any k="{K}" a="b"]"#, "structured_data {K}", r#"[any a="b"]"#, r#"[any a="b"]"#),
            (r#"[any key="k"]"#, "", r#"[any key="k"]"#, r#"[any key="k"]"#),
            (r#"[lt key=""]"#, "", r#"[lt key=""]"#, r#"[lt key=""]"#),
        ];
        for (data, key, kept, left) in table {
            let head = "<13>1 - h a - - ";
            let want = format!("{key} | {kept} | m | {head}{left} m");
            assert_eq!(shown(&format!("{head}{data} m")), want, "{data}");
        }
    }

    #[test]
    fn keys_elsewhere() {
        let table = [
            ("{K} <13>x", "prefix {K} |  | x | <13>x"),
            ("[{K}] <13>x", "prefix {K} |  | x | <13>x"),
            ("{K}<13>x", "prefix {K} |  | x | <13>x"),
            ("{K} x", "prefix {K} |  | x | x"),
            ("\u{FEFF} {K} <13>x", "prefix {K} |  | x | \u{FEFF} <13>x"),
            ("key <13>x", " |  | key <13>x | key <13>x"),
            ("[key] <13>x", " |  | [key] <13>x | [key] <13>x"),
            ("<13>1 - h a - - - {K} m", "prefix {K} |  | m | <13>1 - h a - - - m"),
            ("<13>1 - h a - - - {K}", "prefix {K} |  |  | <13>1 - h a - - - "),
            ("<13>Jun 15 11:59:58 h a: {K} m", "prefix {K} |  | m | <13>Jun 15 11:59:58 h a: m"),
        ];
        for (raw, want) in table {
            assert_eq!(shown(raw), want, "{raw}");
        }
    }

    #[test]
    fn the_first_way_counts_and_every_key_is_cut() {
        let table = [
            (
                r#"{L} <13>1 - h a - - [lt key="{K}"] {L} m"#,
                "structured_data {K} |  | m | <13>1 - h a - -  m",
            ),
            (
                r#"<13>1 - h a - - [a k="{K}" l="{L}"][b] m"#,
                "structured_data {K} | [b] | m | <13>1 - h a - - [b] m",
            ),
        ];
        for (raw, want) in table {
            assert_eq!(shown(raw), want, "{raw}");
        }
    }

    #[test]
    fn sy_13_keys_are_cut_from_what_does_not_parse() {
        let table = [
            (r#"<13>1 - h a - - [lt key="{K}"][x m"#, "[x m"),
            (r#"<13>1 2026-06-15T12:00:00Z h a - - [lt key="{K}"][x m"#, "[x m"),
            (r#"<13>1 2026-06-15T12:00:00Z h a - - [lt key="{K} m"#, "0123…cdef m"),
            (r#"<13>1 2026-06-15T12:00:00Z h a - - [lt key="lt_live_0123456789"#, "lt_live_…"),
            ("<1300>{K} m", "0123…cdef m"),
            ("lt_live_0123456789abcdef01", "lt_live_…"),
            ("<13>Jun 15 11:59:58 h a: lt_live_0123456789abcdef01", "lt_live_…"),
        ];
        for (raw, want) in table {
            let shown = shown(raw);
            let (key, fields) = shown.split_once(" | ").unwrap();
            assert!(fields.contains(want), "{raw}: {shown}");
            assert!(!fields.contains("0123456789"), "{raw}: {shown}");
            assert_eq!(key.is_empty(), !raw.contains(r#"{K}"]"#), "{raw}");
        }
    }

    #[test]
    fn the_common_key_costs_no_allocation() {
        let raw = format!(r#"<13>1 - h a - - [timeQuality x="1"][lt@32473 key="{KEY}"] m"#);
        let cx = Context {
            received_at: Timestamp::from_micros(0),
            zone_offset: 0,
            keep_original: false,
        };
        let mut event = Event::default();
        syslog(raw.as_bytes(), &cx, &mut event);
        let is_borrowed = |value: &Value<'_>| {
            matches!(value, Value::Text(Cow::Borrowed(_)) | Value::Number(Cow::Borrowed(_)))
        };
        assert!(event.fields.iter().all(|field| is_borrowed(&field.value)));
        assert!(matches!(event.credential.unwrap().secret, Cow::Borrowed(_)));
    }
}
