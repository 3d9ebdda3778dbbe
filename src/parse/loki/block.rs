//! The snappy block that a push of protocol buffers comes in.

use crate::parse::RecordError;

/// The content of a snappy block, at most `max_len` bytes of it.
///
/// The length that a block announces is looked at before anything is set aside for it: one that
/// lies costs no memory, as no block can become more than [`MAX_RATIO`] times its length.
///
/// # Errors
///
/// [`RecordError::TooLarge`] where it announces more than `max_len`, and
/// [`RecordError::Compression`] where it is none.
pub fn unsnap(body: &[u8], max_len: usize) -> Result<Vec<u8>, RecordError> {
    let len = snap::raw::decompress_len(body).map_err(|_| RecordError::Compression)?;
    if len > max_len {
        return Err(RecordError::TooLarge { max: max_len });
    }
    if len > body.len().saturating_mul(MAX_RATIO) {
        return Err(RecordError::Compression);
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(|_| RecordError::Compression)
}

/// The most that a byte of a block can stand for: a copy of 64 bytes takes three (snappy format
/// description, §2.2.2).
const MAX_RATIO: usize = 22;

/// The largest content of a block, in bytes.
pub const MAX_BLOCK: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_undone() {
        let content = b"one two one two one two".repeat(100);
        let block = snap::raw::Encoder::new().compress_vec(&content).unwrap();
        assert_eq!(unsnap(&block, content.len()), Ok(content.clone()));
        let max = content.len() - 1;
        assert_eq!(unsnap(&block, max), Err(RecordError::TooLarge { max }));
        let zeros = vec![0; 1 << 20];
        let block = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
        assert_eq!(unsnap(&block, zeros.len()), Ok(zeros));
    }

    #[test]
    fn ht_04_a_snappy_length_that_lies() {
        for body in [
            &b""[..],
            b"\xff\xff\xff\x07abc",         // 16 MiB less one, of three bytes
            b"\x04\x08abc",                 // four bytes announced, three there
            b"\x02\x08abc",                 // two announced, three there
            b"\xff\xff\xff\xff\xff\xff\xff", // no length at all
            b"{\"streams\":[]}",
        ] {
            assert_eq!(unsnap(body, MAX_BLOCK), Err(RecordError::Compression), "{body:?}");
        }
        let huge = b"\xff\xff\xff\xff\x0fabc";
        assert_eq!(unsnap(huge, MAX_BLOCK), Err(RecordError::TooLarge { max: MAX_BLOCK }));
    }
}
