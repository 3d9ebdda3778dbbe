//! Integers as they lie on disk, passed over, and read one by one where their form allows it.

use super::super::bytes::{Damaged, Reader};
use super::bits;
use super::distinct::decode_distinct;
use super::numbers::{CODES, CONSTANT, PACKED, PACKED_CODES, STEPS, VARINT_STEPS, VARINTS};
use super::payload::{Parts, Payload};

/// Where some integers are in a payload, and how they are read.
#[derive(Clone, Debug)]
pub(super) enum Integers {
    Constant(u64),
    Packed {
        min: u64,
        bits: Bits,
    },
    Codes {
        distinct: Vec<u64>,
        start: usize,
    },
    PackedCodes {
        distinct: Vec<u64>,
        bits: Bits,
    },
    /// Each can only be told from those before it.
    InOrder,
}

/// Integers of a fixed width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits {
    start: usize,
    width: u32,
}

impl Integers {
    /// Passes over `count` integers in `parts` of `payload`. What was passed over can be read.
    pub(super) fn pass(
        payload: &Payload,
        parts: &mut Parts<'_>,
        count: usize,
    ) -> Result<Self, Damaged> {
        if count == 0 {
            return Ok(Self::Constant(0));
        }
        Ok(match parts.soft.byte()? {
            CONSTANT => Self::Constant(parts.soft.varint()?),
            PACKED => {
                let min = parts.soft.varint()?;
                Self::Packed { min, bits: Bits::pass(payload, parts, count)? }
            }
            form @ (VARINTS | VARINT_STEPS) => {
                // The least stands before all of them; the first is one of them.
                for _ in 0..count + usize::from(form == VARINTS) {
                    parts.soft.varint()?;
                }
                Self::InOrder
            }
            STEPS => {
                parts.soft.varint()?;
                parts.soft.zigzag()?;
                Bits::pass(payload, parts, count - 1)?;
                Self::InOrder
            }
            form @ (CODES | PACKED_CODES) => Self::pass_codes(form, payload, parts, count)?,
            _ => return Err(Damaged("a form of integers")),
        })
    }

    fn pass_codes(
        form: u8,
        payload: &Payload,
        parts: &mut Parts<'_>,
        count: usize,
    ) -> Result<Self, Damaged> {
        let distinct = decode_distinct(parts)?;
        let is_known = |code: u64| usize::try_from(code).is_ok_and(|code| code < distinct.len());
        if form == CODES {
            let start = payload.soft.len() - parts.soft.0.len();
            let greatest = parts.soft.take(count)?.iter().max().copied().unwrap_or_default();
            let is_known = is_known(u64::from(greatest));
            let codes = Self::Codes { distinct, start };
            return if is_known { Ok(codes) } else { Err(Damaged("a code of an integer")) };
        }
        let bits = Bits::pass(payload, parts, count)?;
        let mut are_known = true;
        let mut reader = Reader(payload.hard.get(bits.start..).unwrap_or_default());
        let each = |code| are_known &= is_known(code);
        bits::unpack(&mut reader, bits.width, count, each)?;
        let codes = Self::PackedCodes { distinct, bits };
        if are_known { Ok(codes) } else { Err(Damaged("a code of an integer")) }
    }

    /// Whether each can be read by itself.
    pub(super) const fn is_random(&self) -> bool {
        !matches!(self, Self::InOrder)
    }

    /// The integer at `index`, of those that can be read by themselves.
    pub(super) fn get(&self, payload: &Payload, index: usize) -> u64 {
        let value = |distinct: &[u64], code: usize| distinct.get(code).copied();
        match self {
            Self::Constant(value) => *value,
            Self::Packed { min, bits } => min.wrapping_add(bits.get(payload, index)),
            Self::Codes { distinct, start } => {
                let code = payload.soft.get(start + index).copied().unwrap_or_default();
                value(distinct, usize::from(code)).unwrap_or_default()
            }
            Self::PackedCodes { distinct, bits } => {
                let code = usize::try_from(bits.get(payload, index)).unwrap_or(usize::MAX);
                value(distinct, code).unwrap_or_default()
            }
            Self::InOrder => 0,
        }
    }

    /// About the bytes of memory that it takes beside the payload.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Codes { distinct, .. } | Self::PackedCodes { distinct, .. } => {
                distinct.len() * size_of::<u64>()
            }
            _ => 0,
        }
    }
}

impl Bits {
    fn pass(payload: &Payload, parts: &mut Parts<'_>, count: usize) -> Result<Self, Damaged> {
        let width = u32::from(parts.soft.byte()?);
        let start = payload.hard.len() - parts.hard.0.len();
        if width > u64::BITS {
            return Err(Damaged("integers of at most 64 bits"));
        }
        let len = (count as u64 * u64::from(width)).div_ceil(8);
        parts.hard.take(usize::try_from(len).map_err(|_| Damaged("a length"))?)?;
        Ok(Self { start, width })
    }

    fn get(self, payload: &Payload, index: usize) -> u64 {
        let at = index as u64 * u64::from(self.width);
        let first = usize::try_from(at / 8).unwrap_or(usize::MAX).saturating_add(self.start);
        let bytes = payload.hard.get(first..).unwrap_or_default();
        let mut held = [0; 16];
        held.iter_mut().zip(bytes.iter().take(9)).for_each(|(to, from)| *to = *from);
        let mask = u64::MAX.checked_shr(u64::BITS - self.width).unwrap_or(0);
        bits::low(u128::from_le_bytes(held) >> (at % 8)) & mask
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The same as reading all of them.
        #[test]
        fn integers_are_read_one_by_one(
            values in prop_oneof![
                prop::collection::vec(any::<u64>(), 1..300),
                prop::collection::vec(0_u64..7, 1..300),
                prop::collection::vec(1_000_000_u64..1_000_900, 1..300),
                prop::collection::vec(prop_oneof![9 => Just(5_u64), 1 => any::<u64>()], 1..300),
                Just((0..300).collect()),
            ],
            is_final: bool,
        ) {
            let mut out = Payload { is_final, soft: vec![7; 3], hard: vec![8; 2] };
            numbers::encode(&values, &mut out);
            numbers::encode(&[1, 2, 4], &mut out);
            let mut parts = out.parts();
            parts.soft.take(3).unwrap();
            parts.hard.take(2).unwrap();
            let integers = Integers::pass(&out, &mut parts, values.len()).unwrap();
            prop_assert_eq!(numbers::decode(&mut parts, 3).unwrap(), [1, 2, 4]);
            if integers.is_random() {
                for (index, value) in values.iter().enumerate() {
                    prop_assert_eq!(integers.get(&out, index), *value);
                }
            }
        }

        #[test]
        fn what_is_passed_over_can_be_read(soft: Vec<u8>, hard: Vec<u8>, count in 0_usize..100) {
            let out = Payload { soft, hard, is_final: false };
            let (mut parts, mut read) = (out.parts(), out.parts());
            let passed = Integers::pass(&out, &mut parts, count);
            let decoded = numbers::decode(&mut read, count);
            prop_assert_eq!(passed.is_ok(), decoded.is_ok());
            if let (Ok(integers), Ok(values)) = (passed, decoded) {
                prop_assert_eq!(parts.soft.0.len(), read.soft.0.len());
                prop_assert_eq!(parts.hard.0.len(), read.hard.0.len());
                if integers.is_random() {
                    for (index, value) in values.iter().enumerate() {
                        prop_assert_eq!(integers.get(&out, index), *value);
                    }
                }
            }
        }
    }
}
