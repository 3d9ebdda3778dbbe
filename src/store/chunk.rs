//! A payload on disk: compressed in part, and it knows whether it was damaged.
//!
//! ```text
//!  chunk = XXH3 of what follows (8 bytes, little endian), codec, raw length of the soft part,
//!          its length as it is here, soft part, hard part
//!  codec of the soft part: 0 as it is | 1 zstd
//! ```

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::{Compressor, Decompressor};

use super::bytes::{Damaged, Reader, put_varint};
use super::column::{Parts, Payload};

/// Makes chunks, with one compression context for all.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    /// Kept for its memory, which the system would otherwise have to clear for every chunk.
    scratch: Vec<u8>,
}

/// Opens chunks, with one decompression context for all.
pub(super) struct Unpacker(Decompressor<'static>);

impl Packer {
    /// A packer for zstd's `level`.
    pub(super) fn new(level: i32) -> Self {
        let compressor = Compressor::new(level).expect("zstd gives a context for any level");
        Self { compressor, scratch: Vec::new() }
    }

    /// A chunk that holds a payload.
    pub(super) fn pack(&mut self, payload: Parts<'_>) -> Vec<u8> {
        let (soft, hard) = (payload.soft.0, payload.hard.0);
        self.scratch.clear();
        let worth = soft.len() >= WORTH && {
            self.scratch.reserve(zstd::zstd_safe::compress_bound(soft.len()));
            let packed = self.compressor.compress_to_buffer(soft, &mut self.scratch);
            packed.is_ok_and(|len| len < soft.len())
        };
        let body = if worth { &*self.scratch } else { soft };
        let mut chunk = Vec::with_capacity(HASH + 21 + body.len() + hard.len());
        chunk.resize(HASH, 0);
        chunk.push(u8::from(worth));
        put_varint(&mut chunk, soft.len() as u64);
        put_varint(&mut chunk, body.len() as u64);
        chunk.extend_from_slice(body);
        chunk.extend_from_slice(hard);
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
    pub(super) fn unpack(&mut self, chunk: &[u8]) -> Result<Payload, Damaged> {
        let mut reader = check(chunk)?;
        let codec = reader.byte()?;
        let len = usize::try_from(reader.varint()?).map_err(|_| Damaged("a length"))?;
        let body = reader.bytes()?;
        let soft = match codec {
            0 if body.len() == len => body.to_vec(),
            1 if len <= MAX_RAW => {
                let raw = self.0.decompress(body, len).map_err(|_| Damaged("zstd"))?;
                if raw.len() == len { raw } else { return Err(Damaged("the length of a chunk")) }
            }
            _ => return Err(Damaged("a codec")),
        };
        Ok(Payload { soft, hard: reader.0.to_vec(), is_final: false })
    }
}

/// What follows the checksum of a chunk, if that is right.
pub(super) fn check(chunk: &[u8]) -> Result<Reader<'_>, Damaged> {
    let mut reader = Reader(chunk);
    let hash = reader.take(HASH)?;
    match hash == xxh3_64(reader.0).to_le_bytes() {
        true => Ok(reader),
        false => Err(Damaged("the checksum of a chunk")),
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
            hard: Vec<u8>,
            bit in any::<prop::sample::Index>(),
        ) {
            let (mut packer, mut unpacker) = (Packer::new(1), Unpacker::new());
            let mut chunk = packer.pack(Parts { soft: Reader(&raw), hard: Reader(&hard) });
            let read = unpacker.unpack(&chunk).unwrap();
            prop_assert_eq!((read.soft, read.hard), (raw, hard));
            let bit = bit.index(chunk.len() * 8);
            chunk[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(unpacker.unpack(&chunk).is_err());
        }
    }
}
