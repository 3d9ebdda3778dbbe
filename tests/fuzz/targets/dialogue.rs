//! Protocols that answer: a stream in reads of any size has the same messages and answers as in
//! one, and what is kept meanwhile is bounded.
//!
//! Input: protocol, limit, size of the reads; then the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::frame::{Dialogue, Fluent, Relp, Step};

fuzz_target!(|data: &[u8]| {
    let [kind, limit, size, stream @ ..] = data else { return };
    let max_len = 1 + usize::from(*limit);
    let size = 1 + usize::from(*size % 32);
    let run = |reads: usize| match kind % 2 {
        0 => outcome(&mut Relp::new(max_len), stream, reads, max_len, RELP_SLACK),
        _ => outcome(&mut Fluent::new(max_len), stream, reads, max_len, FLUENT_SLACK),
    };
    let (whole, pieces) = (run(stream.len().max(1)), run(size));
    // How much of damaged gzip comes out before the damage shows depends on how it came.
    let is_damaged = |outcome: &Outcome| outcome.broken == Some("fluent.gzip");
    if is_damaged(&whole) || is_damaged(&pieces) {
        assert!(whole.broken.is_some() && pieces.broken.is_some());
    } else {
        assert_eq!(whole, pieces);
    }
});

/// What came of a stream.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    messages: Vec<(Vec<u8>, Option<u64>)>,
    answers: Vec<u8>,
    broken: Option<&'static str>,
    errors: u64,
}

fn outcome(
    decoder: &mut dyn Dialogue,
    stream: &[u8],
    size: usize,
    max_len: usize,
    slack: usize,
) -> Outcome {
    let mut found = Outcome::default();
    let mut buf = Vec::new();
    for read in stream.chunks(size).map(Some).chain([None]) {
        buf.extend_from_slice(read.unwrap_or_default());
        let mut at = 0;
        loop {
            match decoder.next(buf.get(at..).unwrap_or_default(), read.is_none()) {
                Step::Message { bytes, consumed, original_len } => {
                    assert!(bytes.len() <= max_len);
                    assert!(original_len.is_none_or(|len| len > max_len as u64));
                    found.messages.push((bytes.to_vec(), original_len));
                    at += consumed;
                }
                Step::More { consumed } => {
                    at += consumed;
                    if decoder.wants() == 0 {
                        buf.drain(..at);
                        break;
                    }
                    decoder.grant();
                }
            }
        }
        assert!(buf.len() + decoder.held() <= max_len + slack + size);
        decoder.answers(&mut found.answers);
    }
    assert!(buf.is_empty());
    found.broken = decoder.broken().map(|error| error.code);
    found.errors = decoder.errors().total();
    found
}

/// What may be kept beyond the longest message: offers, and a header.
const RELP_SLACK: usize = (16 << 10) + 64;

/// Likewise an option or a tag, and a piece of what was packed.
const FLUENT_SLACK: usize = (16 << 10) + (64 << 10) + 64;
