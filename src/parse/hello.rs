//! The first line of a connection that names its key once, for all that follows.

/// The key in `AUTH <key>` or `{"auth":"<key>"}`; `None` if the line is anything else.
///
/// Any text without a blank is a key here, of our form or not: whoever sends such a line means it.
/// The key is borrowed, so its JSON string must have no escapes.
pub fn hello(raw: &[u8]) -> Option<&[u8]> {
    let line = raw.trim_ascii();
    let key = match line.strip_prefix(b"AUTH ") {
        Some(key) => key.trim_ascii(),
        None => {
            let object = line.strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
            let value = object.strip_prefix(b"\"auth\"")?.trim_ascii_start().strip_prefix(b":")?;
            value.trim_ascii_start().strip_prefix(b"\"")?.strip_suffix(b"\"")?
        }
    };
    let is_key = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    (!key.is_empty() && key.iter().all(is_key)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellos() {
        let table = [
            ("AUTH lt_live_0\r\n", Some("lt_live_0")),
            ("AUTH  k", Some("k")),
            (r#"{"auth":"k"}"#, Some("k")),
            (" { \"auth\" : \"k\" } \n", Some("k")),
            ("AUTH", None),
            ("AUTH ", None),
            ("AUTH failed for root", None),
            ("auth k", None),
            (r#"{"auth":""}"#, None),
            (r#"{"auth":"a","b":"c"}"#, None),
            (r#"{"auth":"a\"b"}"#, None),
            (r#"{"auth":1}"#, None),
            ("<13>AUTH k", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(hello(line.as_bytes()), want.map(str::as_bytes), "{line}");
        }
    }
}
