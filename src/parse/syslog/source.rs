//! The message that is being parsed: its bytes, its text, and what has to be cut out of it.

use std::borrow::Cow;

use memchr::memchr;

use crate::event::Value;
use crate::ids;
use crate::parse::structured_data::Span;

/// One message, less the keys found in it.
///
/// Parsers note *where* things are; nothing is copied or decoded before all of it is known. A
/// part is borrowed from the message unless a key was cut from its middle or it is not UTF-8.
#[derive(Debug)]
pub(in crate::parse) struct Source<'a> {
    raw: &'a [u8],
    /// All of it as text, if it is UTF-8: one check for the whole message.
    utf8: Option<&'a str>,
    cuts: Cuts,
}

/// Parts of a message that hold a key, in the order of the message. Mostly there is none or one.
#[derive(Debug, Default)]
struct Cuts {
    first: Option<Span>,
    more: Vec<Span>,
}

impl<'a> Source<'a> {
    pub(in crate::parse) fn new(raw: &'a [u8]) -> Self {
        Self { raw, utf8: simdutf8::basic::from_utf8(raw).ok(), cuts: Cuts::default() }
    }

    /// The message without what only ends it on the wire: LF, the CR before it, NUL.
    pub(in crate::parse) fn body(&self) -> &'a [u8] {
        let mut body = self.raw;
        while let [rest @ .., b'\n' | 0] = body {
            body = match (body, rest) {
                ([.., b'\n'], [rest @ .., b'\r']) => rest,
                _ => rest,
            };
        }
        body
    }

    /// Where the whole message is.
    pub(in crate::parse) const fn all(&self) -> Span {
        Span::new(0, self.raw.len())
    }

    pub(in crate::parse) const fn is_utf8(&self) -> bool {
        self.utf8.is_some()
    }

    /// Leaves `span` out of everything that is kept. Spans come in the order of the message; one
    /// that holds earlier ones takes their place.
    pub(in crate::parse) fn cut(&mut self, span: Span) {
        self.cuts.push(span);
    }

    /// The text of `span`, if it can be borrowed: as nearly always.
    #[inline]
    pub(in crate::parse) fn borrowed(&self, span: Span) -> Option<&'a str> {
        let span = if self.cuts.spare(span) { span } else { self.cuts.left_of(span).ok()? };
        self.utf8?.get(span.start..span.end)
    }

    /// The text of `span`; what is not UTF-8 becomes U+FFFD.
    pub(in crate::parse) fn text(&self, span: Span) -> Cow<'a, str> {
        if let Some(text) = self.borrowed(span) {
            return Cow::Borrowed(text);
        }
        match self.cuts.left_of(span) {
            Ok(span) => self.piece(span),
            Err(spans) => Cow::Owned(spans.into_iter().map(|span| self.piece(span)).collect()),
        }
    }

    /// The text of `span` with every secret in it masked, whole or cut short: for text that did
    /// not parse, in which a key was not looked for.
    pub(in crate::parse) fn scrubbed_text(&self, span: Span) -> Cow<'a, str> {
        let text = self.text(span);
        match ids::scrub(text.as_bytes()) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => Cow::Owned(String::from_utf8_lossy(&clean).into_owned()),
        }
    }

    /// The whole message as it was received, to the octet, with every secret in it masked.
    pub(in crate::parse) fn original(&self) -> Value<'a> {
        if self.is_utf8() {
            return Value::Text(self.scrubbed_text(self.all()));
        }
        Value::Bytes(match self.cuts.left_of(self.all()) {
            Ok(span) => ids::scrub(span.of(self.raw)),
            Err(spans) => {
                let octets = spans.into_iter().map(|span| span.of(self.raw)).collect::<Vec<_>>();
                Cow::Owned(ids::scrub(&octets.concat()).into_owned())
            }
        })
    }

    fn piece(&self, span: Span) -> Cow<'a, str> {
        match self.utf8.and_then(|text| text.get(span.start..span.end)) {
            Some(text) => Cow::Borrowed(text),
            None => String::from_utf8_lossy(span.of(self.raw)),
        }
    }
}

impl Cuts {
    /// Whether it is plain to see that nothing is cut from `span`.
    fn spare(&self, span: Span) -> bool {
        self.first.is_none_or(|first| {
            span.end <= first.start || (first.end <= span.start && self.more.is_empty())
        })
    }

    fn push(&mut self, span: Span) {
        while self.more.last().is_some_and(|last| last.start >= span.start) {
            self.more.pop();
        }
        match self.first {
            Some(first) if first.start < span.start => self.more.push(span),
            _ => self.first = Some(span),
        }
    }

    /// What is left of `span`: one piece, or several where something is cut from the middle.
    fn left_of(&self, span: Span) -> Result<Span, Vec<Span>> {
        let mut left = span;
        let mut pieces = Vec::new();
        for cut in self.first.iter().chain(&self.more) {
            if cut.end <= left.start || cut.start >= left.end {
                continue;
            }
            if cut.start <= left.start {
                left.start = cut.end.min(left.end);
            } else if cut.end >= left.end {
                left.end = cut.start;
            } else {
                pieces.push(Span::new(left.start, cut.start));
                left.start = cut.end;
            }
        }
        if pieces.is_empty() {
            return Ok(left);
        }
        pieces.push(left);
        Err(pieces)
    }
}

/// The word that begins at `at`, and where the blank behind it is passed; `None` without either.
pub(super) fn word(text: &[u8], at: usize) -> Option<(Span, usize)> {
    let len = find_blank(text.get(at..)?).filter(|len| *len > 0)?;
    Some((Span::new(at, at + len), at + len + 1))
}

/// Where the first blank is. Words are short: calling for a search costs more than most of them.
#[inline]
fn find_blank(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (parts, _) = text.as_chunks::<8>();
    for (number, part) in parts.iter().take(SHORT / 8).enumerate() {
        let word = u64::from_le_bytes(*part) ^ (ONES * 0x20);
        // The high bit of the first byte that is zero; of those behind it nothing is known.
        let hits = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if hits != 0 {
            return Some(number * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let searched = parts.len().min(SHORT / 8) * 8;
    Some(searched + memchr(b' ', text.get(searched..)?)?)
}

/// The first position from `at` on that holds no blank.
pub(super) fn skip_blanks(text: &[u8], at: usize) -> usize {
    at + text.iter().skip(at).take_while(|byte| **byte == b' ').count()
}

/// Up to so many bytes a word is searched for its end in place.
const SHORT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_found_wherever_they_are() {
        for len in 0..80 {
            let mut text = vec![0x21; len];
            assert_eq!(find_blank(&text), None, "{len}");
            for at in (0..len).rev() {
                text[at] = b' ';
                assert_eq!(find_blank(&text), Some(at), "{len}");
            }
        }
    }

    #[test]
    fn transport_is_no_text() {
        let table = [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\0", "a"),
            ("a\0", "a"),
            ("a\r", "a\r"),
            ("a\0b\n", "a\0b"),
            ("\n", ""),
            ("\r\n", ""),
            ("", ""),
        ];
        for (raw, want) in table {
            assert_eq!(Source::new(raw.as_bytes()).body(), want.as_bytes(), "{raw:?}");
        }
    }

    #[test]
    fn cuts_leave_pieces() {
        let table: [(&[_], _, _); 8] = [
            (&[], "23456", true),
            (&[(0, 3)], "3456", true),
            (&[(5, 9)], "234", true),
            (&[(0, 1), (8, 9)], "23456", true),
            (&[(0, 3), (6, 9)], "345", true),
            (&[(3, 5)], "256", false),
            (&[(2, 3), (4, 5)], "356", false),
            (&[(0, 9)], "", true),
        ];
        for (cuts, want, borrowed) in table {
            let mut source = Source::new(b"0123456789");
            for (start, end) in cuts {
                source.cut(Span::new(*start, *end));
            }
            let text = source.text(Span::new(2, 7));
            assert_eq!(text, want, "{cuts:?}");
            assert_eq!(matches!(text, Cow::Borrowed(_)), borrowed, "{cuts:?}");
        }
    }

    #[test]
    fn a_cut_takes_the_place_of_those_in_it() {
        let mut source = Source::new(b"0123456789");
        for (start, end) in [(0, 1), (3, 4), (5, 6), (2, 7)] {
            source.cut(Span::new(start, end));
        }
        assert_eq!(source.text(source.all()), "1789");
        source.cut(Span::new(0, 9));
        assert_eq!(source.text(source.all()), "9");
    }
}
