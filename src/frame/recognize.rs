//! What the first bytes of a connection say of the protocol that its sender speaks.
//!
//! | begins with                                              | is               |
//! |----------------------------------------------------------|------------------|
//! | `16 03`                                                  | TLS              |
//! | `1` or `2`, a kind of frame, and a high byte that is 0    | lumberjack       |
//! | a number, ` open `                                       | RELP             |
//! | a method, a target, and `HTTP/1.` at the end of the line | HTTP             |
//! | an object in which there is a `short_message`            | GELF             |
//! | another object, or a list of objects                     | JSON             |
//! | anything else: a priority, a count, text                 | syslog           |
//!
//! A PROXY header is no matter of guessing: [`proxy()`](super::proxy) reads it before, from those
//! who are trusted. A first line `AUTH KEY` says nothing; what follows it does.

use memchr::{memchr, memmem};

use super::json_scan::{JsonScan, Stop};

/// A protocol, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// A TLS handshake, behind which is anything but that.
    Tls,
    /// Calls over HTTP/1.
    Http,
    /// Lumberjack, of version 1 or 2: Beats.
    Lumberjack,
    /// RELP.
    Relp,
    /// GELF over a stream.
    Gelf,
    /// JSON values, as Logstash's codecs have them.
    Json,
    /// Syslog, or any text.
    Syslog,
}

impl Spoken {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Tls, Self::Http, Self::Lumberjack, Self::Relp, Self::Gelf, Self::Json, Self::Syslog];

    /// What it is called where it is not wanted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Lumberjack => "lumberjack",
            Self::Relp => "RELP",
            Self::Gelf => "GELF",
            Self::Json => "JSON",
            Self::Syslog => "syslog or other text",
        }
    }
}

/// Which protocol a stream that begins with `bytes` is of; none as long as more bytes could tell.
///
/// `is_all`: no more will come, or not in time. At most [`MAX_RECOGNIZED`] bytes are looked at.
pub fn recognize(bytes: &[u8], is_all: bool) -> Option<Spoken> {
    let is_all = is_all || bytes.len() >= MAX_RECOGNIZED;
    let bytes = bytes.get(..MAX_RECOGNIZED).unwrap_or(bytes);
    let begin = bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(bytes.len());
    let bytes = bytes.get(begin..).unwrap_or_default();
    let spoken = match bytes {
        [] => None,
        [0x16] => None,
        [0x16, 0x03, ..] => Some(Spoken::Tls),
        [b'0'..=b'9', ..] => numbered(bytes),
        [b'{', ..] => object(bytes, is_all),
        [b'[', rest @ ..] => list(rest),
        [b'A'..=b'Z', ..] => word(bytes, is_all),
        _ => Some(Spoken::Syslog),
    };
    spoken.or(is_all.then_some(Spoken::Syslog))
}

/// Lumberjack, RELP, or the count of a syslog message.
fn numbered(bytes: &[u8]) -> Option<Spoken> {
    match bytes {
        [b'1' | b'2'] => return None,
        [b'1' | b'2', b'W' | b'C' | b'J' | b'D'] => return None,
        // Windows, lengths and numbers have three bytes at most; text has no NUL there.
        [b'1' | b'2', b'W' | b'C' | b'J' | b'D', 0, ..] => return Some(Spoken::Lumberjack),
        _ => {}
    }
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > MAX_TRANSACTION {
        return Some(Spoken::Syslog);
    }
    let rest = bytes.get(digits..).unwrap_or_default();
    match rest.get(..OPEN.len()) {
        Some(begin) => Some(if begin == OPEN { Spoken::Relp } else { Spoken::Syslog }),
        None if OPEN.starts_with(rest) => None,
        None => Some(Spoken::Syslog),
    }
}

/// GELF, or JSON of another kind.
fn object(bytes: &[u8], is_all: bool) -> Option<Spoken> {
    let (value, has_ended) = match JsonScan::default().run(bytes, 0) {
        Stop::Whole(end) | Stop::Broken(end) | Stop::TooDeep(end) => (bytes.get(..end)?, true),
        Stop::NotYet => (bytes, is_all),
    };
    if memmem::find(value, b"\"short_message\"").is_some() {
        return Some(Spoken::Gelf);
    }
    has_ended.then_some(Spoken::Json)
}

/// A list of objects; else a text in brackets, such as a key in front of a line.
fn list(rest: &[u8]) -> Option<Spoken> {
    let first = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))?;
    Some(if *first == b'{' { Spoken::Json } else { Spoken::Syslog })
}

/// HTTP, what follows `AUTH KEY`, or text.
fn word(bytes: &[u8], is_all: bool) -> Option<Spoken> {
    let line_end = memchr(b'\n', bytes);
    if bytes.starts_with(AUTH) || AUTH.starts_with(bytes) {
        let rest = bytes.get(line_end? + 1..)?;
        return recognize(rest, is_all);
    }
    let is_method = |method: &&[u8]| bytes.starts_with(method) || method.starts_with(bytes);
    if !METHODS.iter().any(is_method) {
        return Some(Spoken::Syslog);
    }
    let line = bytes.get(..line_end?)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let version = line.len().checked_sub(VERSION.len() + 1).and_then(|at| line.get(at..));
    let is_http = version.is_some_and(|version| version.starts_with(VERSION));
    Some(if is_http { Spoken::Http } else { Spoken::Syslog })
}

/// What may stand in front of a message.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | 0)
}

/// How many bytes are looked at: what is not told by then is the least that it can be.
pub const MAX_RECOGNIZED: usize = 8 << 10;

/// The digits of a RELP transaction (librelp, `relp.md`).
const MAX_TRANSACTION: usize = 9;

/// How a RELP session opens, behind its transaction.
const OPEN: &[u8] = b" open ";

/// How a first line begins that names a key.
const AUTH: &[u8] = b"AUTH ";

/// How a line begins that may be the first of a call.
const METHODS: [&[u8]; 8] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT "];

/// How such a line ends, but for a digit.
const VERSION: &[u8] = b" HTTP/1.";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn protocols_by_their_first_bytes() {
        #[rustfmt::skip]
        let table: &[(&[u8], Spoken)] = &[
            (b"\x16\x03\x01\x02\x00\x01",                         Spoken::Tls),
            (b"\x16\x02\x01",                                     Spoken::Syslog),
            (b"2W\0\0\0\x0a2C\0\0",                               Spoken::Lumberjack),
            (b"1W\0\0\0\x01",                                     Spoken::Lumberjack),
            (b"2J\0\0\0\x01",                                     Spoken::Lumberjack),
            (b"1 open 86 relp_version=0\n",                       Spoken::Relp),
            (b"999999999 open 86 relp",                           Spoken::Relp),
            (b"9999999999 open 86 relp",                          Spoken::Syslog),
            (b"1 opened the door\n",                              Spoken::Syslog),
            (b"2Way street\n",                                    Spoken::Syslog),
            (b"17 <13>1 - - - - - -",                             Spoken::Syslog),
            (b"2026-11-20 12:00:00 text\n",                       Spoken::Syslog),
            (b"<13>Nov 20 12:00:00 h a: text\n",                  Spoken::Syslog),
            (b"<13>python\0<13>",                                 Spoken::Syslog),
            (b"lt_live_0123 <13>text\n",                          Spoken::Syslog),
            (b"[lt_live_0123] <13>text\n",                        Spoken::Syslog),
            (b"{\"message\":\"m\"}\n",                            Spoken::Json),
            (b"{\"message\":\"m\"}{\"short_message\":1}",         Spoken::Json),
            (b"\n{\n \"message\":\n \"m\" }\n",                   Spoken::Json),
            (b"[ {\"message\":\"m\"}]",                           Spoken::Json),
            (b"{no json\n",                                       Spoken::Json),
            (b"{\"version\":\"1.1\",\"short_message\":\"m\"}\0",  Spoken::Gelf),
            (b"{\"full_message\":\"m\",\"short_message\":\"\"}\n", Spoken::Gelf),
            (b"GET / HTTP/1.1\r\n",                               Spoken::Http),
            (b"POST /v1/logs/ingest HTTP/1.0\n",                  Spoken::Http),
            (b"POST of the day\n",                                Spoken::Syslog),
            (b"GET\n",                                            Spoken::Syslog),
            (b"AUTH lt_live_0123\n{\"message\":\"m\"}\n",         Spoken::Json),
            (b"AUTH lt_live_0123\r\n<13>text\n",                  Spoken::Syslog),
            (b"AUTHOR unknown\n",                                 Spoken::Syslog),
            (b"Hello there\n",                                    Spoken::Syslog),
            (b"\xef\xbb\xbf<13>text\n",                           Spoken::Syslog),
            (b"",                                                 Spoken::Syslog),
            (b"\n\n",                                             Spoken::Syslog),
        ];
        for (bytes, want) in table {
            assert_eq!(recognize(bytes, true), Some(*want), "{}", bytes.escape_ascii());
            // What is said of a part stays true.
            let told = (0..=bytes.len()).find_map(|len| recognize(&bytes[..len], false));
            assert!(told.is_none_or(|told| told == *want), "{} {told:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_few_bytes_are_enough_and_a_flood_is_not_waited_for() {
        let told =
            |bytes: &[u8]| (0..=bytes.len()).find(|len| recognize(&bytes[..*len], false).is_some());
        #[rustfmt::skip]
        let table: &[(&[u8], usize)] = &[
            (b"\x16\x03\x01\x02", 2), (b"2W\0\0\0\x0a", 3), (b"1 open 86", 7), (b"17 <13>", 4),
            (b"<13>Nov", 1), (b"Nov 20", 1), (b"Post", 2), (b"{\"a\":1}\n", 7),
        ];
        for (bytes, want) in table {
            assert_eq!(told(bytes), Some(*want), "{}", bytes.escape_ascii());
        }
        let long = [&b"{\"message\":\""[..], &[b'x'; 2 * MAX_RECOGNIZED]].concat();
        assert_eq!(told(&long), Some(MAX_RECOGNIZED));
        assert_eq!(recognize(&long, false), Some(Spoken::Json));
        assert_eq!(recognize(&[b'\n'; MAX_RECOGNIZED], false), Some(Spoken::Syslog));
        assert_eq!(recognize(&b"AUTH x\n".repeat(2000), false), Some(Spoken::Syslog));
    }

    proptest! {
        /// More bytes never change what was said.
        #[test]
        fn what_is_told_stays_told(bytes in prop::collection::vec(
            prop_oneof![Just(b'1'), Just(b'2'), Just(b'W'), Just(0), Just(b' '), Just(b'{'),
                Just(b'"'), Just(b'}'), Just(b'\n'), Just(b'G'), Just(b'<'), Just(b'['), any::<u8>()],
            0..40,
        )) {
            let mut told = None;
            for len in 0..=bytes.len() {
                let now = recognize(&bytes[..len], false);
                prop_assert!(told.is_none() || now == told);
                told = now;
            }
        }
    }
}
