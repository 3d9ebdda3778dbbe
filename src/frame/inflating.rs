//! Undoes zstd of a body that goes on for long, as it comes (RFC 8878).

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::inflate::{Encoding, InflateError, WINDOW_LOG_MAX};

/// A stream of zstd frames that is being undone.
///
/// Holds a window of up to 8 MiB, and hands out no more than `MAX_PART` at once, however little
/// stands for however much.
pub struct Inflating {
    decoder: Decoder<'static>,
    /// Whether what came so far ends with a frame.
    is_whole: bool,
}

impl Inflating {
    /// Begins a stream.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn new() -> Result<Self, InflateError> {
        let mut decoder = Decoder::new().map_err(|_| CORRUPT)?;
        let window = DParameter::WindowLogMax(WINDOW_LOG_MAX);
        decoder.set_parameter(window).map_err(|_| CORRUPT)?;
        Ok(Self { decoder, is_whole: true })
    }

    /// Undoes some of `input`: how much of it was used, and what it stands for. Nothing used and
    /// nothing found: more is wanted.
    ///
    /// # Errors
    ///
    /// It is no zstd, or wants more memory than any body needs.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Vec<u8>), InflateError> {
        let mut part = Vec::with_capacity(MAX_PART);
        let mut from = InBuffer::around(input);
        let hint = {
            let mut to = OutBuffer::around(&mut part);
            self.decoder.run(&mut from, &mut to).map_err(|_| CORRUPT)?
        };
        let used = from.pos();
        if used > 0 || !part.is_empty() {
            self.is_whole = hint == 0;
        }
        Ok((used, part))
    }

    /// Whether what came so far is whole.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

impl std::fmt::Debug for Inflating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflating").field("is_whole", &self.is_whole).finish_non_exhaustive()
    }
}

const CORRUPT: InflateError = InflateError::Corrupt { encoding: Encoding::Zstd.name() };

/// The most that is handed out at once, in bytes.
const MAX_PART: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(body: &[u8], size: usize) -> Result<(Vec<u8>, bool), InflateError> {
        let (mut inflating, mut content) = (Inflating::new()?, Vec::new());
        for mut chunk in body.chunks(size) {
            loop {
                let (used, part) = inflating.next(chunk)?;
                assert!(part.len() <= MAX_PART);
                content.extend_from_slice(&part);
                chunk = &chunk[used..];
                if used == 0 && part.is_empty() {
                    assert!(chunk.is_empty());
                    break;
                }
            }
        }
        Ok((content, inflating.is_whole()))
    }

    #[test]
    fn frames_are_undone_in_parts_of_any_size() {
        let long: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let frame = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
        let body = [frame(b"one "), frame(&long), frame(b"")].concat();
        let want = [b"one ", &long[..]].concat();
        for size in [1, 1000, body.len()] {
            assert_eq!(undone(&body, size), Ok((want.clone(), true)), "{size}");
        }
        let (_, is_whole) = undone(&body[..body.len() - 1], 100).unwrap();
        assert!(!is_whole);
        assert_eq!(undone(b"", 1), Ok((vec![], true)));
    }

    #[test]
    fn ht_04_a_stream_that_is_none_and_a_bomb() {
        assert_eq!(undone(b"MESSAGE=plain\n\n", 4), Err(CORRUPT));
        let window_of_2_gib = [&b"\x28\xb5\x2f\xfd\x00"[..], &[21 << 3], b"\x09\0\0a"].concat();
        assert_eq!(undone(&window_of_2_gib, 100), Err(CORRUPT));
        let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap();
        assert_eq!(undone(&bomb, bomb.len()).map(|(content, _)| content.len()), Ok(64 << 20));
    }
}
