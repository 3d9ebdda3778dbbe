//! One datagram, one message (RFC 5426 §3.1).

use super::count::{Front, Lookahead, front};
use super::{cut, is_line_end, trimmed_len};

/// The message of a datagram, and its length where that was above `max_len` and is cut.
///
/// Taken off are the CR, LF and NUL at its end, and a count at its front that says just the length
/// of what follows (with or without those): some senders frame a datagram like a stream. An empty
/// datagram gives an empty message.
pub fn datagram(bytes: &[u8], max_len: usize) -> (&[u8], Option<u64>) {
    let body = match front(bytes, Lookahead::Free, true) {
        Front::Counted { len, prefix } => {
            let rest = bytes.get(prefix..).unwrap_or_default();
            let lens = trimmed_len(rest, is_line_end) as u64..=rest.len() as u64;
            if lens.contains(&len) { rest } else { bytes }
        }
        _ => bytes,
    };
    cut(body.get(..trimmed_len(body, is_line_end)).unwrap_or_default(), max_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ud_01_one_datagram_one_message() {
        #[rustfmt::skip]
        let table: &[(&[u8], &[u8])] = &[
            (b"",                         b""),
            (b"\n",                       b""),
            (b"<13>a",                    b"<13>a"),
            (b"<13>a\n",                  b"<13>a"),
            (b"<13>a\r\n\0",              b"<13>a"),
            (b"<13>a\n<13>b\n",           b"<13>a\n<13>b"),
            (b"\n<13>a",                  b"\n<13>a"),
            (b"5 <13>a",                  b"<13>a"),
            (b"5 <13>a\n",                b"<13>a"),
            (b"6 <13>a\n",                b"<13>a"),
            (b"4 <13>a",                  b"4 <13>a"),
            (b"6 <13>a",                  b"6 <13>a"),
            (b"05 <13>a",                 b"05 <13>a"),
            (b"0 ",                       b"0 "),
            (b"18446744073709551616 <13>", b"18446744073709551616 <13>"),
        ];
        for (bytes, want) in table {
            assert_eq!(datagram(bytes, 100), (*want, None), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn ud_01_longest_datagram() {
        let bytes = vec![b'x'; 65_507];
        assert_eq!(datagram(&bytes, 65_507), (&bytes[..], None));
        assert_eq!(datagram(&bytes, 65_506), (&bytes[1..], Some(65_507)));
    }
}
