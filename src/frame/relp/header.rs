//! What a RELP frame begins with: number, command, length.

/// The front of a stream that is between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front<'b> {
    /// A header of `len` bytes, with the blank before the data where there is one.
    Whole { header: Header<'b>, len: usize },
    /// The beginning of one.
    Wait,
    /// None.
    Bad { expected: &'static str, found: &'static str },
}

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'b> {
    /// The transaction, at most 999,999,999; 0 is a hint.
    pub(super) number: u32,
    /// 1 to 32 letters.
    pub(super) command: &'b [u8],
    /// Bytes of data, at most 999,999,999.
    pub(super) len: u64,
}

/// Reads the header at the front of `buf`. At most 53 bytes of it are looked at.
#[inline]
pub(super) fn front(buf: &[u8]) -> Front<'_> {
    let Some((number, at)) = number(buf, 0) else {
        return unread(buf, 0, u8::is_ascii_digit, MAX_DIGITS, "a number of 1 to 9 digits");
    };
    if buf.get(at) != Some(&b' ') {
        return unread(buf, at, |_| false, 0, "a blank behind the number");
    }
    let begin = at + 1;
    let letters = buf.iter().skip(begin).take(MAX_COMMAND + 1);
    let end = begin + letters.take_while(|byte| byte.is_ascii_alphabetic()).count();
    if end == begin || end - begin > MAX_COMMAND || buf.get(end) != Some(&b' ') {
        return unread(
            buf,
            begin,
            u8::is_ascii_alphabetic,
            MAX_COMMAND,
            "a command of 1 to 32 letters",
        );
    }
    let command = buf.get(begin..end).unwrap_or_default();
    let Some((len, at)) = self::number(buf, end + 1) else {
        return unread(buf, end + 1, u8::is_ascii_digit, MAX_DIGITS, "a length of 1 to 9 digits");
    };
    let header = Header { number, command, len: len.into() };
    match buf.get(at) {
        // Without data there should be no blank, but then it can stand for nothing else.
        Some(b' ') => Front::Whole { header, len: at + 1 },
        Some(b'\n') if len == 0 => Front::Whole { header, len: at },
        _ => unread(buf, at, |_| false, 0, "a blank behind the length"),
    }
}

/// The 1 to 9 digits at `at`, with a byte behind them: their value, and where they end.
#[inline]
fn number(buf: &[u8], at: usize) -> Option<(u32, usize)> {
    let (mut value, mut digits) = (0_u32, 0);
    for byte in buf.get(at..)? {
        match byte {
            b'0'..=b'9' if digits < MAX_DIGITS => value = value * 10 + u32::from(byte - b'0'),
            b'0'..=b'9' => return None,
            _ => return (digits > 0).then_some((value, at + digits)),
        }
        digits += 1;
    }
    None
}

/// Why a field that begins at `at` is not there: more bytes are needed to tell, or it never will
/// be.
#[cold]
fn unread(
    buf: &[u8],
    at: usize,
    is_good: fn(&u8) -> bool,
    max: usize,
    expected: &'static str,
) -> Front<'static> {
    let field = buf.get(at..).unwrap_or_default();
    let found = match field.iter().position(|byte| !is_good(byte)) {
        None if field.len() <= max => return Front::Wait,
        Some(0) | None if max == 0 => "another byte",
        Some(0) => "none",
        Some(len) if len <= max => "another byte in it",
        _ => "a longer one",
    };
    Front::Bad { expected, found }
}

/// Digits of a number or a length.
const MAX_DIGITS: usize = 9;

/// Letters of a command.
const MAX_COMMAND: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// `number command len @header`, or what is wrong.
    fn show(buf: &str) -> String {
        match front(buf.as_bytes()) {
            Front::Whole { header: Header { number, command, len }, len: size } => {
                format!("{number} {} {len} @{size}", command.escape_ascii())
            }
            Front::Wait => "wait".to_owned(),
            Front::Bad { expected, found } => format!("{expected}: {found}"),
        }
    }

    #[test]
    fn rp_02_headers() {
        let (letters, more) = ("a".repeat(32), "a".repeat(33));
        #[rustfmt::skip]
        let table = [
            ("1 open 86 relp".to_owned(),           "1 open 86 @10".to_owned()),
            ("1 close 0\n".to_owned(),              "1 close 0 @9".to_owned()),
            ("1 close 0 \n".to_owned(),             "1 close 0 @10".to_owned()),
            ("0 hint 0\n".to_owned(),               "0 hint 0 @8".to_owned()),
            ("999999999 s 999999999 ".to_owned(),   "999999999 s 999999999 @22".to_owned()),
            ("000000001 s 000000001 ".to_owned(),   "1 s 1 @22".to_owned()),
            (format!("1 {letters} 1 x"),            format!("1 {letters} 1 @37")),
            (format!("1 {more} 1 x"),               "a command of 1 to 32 letters: a longer one".to_owned()),
            (more,                                  "a number of 1 to 9 digits: none".to_owned()),
            ("1234567890 s 1 x".to_owned(),         "a number of 1 to 9 digits: a longer one".to_owned()),
            ("1234567890".to_owned(),               "a number of 1 to 9 digits: a longer one".to_owned()),
            ("1 s 1234567890 x".to_owned(),         "a length of 1 to 9 digits: a longer one".to_owned()),
            ("1 s -1 x".to_owned(),                 "a length of 1 to 9 digits: none".to_owned()),
            ("-1 s 1 x".to_owned(),                 "a number of 1 to 9 digits: none".to_owned()),
            ("\n".to_owned(),                       "a number of 1 to 9 digits: none".to_owned()),
            ("1\tsyslog 1 x".to_owned(),            "a blank behind the number: another byte".to_owned()),
            ("1  syslog 1 x".to_owned(),            "a command of 1 to 32 letters: none".to_owned()),
            ("1 sys-log 1 x".to_owned(),            "a command of 1 to 32 letters: another byte in it".to_owned()),
            ("1 syslog 1\n".to_owned(),             "a blank behind the length: another byte".to_owned()),
            ("1 syslog 1x".to_owned(),              "a blank behind the length: another byte".to_owned()),
        ];
        for (buf, want) in table {
            assert_eq!(show(&buf), want, "{buf}");
        }
        let whole = format!("999999999 {letters} 999999999 ");
        assert_eq!(whole.len(), 53);
        for len in 0..whole.len() {
            assert_eq!(show(whole.get(..len).unwrap()), "wait", "{len}");
        }
    }
}
