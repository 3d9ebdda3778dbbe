//! Short values that a dictionary was asked for not long ago: most are found here, by a few integers,
//! without a look at the dictionary.

use crate::event::ValueRef;

/// Codes of short values; of those that share a place, that of the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Vec<Known>);

/// A value of at most 16 bytes, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Its first and last bytes; where there are fewer than there is room for, some are in both.
    ends: (u64, u64),
    /// 1 + its length, and its kind; 0 stands for no value.
    shape: u16,
}

/// A value and its code.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    ends: (u64, u64),
    shape: u16,
    code: u8,
}

impl Short {
    /// That of `value`, if it is short.
    #[inline]
    pub(super) fn of(value: ValueRef<'_>) -> Option<Self> {
        let bytes = value.bytes;
        let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            _ if bytes.len() > MAX_LEN => return None,
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
                (Some(first), Some(last)) => {
                    (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
                }
                _ => (bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
            },
        };
        let len = u16::try_from(bytes.len()).ok()?;
        Some(Self { ends, shape: (len + 1) << 8 | u16::from(value.kind as u8) })
    }

    #[inline]
    fn place(self) -> usize {
        let mixed = (self.ends.0 ^ self.ends.1.rotate_left(23)).wrapping_mul(ODD);
        usize::try_from(mixed >> (u64::BITS - PLACES.ilog2())).unwrap_or_default()
    }
}

impl Recent {
    /// The code of a value, if it was there not long ago.
    #[inline]
    pub(super) fn code(&self, short: Short) -> Option<u8> {
        let Known { ends, shape, code } = *self.0.get(short.place())?;
        (Short { ends, shape } == short).then_some(code)
    }

    /// Takes note of a value's code.
    pub(super) fn put(&mut self, short: Short, code: u8) {
        self.0.resize(PLACES, Known::default());
        if let Some(place) = self.0.get_mut(short.place()) {
            *place = Known { ends: short.ends, shape: short.shape, code };
        }
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Bytes of a value that is short.
const MAX_LEN: usize = 16;

/// Places; a power of two.
const PLACES: usize = 64;

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
            values in prop::collection::vec((prop::bool::ANY, "[ab\\x00]{0,18}"), 2..40),
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
