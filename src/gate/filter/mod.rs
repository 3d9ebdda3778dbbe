//! Says in a few nanoseconds that none of many texts is in a message, or in a whole read, most often.
//!
//! Texts have pieces in common: a thousand rules about attacks name a few dozen things. Where so few
//! [`Fragments`] are in all texts, they alone are searched for, some 30 bytes at a time. Else they
//! stand for the short texts, and the long ones are known by a piece at every `stride`th place
//! ([`Strided`]): the longer the shortest text, the fewer places are looked at.

mod fragments;
mod pieces;
mod sieve;
mod strided;

use std::collections::BTreeSet;

use self::fragments::Fragments;
use self::strided::Strided;

/// Tells messages that may hold one of some texts from those that do not.
#[derive(Debug, Default)]
pub(super) struct Filter {
    fragments: Option<Fragments>,
    strided: Strided,
}

impl Filter {
    /// A filter for these texts, folded, each of [`MIN`](super::required::MIN) bytes or more.
    pub(super) fn new<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Self {
        let all: Vec<&[u8]> = texts.collect::<BTreeSet<_>>().into_iter().collect();
        if let Some(fragments) = Fragments::of(&all) {
            return Self { fragments: Some(fragments), strided: Strided::default() };
        }
        let (short, long): (Vec<_>, Vec<_>) = all.iter().partition(|text| text.len() < LONG);
        match Fragments::of(&short) {
            Some(fragments) => Self { fragments: Some(fragments), strided: Strided::new(&long) },
            None => Self { fragments: None, strided: Strided::new(&all) },
        }
    }

    /// Whether one of the texts may be in `message`.
    pub(super) fn may_be_in(&self, message: &[u8]) -> bool {
        self.find(message).is_some()
    }

    /// A place behind which the first of the texts ends, if one is in there: none ends before it.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        let found = self.fragments.as_ref().and_then(|fragments| fragments.find(bytes));
        // What comes after the first need not be looked at.
        let before = found.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
        self.strided.find(before).or(found)
    }
}

/// How common a byte is in logs: by feel, it decides about speed alone.
fn commonness(byte: u8) -> u32 {
    match super::required::fold(byte) {
        b' ' | b'-' | b'=' | b':' | b'.' | b'"' => 9,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'0'..=b'9' | b'd' | b'l' | b'c' | b'u' | b'p' => 7,
        b'a'..=b'z' => 5,
        b'/' | b'_' | b'[' | b']' | b',' => 4,
        _ => 1,
    }
}

/// Texts of this length and more are looked for at every eighth place or fewer.
const LONG: usize = 11;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::required::fold;
    use super::*;

    fn filter(texts: &[Vec<u8>]) -> Filter {
        Filter::new(texts.iter().map(Vec::as_slice))
    }

    fn folded(texts: &[String]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.bytes().map(fold).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_there_is_never_missed(
            texts in prop::collection::vec("[ -~]{4,20}", 1..150),
            which in any::<prop::sample::Index>(),
            before in prop_oneof!["[ -~]{0,40}", "[ -~]{240,260}", "[ -~]{4080,4100}"],
            after in "[ -~]{0,40}",
        ) {
            let filter = filter(&folded(&texts));
            let text = which.get(&texts).to_ascii_uppercase();
            let message = format!("{before}{text}{after}");
            prop_assert!(filter.may_be_in(message.as_bytes()));
            // It ends nowhere before the place that is told.
            let place = filter.find(message.as_bytes()).unwrap_or(usize::MAX);
            prop_assert!(place < before.len() + text.len());
        }
    }

    #[test]
    fn most_messages_are_told_apart() {
        let alike = (0..1000).map(|n| format!("<{n:x}!{}>", n * 7919)).collect::<Vec<_>>();
        let mixed = alike.iter().map(|text| format!("{text} is a long one")).collect::<Vec<_>>();
        let few = vec!["${jndi:".to_owned(), "' OR 1=1".to_owned(), "etc/passwd".to_owned()];
        let line =
            |n| format!("<34>1 2026-11-21T11:00:{:02}Z web{n} nginx {n} - - GET /a/{n}", n % 60);
        for texts in [alike, mixed, few] {
            let filter = filter(&folded(&texts));
            let passed = (0..1000).filter(|n| filter.may_be_in(line(*n).as_bytes())).count();
            assert!(passed < 100, "{passed} of 1000");
        }
        assert!(!Filter::default().may_be_in(b"anything"));
    }
}
