//! Which template a text may be of, by a few of its bytes: most are found here, without a key of all
//! that is constant in them.

use crate::eights::{eight, fold};

/// Templates by how texts of them begin, go on to their first variable, and end. Of those that share
/// a place, the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Guesses(Vec<u16>);

/// Where a text's template is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Place {
    /// That of `text` with these variables, in order.
    #[inline]
    pub(super) fn of(text: &[u8], variables: &[(usize, usize)]) -> Self {
        let first = variables.first().map_or(text.len(), |(start, _)| *start);
        let last = variables.last().map_or(0, |(_, end)| *end);
        let (head, neck) = (eight(text, 0, first), eight(text, first.saturating_sub(8), first));
        let tail = eight(text, last.max(text.len().saturating_sub(8)), text.len());
        let shape = (variables.len() << 32) ^ (first << 16) ^ (text.len() - last);
        let mixed = fold(head ^ shape as u64, ODD) ^ fold(neck ^ tail.rotate_left(29), ODD ^ head);
        Self(usize::try_from(mixed % PLACES as u64).unwrap_or_default())
    }
}

impl Guesses {
    /// The template of the last text that had this place.
    #[inline]
    pub(super) fn at(&self, place: Place) -> Option<u16> {
        self.0.get(place.0).copied().filter(|number| *number != NONE)
    }

    /// Takes note of a text's template.
    pub(super) fn put(&mut self, place: Place, number: u16) {
        self.0.resize(PLACES, NONE);
        if let Some(guess) = self.0.get_mut(place.0) {
            *guess = number;
        }
    }
}

/// Places; a power of two.
const PLACES: usize = 1024;

/// No template: there are fewer.
const NONE: u16 = u16::MAX;

/// An odd number whose bits look random: digits of pi.
const ODD: u64 = 0x452f_9a3b_13c0_8d31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_template_have_a_place_and_others_mostly_another() {
        let place =
            |text: &str, variables: &[(usize, usize)]| Place::of(text.as_bytes(), variables);
        let own = place("order 42 accepted", &[(6, 8)]);
        assert_eq!(own, place("order 4711 accepted", &[(6, 10)]));
        let others = [
            place("order 42 rejected", &[(6, 8)]),
            place("Order 42 accepted", &[(6, 8)]),
            place("order42 accepted", &[(5, 7)]),
            place("order 42 7 accepted", &[(6, 8), (9, 10)]),
            place("order accepted", &[]),
        ];
        assert!(others.iter().filter(|other| **other == own).count() < 2);
        let mut guesses = Guesses::default();
        assert_eq!(guesses.at(own), None);
        guesses.put(own, 7);
        assert_eq!(guesses.at(own), Some(7));
        for (text, variables) in
            [("", vec![]), ("7", vec![(0, 1)]), ("x".repeat(70).as_str(), vec![])]
        {
            guesses.put(place(text, &variables), 8);
            assert_eq!(guesses.at(place(text, &variables)), Some(8));
        }
    }
}
