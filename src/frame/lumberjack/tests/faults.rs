//! What senders do wrong, and what becomes of it.

use super::*;

/// Events may be so long here.
const MAX: usize = 30;

fn concat(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

#[test]
fn windows_are_answered_once_they_are_full() {
    let two = concat(&[w(2), j(1, "{}"), j(2, "[]")]);
    let table = [
        (two.clone(), "{} [] v2=2"),
        (concat(&[w(2), c(&[j(1, "{}"), j(2, "[]")].concat())]), "{} [] v2=2"),
        (c(&two), "{} [] v2=2"),
        (concat(&[w(2), c(&j(1, "{}")), c(&j(2, "[]"))]), "{} [] v2=2"),
        (concat(&[two.clone(), two]), "{} [] {} [] v2=2 v2=2"),
        (
            concat(&[frame(b'1', b'W', 1), d(7, &[("line", "x")])]),
            r"\x00\x00\x00\x01\x00\x00\x00\x04line\x00\x00\x00\x01x v1=7",
        ),
        // The answer has the version of the window, whatever that of its events.
        (concat(&[frame(b'1', b'W', 1), j(7, "{}")]), "{} v1=7"),
        (
            concat(&[w(1), d(7, &[("", "")])]),
            r"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00 v2=7",
        ),
        // One announced once holds until another is.
        (concat(&[w(2), j(1, "a"), j(2, "b"), j(3, "c"), j(4, "d")]), "a b c d v2=2 v2=4"),
        (concat(&[j(5, "a"), j(6, "b")]), "a b v2=5 v2=6"),
    ];
    for (stream, want) in table {
        assert_eq!(show(MAX, &stream), want);
    }
}

#[test]
fn events_that_are_too_long_are_cut() {
    let (long, head) = ("x".repeat(31), "x".repeat(30));
    let want = format!("{head}+31 a v2=2");
    let events = [j(1, &long), j(2, "a")].concat();
    assert_eq!(show(MAX, &concat(&[w(2), events.clone()])), want);
    assert_eq!(show(MAX, &concat(&[w(2), c(&events)])), want);
    assert_eq!(show(MAX, &j(1, &head)), format!("{head} v2=1"));
    // Of version 1: its number of pairs and their lengths count.
    let pairs = |value: &str| concat(&[w(1), d(1, &[("line", value), ("a", "b")])]);
    assert!(show(MAX, &pairs("1234")).ends_with(r"b v2=1"));
    for value in ["12345", &"x".repeat(3000)] {
        let shown = show(MAX, &pairs(value));
        let len = 4 + 8 + 4 + value.len() + 10;
        assert!(shown.ends_with(&format!("+{len} v2=1")), "{shown}");
        let (outcome, _) = run(MAX, [&c(&pairs(value))[..]]);
        assert_eq!(outcome.messages, run(MAX, [&pairs(value)[..]]).0.messages);
    }
}

#[test]
fn lb_01_windows_of_none_too_many_or_never_filled() {
    let table = [
        (w(0), "v2=0"),
        (concat(&[w(0), w(0), w(1), j(1, "a"), frame(b'1', b'W', 0)]), "a v2=0 v2=0 v2=1 v1=0"),
        (
            w(u32::MAX),
            "!beats.window: expected a window of at most 65536 events, but found one of \
             4294967295",
        ),
        (
            w(65_537),
            "!beats.window: expected a window of at most 65536 events, but found one of 65537",
        ),
        (w(65_536), ""),
        // At the end of the stream what came is answered.
        (concat(&[w(3), j(1, "a"), j(2, "b")]), "a b v2=2"),
        (concat(&[w(3), j(1, "a"), j(2, "b")[..9].to_vec()]), "a v2=1"),
        // A new window before the old one is full.
        (concat(&[w(3), j(1, "a"), j(2, "b"), w(1), j(1, "c")]), "a b c v2=2 v2=1"),
        (concat(&[w(3), w(1), j(1, "c")]), "c v2=1"),
    ];
    for (stream, want) in table {
        assert_eq!(show(MAX, &stream), want);
    }
    let none = w(0).repeat(40_000);
    let (outcome, _) = run(MAX, [&c(&none)[..]]);
    assert!(outcome.answers.len() < 200_000);
    let found = "beats.window: expected events in windows, but found 32768 windows without one";
    assert_eq!(outcome.broken.as_deref(), Some(found));
}

#[test]
fn lb_01_a_window_of_too_many_bytes() {
    let event = j(1, vec![b'x'; 1 << 24]);
    let mut decoder = Lumberjack::new(1000);
    assert_eq!(decoder.next(&w(100), false), Step::More { consumed: 6 });
    let mut came = 0;
    while let Step::Message { bytes, .. } = decoder.next(&event, false) {
        assert_eq!(bytes.len(), 1000);
        came += 1;
    }
    assert_eq!(came, 64);
    assert_eq!(decoder.broken().unwrap().code, "beats.window");
}

#[test]
fn lb_02_lengths_that_cannot_be() {
    let event = |len: u32| [frame(b'2', b'J', 1), len.to_be_bytes().to_vec()].concat();
    let pairs = |count: u32| [frame(b'1', b'D', 1), count.to_be_bytes().to_vec()].concat();
    let first = |len: u32| [pairs(1), len.to_be_bytes().to_vec()].concat();
    let table = [
        (event(0), "beats.event: expected an event of 1 to 16777216 bytes, but found one of 0"),
        (
            event(u32::MAX),
            "beats.event: expected an event of 1 to 16777216 bytes, but found one of 4294967295",
        ),
        (
            event(1 << 31),
            "beats.event: expected an event of 1 to 16777216 bytes, but found one of 2147483648",
        ),
        (pairs(0), "beats.event: expected 1 to 1024 pairs in an event, but found 0"),
        (
            pairs(u32::MAX),
            "beats.event: expected 1 to 1024 pairs in an event, but found 4294967295",
        ),
        (pairs(1025), "beats.event: expected 1 to 1024 pairs in an event, but found 1025"),
        (
            first(u32::MAX),
            "beats.event: expected an event of 1 to 16777216 bytes, but found one of 4294967295",
        ),
        (
            frame(b'2', b'C', 0),
            "beats.compressed: expected a compressed frame of 1 to 67108864 bytes, but found one of 0",
        ),
        (
            frame(b'2', b'C', u32::MAX),
            "beats.compressed: expected a compressed frame of 1 to 67108864 bytes, but found one of \
             4294967295",
        ),
    ];
    for (frame, want) in table {
        let stream = [w(2), j(1, "a"), frame].concat();
        // What came before is kept, but its window is not answered.
        assert_eq!(show(MAX, &stream), format!("a !{want}"));
        let (_, peak) = run(MAX, stream.chunks(1));
        assert!(peak < 100, "{peak}");
    }
    // Each pair is short enough, but not all of them together.
    let value = "x".repeat(1 << 20);
    let all = vec![("a", &*value); 17];
    let (outcome, peak) = run(1000, d(1, &all).chunks(1 << 16));
    assert_eq!(outcome.messages, []);
    assert!(outcome.broken.unwrap().starts_with("beats.event: expected an event of 1 to"));
    assert!(peak < 1 << 17, "{peak}");
}

#[test]
fn lb_03_compressed_frames_that_are_none() {
    let inner = [w(2), j(1, "{}")].concat();
    let whole = zlib(&inner);
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let table = [
        (
            c(&c(&j(1, "a"))),
            "!beats.compressed: expected no compressed frame within another, but found one",
        ),
        (
            packed(&whole[..whole.len() - 1]),
            "{} !beats.compressed: expected the rest of a compressed frame, but found its end",
        ),
        (
            packed(&[&whole[..], b"xy"].concat()),
            "{} !beats.compressed: expected the end of a compressed frame, but found 2 bytes \
             behind it",
        ),
        (
            c(&[&inner[..], &j(2, "cut")[..11]].concat()),
            "{} !beats.compressed: expected whole frames in a compressed one, but found a part",
        ),
        (
            c(&[&inner[..], &j(2, "x".repeat(40))[..45]].concat()),
            "{} !beats.compressed: expected whole frames in a compressed one, but found a part",
        ),
        (
            packed(b"no such thing"),
            "!beats.compressed: expected a frame compressed as RFC 1950 has it, but found \
             something else",
        ),
        (c(b""), ""),
        (c(b"x"), "!beats.frame: expected version 1 or 2 of a lumberjack frame, but found `x`"),
    ];
    for (stream, want) in table {
        assert_eq!(show(MAX, &stream), want);
    }
    let (outcome, _) = run(MAX, [&packed(&damaged)[..]]);
    assert_eq!(outcome.answers, b"", "the checksum of a frame is looked at before it is answered");
    assert!(outcome.broken.unwrap().contains("expected a frame compressed as RFC 1950"));
}

#[test]
fn lb_03_bombs_stop_early_and_hold_little() {
    let mut zeros = ZlibEncoder::new(Vec::new(), Compression::best());
    zeros.write_all(&j(1, vec![b'0'; 12 << 20])).unwrap();
    let zeros = zeros.finish().unwrap();
    let (outcome, peak) = run(1000, packed(&zeros).chunks(1000));
    let want = "beats.compressed: expected to inflate a frame by 256 at most, but found more";
    assert_eq!((outcome.messages.len(), outcome.broken.as_deref()), (0, Some(want)));
    assert!(peak < 128 << 10, "{peak}");
    // Within the ratio, and held piece by piece.
    let mut random = 1_u64;
    let mut noise = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b'a' + u8::try_from((random >> 33) % 16).unwrap()
    };
    let text: Vec<u8> = (0..100_000).map(|_| noise()).collect();
    let events: Vec<u8> = (0..100).flat_map(|sequence| j(sequence, &text)).collect();
    let (outcome, peak) = run(200_000, packed(&zlib(&events)).chunks(10_000));
    assert_eq!((outcome.messages.len(), outcome.broken), (100, None));
    assert!(peak < 400_000, "{peak}");
}

#[test]
fn lb_03_nothing_is_inflated_before_there_is_room_for_it() {
    let stream = c(&[j(1, "a".repeat(300_000)), j(2, "b")].concat());
    let mut decoder = Lumberjack::new(1 << 20);
    let granted = granted(&mut decoder, &stream, 2, 0);
    assert!(granted >= 300_000, "{granted}");
}

#[test]
fn lb_04_what_is_not_lumberjack() {
    let table = [
        ("GET / HTTP/1.1\r\n\r\n", "expected version 1 or 2 of a lumberjack frame, but found `G`"),
        ("<13>1 - - - - - -\n", "expected version 1 or 2 of a lumberjack frame, but found `<`"),
        ("\x16\x03\x01", "expected version 1 or 2 of a lumberjack frame, but found byte 0x16"),
        ("3W\0\0\0\x01", "expected version 1 or 2 of a lumberjack frame, but found `3`"),
        ("2X\0\0\0\x01", "expected a lumberjack frame of type W, J, D or C, but found `X`"),
        ("2A\0\0\0\x01", "expected a lumberjack frame of type W, J, D or C, but found `A`"),
        ("13 <13>x", "expected a lumberjack frame of type W, J, D or C, but found `3`"),
    ];
    for (stream, want) in table {
        assert_eq!(show(MAX, stream.as_bytes()), format!("!beats.frame: {want}"));
        // Behind events: they are kept, and nothing of their window is answered.
        let behind = [&w(2)[..], &j(1, "a"), stream.as_bytes(), &j(2, "b")].concat();
        assert_eq!(show(MAX, &behind), format!("a !beats.frame: {want}"));
    }
}

#[test]
fn lb_05_the_answer_is_the_highest_number_of_the_window_once() {
    let window = |numbers: &[u32]| {
        let events = numbers.iter().flat_map(|number| j(*number, "a"));
        w(number(numbers.len())).into_iter().chain(events).collect::<Vec<u8>>()
    };
    let table: [(&[&[u32]], &str); 7] = [
        (&[&[1, 2], &[1, 2]], "v2=2 v2=2"),
        (&[&[1, 2], &[3, 4], &[5]], "v2=2 v2=4 v2=5"),
        (&[&[0, 1], &[0]], "v2=1 v2=0"),
        (&[&[3, 2, 1]], "v2=3"),
        (&[&[9, 9, 9]], "v2=9"),
        (&[&[9], &[3]], "v2=9 v2=3"),
        (&[&[u32::MAX]], "v2=4294967295"),
    ];
    for (windows, want) in table {
        let stream: Vec<u8> = windows.iter().flat_map(|numbers| window(numbers)).collect();
        let shown = show(MAX, &stream);
        assert_eq!(shown.trim_start_matches("a "), want);
    }
}

#[test]
fn who_waits_is_told_so_in_its_own_version() {
    let mut decoder = Lumberjack::new(MAX);
    assert_eq!(decoder.keep_alive(), Some(&b"2A\0\0\0\0"[..]));
    assert_eq!(decoder.next(&frame(b'1', b'W', 1), false), Step::More { consumed: 6 });
    assert_eq!(decoder.keep_alive(), Some(&b"1A\0\0\0\0"[..]));
}
