//! ASCII words in text of any case, found without changing or copying it.
//!
//! Looks for the byte of the needle that is rarest in logs, in both cases, and compares only there.

use memchr::memchr2_iter;

use super::super::words::is_word;

/// A needle of at most [`MAX_LEN`] bytes, and where it may be.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// In lower case.
    needle: Box<[u8]>,
    rare_at: usize,
    rare: (u8, u8),
    /// Whether no word may go on before it.
    starts_word: bool,
    /// Whether no word may go on after it.
    ends_word: bool,
}

/// Words next to each other, whatever is between them.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    /// The longest, where there are several: most texts do not have it.
    longest: Option<Search>,
    first: Search,
    rest: Box<[Search]>,
}

impl Search {
    /// For a needle that is short and ASCII.
    pub(super) fn new(needle: &str, starts_word: bool, ends_word: bool) -> Option<Self> {
        let needle: Box<[u8]> = needle.to_ascii_lowercase().into_bytes().into();
        if !needle.is_ascii() || needle.len() > MAX_LEN {
            return None;
        }
        let (rare_at, rare) =
            needle.iter().copied().enumerate().min_by_key(|(_, b)| commonness(*b))?;
        let rare = (rare, rare.to_ascii_uppercase());
        Some(Self { needle, rare_at, rare, starts_word, ends_word })
    }

    /// For a whole word.
    pub(super) fn word(word: &str) -> Option<Self> {
        Self::new(word, true, true)
    }

    /// What is looked for, in lower case.
    pub(super) fn needle(&self) -> &str {
        std::str::from_utf8(&self.needle).unwrap_or_default()
    }

    /// Whether it is anywhere.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.ends(text).next().is_some()
    }

    /// Where it ends, wherever it is.
    fn ends<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let starts = memchr2_iter(self.rare.0, self.rare.1, text);
        let starts = starts.filter_map(|at| at.checked_sub(self.rare_at));
        starts.filter_map(|start| self.end_at(text, start))
    }

    /// Where it ends, if it begins at `start`.
    fn end_at(&self, text: &[u8], start: usize) -> Option<usize> {
        let end = start + self.needle.len();
        let is_here =
            text.get(start..end).is_some_and(|here| here.eq_ignore_ascii_case(&self.needle))
                && !(self.starts_word && is_word_before(text, start))
                && !(self.ends_word && is_word_after(text, end));
        is_here.then_some(end)
    }
}

impl Sequence {
    /// For few words, all short and ASCII.
    pub(super) fn new(words: &[String]) -> Option<Self> {
        let searches: Option<Vec<Search>> = words.iter().map(|word| Search::word(word)).collect();
        let mut searches = searches.filter(|all| all.len() <= MAX_WORDS)?;
        let longest = searches.iter().max_by_key(|search| search.needle.len())?.clone();
        let rest: Box<[Search]> = searches.split_off(1).into();
        let longest = (!rest.is_empty()).then_some(longest);
        Some(Self { longest, first: searches.pop()?, rest })
    }

    /// Whether they are anywhere.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        if self.longest.as_ref().is_some_and(|longest| !longest.is_in(text)) {
            return false;
        }
        self.first.ends(text).any(|mut end| {
            self.rest.iter().all(|word| {
                let next = word.end_at(text, end + gap(text, end));
                end = next.unwrap_or(end);
                next.is_some()
            })
        })
    }
}

/// The bytes after `at` that are of no word.
fn gap(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let is_word = |here: usize| is_word_after(rest, here);
    (0..rest.len()).find(|here| is_start(rest, *here) && is_word(*here)).unwrap_or(rest.len())
}

/// Whether a character may begin at `at`.
fn is_start(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| byte & 0xc0 != 0x80)
}

/// Whether the character before `at` is of a word.
fn is_word_before(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    match before.last() {
        None => false,
        Some(byte) if byte.is_ascii() => is_word(char::from(*byte)),
        Some(_) => {
            let len = before.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80);
            let last = len.and_then(|len| before.get(before.len() - len - 1..));
            last.and_then(only_char).is_some_and(is_word)
        }
    }
}

/// Whether the character at `at` is of a word.
fn is_word_after(text: &[u8], at: usize) -> bool {
    let after = text.get(at..).unwrap_or_default();
    match after.first() {
        None => false,
        Some(byte) if byte.is_ascii() => is_word(char::from(*byte)),
        Some(byte) => {
            let len = usize::try_from(byte.leading_ones()).unwrap_or(1);
            after.get(..len).and_then(only_char).is_some_and(is_word)
        }
    }
}

/// The one character that `bytes` are, if they are UTF-8.
fn only_char(bytes: &[u8]) -> Option<char> {
    std::str::from_utf8(bytes).ok()?.chars().next()
}

/// How common a byte is in logs, in either case; beyond the letters, a guess.
fn commonness(byte: u8) -> usize {
    COMMON.iter().rev().position(|common| *common == byte).map_or(0, |place| place + 1)
}

/// The longest needle, in bytes: bounds the work at each place.
const MAX_LEN: usize = 64;

/// The most words of a sequence: bounds the work at each place.
const MAX_WORDS: usize = 16;

/// From the most common on.
const COMMON: &[u8] = b" e0t1aoi2nsr3dl45c6u789mp.f-:/hg_bvw=y,kxjzq";

#[cfg(test)]
mod tests {
    use super::super::super::words;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn octets_that_are_no_text_end_words() {
        let search = Search::word("ab").unwrap();
        let table: [(&[u8], bool); 8] = [
            (b"\xffab\xff", true),
            (b"\xc3ab", true),
            ("éab".as_bytes(), false),
            ("abé".as_bytes(), false),
            ("\u{2014}ab\u{2014}".as_bytes(), true),
            (b"\xa9ab\xc3", true),
            ("日ab".as_bytes(), false),
            (b"xab, AB", true),
        ];
        for (text, want) in table {
            assert_eq!(search.is_in(text), want, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn the_same_as_by_folded_words(
            words in prop::collection::vec("[ab_]{1,2}", 1..4),
            text in prop::collection::vec(prop::sample::select(vec![
                &b"a"[..], b"B", b"A", b"b", b"_", b" ", b"-", "é".as_bytes(), "—".as_bytes(), "K".as_bytes(), b"\xff", b"\xc3",
            ]), 0..16),
        ) {
            let text = text.concat();
            let mut folded = String::new();
            words::fold(&text, &mut folded);
            let all: Vec<&str> = words::split(&folded).collect();
            let want = all.windows(words.len()).any(|window| window == words);
            prop_assert_eq!(Sequence::new(&words).unwrap().is_in(&text), want);
        }
    }
}
