//! A lumberjack stream, in reads of any size, has the same events, answers and end as in one, and
//! little of it is held.
//!
//! Input: limit, a seed for the sizes of the reads; then the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::frame::{Dialogue, Lumberjack, ProtocolError, Step};

/// What came out: events with their lengths where they were cut, answers, and why it ended.
type Outcome = (Vec<(Vec<u8>, Option<u64>)>, Vec<u8>, Option<ProtocolError>);

fuzz_target!(|data: &[u8]| {
    let [limit, seed, stream @ ..] = data else { return };
    let max_len = 1 + usize::from(*limit);
    let sizes = [1 + usize::from(seed % 7), 1 + usize::from(seed / 7 % 11), 1];
    assert_eq!(run(max_len, stream, &[stream.len().max(1)]), run(max_len, stream, &sizes));
});

fn run(max_len: usize, stream: &[u8], sizes: &[usize]) -> Outcome {
    let (mut decoder, mut buffer) = (Lumberjack::new(max_len), Vec::new());
    let (mut events, mut answers) = (Vec::new(), Vec::new());
    let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
    loop {
        let (read, after) = rest.split_at(sizes.next().map_or(1, |size| (*size).min(rest.len())));
        buffer.extend_from_slice(read);
        rest = after;
        let eof = rest.is_empty();
        let mut at = 0;
        loop {
            match decoder.next(&buffer[at..], eof) {
                Step::Message { bytes, consumed, original_len } => {
                    assert!(bytes.len() <= max_len);
                    assert!(original_len.is_none_or(|len| len > max_len as u64));
                    events.push((bytes.to_vec(), original_len));
                    at += consumed;
                }
                Step::More { consumed } => {
                    at += consumed;
                    if decoder.wants() == 0 {
                        buffer.drain(..at);
                        break;
                    }
                    decoder.grant();
                }
            }
        }
        decoder.answers(&mut answers);
        assert!(buffer.len() + decoder.held() <= max_len + read.len() + SLACK);
        if eof {
            assert!(buffer.is_empty());
            return (events, answers, decoder.broken());
        }
    }
}

/// What may be held beyond the longest event: headers, and a piece of what was inflated.
const SLACK: usize = 160 << 10;
