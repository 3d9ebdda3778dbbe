//! Undoes zstd of a body that goes on for long, as it comes (RFC 8878).

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, find_frame_compressed_size};

use super::inflate::{Encoding, InflateError, WINDOW_LOG_MAX};

/// A stream of zstd frames that is being undone.
///
/// Holds a window of up to 8 MiB, and hands out no more than [`MAX_PART`](Self::MAX_PART) at once,
/// however little stands for however much.
pub struct Inflating {
    context: DCtx<'static>,
    /// Whether what came so far ends with a frame.
    is_whole: bool,
    /// What a frame may come to take of which nothing was handed out so far, in bytes.
    coming: usize,
}

impl Inflating {
    /// What a stream takes before anything has come, in bytes.
    pub const OWN: usize = 256 << 10;

    /// The most that is handed out at once, in bytes.
    pub const MAX_PART: usize = 64 << 10;

    /// Begins a stream.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn new() -> Result<Self, InflateError> {
        let mut context = DCtx::try_create().ok_or(CORRUPT)?;
        context.init().map_err(|_| CORRUPT)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(|_| CORRUPT)?;
        Ok(Self { context, is_whole: true, coming: 0 })
    }

    /// What it takes, in bytes.
    pub fn memory(&self) -> usize {
        self.context.sizeof().max(self.coming)
    }

    /// What it takes as soon as it is given `input`, if that is more: a frame that begins there says
    /// how wide its window is.
    pub fn memory_for(&mut self, input: &[u8]) -> usize {
        if self.is_whole && !input.is_empty() {
            self.coming = of_frame(input);
        }
        self.memory()
    }

    /// What it takes to undo a `body` that is whole, in bytes, beside the content: of that there is no
    /// more than `most`.
    pub fn memory_of(body: &[u8], most: usize) -> usize {
        let (mut rest, mut window) = (body, 0);
        while !rest.is_empty() {
            window = window.max(window_of(rest));
            match find_frame_compressed_size(rest) {
                Ok(len) => rest = rest.get(len.max(1)..).unwrap_or_default(),
                Err(_) => break, // what is behind it is never looked at
            }
        }
        // No more of a window is touched than there is content.
        AROUND + window.min(most)
    }

    /// Undoes some of `input`: how much of it was used, and what it stands for. Nothing used and
    /// nothing found: more is wanted.
    ///
    /// # Errors
    ///
    /// It is no zstd, or wants more memory than any body needs.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Vec<u8>), InflateError> {
        let mut part = Vec::with_capacity(Self::MAX_PART);
        let mut from = InBuffer::around(input);
        let hint = {
            let mut to = OutBuffer::around(&mut part);
            self.context.decompress_stream(&mut to, &mut from).map_err(|_| CORRUPT)?
        };
        let used = from.pos();
        if used > 0 || !part.is_empty() {
            self.is_whole = hint == 0;
        }
        if self.is_whole || !part.is_empty() {
            self.coming = 0; // by now it has what it needs
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

/// What a frame takes, in bytes, as far as its beginning says so.
fn of_frame(input: &[u8]) -> usize {
    AROUND + window_of(input)
}

/// The window of a frame (RFC 8878 §3.1.1.1), in bytes; the widest where its beginning does not say.
fn window_of(frame: &[u8]) -> usize {
    window(frame).map_or(MAX_WINDOW, |window| window.min(MAX_WINDOW))
}

fn window(frame: &[u8]) -> Option<usize> {
    let (magic, rest) = frame.split_first_chunk::<4>()?;
    if matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18]) {
        return Some(0); // it is stepped over
    }
    let (descriptor, rest) = rest.split_first()?;
    if descriptor & SINGLE_SEGMENT == 0 {
        let window = rest.first()?;
        let base = 1_usize.checked_shl(10 + u32::from(window >> 3))?;
        return base.checked_add(base / 8 * usize::from(window & 7));
    }
    // All of the content is the window.
    let of_dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let len = 1_usize << (descriptor >> 6);
    let mut content = [0; 8];
    let read = rest.get(*of_dictionary..)?.get(..len)?;
    content.get_mut(..len)?.copy_from_slice(read);
    let content = u64::from_le_bytes(content);
    let content = if len == 2 { content.checked_add(256)? } else { content };
    usize::try_from(content).ok()
}

const CORRUPT: InflateError = InflateError::Corrupt { encoding: Encoding::Zstd.name() };

/// Says in the beginning of a frame that its content is the window.
const SINGLE_SEGMENT: u8 = 1 << 5;

/// The widest window, in bytes.
const MAX_WINDOW: usize = 1 << WINDOW_LOG_MAX;

/// What there is around a window, in bytes: tables, and two blocks.
const AROUND: usize = Inflating::OWN + (256 << 10);

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(body: &[u8], size: usize) -> Result<(Vec<u8>, bool), InflateError> {
        let (mut inflating, mut content) = (Inflating::new()?, Vec::new());
        for mut chunk in body.chunks(size) {
            loop {
                let asked = inflating.memory_for(chunk);
                let (used, part) = inflating.next(chunk)?;
                assert!(inflating.memory() <= asked, "{} of {asked}", inflating.memory());
                assert!(part.len() <= Inflating::MAX_PART);
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

    /// A frame with a window of `2^log` bytes, and so much content in blocks of one byte each.
    fn wide(log: u8, len: usize) -> Vec<u8> {
        let block = len.min(128 << 10);
        let head = [&b"\x28\xb5\x2f\xfd\x00"[..], &[(log - 10) << 3]].concat();
        let repeated = u32::try_from(block).unwrap() << 3 | 2;
        let repeated = [&repeated.to_le_bytes()[..3], b"x"].concat();
        [head, repeated.repeat(len.div_ceil(block)), b"\x01\0\0".to_vec()].concat()
    }

    #[test]
    fn st_21_what_a_frame_takes_is_known_before_it_is_taken() {
        for (log, len) in [(10, 100), (17, 1 << 20), (23, 100), (23, 9 << 20)] {
            let frame = wide(log, len);
            for size in [1, 3, 6, frame.len()] {
                let (content, is_whole) = undone(&frame, size).unwrap();
                assert!(content.iter().all(|byte| *byte == b'x') && content.len() >= len);
                assert!(is_whole);
            }
            let (mut inflating, window) = (Inflating::new().unwrap(), 1 << log);
            assert!(inflating.memory() <= Inflating::OWN, "{}", inflating.memory());
            let asked = inflating.memory_for(&frame);
            assert!((window..=window + AROUND).contains(&asked), "{log} {asked}");
            inflating.next(&frame).unwrap();
            assert!(inflating.memory() <= asked);
            assert!(log < 23 || inflating.memory() >= window, "it is held while it is there");
            assert!(Inflating::memory_of(&frame, usize::MAX) <= asked);
            assert!(Inflating::memory_of(&frame, 1000) <= AROUND + 1000);
        }
        let both = [wide(10, 1), wide(23, 1)].concat();
        assert_eq!(Inflating::memory_of(&both, usize::MAX), AROUND + MAX_WINDOW, "of the widest");
        assert_eq!(undone(&both, both.len()).unwrap().0, b"xx");
    }

    #[test]
    fn windows_of_frames() {
        let small = zstd::bulk::compress(&[b'a'; 1000], 1).unwrap();
        let table: [(&[u8], Option<usize>); 8] = [
            (b"", None),
            (b"\x28\xb5\x2f\xfd", None),
            (b"\x28\xb5\x2f\xfd\x00", None),
            (b"\x28\xb5\x2f\xfd\x00\x00", Some(1024)),
            (b"\x28\xb5\x2f\xfd\x00\x6f", Some((8 << 20) + (7 << 20))),
            (b"\x28\xb5\x2f\xfd\x20\x07", Some(7)),
            (b"\x5a\x2a\x4d\x18", Some(0)),
            (&small, Some(1000)),
        ];
        for (frame, want) in table {
            assert_eq!(window(frame), want, "{frame:x?}");
        }
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
