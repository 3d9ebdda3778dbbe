//! The JSON of a GELF message, which may be compressed.

use std::borrow::Cow;

use super::super::{Encoding, InflateError, inflate};

/// The JSON of a message that came over UDP, inflated if its first bytes say gzip or zlib: to at
/// most `max_len` bytes. What is no JSON is for its parser to say.
///
/// # Errors
///
/// As of [`inflate`]: it is longer, cut short or damaged.
pub fn gelf_payload(message: &[u8], max_len: usize) -> Result<Cow<'_, [u8]>, InflateError> {
    let encoding = match message {
        [0x1f, 0x8b, ..] => Encoding::Gzip,
        // Method 8, and a check of the two bytes (RFC 1950 §2.2). No JSON begins so.
        [first, second, ..]
            if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0 =>
        {
            Encoding::Deflate
        }
        _ => return Ok(Cow::Borrowed(message)),
    };
    inflate(encoding, message, max_len).map(Cow::Owned)
}
