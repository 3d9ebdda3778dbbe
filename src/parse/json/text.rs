//! Strings: where one ends, and what its escapes stand for (RFC 8259 §7).

use std::borrow::Cow;

/// A string as it stands between its quotes. Its escapes have been checked, not replaced.
#[derive(Clone, Copy, Debug)]
pub(in crate::parse) struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// What stands between the quotes, and whether there is an escape in it.
    #[inline]
    pub(in crate::parse) fn new(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The text that is meant: borrowed unless something had to be replaced.
    #[inline]
    pub(in crate::parse) fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescaped(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// How many bytes from the first are neither quote, nor backslash, nor control character.
#[inline]
pub(in crate::parse) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut first = 0;
    // Names are short; what goes on behind this is mostly long.
    while let Some(word) = words.get(first) {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return first * 8 + stops.trailing_zeros() as usize / 8;
        }
        first += 1;
        if first == SHORT / 8 {
            first += plain_blocks(bytes.get(SHORT..).unwrap_or_default()) * (BLOCK / 8);
        }
    }
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + rest.iter().position(stop).unwrap_or(rest.len())
}

/// How many blocks from the first are plain text to their end: the compiler makes a few vector
/// instructions of each.
fn plain_blocks(bytes: &[u8]) -> usize {
    let stop = |byte: &u8| (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20);
    let plain = |block: &&[u8; BLOCK]| !block.iter().fold(false, |any, byte| any | stop(byte));
    bytes.as_chunks::<BLOCK>().0.iter().take_while(plain).count()
}

/// The character that `\u` and the hex digits in `bytes` stand for, and how many bytes name it:
/// 4, or 10 where it takes a pair. The character is `None` for half a pair.
///
/// `None` where there are no four hex digits.
pub(in crate::parse) fn code_point(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let high = unit(bytes)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high), 4));
    }
    let low = bytes.get(4..).and_then(|rest| rest.strip_prefix(b"\\u")).and_then(unit);
    let Some(low) = low.filter(|low| (0xdc00..0xe000).contains(low)) else {
        return Some((None, 4));
    };
    Some((char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 10))
}

/// JSON text with every half of a surrogate pair replaced, in place, by the escape of U+FFFD.
pub(in crate::parse) fn mended(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.split_once('\\') {
        mended.push_str(before);
        let digits = escape.strip_prefix('u').map(str::as_bytes);
        let (lone, len) = match digits.and_then(code_point) {
            Some((character, len)) => (character.is_none(), 1 + len),
            None => (false, 1),
        };
        let as_it_was = rest.get(before.len()..=before.len() + len).unwrap_or_default();
        mended.push_str(if lone { "\\ufffd" } else { as_it_was });
        rest = escape.get(len..).unwrap_or_default();
    }
    mended.push_str(rest);
    mended
}

/// The high bit of each byte that ends a run of plain text; of those above the first such byte
/// nothing is known, because the subtractions borrow from them.
#[inline]
fn stops(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    // A byte below what was subtracted from it has its high bit set now and had it not before.
    (control | quote | backslash) & !word & (ONES << 7)
}

/// The text with what its escapes stand for: of a string, or of a whole value with strings in it,
/// which is no JSON any more then. They are taken for checked.
pub fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let mut chars = escape.chars();
        let (character, len) = match chars.next() {
            Some('b') => ('\u{8}', 1),
            Some('f') => ('\u{c}', 1),
            Some('n') => ('\n', 1),
            Some('r') => ('\r', 1),
            Some('t') => ('\t', 1),
            Some('u') => match code_point(chars.as_str().as_bytes()) {
                Some((character, len)) => {
                    (character.unwrap_or(char::REPLACEMENT_CHARACTER), len + 1)
                }
                None => (char::REPLACEMENT_CHARACTER, 1),
            },
            Some(itself) => (itself, itself.len_utf8()),
            None => break,
        };
        text.push(character);
        rest = escape.get(len..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The number that four hex digits make.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// A string that is longer is read in blocks.
const SHORT: usize = 16;

/// Bytes that are looked at together.
const BLOCK: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes() {
        let table = [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u00e9b\u20ACc", "aéb€c"),
            (r"\ud83d\ude80!", "🚀!"),
            (r"\u0000", "\0"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ude80\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\\ud83d", r"\ud83d"),
        ];
        for (raw, want) in table {
            assert_eq!(Text::new(raw, true).decode(), want, "{raw}");
        }
    }

    #[test]
    fn only_halves_of_pairs_are_mended() {
        let json = r#"["\ud83d","\ud83d\ude80","\\ud83d","é\n\u0041\ude80"]"#;
        let want = r#"["\ufffd","\ud83d\ude80","\\ud83d","é\n\u0041\ufffd"]"#;
        assert_eq!(mended(json), want);
    }

    proptest! {
        #[test]
        fn plain_len_is_what_a_loop_finds(bytes in prop::collection::vec(
            prop_oneof![
                1 => any::<u8>(), 1 => 0x1e_u8..0x24, 1 => Just(b'\\'), 1 => Just(0x80), 60 => Just(b'a'),
            ], 0..160,
        )) {
            let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
            let want = bytes.iter().position(|byte| !plain(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), want);
        }
    }
}
