//! Where the API keys of an event stand in its text, so that its raw form can be kept without.

use std::borrow::Cow;
use std::ops::Range;

use crate::ids;

/// The places of the values that were taken for API keys, in the order of the text.
///
/// Past [`MAX_PLACES`] the last one grows over what follows, so that too much is cut, never too
/// little.
#[derive(Clone, Debug, Default)]
pub(in crate::parse) struct Secrets {
    places: [Range<usize>; MAX_PLACES],
    len: usize,
}

impl Secrets {
    /// Remembers a place behind all others: the value with its quotes.
    pub(in crate::parse) fn add(&mut self, place: Range<usize>) {
        if let Some(free) = self.places.get_mut(self.len) {
            *free = place;
            self.len += 1;
        } else if let Some(last) = self.places.last_mut() {
            last.end = place.end;
        }
    }

    /// The part `range` of `text` without the secrets in it: each place holds `"…"` instead, and
    /// what has the form of a secret anywhere else is masked.
    pub(in crate::parse) fn cut<'a>(&self, text: &'a str, range: Range<usize>) -> Cow<'a, str> {
        let mut clean = String::new();
        let mut done = range.start;
        for place in self.places.iter().take(self.len) {
            if range.start <= place.start && place.end <= range.end {
                clean.push_str(text.get(done..place.start).unwrap_or_default());
                clean.push_str("\"…\"");
                done = place.end;
            }
        }
        let rest = text.get(done..range.end).unwrap_or_default();
        if done == range.start {
            return scrub(rest);
        }
        clean.push_str(rest);
        match scrub(&clean) {
            Cow::Borrowed(_) => Cow::Owned(clean),
            Cow::Owned(clean) => Cow::Owned(clean),
        }
    }
}

/// [`ids::scrub`] for text.
fn scrub(text: &str) -> Cow<'_, str> {
    match ids::scrub(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(clean) => Cow::Owned(String::from_utf8_lossy(&clean).into_owned()),
    }
}

/// How many are remembered one by one. An event has one, rarely two.
const MAX_PLACES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_cut_and_the_rest_stays() {
        let text = r#"{"a":"one","b":"two"} "three""#;
        let mut secrets = Secrets::default();
        assert!(matches!(secrets.cut(text, 0..21), Cow::Borrowed(_)));
        secrets.add(5..10);
        secrets.add(22..29);
        assert_eq!(secrets.cut(text, 0..21), r#"{"a":"…","b":"two"}"#);
        assert_eq!(secrets.cut(text, 0..29), r#"{"a":"…","b":"two"} "…""#);
    }

    #[test]
    fn more_places_than_are_remembered_cut_too_much() {
        let text = r#""0" "1" "2" "3" "4" "5"."#;
        let mut secrets = Secrets::default();
        for place in 0..6 {
            secrets.add(place * 4..place * 4 + 3);
        }
        assert_eq!(secrets.cut(text, 0..text.len()), r#""…" "…" "…" "…"."#);
    }
}
