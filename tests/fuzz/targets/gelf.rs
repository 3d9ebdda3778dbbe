//! Chunks of GELF in any order and of anyone: bounded, and each message once.
//!
//! Input: datagrams, each behind the byte of its length and a byte that says whose it is and how
//! much time has passed.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::event::Event;
use logtrace_fuzz::frame::{
    Chunk, Chunks, MAX_PENDING, MAX_PENDING_BYTES, MAX_PENDING_OF_ONE, gelf_payload,
};
use logtrace_fuzz::parse::{Context, flatten, json};
use logtrace_fuzz::time::Timestamp;

fuzz_target!(|data: &[u8]| {
    let mut chunks = Chunks::default();
    let (mut rest, mut now, mut sent, mut got) = (data, Duration::ZERO, 0, 0);
    while let [len, whose, after @ ..] = rest {
        let (datagram, behind) = after.split_at(usize::from(*len).min(after.len()));
        rest = behind;
        now += Duration::from_millis(u64::from(whose >> 3) * 100);
        sent += datagram.len();
        match chunks.take(whose & 7, datagram, now) {
            Chunk::Whole(message) => read(message),
            Chunk::Last(message) => {
                got += message.len();
                read(&message);
            }
            Chunk::Part | Chunk::Bad { .. } => {}
        }
        assert!(got <= sent, "nothing comes out twice");
        assert!(chunks.pending() <= MAX_PENDING.min(8 * MAX_PENDING_OF_ONE));
        assert!(chunks.held() <= MAX_PENDING_BYTES);
    }
    chunks.expire(Duration::MAX);
    assert_eq!((chunks.pending(), chunks.held()), (0, 0));
});

fn read(message: &[u8]) {
    let Ok(payload) = gelf_payload(message, MAX_LEN) else { return };
    let cx = Context {
        received_at: Timestamp::from_micros(1_781_524_800_000_000),
        zone_offset: 0,
        keep_original: false,
    };
    let mut events = 0;
    let result = json::gelf(&payload, &cx, &mut Event::default(), &mut |event| {
        events += 1;
        assert!(!serde_json::Value::Object(flatten(event, &cx)).to_string().is_empty());
    });
    assert!(result.is_ok() || events == 1, "what does not parse is one event");
}

const MAX_LEN: usize = 4096;
