//! Patterns with `*`, matched in one pass over the text.

use memchr::memmem::Finder;

use super::words::is_word;

/// Pieces of text with anything between them.
///
/// Each piece is taken where it first occurs after the one before. For stars that match anything no
/// other choice can do better, so nothing is tried twice.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    first: Needle,
    middle: Vec<Finder<'static>>,
    last: Needle,
}

/// A text of which every occurrence can be found, those that overlap too, in one pass (Knuth,
/// Morris and Pratt).
#[derive(Clone, Debug)]
struct Needle {
    text: Box<str>,
    /// For each length of a beginning of `text`, how much of its end is such a beginning too.
    overlaps: Box<[usize]>,
}

impl Wildcard {
    /// Of the pieces that stand between the stars.
    pub(super) fn new(pieces: &[String]) -> Self {
        let (first, rest) =
            pieces.split_first().map_or(("", pieces), |(f, rest)| (f.as_str(), rest));
        let (last, middle) =
            rest.split_last().map_or(("", rest), |(l, middle)| (l.as_str(), middle));
        let middle = middle.iter().filter(|piece| !piece.is_empty());
        Self {
            first: Needle::new(first),
            middle: middle.map(|piece| Finder::new(piece.as_bytes()).into_owned()).collect(),
            last: Needle::new(last),
        }
    }

    /// The texts between the stars.
    pub(super) fn pieces(&self) -> Vec<String> {
        let middle = self.middle.iter().map(|piece| String::from_utf8_lossy(piece.needle()));
        let ends = [&*self.first.text, &*self.last.text].map(String::from);
        let all = ends.into_iter().chain(middle.map(String::from));
        all.filter(|piece| !piece.is_empty()).collect()
    }

    /// Whether the whole text is of this pattern.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let inner = text.strip_prefix(self.first.text.as_bytes());
        let inner = inner.and_then(|text| text.strip_suffix(self.last.text.as_bytes()));
        inner.is_some_and(|inner| self.find_middle(inner).is_some())
    }

    /// Whether some part of a folded text is of this pattern: one that begins where a word does, if
    /// no star does, and ends so too.
    pub(super) fn occurs(&self, text: &str) -> bool {
        let len = self.first.text.len();
        let start = self.first.find(text, |end| len == 0 || is_boundary(text, end - len));
        let Some(rest) = start.and_then(|end| text.get(end..)) else { return false };
        let Some(rest) = self.find_middle(rest.as_bytes()).and_then(|len| rest.get(len..)) else {
            return false;
        };
        let is_star = self.last.text.is_empty();
        self.last.find(rest, |end| is_star || is_boundary(rest, end)).is_some()
    }

    /// The bytes up to the end of the last of the middle pieces.
    fn find_middle(&self, text: &[u8]) -> Option<usize> {
        let mut end = 0;
        for piece in &self.middle {
            end += piece.find(text.get(end..)?)? + piece.needle().len();
        }
        Some(end)
    }
}

impl Needle {
    fn new(text: &str) -> Self {
        // The first byte overlaps nothing.
        let mut overlaps = vec![0];
        let mut len = 0;
        for byte in text.bytes().skip(1) {
            len = step(text, &overlaps, len, byte);
            overlaps.push(len);
        }
        Self { text: text.into(), overlaps: overlaps.into() }
    }

    /// The end of the first occurrence whose end is accepted.
    fn find(&self, text: &str, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        if self.text.is_empty() {
            return accepts(0).then_some(0);
        }
        let mut len = 0;
        for (at, byte) in text.bytes().enumerate() {
            len = step(&self.text, &self.overlaps, len, byte);
            if len == self.text.len() {
                if accepts(at + 1) {
                    return Some(at + 1);
                }
                len = overlap(&self.overlaps, len);
            }
        }
        None
    }
}

/// How much of `needle` the text ends in, after `byte`, if it ended in `len` bytes of it before.
fn step(needle: &str, overlaps: &[usize], mut len: usize, byte: u8) -> usize {
    loop {
        if needle.as_bytes().get(len) == Some(&byte) {
            return len + 1;
        }
        if len == 0 {
            return 0;
        }
        len = overlap(overlaps, len);
    }
}

fn overlap(overlaps: &[usize], len: usize) -> usize {
    overlaps.get(len - 1).copied().unwrap_or_default()
}

/// Whether words meet at `at`, so that none is cut there.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    let Some((before, after)) = text.split_at_checked(at) else { return false };
    let is_in_word = |c: Option<char>| c.is_some_and(is_word);
    !(is_in_word(before.chars().next_back()) && is_in_word(after.chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wildcard(pattern: &str) -> Wildcard {
        Wildcard::new(&pattern.split('*').map(str::to_owned).collect::<Vec<_>>())
    }

    /// By definition, trying everything.
    fn tried(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => tried(rest, text),
            (Some((b'*', rest)), Some((_, tail))) => tried(rest, text) || tried(pattern, tail),
            (Some((a, rest)), Some((b, tail))) => a == b && tried(rest, tail),
            _ => false,
        }
    }

    #[test]
    fn parts_of_texts() {
        let table = [
            ("*b c*", "ab cd", true),
            ("b c*", "ab cd", false),
            ("b c*", "ab b cd", true),
            ("*b c", "ab cd", false),
            ("*b c", "ab cd b c", true),
            ("over*", "überover", false),
            ("a-*-c", "x a-b-c.", true),
            ("a-*-c", "x a-b-cd", false),
        ];
        for (pattern, text, want) in table {
            assert_eq!(wildcard(pattern).occurs(text), want, "{pattern} {text}");
        }
    }

    /// A thousand stars over a text of which all pieces but the last are found.
    #[test]
    fn qy_03_many_stars_take_one_pass() {
        let text = "ab".repeat(50_000);
        let pattern = format!("{}x", "*a*b".repeat(1_000));
        assert!(!wildcard(&pattern).matches(text.as_bytes()));
        assert!(!wildcard(&pattern).occurs(&text));
    }

    proptest! {
        #[test]
        fn every_occurrence_is_found(needle in "[ab]{0,4}", text in "[ab]{0,16}", skip in 0_usize..3) {
            let all = (0..=text.len()).filter(|end| text.get(..*end).is_some_and(|text| text.ends_with(&needle)));
            let want = if needle.is_empty() { None } else { all.clone().find(|end| *end > skip) };
            let got = Needle::new(&needle).find(&text, |end| end > skip);
            prop_assert_eq!(got, want);
        }

        #[test]
        fn greedy_is_right(pattern in "[ab]{0,3}(\\*[ab]{0,3}){1,4}", text in "[ab]{0,12}") {
            let want = tried(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(wildcard(&pattern).matches(text.as_bytes()), want);
        }
    }
}
