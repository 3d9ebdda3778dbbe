//! Chunks by the table, at random, and by those who mean harm.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;
use crate::frame::InflateError;

const NOW: Duration = Duration::from_secs(100);

fn chunk(id: u64, number: u8, count: u8, part: &[u8]) -> Vec<u8> {
    [&[0x1e, 0x0f][..], &id.to_be_bytes(), &[number, count], part].concat()
}

fn part() -> Chunk<'static> {
    Chunk::Part
}

#[test]
fn ud_07_chunks_are_put_together_once_in_whatever_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        let mut chunks = Chunks::default();
        let text = [&b"one "[..], b"", b"three"];
        let mut got = Vec::new();
        for number in order {
            let datagram = chunk(7, number, 3, text[usize::from(number)]);
            got.push(match chunks.take('a', &datagram, NOW) {
                Chunk::Last(message) => String::from_utf8(message).unwrap(),
                other => format!("{other:?}"),
            });
            // The same again, with other text: the first counts.
            let again = chunk(7, number, 3, b"other");
            if got.len() < 3 {
                assert_eq!(chunks.take('a', &again, NOW), part());
            }
        }
        assert_eq!(got, ["Part", "Part", "one three"]);
        assert_eq!((chunks.pending(), chunks.held(), chunks.given_up()), (0, 0, (0, 0)));
    }
}

#[test]
fn ud_07_headers_that_are_wrong_are_refused_and_others_go_on() {
    let mut chunks = Chunks::default();
    assert_eq!(chunks.take('a', &chunk(1, 0, 2, b"good "), NOW), part());
    #[rustfmt::skip]
    let table: &[(&[u8], &str)] = &[
        (&chunk(2, 0, 129, b"x"),   "expected 1 to 128 GELF chunks, but found another count"),
        (&chunk(2, 0, 0, b"x"),     "expected 1 to 128 GELF chunks, but found another count"),
        (&chunk(2, 2, 2, b"x"),     "expected a GELF chunk within its count, but found one behind it"),
        (&chunk(2, 255, 128, b"x"), "expected a GELF chunk within its count, but found one behind it"),
        (&chunk(2, 0, 2, b"x")[..11], "expected a GELF chunk, but found a part of its header"),
        (&[0x1e, 0x0f],             "expected a GELF chunk, but found a part of its header"),
        (&chunk(1, 1, 3, b"x"),     "expected the count of the GELF chunks before, but found another"),
    ];
    for (datagram, what) in table {
        assert_eq!(chunks.take('a', datagram, NOW), Chunk::Bad { what });
    }
    assert_eq!(chunks.pending(), 1);
    assert_eq!(chunks.take('a', &chunk(1, 1, 2, b"text"), NOW), Chunk::Last(b"good text".into()));
    // A message by itself, and one that is its own only chunk.
    assert_eq!(chunks.take('a', b"{}", NOW), Chunk::Whole(b"{}"));
    assert_eq!(chunks.take('a', b"", NOW), Chunk::Whole(b""));
    assert_eq!(chunks.take('a', &chunk(3, 0, 1, b"{}"), NOW), Chunk::Whole(b"{}"));
    for count in [2, 128] {
        for number in 0..count - 1 {
            assert_eq!(chunks.take('b', &chunk(9, number, count, b"12"), NOW), part());
        }
        let whole = b"12".repeat(usize::from(count));
        let last = chunk(9, count - 1, count, b"12");
        assert_eq!(chunks.take('b', &last, NOW), Chunk::Last(whole));
    }
}

#[test]
fn ud_06_a_million_messages_of_one_chunk_each_are_bounded() {
    let mut chunks = Chunks::default();
    let part = vec![b'x'; 8192];
    assert_eq!(chunks.take(0, &chunk(0, 0, 2, b"of another"), NOW), Chunk::Part);
    let mut most = (0, 0);
    for id in 0..1_000_000_u64 {
        let datagram = chunk(id, 0, 128, if id % 1000 == 0 { &part } else { b"x" });
        // One sender, so that a message of another outlives the flood.
        assert_eq!(chunks.take(1, &datagram, NOW), Chunk::Part);
        most = (most.0.max(chunks.pending()), most.1.max(chunks.held()));
    }
    assert_eq!(most.0, MAX_PENDING_OF_ONE + 1);
    assert!(most.1 <= MAX_PENDING_BYTES);
    assert!(chunks.order.len() <= 2 * MAX_PENDING);
    let given_up = chunks.given_up();
    assert_eq!(given_up.0, 1_000_000 - MAX_PENDING_OF_ONE as u64);
    let last = chunk(0, 1, 2, b" sender");
    assert_eq!(chunks.take(0, &last, NOW), Chunk::Last(b"of another sender".into()));
    // Of many senders, and in bytes.
    let mut chunks = Chunks::default();
    for peer in 0..20_000_u32 {
        chunks.take(peer, &chunk(1, 0, 128, &part), NOW);
        assert!(chunks.pending() <= MAX_PENDING && chunks.held() <= MAX_PENDING_BYTES);
    }
    assert!(chunks.counts.len() <= MAX_PENDING);
    chunks.expire(NOW + VALIDITY + Duration::from_millis(1));
    assert_eq!((chunks.pending(), chunks.held(), chunks.counts.len()), (0, 0, 0));
    assert_eq!(chunks.given_up(), (20_000, 20_000 * 8192));
}

#[test]
fn ud_06_nobody_completes_the_message_of_another() {
    let mut chunks = Chunks::default();
    chunks.take('a', &chunk(1, 0, 2, b"mine "), NOW);
    chunks.take('b', &chunk(1, 1, 2, b"forged"), NOW);
    assert_eq!(chunks.take('a', &chunk(1, 1, 2, b"too"), NOW), Chunk::Last(b"mine too".into()));
    assert_eq!(chunks.pending(), 1);
}

#[test]
fn ud_06_what_is_not_complete_in_time_is_given_up_and_counted() {
    let mut chunks = Chunks::default();
    let later = |millis| NOW + Duration::from_millis(millis);
    chunks.take('a', &chunk(1, 0, 2, b"late"), NOW);
    chunks.take('a', &chunk(2, 0, 2, b"in "), later(1));
    chunks.expire(later(5000));
    assert_eq!(chunks.pending(), 2);
    assert_eq!(
        chunks.take('a', &chunk(2, 1, 2, b"time"), later(5001)),
        Chunk::Last(b"in time".into())
    );
    assert_eq!(chunks.given_up(), (1, 4));
    // The rest of one that was given up begins another.
    assert_eq!(chunks.take('a', &chunk(1, 1, 2, b"rest"), later(5001)), part());
    // An id that is used again counts from its own first chunk.
    chunks.take('a', &chunk(3, 0, 2, b"x"), later(6000));
    chunks.take('a', &chunk(3, 1, 2, b"y"), later(6000));
    chunks.take('a', &chunk(3, 0, 2, b"x"), later(9000));
    chunks.expire(later(12_000));
    assert_eq!((chunks.pending(), chunks.given_up()), (1, (1, 4)));
}

#[test]
fn ud_08_a_bomb_is_inflated_up_to_the_limit() {
    let zeros = vec![0; 8 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&zeros).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&zeros).unwrap();
    for bomb in [gzip.finish().unwrap(), zlib.finish().unwrap()] {
        assert!(bomb.len() < 65_507, "it fits in one datagram");
        let refused = gelf_payload(&bomb, 256 << 10);
        assert_eq!(refused, Err(InflateError::TooLarge { max: 256 << 10 }));
        // The same in 128 chunks.
        let mut chunks = Chunks::default();
        let mut parts: Vec<_> = bomb.chunks(bomb.len().div_ceil(128)).collect();
        parts.resize(128, b"");
        let mut whole = None;
        for (number, part) in (0..).zip(parts) {
            if let Chunk::Last(message) = chunks.take(1, &chunk(1, number, 128, part), NOW) {
                whole = Some(message);
            }
        }
        assert_eq!(whole.as_ref(), Some(&bomb));
    }
}

#[test]
fn payloads_are_told_by_their_first_bytes() {
    let text = br#"{"short_message":"m"}"#;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    assert_eq!(gelf_payload(&gzip.finish().unwrap(), 100).unwrap(), &text[..]);
    for level in [0, 1, 6, 9] {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(level));
        zlib.write_all(text).unwrap();
        assert_eq!(gelf_payload(&zlib.finish().unwrap(), 100).unwrap(), &text[..], "{level}");
    }
    for plain in [&text[..], b"", b"x", b"\x78", b"\x78\x9d", b"  {}"] {
        assert_eq!(gelf_payload(plain, 0).unwrap(), plain);
    }
    assert_eq!(gelf_payload(&[0x1f, 0x8b, 8], 9), Err(InflateError::Truncated));
}

proptest! {
    /// Whatever order and whoever sends in between, a message comes out as it went in, once.
    #[test]
    fn what_is_cut_is_put_together_again(
        messages in prop::collection::vec((0_u8..3, prop::collection::vec(any::<u8>(), 0..50), 2_u8..20), 1..6),
        seed in any::<u64>(),
    ) {
        let mut datagrams = Vec::new();
        for (id, (peer, message, count)) in (0..).zip(&messages) {
            let len = message.len().div_ceil(usize::from(*count)).max(1);
            let mut parts: Vec<_> = message.chunks(len).collect();
            parts.resize(usize::from(*count), b"");
            for (number, part) in (0..).zip(parts) {
                datagrams.push((*peer, chunk(id, number, *count, part)));
            }
        }
        let mut state = seed | 1;
        for at in (1..datagrams.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            datagrams.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        let mut chunks = Chunks::default();
        let mut got: Vec<_> = datagrams
            .iter()
            .filter_map(|(peer, datagram)| match chunks.take(*peer, datagram, NOW) {
                Chunk::Last(message) => Some((*peer, message)),
                _ => None,
            })
            .collect();
        let mut want: Vec<_> =
            messages.into_iter().map(|(peer, message, _)| (peer, message)).collect();
        got.sort();
        want.sort();
        prop_assert_eq!(got, want);
        prop_assert_eq!((chunks.pending(), chunks.held()), (0, 0));
    }
}
