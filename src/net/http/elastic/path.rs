//! What a path says: `/{index}/_bulk`, `/{index}/_doc/{id}`.

/// The segment in front of `name` and the one behind it, decoded once (RFC 3986 §2.1); an empty one
/// is none.
pub(super) fn around(path: &str, name: &str) -> (Option<String>, Option<String>) {
    let segments: Vec<_> = path.split('/').collect();
    let Some(at) = segments.iter().position(|segment| *segment == name) else {
        return (None, None);
    };
    let segment = |at: Option<usize>| {
        let segment = at.and_then(|at| segments.get(at)).filter(|segment| !segment.is_empty());
        segment.map(|segment| decoded(segment))
    };
    (segment(at.checked_sub(1)), segment(at.checked_add(1)))
}

/// The last segment that is not empty, decoded.
pub(super) fn last(path: &str) -> String {
    path.rsplit('/').find(|segment| !segment.is_empty()).map(decoded).unwrap_or_default()
}

fn decoded(segment: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(segment.len()), segment.as_bytes());
    while let [first, more @ ..] = rest {
        let hex = |at: usize| more.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = more.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        let some = |text: &str| Some(text.to_owned());
        let table = [
            ("/_bulk", "_bulk", (None, None)),
            ("/_bulk/", "_bulk", (None, None)),
            ("/a/_bulk/", "_bulk", (some("a"), None)),
            ("/a%20b/_doc/%2541", "_doc", (some("a b"), some("%41"))),
            ("/%/_doc/%4", "_doc", (some("%"), some("%4"))),
            ("/%ff/_doc", "_doc", (some("\u{fffd}"), None)),
            ("/a", "_doc", (None, None)),
        ];
        for (path, name, want) in table {
            assert_eq!(around(path, name), want, "{path}");
        }
        assert_eq!(last("/_template/logs%2Dx/"), "logs-x");
        assert_eq!(last("/"), "");
    }
}
