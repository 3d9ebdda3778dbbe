//! Labels as text, `{app="api", level="warn"}`: what a stream is called in protocol buffers.

use std::borrow::Cow;

use crate::parse::RecordError;

/// A name and a value.
pub(super) type Pair<'t> = (Cow<'t, str>, Cow<'t, str>);

/// Reads all of `text`. Values are quoted as in Go: by `"` with its escapes, or by backticks.
pub(super) fn labels(text: &str) -> Result<Vec<Pair<'_>>, RecordError> {
    let at = |rest: &str| RecordError::Labels { at: text.len() - rest.len() };
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    // Some clients leave the braces out where there is nothing between them.
    if rest.is_empty() {
        return Ok(pairs);
    }
    rest = rest.strip_prefix('{').ok_or_else(|| at(rest))?.trim_start();
    while !rest.starts_with('}') {
        if pairs.len() == MAX_LABELS {
            return Err(at(rest));
        }
        let (name, behind) = rest.split_once('=').ok_or_else(|| at(rest))?;
        let name = name.trim_end();
        if name.is_empty() || !name.bytes().all(is_of_name) {
            return Err(at(rest));
        }
        let (value, behind) = quoted(behind.trim_start()).ok_or_else(|| at(behind))?;
        pairs.push((Cow::Borrowed(name), value));
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.starts_with('}') => {}
            None => return Err(at(rest)),
        }
    }
    if rest == "}" { Ok(pairs) } else { Err(at(rest)) }
}

/// Whether a byte may be in a name: no more than parts it from the text around it.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-' | b'/' | 0x80..)
}

/// The value of a quoted text, and what follows it.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (value, rest) = raw.split_once('`')?;
        return Some((Cow::Borrowed(value), rest));
    }
    let text = text.strip_prefix('"')?;
    let end = text.find(['"', '\\'])?;
    let (plain, rest) = text.split_at_checked(end)?;
    match rest.strip_prefix('"') {
        Some(rest) => Some((Cow::Borrowed(plain), rest)),
        None => escaped(plain, rest).map(|(value, rest)| (Cow::Owned(value), rest)),
    }
}

/// Goes on behind `plain` at the first backslash.
fn escaped<'t>(plain: &str, mut rest: &'t str) -> Option<(String, &'t str)> {
    // Octets, because an escape can name a part of a character.
    let mut value = plain.as_bytes().to_vec();
    loop {
        let stop = rest.find(['"', '\\'])?;
        let (plain, behind) = rest.split_at_checked(stop)?;
        value.extend_from_slice(plain.as_bytes());
        if let Some(rest) = behind.strip_prefix('"') {
            let text = String::from_utf8(value);
            let text = text.unwrap_or_else(|no| String::from_utf8_lossy(no.as_bytes()).into());
            return Some((text, rest));
        }
        rest = escape(behind.strip_prefix('\\')?, &mut value)?;
    }
}

/// Appends what an escape stands for; `text` begins behind the backslash.
fn escape<'t>(text: &'t str, value: &mut Vec<u8>) -> Option<&'t str> {
    let mut chars = text.chars();
    let kind = chars.next()?;
    let rest = chars.as_str();
    let (digits, radix) = match kind {
        'x' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        '0'..='7' => (3, 8),
        _ => {
            value.push(single(kind)?);
            return Some(rest);
        }
    };
    let (number, rest) = if radix == 8 { text } else { rest }.split_at_checked(digits)?;
    let number = u32::from_str_radix(number, radix).ok()?;
    if matches!(kind, 'u' | 'U') {
        let mut octets = [0; 4];
        value.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut octets).as_bytes());
    } else {
        value.push(u8::try_from(number).ok()?);
    }
    Some(rest)
}

/// The octet that an escape of one letter stands for.
fn single(kind: char) -> Option<u8> {
    Some(match kind {
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        '\\' => b'\\',
        '"' => b'"',
        '\'' => b'\'',
        _ => return None,
    })
}

/// Labels of a stream. Loki itself stops at 15.
const MAX_LABELS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read() {
        let table: [(&str, &[(&str, &str)]); 9] = [
            ("", &[]),
            ("{}", &[]),
            (" { } ", &[]),
            (r#"{a="b"}"#, &[("a", "b")]),
            (r#"{a="b",c_1="d e, }"}"#, &[("a", "b"), ("c_1", "d e, }")]),
            (r#"{ a = "b" , c = `d"\` , }"#, &[("a", "b"), ("c", "d\"\\")]),
            (r#"{a="\"\\\n\t\x41\u00e9\U0001F680\101"}"#, &[("a", "\"\\\n\tAé🚀A")]),
            (r#"{a="\xc3\xa9\xff"}"#, &[("a", "é\u{fffd}")]),
            (r#"{k8s.pod/name="p"}"#, &[("k8s.pod/name", "p")]),
        ];
        for (text, want) in table {
            let found = labels(text).unwrap();
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn what_are_no_labels() {
        for (text, at) in [
            ("a", 0),
            ("{", 1),
            ("{a}", 1),
            ("{=\"b\"}", 1),
            ("{a b=\"c\"}", 1),
            ("{a=b}", 3),
            ("{a=\"b}", 3),
            ("{a=\"\\q\"}", 3),
            ("{a=\"\\ud800\"}", 3),
            ("{a=\"\\xé\"}", 3),
            ("{a=\"\\777\"}", 3),
            ("{a=\"b\" c=\"d\"}", 7),
            ("{a=\"b\"} x", 6),
        ] {
            assert_eq!(labels(text), Err(RecordError::Labels { at }), "{text}");
        }
        let many = format!("{{{}}}", "a=\"b\",".repeat(MAX_LABELS + 1));
        assert!(labels(&many).is_err());
    }
}
