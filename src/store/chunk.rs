//! A compressed run of bytes that knows whether it was damaged.
//!
//! ```text
//!  chunk = XXH3 of what follows (8 bytes, little endian), codec, raw length, bytes
//!  codec: 0 as they are | 1 zstd
//! ```

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::{Compressor, Decompressor};

use super::bytes::{Damaged, Reader, put_varint};

/// Makes chunks, with one compression context for all.
pub(super) struct Packer(Compressor<'static>);

/// Opens chunks, with one decompression context for all.
pub(super) struct Unpacker(Decompressor<'static>);

impl Packer {
    /// A packer for zstd's `level`.
    pub(super) fn new(level: i32) -> Self {
        Self(Compressor::new(level).expect("zstd gives a context for any level"))
    }

    /// A chunk that holds `raw`.
    pub(super) fn pack(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut chunk = vec![0; HASH];
        let packed = if raw.len() < WORTH { None } else { self.0.compress(raw).ok() };
        let packed = packed.filter(|packed| packed.len() < raw.len());
        chunk.reserve(packed.as_ref().map_or(raw.len(), Vec::len) + 6);
        chunk.push(u8::from(packed.is_some()));
        put_varint(&mut chunk, raw.len() as u64);
        chunk.extend_from_slice(packed.as_deref().unwrap_or(raw));
        let (hash, rest) = chunk.split_at_mut(HASH);
        hash.copy_from_slice(&xxh3_64(rest).to_le_bytes());
        chunk
    }
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(Decompressor::new().expect("zstd gives a context"))
    }

    /// What [`Packer::pack`] was given.
    pub(super) fn unpack(&mut self, chunk: &[u8]) -> Result<Vec<u8>, Damaged> {
        let mut reader = Reader(chunk);
        let hash = reader.take(HASH)?;
        if hash != xxh3_64(reader.0).to_le_bytes() {
            return Err(Damaged("the checksum of a chunk"));
        }
        let codec = reader.byte()?;
        let len = usize::try_from(reader.varint()?).map_err(|_| Damaged("a length"))?;
        match codec {
            0 if reader.0.len() == len => Ok(reader.0.to_vec()),
            1 if len <= MAX_RAW => {
                let raw = self.0.decompress(reader.0, len).map_err(|_| Damaged("zstd"))?;
                if raw.len() == len { Ok(raw) } else { Err(Damaged("the length of a chunk")) }
            }
            _ => Err(Damaged("a codec")),
        }
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

/// Bytes of the checksum.
const HASH: usize = 8;

/// Shorter ones are kept as they are.
const WORTH: usize = 64;

/// No batch or block is larger: a damaged length must not allocate what it claims.
const MAX_RAW: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_open_again_and_every_flipped_bit_shows(
            raw in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "(ab|cd){50,200}".prop_map(String::into_bytes)],
            bit in any::<prop::sample::Index>(),
        ) {
            let (mut packer, mut unpacker) = (Packer::new(1), Unpacker::new());
            let mut chunk = packer.pack(&raw);
            prop_assert_eq!(unpacker.unpack(&chunk).unwrap(), raw);
            let bit = bit.index(chunk.len() * 8);
            chunk[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(unpacker.unpack(&chunk).is_err());
        }
    }
}
