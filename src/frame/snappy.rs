//! Snappy blocks (snappy, format description).

use super::inflate::{Encoding, InflateError};

/// The content of a block, at most `max_len` bytes of it.
///
/// The length that a block announces is looked at before anything is set aside for it: one that
/// lies costs no memory, as no block becomes more than [`MAX_RATIO`] times its length.
pub(super) fn unsnap(body: &[u8], max_len: usize) -> Result<Vec<u8>, InflateError> {
    let corrupt = InflateError::Corrupt { encoding: Encoding::Snappy.name() };
    let len = snap::raw::decompress_len(body).map_err(|_| corrupt)?;
    if len > max_len {
        return Err(InflateError::TooLarge { max: max_len });
    }
    if len > body.len().saturating_mul(MAX_RATIO) {
        return Err(corrupt);
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(|_| corrupt)
}

/// The most that a byte of a block can stand for: a copy of 64 bytes takes three (§2.2.2).
const MAX_RATIO: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 16 << 20;

    fn block(content: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(content).unwrap()
    }

    #[test]
    fn blocks_are_undone() {
        for content in [vec![], b"one two one two one two".repeat(100), vec![0; 1 << 20]] {
            assert_eq!(unsnap(&block(&content), content.len()), Ok(content.clone()));
        }
        let max = 22;
        let content = block(&[b'x'; 23]);
        assert_eq!(unsnap(&content, max), Err(InflateError::TooLarge { max }));
    }

    #[test]
    fn ht_04_a_snappy_length_that_lies() {
        for body in [
            &b""[..],
            b"\xff\xff\xff\x07abc",          // 16 MiB less one, of three bytes
            b"\x04\x08abc",                  // four bytes announced, three there
            b"\x02\x08abc",                  // two announced, three there
            b"\xff\xff\xff\xff\xff\xff\xff", // no length at all
            b"{\"streams\":[]}",
        ] {
            let corrupt = InflateError::Corrupt { encoding: "snappy" };
            assert_eq!(unsnap(body, MAX), Err(corrupt), "{body:?}");
        }
        let huge = b"\xff\xff\xff\xff\x0fabc";
        assert_eq!(unsnap(huge, MAX), Err(InflateError::TooLarge { max: MAX }));
    }
}
