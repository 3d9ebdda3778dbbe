//! `PRI`: RFC 5424 §6.2.1, RFC 3164 §4.1.1.

use crate::parse::structured_data::Span;

/// A priority in front of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priority {
    /// The digits, without zeros in front.
    pub digits: Span,
    /// Whether there were zeros in front, which no RFC allows.
    pub is_padded: bool,
    /// Where what follows begins.
    pub end: usize,
}

/// Reads `<0>` to `<191>` at `at`.
pub(super) fn read(text: &[u8], at: usize) -> Option<Priority> {
    let rest = text.get(at..)?.strip_prefix(b"<")?;
    let (mut value, mut len) = (0, 0);
    loop {
        match rest.get(len)? {
            digit @ b'0'..=b'9' if len < MAX_DIGITS => value = value * 10 + u32::from(digit - b'0'),
            b'>' if len > 0 && value <= MAX_VALUE => break,
            _ => return None,
        }
        len += 1;
    }
    let zeros = rest.iter().take(len - 1).take_while(|byte| **byte == b'0').count();
    let (start, end) = (at + 1, at + 1 + len);
    Some(Priority { digits: Span::new(start + zeros, end), is_padded: zeros > 0, end: end + 1 })
}

/// `PRIVAL` is facility · 8 + severity, of 24 facilities.
const MAX_VALUE: u32 = 191;

/// Some fill a field of fixed width with zeros.
const MAX_DIGITS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sy_03_only_what_is_in_range_is_a_priority() {
        let table = [
            ("<0>", Some("0")),
            ("<13>x", Some("13")),
            ("<191>", Some("191")),
            ("<013>", Some("13")),
            ("<000>", Some("0")),
            ("<>", None),
            ("<-1>", None),
            ("<+1>", None),
            ("<13", None),
            ("<13 >", None),
            ("<192>", None),
            ("<999>", None),
            ("<0013>", Some("13")),
            ("<00191>", Some("191")),
            ("<000013>", None),
            ("<0192>", None),
            ("<99999999999999999999>", None),
            ("<１３>", None),
            ("<", None),
            ("13>", None),
            ("", None),
        ];
        for (text, want) in table {
            let digits = read(text.as_bytes(), 0).map(|found| found.digits.of(text.as_bytes()));
            assert_eq!(digits, want.map(str::as_bytes), "{text}");
        }
    }
}
