//! What is constant in a text, in one run of bytes: two texts are of one template if these are equal.

use super::super::octets::MARK;

/// The constants of one text after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Key {
    /// Longer than it has to be, so that there is always room for a whole [`STEP`].
    buffer: Vec<u8>,
    len: usize,
}

impl Key {
    /// Takes the `pieces` of `text`, each a start and an end.
    #[inline]
    pub(super) fn set(&mut self, text: &[u8], pieces: impl Iterator<Item = (usize, usize)>) {
        self.len = 0;
        for (start, end) in pieces {
            let most = self.len + (end - start) + 2 * STEP;
            if self.buffer.len() < most {
                self.buffer.resize(2 * most, 0);
            }
            let (mut from, mut to) = (start, self.len);
            // Whole steps go past the end of the piece; what follows is written over that.
            while from < end {
                let room = self.buffer.get_mut(to..).and_then(<[u8]>::first_chunk_mut::<STEP>);
                match (room, text.get(from..).and_then(<[u8]>::first_chunk::<STEP>)) {
                    (Some(room), Some(step)) => *room = *step,
                    _ => self.copy(text, from, end, to),
                }
                (from, to) = (from + STEP, to + STEP);
            }
            self.len += end - start;
            if let Some(after) = self.buffer.get_mut(self.len) {
                *after = VARIABLE;
            }
            self.len += 1;
        }
    }

    /// The constants with [`VARIABLE`] after each.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Copies what is near the end of a text.
    fn copy(&mut self, text: &[u8], from: usize, end: usize, to: usize) {
        let rest = text.get(from..end.min(from + STEP)).unwrap_or_default();
        if let Some(room) = self.buffer.get_mut(to..to + rest.len()) {
            room.copy_from_slice(rest);
        }
    }
}

/// What stands for a variable. A text that has it is kept whole.
pub(super) const VARIABLE: u8 = MARK;

/// Bytes that are copied at once: most constants are shorter.
const STEP: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_one_after_the_other(
            texts in prop::collection::vec(("[a-d]{0,70}", prop::collection::vec(0_usize..70, 0..9)), 1..4),
        ) {
            let mut key = Key::default();
            for (text, cuts) in &texts {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(text.len())).collect();
                cuts.sort_unstable();
                let pieces: Vec<_> = cuts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                key.set(text.as_bytes(), pieces.iter().copied());
                let want: Vec<u8> = pieces
                    .iter()
                    .flat_map(|(start, end)| [&text.as_bytes()[*start..*end], &[VARIABLE]].concat())
                    .collect();
                prop_assert_eq!(key.bytes(), want);
            }
        }
    }
}
