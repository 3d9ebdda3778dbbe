//! The words of analysed text: what a query asks for and what an index holds are made here alike.
//!
//! A word is a run of letters and digits of any script, and `_`. Words are compared folded: in
//! lower case, character by character.

use std::borrow::Cow;

/// The words of `text`, folded; those that are already are borrowed.
///
/// Equal to [`split`] of the [`fold`]ed text, which allocates nothing in a loop over many texts.
pub fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    split(text).map(|word| {
        let is_folded = word.chars().all(|c| folded(c) == c);
        if is_folded { Cow::Borrowed(word) } else { Cow::Owned(word.chars().map(folded).collect()) }
    })
}

/// The words of `text` as they are written there.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.get(run(rest, false)..)?;
        let len = run(word, true);
        let (word, after) = word.split_at_checked(len).filter(|_| len > 0)?;
        rest = after;
        Some(word)
    })
}

/// Replaces what `out` holds by `text`, folded. What is not UTF-8 becomes U+FFFD, which is no word.
pub fn fold(text: &[u8], out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(std::str::from_utf8(text).unwrap_or_default());
        out.make_ascii_lowercase();
        return;
    }
    for chunk in text.utf8_chunks() {
        fold_text(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Whether a character is part of a word; folding it does not change that.
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { c.is_alphanumeric() }
}

/// The bytes that `text` begins with which are all of words, or all between them.
pub(super) fn run(text: &str, of_word: bool) -> usize {
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let (is_word, len) = if byte.is_ascii() {
            (ASCII_WORD.get(usize::from(*byte)).copied().unwrap_or_default(), 1)
        } else {
            let c = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            (is_word(c), c.len_utf8())
        };
        if is_word != of_word {
            return at;
        }
        at += len;
    }
    text.len()
}

/// A text that is UTF-8 and not ASCII alone.
fn fold_text(mut text: &str, out: &mut String) {
    while let Some(c) = text.chars().next() {
        let len = if c.is_ascii() {
            let len = text.bytes().position(|byte| !byte.is_ascii()).unwrap_or(text.len());
            let start = out.len();
            out.push_str(text.get(..len).unwrap_or_default());
            if let Some(copied) = out.get_mut(start..) {
                copied.make_ascii_lowercase();
            }
            len
        } else {
            out.push(folded(c));
            c.len_utf8()
        };
        text = text.get(len..).unwrap_or_default();
    }
}

/// One character in lower case. Where that takes more than one, the first stands for them all. No
/// other character becomes an ASCII one, so ASCII can be looked for without folding the text.
fn folded(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    c.to_lowercase().next().filter(|lower| !lower.is_ascii()).unwrap_or(c)
}

/// Which ASCII characters are of words.
const ASCII_WORD: [bool; 128] = {
    let mut table = [false; 128];
    let mut at = 0_u8;
    while at < 128 {
        let (_, rest) = table.split_at_mut(at as usize);
        if let [place, ..] = rest {
            *place = at.is_ascii_alphanumeric() || at == b'_';
        }
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_of_texts() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            (" -> ", &[]),
            ("Connection timeout", &["connection", "timeout"]),
            ("user_id=7,x", &["user_id", "7", "x"]),
            ("198.51.100.7", &["198", "51", "100", "7"]),
            ("Größe ÜBER", &["größe", "über"]),
            ("日本語のメッセージ!", &["日本語のメッセージ"]),
            ("İstanbul", &["İstanbul"]),
            ("\u{212a}ELVIN", &["\u{212a}elvin"]),
        ];
        for (text, want) in table {
            assert_eq!(words(text).collect::<Vec<_>>(), *want, "{text}");
        }
    }

    #[test]
    fn octets_that_are_no_text_part_words() {
        let mut out = String::from("old");
        fold(b"AB\xffC", &mut out);
        assert_eq!(split(&out).collect::<Vec<_>>(), ["ab", "c"]);
    }

    #[test]
    fn folding_keeps_words_words_and_ascii_apart() {
        for c in '\0'..=char::MAX {
            let lower = folded(c);
            assert_eq!(folded(lower), lower, "{c:?}");
            assert_eq!(is_word(lower), is_word(c), "{c:?}");
            assert_eq!(lower.is_ascii(), c.is_ascii(), "{c:?}");
            assert!(is_word(c) || lower == c, "{c:?}");
            assert_eq!(run(c.encode_utf8(&mut [0; 4]), true) > 0, is_word(c), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_to_the_words_agree(text in "\\PC{0,24}|[A-Za-z_ .ÄİK\u{212a}ΣßẞⒶ]{0,24}") {
            let mut out = String::new();
            fold(text.as_bytes(), &mut out);
            let slow: String = text.chars().map(folded).collect();
            prop_assert_eq!(&out, &slow);
            prop_assert!(split(&out).eq(words(&text)));
        }
    }
}
