//! The front of a frame: is it octet counted? (RFC 6587 §3.4.1, `MSG-LEN SP SYSLOG-MSG`)

/// What the first bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Too few of them to say.
    Wait,
    /// A count of `len`, which with its blank takes `prefix` bytes.
    Counted { len: u64, prefix: usize },
    /// The stream ended in what may have been a count.
    Cut,
    /// No count at all.
    Text,
    /// A count of zero, which the grammar does not have.
    Zero,
    /// More digits than a count has.
    Overlong,
}

/// Whether some bytes are what one looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Yes,
    No,
    /// So far; the bytes end before it is sure.
    Unknown,
}

/// Whether what stands behind a count must look like a message for the count to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookahead {
    Free,
    Message,
}

/// Reads the front of a frame.
///
/// Senders of plain lines begin them with numbers (`12 monkeys`, `2026-11-20 …`), so where both
/// framings may come a count is only one if a message begins behind it.
pub(super) fn front(buf: &[u8], lookahead: Lookahead, eof: bool) -> Front {
    let digits = buf.iter().take(LONGEST_NUMBER).take_while(|b| b.is_ascii_digit()).count();
    let Some(first) = buf.first().filter(|_| digits > 0) else {
        return if buf.is_empty() && !eof { Front::Wait } else { Front::Text };
    };
    if *first == b'0' {
        return match buf.get(1) {
            Some(b' ') => Front::Zero,
            None if !eof => Front::Wait,
            _ => Front::Text,
        };
    }
    let overlong = digits > MAX_DIGITS;
    if overlong && (lookahead == Lookahead::Free || digits == LONGEST_NUMBER) {
        return Front::Overlong;
    }
    let behind = match buf.get(digits) {
        None if !eof => return Front::Wait,
        None if overlong => return Front::Text,
        None => return Front::Cut,
        Some(b' ') => buf.get(digits + 1..).unwrap_or_default(),
        Some(_) => return Front::Text,
    };
    let counted = Front::Counted { len: number(buf.get(..digits)), prefix: digits + 1 };
    match (lookahead, begins_message(behind)) {
        (Lookahead::Message, Is::Unknown) if !eof => Front::Wait,
        (Lookahead::Message, Is::Unknown) if behind.is_empty() && !overlong => Front::Cut,
        (Lookahead::Message, Is::No | Is::Unknown) => Front::Text,
        _ if overlong => Front::Overlong,
        _ => counted,
    }
}

/// The count of the usual frame, one that has its blank and a `<` behind it, and how many bytes it
/// takes; what is anything else is for [`front`] to say. This is the hot path of counted streams.
#[inline]
pub(super) fn usual_count(buf: &[u8]) -> Option<(u64, usize)> {
    let mut len = 0;
    for (at, &byte) in buf.iter().enumerate().take(MAX_DIGITS) {
        match byte {
            b'1'..=b'9' => len = len * 10 + u64::from(byte - b'0'),
            b'0' if at > 0 => len *= 10,
            b' ' if at > 0 => return (buf.get(at + 1) == Some(&b'<')).then_some((len, at + 1)),
            _ => return None,
        }
    }
    None
}

/// Whether a message begins here: `<` of a priority, `{` of JSON, or a byte order mark.
pub(super) fn begins_message(buf: &[u8]) -> Is {
    match buf {
        [b'<' | b'{', ..] => Is::Yes,
        _ if buf.starts_with(BOM) => Is::Yes,
        _ if BOM.starts_with(buf) => Is::Unknown,
        _ => Is::No,
    }
}

/// Whether `<PRI>` stands here, one to three digits between angle brackets (RFC 5424 §6.2.1).
pub(super) fn begins_with_pri(buf: &[u8]) -> Is {
    let Some((first, rest)) = buf.split_first() else { return Is::Unknown };
    let digits = rest.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    match rest.get(digits) {
        _ if *first != b'<' => Is::No,
        None => Is::Unknown,
        Some(b'>') if digits > 0 => Is::Yes,
        Some(_) => Is::No,
    }
}

/// Whether a frame certainly begins here: `<PRI>`, or a count and `<PRI>`.
pub(super) fn begins_frame(buf: &[u8]) -> Is {
    let digits = buf.iter().take(MAX_DIGITS).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || buf.first() == Some(&b'0') {
        return begins_with_pri(buf);
    }
    match buf.get(digits) {
        None => Is::Unknown,
        Some(b' ') => begins_with_pri(buf.get(digits + 1..).unwrap_or_default()),
        Some(_) => Is::No,
    }
}

/// Where in `text` the count begins that ends with it: the longest that starts with a digit 1–9
/// and is at most `max_len`.
///
/// The digits may be glued to others that end the text of a damaged message, so a count longer
/// than any message is not believed. `None` also for a number that opens the text or stands there
/// with a sign or `0x`: that one was looked at before, and is no count.
pub(super) fn count_at_end(text: &[u8], max_len: usize) -> Option<usize> {
    let run = text.iter().rev().take(LONGEST_NUMBER).take_while(|b| b.is_ascii_digit()).count();
    let before = text.len() - run;
    let opening = text.get(..before).unwrap_or_default();
    let opening = opening.strip_prefix(b" ").unwrap_or(opening);
    if matches!(opening, b"" | b"+" | b"-" | b"0x" | b"0X") {
        return None;
    }
    let first = text.len() - run.min(MAX_DIGITS);
    (first..text.len()).find(|&at| {
        let digits = text.get(at..).unwrap_or_default();
        digits.first() != Some(&b'0') && number(Some(digits)) <= max_len as u64
    })
}

/// The value of a few digits; of too many, the highest there is.
fn number(digits: Option<&[u8]>) -> u64 {
    let digits = digits.unwrap_or_default().iter();
    digits.fold(0, |n: u64, b| n.saturating_mul(10).saturating_add(u64::from(b.wrapping_sub(b'0'))))
}

/// Widest count we read, in digits: any length below 10 GB, and far from overflow.
pub(super) const MAX_DIGITS: usize = 10;

/// So many digits in a row are no count, no time and no serial number.
pub(super) const LONGEST_NUMBER: usize = 24;

/// U+FEFF in UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts() {
        let counted = |len, prefix| Front::Counted { len, prefix };
        #[rustfmt::skip]
        let table: &[(&[u8], Front, Front)] = &[
            // bytes                    free               a message must follow
            (b"37 <34>",                counted(37, 3),    counted(37, 3)),
            (b"37 {",                   counted(37, 3),    counted(37, 3)),
            (b"37 \xef\xbb\xbf",        counted(37, 3),    counted(37, 3)),
            (b"37 \xef\xbb",            counted(37, 3),    Front::Wait),
            (b"37 \xef\xbc",            counted(37, 3),    Front::Text),
            (b"37 ",                    counted(37, 3),    Front::Wait),
            (b"3",                      Front::Wait,       Front::Wait),
            (b"12 monkeys",             counted(12, 3),    Front::Text),
            (b"12foo",                  Front::Text,       Front::Text),
            (b"2026-11-20 ",            Front::Text,       Front::Text),
            (b"4294967296 <",           counted(1 << 32, 11), counted(1 << 32, 11)),
            (b"9999999999 <",           counted(9_999_999_999, 11), counted(9_999_999_999, 11)),
            (b"18446744073709551616 <", Front::Overlong,   Front::Overlong),
            (b"20261120121558 host",    Front::Overlong,   Front::Text),
            (b"20261120121558",         Front::Overlong,   Front::Wait),
            (b"111111111111111111111111", Front::Overlong, Front::Overlong),
            (b"0 <",                    Front::Zero,       Front::Zero),
            (b"0",                      Front::Wait,       Front::Wait),
            (b"007 <",                  Front::Text,       Front::Text),
            (b"+5 <",                   Front::Text,       Front::Text),
            (b"",                       Front::Wait,       Front::Wait),
        ];
        for (bytes, free, message) in table {
            assert_eq!(front(bytes, Lookahead::Free, false), *free, "{}", bytes.escape_ascii());
            assert_eq!(
                front(bytes, Lookahead::Message, false),
                *message,
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn usual_counts_are_fronts() {
        #[rustfmt::skip]
        let table = [
            ("37 <34>",      Some((37, 3))),
            ("105 <34>",     Some((105, 4))),
            ("999999999 <3", Some((999_999_999, 10))),
            ("37 {",         None),
            ("037 <34>",     None),
            (" <34>",        None),
            ("37 ",          None),
            ("37",           None),
            ("12foo",        None),
        ];
        for (text, want) in table {
            assert_eq!(usual_count(text.as_bytes()), want, "{text}");
            if let Some((len, prefix)) = want {
                let front = front(text.as_bytes(), Lookahead::Message, false);
                assert_eq!(front, Front::Counted { len, prefix });
            }
        }
    }

    #[test]
    fn fronts_at_the_end_of_the_stream() {
        #[rustfmt::skip]
        let table: &[(&[u8], Front)] = &[
            (b"10",             Front::Cut),
            (b"10 ",            Front::Cut),
            (b"10 \xef\xbb",    Front::Text),
            (b"20261120121558", Front::Text),
            (b"0",              Front::Text),
            (b"",               Front::Text),
        ];
        for (bytes, want) in table {
            assert_eq!(front(bytes, Lookahead::Message, true), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn certain_starts_of_a_frame() {
        #[rustfmt::skip]
        let table: &[(&[u8], Is)] = &[
            (b"<13>", Is::Yes), (b"<1>", Is::Yes), (b"<191>", Is::Yes), (b"12 <13>", Is::Yes),
            (b"", Is::Unknown), (b"<", Is::Unknown), (b"<13", Is::Unknown), (b"12 ", Is::Unknown),
            (b"<>", Is::No), (b"<1234>", Is::No), (b"<x>", Is::No), (b"0 <13>", Is::No),
            (b"12 mon", Is::No), (b"text", Is::No), (b"12345678901 <13>", Is::No),
        ];
        for (bytes, want) in table {
            assert_eq!(begins_frame(bytes), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn counts_at_the_end_of_a_text() {
        let found = |text: &str| {
            count_at_end(text.as_bytes(), 300).map(|at| text.split_at(at).1.to_owned())
        };
        #[rustfmt::skip]
        let table: &[(&str, Option<&str>)] = &[
            ("ello40",       Some("40")),
            ("ello 40",      Some("40")),
            ("err 500",      None),           // 500 is above the limit, 00 and 0 are no counts
            ("err 540",      Some("40")),
            ("err 1234567890123123", Some("123")),
            ("err 0040",     Some("40")),
            ("40",           None),
            ("007",          None),
            ("+5",           None),
            ("0x10",         None),
            ("a+5",          Some("5")),
            ("ello",         None),
            ("1234567890123456", None),
        ];
        for (text, want) in table {
            assert_eq!(found(text).as_deref(), *want, "{text}");
        }
    }
}
