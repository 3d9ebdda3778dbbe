//! Golomb-Rice codes: rising integers as the distance of each to the one before.
//!
//! ```text
//!  bucket = checksum (4 bytes, little endian), how many integers, codes, ones to the end of a byte
//!  code   = distance / 256 in ones, a zero, then distance % 256; the lowest bit of a byte first
//! ```

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::bytes::{Damaged, Reader, put_varint};

/// Writes the integers of a bucket.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    bits: Vec<u8>,
    pending: u64,
    used: u32,
    count: u64,
    next: u64,
}

/// Reads them back.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
    left: u64,
    next: u64,
}

impl Encoder {
    /// Adds an integer, greater than the last one.
    pub(super) fn push(&mut self, value: u64) {
        let distance = value - self.next;
        (self.next, self.count) = (value + 1, self.count + 1);
        let mut left = distance >> LOW_BITS;
        let ones = loop {
            match u32::try_from(left) {
                Ok(ones) if ones <= MAX_ONES => break ones,
                _ => self.put((1 << MAX_ONES) - 1, MAX_ONES),
            }
            left -= u64::from(MAX_ONES);
        };
        let low = distance & ((1 << LOW_BITS) - 1);
        self.put(low << (ones + 1) | ((1 << ones) - 1), ones + 1 + LOW_BITS);
    }

    /// The bytes of bucket `number`; begins anew.
    pub(super) fn finish(&mut self, number: u32) -> Vec<u8> {
        let mut bytes = vec![0; CHECKSUM];
        put_varint(&mut bytes, self.count);
        bytes.append(&mut self.bits);
        let last = (self.pending | u64::MAX << self.used).to_le_bytes();
        bytes.extend(last.iter().take(self.used.div_ceil(8) as usize));
        let (head, body) = bytes.split_at_mut(CHECKSUM);
        head.copy_from_slice(&checksum(body, number));
        *self = Self::default();
        bytes
    }

    fn put(&mut self, bits: u64, len: u32) {
        self.pending |= bits << self.used;
        self.used += len;
        if self.used >= 32 {
            let [a, b, c, d, ..] = self.pending.to_le_bytes();
            self.bits.extend_from_slice(&[a, b, c, d]);
            self.pending >>= 32;
            self.used -= 32;
        }
    }
}

impl<'a> Decoder<'a> {
    /// Opens the bytes of bucket `number`.
    pub(super) fn open(bucket: &'a [u8], number: u32) -> Result<Self, Damaged> {
        let mut reader = Reader(bucket);
        if reader.take(CHECKSUM)? != checksum(reader.0, number) {
            return Err(Damaged("the checksum of a bucket"));
        }
        let left = reader.varint()?;
        Ok(Self { bytes: reader.0, at: 0, left, next: 0 })
    }

    /// The next integer, if there is one more.
    pub(super) fn next(&mut self) -> Result<Option<u64>, Damaged> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut high = 0;
        let (bits, ones) = loop {
            let bits = self.peek();
            let ones = bits.trailing_ones();
            if ones <= MAX_PEEKED {
                break (bits, ones);
            }
            high += u64::from(MAX_PEEKED);
            self.at += MAX_PEEKED as usize;
            if self.at > self.bytes.len() * 8 {
                return Err(Damaged("a code"));
            }
        };
        let low = bits >> (ones + 1) & ((1 << LOW_BITS) - 1);
        self.at += (ones + 1 + LOW_BITS) as usize;
        if self.at > self.bytes.len() * 8 {
            return Err(Damaged("a code"));
        }
        let value = self.next + ((high + u64::from(ones)) << LOW_BITS | low);
        self.next = value + 1;
        Ok(Some(value))
    }

    /// At least 57 bits from the next on; past the end they are zeros.
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let bits = match rest.first_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => {
                let mut chunk = [0; 8];
                chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                u64::from_le_bytes(chunk)
            }
        };
        bits >> (self.at % 8)
    }
}

/// What tells a bucket from others and from damage.
fn checksum(body: &[u8], number: u32) -> [u8; CHECKSUM] {
    let [a, b, c, d, ..] = xxh3_64_with_seed(body, u64::from(number)).to_le_bytes();
    [a, b, c, d]
}

const CHECKSUM: usize = 4;

/// Bits of a distance that are written as they are: right for distances of 256 on the average.
const LOW_BITS: u32 = 8;

/// Ones that are written at once.
const MAX_ONES: u32 = 20;

/// Ones that are read at once, with what follows them.
const MAX_PEEKED: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bucket: &[u8], number: u32) -> Result<Vec<u64>, Damaged> {
        let (mut decoder, mut values) = (Decoder::open(bucket, number)?, Vec::new());
        while let Some(value) = decoder.next()? {
            values.push(value);
        }
        Ok(values)
    }

    proptest! {
        #[test]
        fn buckets_read_back_and_every_flipped_bit_shows(
            values in prop_oneof![
                prop::collection::btree_set(0_u64..2000, 0..200),
                prop::collection::btree_set(0_u64..2_000_000, 0..40),
            ],
            number: u32,
            bit in any::<prop::sample::Index>(),
        ) {
            let mut encoder = Encoder::default();
            values.iter().for_each(|value| encoder.push(*value));
            let mut bucket = encoder.finish(number);
            prop_assert!(read(&bucket, number).unwrap().iter().eq(&values));
            prop_assert!(read(&bucket, number ^ 1).is_err());
            let bit = bit.index(bucket.len() * 8);
            bucket[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&bucket, number).is_err());
        }

        #[test]
        fn forged_buckets_end(mut body: Vec<u8>, count in 0_u64..100) {
            let mut bucket = Vec::new();
            put_varint(&mut bucket, count);
            bucket.append(&mut body);
            let bucket = [&checksum(&bucket, 1)[..], &bucket].concat();
            prop_assert!(read(&bucket, 1).is_ok_and(|values| values.len() as u64 == count) || count > 0);
        }
    }
}
