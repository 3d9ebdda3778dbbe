//! Bytes of a text, eight at a time.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The bytes of `text` from `at` to `end`, at most eight of them, the first lowest, with zeros after
/// the last. Nothing of what lies behind `end` is in it.
#[inline]
pub(crate) fn eight(text: &[u8], at: usize, end: usize) -> u64 {
    let unused = 8_u32.saturating_sub(u32::try_from(end - at).unwrap_or(8));
    let rest = text.get(at..).unwrap_or_default();
    let bytes = match (rest.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(chunk), _) => u64::from_le_bytes(*chunk),
        (None, Some(last)) => u64::from_le_bytes(*last) >> ((64 - 8 * rest.len()) % 64),
        (None, None) => rest.iter().rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
    };
    bytes & u64::MAX.checked_shr(8 * unused).unwrap_or(0)
}

/// Whether both are equal. A call for each of many short texts would cost more than the comparison.
#[inline]
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        0..=3 => one.iter().zip(other).all(|(octet, others)| octet == others),
        4..=7 => has_ends::<4>(one, other),
        8..=15 => has_ends::<8>(one, other),
        16..=32 => has_ends::<16>(one, other),
        _ => one == other,
    }
}

/// Whether both begin and end with the same octets; all there is where they are no longer than that.
#[inline]
fn has_ends<const LEN: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<LEN>() == other.first_chunk() && one.last_chunk::<LEN>() == other.last_chunk()
}

/// What tells the first `len` octets of both apart, up to [`SIXTEEN`] of them: nothing but zeros
/// where they are the same. Nothing at all where there are no more than that to be looked at.
#[inline]
pub(crate) fn apart(one: &[u8], other: &[u8], len: usize) -> Option<u128> {
    let within = WITHIN.get(len)?;
    let (one, others) = (one.first_chunk()?, other.first_chunk()?);
    Some((u128::from_le_bytes(*one) ^ u128::from_le_bytes(*others)) & within)
}

/// The number that the `len` digits in `eight` are, 1 to 8 of them; nothing if they are no digits.
#[inline]
pub(crate) fn decimal(eight: u64, len: usize) -> Option<u64> {
    let unused = 64 - 8 * u32::try_from(len).ok()?;
    let digits = eight.checked_shl(unused)?;
    let zeros = ZEROS << unused;
    let are_digits = digits & HIGH_HALVES == zeros
        && digits.wrapping_add(SIXES << unused) & HIGH_HALVES == zeros;
    are_digits.then(|| value(digits))
}

/// The number that the `len` digits in `eight` are, 1 to 8 of them; anything if they are no digits.
#[inline]
pub(crate) fn decimal_of(eight: u64, len: usize) -> u64 {
    value(eight << (8 * (8 - len.clamp(1, 8))))
}

/// The number that eight digits are, the first lowest; what is no digit in front counts as a zero if it
/// is one in its lower half.
#[inline]
fn value(digits: u64) -> u64 {
    let ones = digits & 0x0f0f_0f0f_0f0f_0f0f;
    let tens = ones.wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let hundreds = tens.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    hundreds.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// The number that `len` hexadecimal digits in `eight` are, 1 to 8 of them, letters in one case;
/// nothing if they are no such digits.
#[inline]
pub(crate) fn hex(eight: u64, len: usize, is_upper: bool) -> Option<u64> {
    let unused = 64 - 8 * u32::try_from(len).ok()?;
    let zeros = ZEROS & !u64::MAX.checked_shl(unused).unwrap_or(0);
    let octets = eight.checked_shl(unused)? | zeros;
    let ten = if is_upper { b'A' } else { b'a' };
    let low = octets & !HIGH;
    let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
    let letter = at_least(low, ten) & !at_least(low, ten + 6);
    if (digit | letter) & !octets != HIGH {
        return None;
    }
    let values = (octets & (EACH * 0x0f)) + (letter >> 7) * 9;
    let pairs = values.swap_bytes();
    let pairs = (pairs | pairs >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) & 0xffff_ffff)
}

/// The eight hexadecimal digits of the lower half of `value`.
#[inline]
pub(crate) fn hex_digits(value: u64, is_upper: bool) -> [u8; 8] {
    let fours = (value & 0xffff_ffff | value << 16) & 0x0000_ffff_0000_ffff;
    let pairs = (fours | fours << 8) & 0x00ff_00ff_00ff_00ff;
    let values = (pairs | pairs << 4) & (EACH * 0x0f);
    let letters = (values + EACH * 6) >> 4 & EACH;
    let to_letter = if is_upper { b'A' - b'9' - 1 } else { b'a' - b'9' - 1 };
    (values + ZEROS + letters * u64::from(to_letter)).to_be_bytes()
}

/// The highest bit of each octet of `low`, all below 128, says whether it is `limit` or more.
#[inline]
pub(crate) const fn at_least(low: u64, limit: u8) -> u64 {
    low.wrapping_add(EACH * (0x80 - limit as u64)) & HIGH
}

/// What makes hashes unforeseeable: another each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u64);

/// A hash that nobody can foresee who does not know the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(DefaultHashBuilder::default().hash_one(0))
    }
}

impl Hash {
    /// Begins with `seed`.
    #[inline]
    pub(crate) fn new(seed: Seed) -> Self {
        Self(seed.0)
    }

    /// Adds the bytes of `text` from `at` to `end`, and how many they are.
    #[inline]
    pub(crate) fn add(&mut self, text: &[u8], at: usize, end: usize) {
        self.0 = fold(self.0 ^ (end - at) as u64, LENGTH);
        let mut at = at;
        while at < end {
            self.0 = fold(self.0 ^ eight(text, at, end), CHUNK);
            at += 8;
        }
    }

    /// The hash of all that was added.
    #[inline]
    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}

/// Both halves of a product.
#[inline]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low(product) ^ low(product >> 64)
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low(product: u128) -> u64 {
    product as u64
}

/// One in each octet.
pub(crate) const EACH: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each octet.
pub(crate) const HIGH: u64 = EACH * 0x80;

/// Eight times `0`.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// What takes the characters after `9` out of the half byte that digits share.
const SIXES: u64 = 0x0606_0606_0606_0606;

const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;

/// Octets that are compared at once.
pub(crate) const SIXTEEN: usize = 16;

/// The bits of the first octets, by how many those are.
const WITHIN: [u128; SIXTEEN + 1] = within();

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would panic")]
const fn within() -> [u128; SIXTEEN + 1] {
    let mut within = [0; SIXTEEN + 1];
    let mut len = 0;
    while len < SIXTEEN {
        within[len + 1] = within[len] << 8 | 0xff;
        len += 1;
    }
    within
}

// Odd numbers whose bits look random: digits of e and pi.
const LENGTH: u64 = 0xadf8_5458_a2bb_4a9b;
const CHUNK: u64 = 0x243f_6a88_85a3_08d3;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_byte_by_byte(text: Vec<u8>, other: Vec<u8>, a in 0_usize..40, len in 0_usize..80, b in 0_usize..40) {
            let a = a.min(text.len());
            let end = (a + len).min(text.len());
            let mut want = [0; 8];
            want.iter_mut().zip(&text[a..end]).for_each(|(to, from)| *to = *from);
            prop_assert_eq!(eight(&text, a, end), u64::from_le_bytes(want));
            let mut other = other;
            let b = b.min(other.len());
            other.truncate(b);
            other.extend_from_slice(&text[a..end]);
            prop_assert!(is_same(&text[a..end], &other[b..]));
            for at in b..other.len() {
                other[at] ^= 0x10;
                prop_assert!(!is_same(&text[a..end], &other[b..]));
                other[at] ^= 0x10;
            }
            let shared = text[a..].iter().zip(&other[b..]).take_while(|(one, others)| one == others);
            let shared = shared.count();
            for len in 0..20 {
                let is_wide = len <= 16 && text[a..].len() >= 16 && other[b..].len() >= 16;
                let want = is_wide.then_some(len <= shared);
                prop_assert_eq!(apart(&text[a..], &other[b..], len).map(|bits| bits == 0), want);
            }
        }

        #[test]
        fn hexadecimal_digits_there_and_back(value: u32, len in 1_usize..=8, is_upper: bool, other: u8) {
            let value = u64::from(value) & (u64::MAX >> (64 - 4 * len));
            let digits = hex_digits(value, is_upper);
            let text = format!("{value:08x}");
            let text = if is_upper { text.to_ascii_uppercase() } else { text };
            prop_assert_eq!(digits.as_slice(), text.as_bytes());
            let mut digits = digits[8 - len..].to_vec();
            prop_assert_eq!(hex(eight(&digits, 0, len), len, is_upper), Some(value));
            digits[len / 2] = other;
            let want = std::str::from_utf8(&digits).ok().filter(|text| {
                let is_other = if is_upper { u8::is_ascii_lowercase } else { u8::is_ascii_uppercase };
                !text.starts_with('+') && !text.bytes().any(|b| is_other(&b))
            });
            let want = want.and_then(|text| u64::from_str_radix(text, 16).ok());
            prop_assert_eq!(hex(eight(&digits, 0, len), len, is_upper), want);
        }

        #[test]
        fn a_hash_is_of_the_pieces_wherever_they_lie(text in ".{0,60}", before in ".{0,20}", cut in 0_usize..60) {
            let long = format!("{before}{text}{before}");
            let (start, end) = (before.len(), before.len() + text.len());
            let of = |text: &[u8], cuts: &[(usize, usize)]| {
                let mut hash = Hash::new(Seed(7));
                cuts.iter().for_each(|(at, end)| hash.add(text, *at, *end));
                hash.finish()
            };
            prop_assert_eq!(
                of(text.as_bytes(), &[(0, text.len())]),
                of(long.as_bytes(), &[(start, end)])
            );
            let cut = cut.min(text.len());
            if cut > 0 && cut < text.len() {
                prop_assert_ne!(
                    of(text.as_bytes(), &[(0, text.len())]),
                    of(text.as_bytes(), &[(0, cut), (cut, text.len())])
                );
            }
        }
    }
}
