//! Short values that a dictionary was asked for not long ago: most are found here, by a few integers,
//! without a look at the dictionary.

use crate::event::ValueRef;

/// Codes of short values; of those that share a place, that of the last one. There are more places
/// the more values there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Vec<Known>);

/// A value of at most 32 bytes, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Its first and last bytes; where there are fewer than there is room for, some are in both.
    ends: [u64; 4],
    /// 1 + its length, and its kind; 0 stands for no value.
    shape: u16,
}

/// A value and its code.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    ends: [u64; 4],
    shape: u16,
    code: u8,
}

impl Short {
    /// That of `value`, if it is short.
    #[inline]
    pub(super) fn of(value: ValueRef<'_>) -> Option<Self> {
        let bytes = value.bytes;
        let ends = match bytes.len() {
            0..=3 => [bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0, 0, 0],
            4..=7 => {
                let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
                let [first, last] = [first, last].map(|chunk| u32::from_le_bytes(*chunk));
                [first.into(), last.into(), 0, 0]
            }
            8..=16 => [word(bytes, 0)?, word(bytes, bytes.len() - 8)?, 0, 0],
            len @ 17..=MAX_LEN => {
                [word(bytes, 0)?, word(bytes, len - 8)?, word(bytes, 8)?, word(bytes, len - 16)?]
            }
            _ => return None,
        };
        let len = u16::try_from(bytes.len()).ok()?;
        Some(Self { ends, shape: (len + 1) << 8 | u16::from(value.kind as u8) })
    }

    /// Its place among so many, a power of two.
    #[inline]
    fn place(self, places: usize) -> usize {
        let [first, last, second, before_last] = self.ends;
        let (outer, inner) = (first ^ last.rotate_left(23), second ^ before_last.rotate_left(41));
        let mixed = (outer ^ inner.rotate_left(11)).wrapping_mul(ODD);
        usize::try_from(mixed >> (u64::BITS / 2)).unwrap_or_default() & places.wrapping_sub(1)
    }
}

impl Recent {
    /// The code of a value, if it was there not long ago.
    #[inline]
    pub(super) fn code(&self, short: Short) -> Option<u8> {
        let Known { ends, shape, code } = *self.0.get(short.place(self.0.len()))?;
        (Short { ends, shape } == short).then_some(code)
    }

    /// Takes note of a value's code.
    pub(super) fn put(&mut self, short: Short, code: u8) {
        let wanted = PLACES.max(usize::from(code).next_power_of_two() * SPARSE);
        if self.0.len() < wanted {
            // All begin anew, as their places are others.
            self.0.clear();
            self.0.resize(wanted, Known::default());
        }
        let place = short.place(self.0.len());
        if let Some(place) = self.0.get_mut(place) {
            *place = Known { ends: short.ends, shape: short.shape, code };
        }
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Bytes of a value that is short.
const MAX_LEN: usize = 32;

/// The fewest places; a power of two.
const PLACES: usize = 64;

/// Places for each value, about; a power of two.
const SPARSE: usize = 2;

/// An odd number whose bits look random: digits of the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_are_told_apart(
            values in prop::collection::vec((prop::bool::ANY, "[ab\\x00]{0,9}|[ab]{0,40}"), 2..40),
        ) {
            let kind = |is_text: bool| if is_text { Kind::Text } else { Kind::Bytes };
            let values: Vec<_> = values
                .iter()
                .map(|(is_text, bytes)| ValueRef::new(kind(*is_text), bytes.as_bytes()))
                .collect();
            let mut recent = Recent::default();
            for (code, value) in (0..).zip(&values) {
                prop_assert_eq!(Short::of(*value).is_some(), value.bytes.len() <= MAX_LEN);
                let Some(short) = Short::of(*value) else { continue };
                recent.put(short, code);
                prop_assert_eq!(recent.code(short), Some(code));
                for other in &values {
                    let is_same = Short::of(*other) == Some(short);
                    prop_assert_eq!(is_same, (other.kind, other.bytes) == (value.kind, value.bytes));
                }
            }
            recent.clear();
            let known = values.iter().filter_map(|value| recent.code(Short::of(*value)?));
            prop_assert_eq!(known.count(), 0);
        }
    }
}
