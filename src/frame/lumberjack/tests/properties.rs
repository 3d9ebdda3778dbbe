//! What holds for every stream.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What a caller and the decoder keep beyond the longest event: a header, and a piece of what was
/// inflated, with the room that is made for the next.
const SLACK: usize = 160 << 10;

/// A frame, right or wrong, that is not compressed.
fn plain() -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-z{}\":]{1,60}";
    prop_oneof![
        8 => (0_u32..9, text).prop_map(|(sequence, text)| j(sequence, text)),
        4 => (0_u32..9, prop::collection::vec(("[a-z]{0,4}", "[a-z]{0,20}"), 1..4)).prop_map(
            |(sequence, pairs)| {
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
                d(sequence, &pairs)
            }
        ),
        4 => (0_u32..5).prop_map(w),
        1 => select(vec![frame(b'1', b'W', 1), frame(b'2', b'J', 3), w(70_000), b"2".to_vec(), b"GET".to_vec()]),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let frames = || prop::collection::vec(plain(), 0..6).prop_map(|frames| frames.concat());
    let piece = prop_oneof![
        4 => frames(),
        4 => frames().prop_map(|frames| c(&frames)),
        1 => frames().prop_map(|frames| c(&c(&frames))),
        1 => (frames(), any::<Index>(), any::<u8>()).prop_map(|(frames, at, to)| {
            let mut bytes = c(&frames);
            let at = at.index(bytes.len());
            bytes[at] = to;
            bytes
        }),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// `stream` in reads that end at `cuts`.
fn reads<'s>(stream: &'s [u8], cuts: &[Index]) -> Vec<&'s [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    let mut from = 0;
    ends.into_iter().map(|end| &stream[std::mem::replace(&mut from, end)..end]).collect()
}

proptest! {
    #[test]
    fn splits_do_not_matter(
        stream in stream(), cuts in prop::collection::vec(any::<Index>(), 0..8), max in 1_usize..70,
    ) {
        let (whole, _) = run(max, [&stream[..]]);
        prop_assert_eq!(&run(max, reads(&stream, &cuts)).0, &whole);
        prop_assert_eq!(&run(max, stream.chunks(1)).0, &whole);
    }

    #[test]
    fn memory_is_bounded(stream in stream(), step in 1_usize..9, max in 1_usize..70) {
        let (_, peak) = run(max, stream.chunks(step));
        prop_assert!(peak <= max + SLACK, "{}", peak);
    }

    #[test]
    fn what_fits_round_trips_and_every_window_is_answered_with_its_highest_number(
        windows in prop::collection::vec(
            (any::<bool>(), prop::collection::vec((any::<u32>(), "[^\0]{1,40}"), 1..9)), 0..6,
        ),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let (mut stream, mut want) = (Vec::new(), Heard::default());
        for (is_packed, events) in &windows {
            let frames: Vec<u8> = events.iter().flat_map(|(sequence, text)| j(*sequence, text)).collect();
            stream.extend(w(number(events.len())));
            stream.extend(if *is_packed { c(&frames) } else { frames });
            want.messages.extend(events.iter().map(|(_, text)| (text.as_bytes().to_vec(), None)));
            let highest = events.iter().map(|(sequence, _)| *sequence).max().unwrap();
            want.answers.extend(frame(b'2', b'A', highest));
        }
        prop_assert_eq!(run(200, reads(&stream, &cuts)).0, want);
    }
}
