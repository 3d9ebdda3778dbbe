//! A stream, in reads of any size, has the same messages and errors as in one.
//!
//! Input: framing, limit, a seed for the sizes of the reads; then the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::frame::{Encoding, Frames, Framing, JsonValues, Step, datagram, inflate};

/// What came out: messages with their lengths where they were cut, and the number of errors.
type Outcome = (Vec<(Vec<u8>, Option<u64>)>, u64);

fuzz_target!(|data: &[u8]| {
    let [kind, limit, seed, stream @ ..] = data else { return };
    let max_len = 1 + usize::from(*limit);
    let whole = [stream.len()];
    let mut sizes = vec![1 + usize::from(seed % 7), 1 + usize::from(seed / 7 % 11), 1];
    sizes.rotate_left(usize::from(seed % 3));
    let framings = [Framing::Auto, Framing::Octet, Framing::Lf, Framing::Nul, Framing::None];
    if let Some(framing) = framings.get(usize::from(kind % 8)) {
        let new = || Frames::new(*framing, max_len);
        assert_eq!(frames(new(), stream, &whole, max_len), frames(new(), stream, &sizes, max_len));
    } else if kind % 8 == 7 {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            if let Ok(body) = inflate(encoding, stream, max_len) {
                assert!(body.len() <= max_len);
            }
        }
        let (message, original_len) = datagram(stream, max_len);
        assert!(message.len() <= max_len);
        assert!(original_len.is_none_or(|len| len > max_len as u64 && len <= stream.len() as u64));
    } else {
        let new = || JsonValues::new(max_len);
        assert_eq!(values(new(), stream, &whole, max_len), values(new(), stream, &sizes, max_len));
    }
});

fn frames(mut decoder: Frames, stream: &[u8], sizes: &[usize], max_len: usize) -> Outcome {
    let mut read = Reads::new(stream, sizes, max_len);
    while read.more() {
        read.take(|buf, eof| decoder.next(buf, eof).into());
        assert!(read.buf.len() + decoder.held() <= max_len + SLACK + read.last);
    }
    (read.messages, decoder.errors().total())
}

fn values(mut decoder: JsonValues, stream: &[u8], sizes: &[usize], max_len: usize) -> Outcome {
    let mut read = Reads::new(stream, sizes, max_len);
    while read.more() {
        read.take(|buf, eof| decoder.next(buf, eof).into());
        assert!(read.buf.len() + decoder.held() <= max_len + SLACK + read.last);
    }
    (read.messages, decoder.errors().total())
}

/// A stream that is read in pieces, as a socket is.
struct Reads<'a> {
    rest: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
    buf: Vec<u8>,
    /// How much came with the last read.
    last: usize,
    is_done: bool,
    max_len: usize,
    messages: Vec<(Vec<u8>, Option<u64>)>,
}

impl<'a> Reads<'a> {
    fn new(rest: &'a [u8], sizes: &'a [usize], max_len: usize) -> Self {
        let sizes = sizes.iter().cycle();
        Self { rest, sizes, buf: Vec::new(), last: 0, is_done: false, max_len, messages: vec![] }
    }

    /// Reads on; false once the end has been seen.
    fn more(&mut self) -> bool {
        let size = self.sizes.next().copied().unwrap_or(1).min(self.rest.len());
        let (head, rest) = self.rest.split_at(size);
        self.buf.extend_from_slice(head);
        (self.rest, self.last) = (rest, size);
        !std::mem::replace(&mut self.is_done, self.rest.is_empty())
    }

    /// Takes every message that is whole.
    fn take(&mut self, mut next: impl FnMut(&[u8], bool) -> Taken) {
        loop {
            let taken = next(&self.buf, self.is_done);
            self.buf.drain(..taken.consumed);
            let Some((message, original_len)) = taken.message else { return };
            assert!(message.len() <= self.max_len);
            assert!(original_len.is_none_or(|len| len > self.max_len as u64));
            self.messages.push((message, original_len));
        }
    }
}

/// A step that owns what it found.
struct Taken {
    consumed: usize,
    message: Option<(Vec<u8>, Option<u64>)>,
}

impl From<Step<'_>> for Taken {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::More { consumed } => Self { consumed, message: None },
            Step::Message { bytes, consumed, original_len } => {
                Self { consumed, message: Some((bytes.to_vec(), original_len)) }
            }
        }
    }
}

/// What may be kept beyond the longest message: a count and what surrounds it.
const SLACK: usize = 64;
