//! Integers of a fixed number of bits, one after the other.

use super::super::bytes::{Damaged, Reader};

/// The bits that `value` takes.
pub(super) const fn width(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Appends the lowest `width` bits of each value; the last byte is filled up with zeros.
pub(super) fn pack(out: &mut Vec<u8>, width: u32, values: impl Iterator<Item = u64>) {
    if width == 0 {
        return;
    }
    let (mut held, mut bits) = (0_u128, 0_u32);
    for value in values {
        held |= u128::from(value) << bits;
        bits += width;
        if bits >= u64::BITS {
            out.extend_from_slice(&low(held).to_le_bytes());
            held >>= u64::BITS;
            bits -= u64::BITS;
        }
    }
    let rest = low(held).to_le_bytes();
    out.extend_from_slice(rest.get(..bits.div_ceil(8) as usize).unwrap_or(&rest));
}

/// Reads `count` values of `width` bits back, and calls `each` with them.
pub(super) fn unpack(
    reader: &mut Reader<'_>,
    width: u32,
    count: usize,
    mut each: impl FnMut(u64),
) -> Result<(), Damaged> {
    if width > u64::BITS {
        return Err(Damaged("integers of at most 64 bits"));
    }
    let len = (count as u64 * u64::from(width)).div_ceil(8);
    let bytes = reader.take(usize::try_from(len).map_err(|_| Damaged("a length"))?)?;
    let mask = u64::MAX.checked_shr(u64::BITS - width).unwrap_or(0);
    // Where eight bytes hold any one whole, whatever bit it begins at, each is read by itself.
    let alone = if width <= u64::BITS - 7 { bytes.len().saturating_sub(7) } else { 0 };
    let mut at = 0_usize;
    let mut first = 0;
    while first < count && at / 8 < alone {
        let eight = bytes.get(at / 8..).and_then(|rest| rest.first_chunk()).copied();
        each(u64::from_le_bytes(eight.unwrap_or_default()) >> (at % 8) & mask);
        at += width as usize;
        first += 1;
    }
    let (mut held, mut bits) = (0_u128, 0_u32);
    let mut rest = bytes.get(at / 8..).unwrap_or_default();
    if !at.is_multiple_of(8)
        && let Some((byte, after)) = rest.split_first()
    {
        (held, rest) = (u128::from(byte >> (at % 8)), after);
        bits = u32::try_from(8 - at % 8).unwrap_or_default();
    }
    let mut words = rest.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(word)
    });
    for _ in first..count {
        if bits < width {
            held |= u128::from(words.next().unwrap_or_default()) << bits;
            bits += u64::BITS;
        }
        each(low(held) & mask);
        held >>= width;
        bits -= width;
    }
    Ok(())
}

/// The lower half.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
pub(super) const fn low(held: u128) -> u64 {
    held as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_packed(width in 0_u32..=64, values in prop::collection::vec(any::<u64>(), 0..100)) {
            let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
            let values: Vec<u64> = values.iter().map(|value| value & mask).collect();
            let mut out = Vec::new();
            pack(&mut out, width, values.iter().copied());
            prop_assert_eq!(out.len(), (values.len() * width as usize).div_ceil(8));
            let (mut reader, mut read) = (Reader(&out), Vec::new());
            unpack(&mut reader, width, values.len(), |value| read.push(value)).unwrap();
            prop_assert_eq!(read, values);
            prop_assert!(reader.0.is_empty());
        }
    }
}
