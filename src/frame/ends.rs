//! Where a message without a count ends.

use memchr::{memchr, memchr2, memchr3};

use super::count::{Is, LONGEST_NUMBER, begins_frame, begins_with_pri, count_at_end};

/// What ends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// LF.
    Lf,
    /// NUL.
    Nul,
    /// LF or NUL, whichever comes first.
    LfOrNul,
    /// NUL, on a connection that is known to use it; or an LF with a frame behind it.
    NulMostly,
    /// LF, NUL, or the count of the next frame: this is the rest of a damaged one.
    Resync,
}

/// The outcome of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The message ends before `end`, the next begins at `next`.
    At { end: usize, next: usize, by: Ender },
    /// No end in the first `seen` bytes; they need not be searched again.
    NotYet { seen: usize },
}

/// What a message was ended by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ender {
    Lf,
    Nul,
    /// The next count, or the end of the stream.
    Other,
}

impl Ends {
    /// Searches `text` behind its first `seen` bytes. It is the message from its first byte; or, of
    /// one too long, at least [`look_behind`](Self::look_behind) bytes before those not yet searched.
    #[inline]
    pub(super) fn find(self, text: &[u8], seen: usize, max_len: usize) -> End {
        let rest = text.get(seen..).unwrap_or_default();
        let hit = match self {
            Self::Lf => memchr(b'\n', rest),
            Self::Nul => memchr(0, rest),
            Self::LfOrNul => memchr2(b'\n', 0, rest),
            Self::NulMostly => return find_nul_mostly(text, seen),
            Self::Resync => return find_resync(text, seen, max_len),
        };
        match hit {
            Some(at) => ended_by_delimiter(text, seen + at),
            None => End::NotYet { seen: text.len() },
        }
    }

    /// How many bytes before those not yet searched must stay, because a number may begin in them.
    pub(super) fn look_behind(self) -> usize {
        // With its blank, and enough before it to see that it does not open the message.
        if self == Self::Resync { LONGEST_NUMBER + 5 } else { 0 }
    }
}

#[inline]
fn ended_by_delimiter(text: &[u8], at: usize) -> End {
    let by = if text.get(at) == Some(&0) { Ender::Nul } else { Ender::Lf };
    End::At { end: at, next: at + 1, by }
}

fn find_nul_mostly(text: &[u8], seen: usize) -> End {
    let mut from = seen;
    while let Some(hit) = memchr2(b'\n', 0, text.get(from..).unwrap_or_default()) {
        let at = from + hit;
        if text.get(at) == Some(&0) {
            return ended_by_delimiter(text, at);
        }
        match begins_frame(text.get(at + 1..).unwrap_or_default()) {
            Is::Yes => return ended_by_delimiter(text, at),
            Is::Unknown => return End::NotYet { seen: at },
            Is::No => from = at + 1,
        }
    }
    End::NotYet { seen: text.len() }
}

fn find_resync(text: &[u8], seen: usize, max_len: usize) -> End {
    let mut from = seen;
    while let Some(hit) = memchr3(b'\n', 0, b'<', text.get(from..).unwrap_or_default()) {
        let at = from + hit;
        if text.get(at) != Some(&b'<') {
            return ended_by_delimiter(text, at);
        }
        from = at + 1;
        let count = text.get(..at).and_then(|before| before.strip_suffix(b" "));
        let Some(count) = count.and_then(|text| count_at_end(text, max_len)) else {
            continue;
        };
        match begins_with_pri(text.get(at..).unwrap_or_default()) {
            Is::Yes => return End::At { end: count, next: count, by: Ender::Other },
            Is::Unknown => return End::NotYet { seen: at },
            Is::No => {}
        }
    }
    End::NotYet { seen: text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the outcome as the message, `|` and what is left; or `?` and what was not searched.
    fn find(ends: Ends, text: &[u8]) -> String {
        match ends.find(text, 0, 100) {
            End::At { end, next, .. } => {
                format!("{}|{}", text[..end].escape_ascii(), text[next..].escape_ascii())
            }
            End::NotYet { seen } => format!("?{}", text[seen..].escape_ascii()),
        }
    }

    #[test]
    fn ends() {
        #[rustfmt::skip]
        let table: &[(Ends, &[u8], &str)] = &[
            (Ends::Lf,        b"a\0b\nc",              "a\\x00b|c"),
            (Ends::Nul,       b"a\nb\0c",              "a\\nb|c"),
            (Ends::LfOrNul,   b"a\0b\nc",              "a|b\\nc"),
            (Ends::LfOrNul,   b"a\nb\0c",              "a|b\\x00c"),
            (Ends::LfOrNul,   b"abc",                  "?"),
            (Ends::NulMostly, b"a\nb\0c",              "a\\nb|c"),
            (Ends::NulMostly, b"a\n<13>b\0c",          "a|<13>b\\x00c"),
            (Ends::NulMostly, b"a\n12 <13>b\0c",       "a|12 <13>b\\x00c"),
            (Ends::NulMostly, b"a\n<b>\0c",            "a\\n<b>|c"),
            (Ends::NulMostly, b"a\n<1",                "?\\n<1"),
            (Ends::Resync,    b"ello40 <13>b",         "ello|40 <13>b"),
            (Ends::Resync,    b"ello\n40 <13>b",       "ello|40 <13>b"),
            (Ends::Resync,    b"el<13>lo 40 <b> <13",  "?"),
            (Ends::Resync,    b"ello40 <13",           "?<13"),
            (Ends::Resync,    b"007 <13>a 7 <13>b",    "007 <13>a |7 <13>b"),
        ];
        for (ends, text, want) in table {
            assert_eq!(find(*ends, text), *want, "{ends:?} {}", text.escape_ascii());
        }
    }
}
