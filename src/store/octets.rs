//! What the octets of a text are, 64 of them together.
//!
//! A token is a run of letters, digits, `_` and octets above 127: a word as queries know it lies within
//! one token, and in ASCII it is one.

use fearless_simd::{prelude::*, u8x64};

/// What 64 octets are, a bit for each, the first lowest.
pub(super) struct Classes {
    pub(super) digits: u64,
    /// Those that belong to a token.
    pub(super) tokens: u64,
    /// Those above 127.
    pub(super) beyond: u64,
    /// Those that are [`MARK`].
    pub(super) marks: u64,
}

/// As [`classify`], of the `rest` that `text` ends with; nothing is behind it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
pub(super) fn classify_rest<S: Simd>(simd: S, text: &[u8], rest: &[u8]) -> Classes {
    if let Some(last) = text.last_chunk() {
        let Classes { digits, tokens, beyond, marks } = classify(simd, last);
        let unused = 64 - rest.len();
        let [digits, tokens, beyond] = [digits, tokens, beyond].map(|bits| bits >> unused);
        return Classes { digits, tokens, beyond, marks };
    }
    let mut padded = [0; 64];
    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    classify(simd, &padded)
}

/// What `octets` are.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
pub(super) fn classify<S: Simd>(simd: S, octets: &[u8; 64]) -> Classes {
    let octets = u8x64::from_slice(simd, octets);
    let within = |octets: u8x64<S>, first: u8, last: u8| {
        (octets - first).simd_le(u8x64::splat(simd, last - first))
    };
    let digit = within(octets, b'0', b'9');
    let letter = within(octets | 0x20, b'a', b'z');
    let underscore = octets.simd_eq(u8x64::splat(simd, b'_'));
    let beyond = octets.simd_ge(u8x64::splat(simd, 0x80));
    Classes {
        digits: digit.to_bitmask(),
        beyond: beyond.to_bitmask(),
        tokens: (digit | letter | underscore | beyond).to_bitmask(),
        marks: octets.simd_eq(u8x64::splat(simd, MARK)).to_bitmask(),
    }
}

/// Whether an octet is of a token, as [`classify`] says it of 64.
pub(super) fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_' || octet >= 0x80
}

/// An octet that no text in UTF-8 has.
pub(super) const MARK: u8 = 0xff;
