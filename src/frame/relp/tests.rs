//! Whole sessions: what comes out of them, and what is said to them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::frame::tests::dialogue::{Heard, hear};

/// What came of a stream, with messages of up to `max_len` bytes; and the most that was kept.
fn run<'r>(max_len: usize, reads: impl IntoIterator<Item = &'r [u8]>) -> (Heard, usize) {
    hear(Relp::new(max_len), reads)
}

const OPEN: &str = "1 open 30 relp_version=0\ncommands=syslog\n";
const OFFERS: &str = "relp_version=0\ncommands=syslog";

/// `messages -> answers after that to OPEN, errors, why it broke`, with messages of up to 30 bytes.
/// It checks on its way that splits do not matter.
fn show(stream: &str) -> String {
    let stream = stream.as_bytes();
    let (outcome, _) = run(30, [stream]);
    for step in 1..5 {
        assert_eq!(run(30, stream.chunks(step)).0, outcome, "reads of {step}");
    }
    let messages = outcome.messages.iter().map(|(bytes, original_len)| {
        let cut = original_len.map(|len| format!("+{len}")).unwrap_or_default();
        format!("{}{cut}", bytes.escape_ascii())
    });
    let mut line = messages.collect::<Vec<_>>().join("|");
    let answers = String::from_utf8(outcome.answers).unwrap();
    let offers = concat!(
        "200 OK\nrelp_version=0\nrelp_software=logtrace,",
        env!("CARGO_PKG_VERSION"),
        "\ncommands=syslog\n"
    );
    let opened = format!("1 rsp {} {offers}\n", offers.len());
    let answers = answers.replace(&opened, "").replace("rsp 6 200 OK", "ok");
    line.push_str(" -> ");
    line.push_str(&answers.trim_end().replace('\n', ", "));
    for (reason, count) in outcome.errors.iter().filter(|(_, count)| *count > 0) {
        line.push_str(&format!(" !{reason}={count}"));
    }
    if let Some(broken) = outcome.broken {
        let (_, why) = broken.split_once(": ").unwrap();
        line.push_str(&format!(" !{why}"));
    }
    line
}

/// [`show`] of what follows a good `open`.
fn opened(stream: &str) -> String {
    show(&format!("{OPEN}{stream}"))
}

#[test]
fn a_session_of_librelp() {
    let stream = "1 open 86 relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\n\
                  commands=syslog\n2 syslog 11 <13>via one\n3 syslog 12 <13>via two\n\n4 close 0\n";
    let want = "<13>via one|<13>via two -> 2 ok, 3 ok, 4 rsp 0, 0 serverclose 0";
    assert_eq!(show(stream), want);
}

#[test]
fn what_is_a_message() {
    let long = "x".repeat(31);
    #[rustfmt::skip]
    let table = [
        // after an open                                  messages and answers
        ("2 syslog 0\n3 syslog 3 abc\n",                  "abc -> 2 ok, 3 ok"),
        ("2 syslog 0 \n3 syslog 3 abc\n",                 "abc -> 2 ok, 3 ok"),
        ("2 syslog 2 \r\n\n",                             " -> 2 ok"),
        ("2 syslog 11 two\nlines\r\n\n3 close 0\n",       "two\\nlines -> 2 ok, 3 rsp 0, 0 serverclose 0"),
        ("2 syslog 5 \0a\0b\0\n",                         "\\x00a\\x00b -> 2 ok"),
        ("0 hint 0\n2 syslog 1 a\n0 other 3 abc\n",       "a -> 2 ok"),
        ("2 close 3 bye\n3 syslog 1 a\n",                 " -> 2 rsp 0, 0 serverclose 0"),
        // Cut short: it had no answer, and comes again.
        ("2 syslog 1 a\n3 syslog 9 <13>",                 "a -> 2 ok !truncated_tail=1"),
        ("2 syslog 1 a\n3 sys",                           "a -> 2 ok !truncated_tail=1"),
        ("2 syslog 1 a",                                  " ->  !truncated_tail=1"),
    ];
    for (stream, want) in table {
        assert_eq!(opened(stream), want, "{}", stream.escape_debug());
    }
    let kept = "x".repeat(30);
    let cut = format!("2 syslog 31 {long}\n3 syslog 1 a\n");
    assert_eq!(opened(&cut), format!("{kept}+31|a -> 2 ok, 3 ok !too_long=1"));
    let fits = format!("2 syslog 32 {kept}\r\n\n3 syslog 1 a\n");
    assert_eq!(opened(&fits), format!("{kept}|a -> 2 ok, 3 ok"));
    let blank = format!("2 syslog 40 {}\n3 syslog 1 a\n", "\n".repeat(40));
    assert_eq!(opened(&blank), "a -> 2 ok, 3 ok");
    let broken = format!("2 syslog 99 {long}");
    assert_eq!(opened(&broken), " ->  !truncated_tail=1");
}

#[test]
fn rp_01_a_number_out_of_order_ends_the_session() {
    let end = "0 serverclose 0";
    #[rustfmt::skip]
    let table = [
        // repeated, skipped, backwards
        ("2 syslog 1 a\n2 syslog 1 b\n", format!("a -> 2 ok, {end} !expected the number after 2, but found 2")),
        ("2 syslog 1 a\n4 syslog 1 b\n", format!("a -> 2 ok, {end} !expected the number after 2, but found 4")),
        ("2 syslog 1 a\n1 syslog 1 b\n", format!("a -> 2 ok, {end} !expected the number after 2, but found 1")),
        ("1 syslog 1 a\n2 syslog 1 b\n", format!(" -> {end} !expected the number after 1, but found 1")),
        // 0 is for hints, which are never answered
        ("0 syslog 1 a\n2 syslog 1 b\n", format!(" -> {end} !expected the number after 1, but found 0")),
        ("0 syslogs 1 a\n2 syslog 1 b\n", "b -> 2 ok".to_owned()),
        // nothing behind the end counts
        ("3 syslog 1 a\n2 syslog 1 b\n", format!(" -> {end} !expected the number after 1, but found 3")),
    ];
    for (stream, want) in table {
        assert_eq!(opened(stream), want, "{stream}");
    }
}

#[test]
fn rp_01_numbers_wrap() {
    let open = format!("999999998 open 30 {OFFERS}\n");
    let shown = show(&format!("{open}999999999 syslog 1 a\n1 syslog 1 b\n2 syslog 1 c\n"));
    assert!(shown.starts_with("a|b|c -> 999999998 rsp "), "{shown}");
    assert!(shown.ends_with("999999999 ok, 1 ok, 2 ok"), "{shown}");
    let shown = show(&format!("{open}999999999 syslog 1 a\n1000000000 syslog 1 c\n"));
    assert!(
        shown.contains("!expected a number of 1 to 9 digits, but found a longer one"),
        "{shown}"
    );
}

#[test]
fn rp_01_nothing_is_acknowledged_twice() {
    let mut decoder = Relp::new(30);
    let stream = format!("{OPEN}2 syslog 1 a\n3 syslog 1 b\n");
    let mut rest = stream.as_bytes();
    let mut said = Vec::new();
    while let Step::Message { consumed, .. } = decoder.next(rest, false) {
        rest = &rest[consumed..];
        let mut answers = Vec::new();
        decoder.answers(&mut answers);
        said.push(answers);
        decoder.answers(&mut said[0]);
    }
    assert!(said[0].ends_with(b"\n2 rsp 6 200 OK\n"));
    assert_eq!(said[1..], [b"3 rsp 6 200 OK\n".to_vec()]);
}

#[test]
fn rp_02_frames_that_are_none_end_the_session() {
    let end = "-> 0 serverclose 0 !expected";
    #[rustfmt::skip]
    let table = [
        ("2 syslog 1234567890 a\n",     format!(" {end} a length of 1 to 9 digits, but found a longer one")),
        // the data is more, and less, than its length
        ("2 syslog 1 ab\n",             format!(" {end} a line feed behind the data, but found another byte")),
        ("2 syslog 4 a\n3 syslog 1 b\n", format!(" {end} a line feed behind the data, but found another byte")),
        ("2 syslog 0 a\n",              format!(" {end} a line feed behind the data, but found another byte")),
        ("2 syslog 0a\n",               format!(" {end} a blank behind the length, but found another byte")),
        ("2 syslog 1 a3 syslog 1 b\n",  format!(" {end} a line feed behind the data, but found another byte")),
        ("<13>Nov 20 12:00:00 h a: b\n", format!(" {end} a number of 1 to 9 digits, but found none")),
    ];
    for (stream, want) in table {
        assert_eq!(opened(stream), want, "{stream}");
    }
    let long = format!("2 syslog 31 {}3 syslog 1 b\n", "x".repeat(31));
    let want = format!(" {end} a line feed behind the data, but found another byte");
    assert_eq!(opened(&long), want);
}

#[test]
fn rp_03_what_is_refused() {
    let letters = "a".repeat(33);
    let is_not = "!expected open, syslog or close, but found";
    #[rustfmt::skip]
    let table = [
        ("1 syslog 1 a\n".to_owned(),
         " -> 1 rsp 39 500 protocol error: connection not open, 0 serverclose 0 !expected open as the first command, but found another".to_owned()),
        (format!("{OPEN}2 open 30 {OFFERS}\n"),
         " -> 2 rsp 43 500 protocol error: connection already open, 0 serverclose 0 !expected one open, but found a second".to_owned()),
        (format!("{OPEN}2 eventlog 1 a\n"),
         format!(" -> 2 rsp 25 500 command not supported, 0 serverclose 0 {is_not} another command")),
        (format!("{OPEN}2 rsp 6 200 OK\n"),
         format!(" -> 2 rsp 25 500 command not supported, 0 serverclose 0 {is_not} another command")),
        (format!("{OPEN}2 {letters} 1 a\n"),
         " -> 0 serverclose 0 !expected a command of 1 to 32 letters, but found a longer one".to_owned()),
        ("1 open 14 relp_version=0\n".to_owned(),
         " -> 1 rsp 44 500 required command not supported by client, 0 serverclose 0 !expected syslog among the commands offered, but found none".to_owned()),
        ("1 open 15 commands=syslog\n".to_owned(),
         " -> 0 serverclose 0 !expected relp_version among the offers, but found none".to_owned()),
        ("1 open 0\n".to_owned(),
         " -> 0 serverclose 0 !expected relp_version among the offers, but found none".to_owned()),
    ];
    for (stream, want) in table {
        assert_eq!(show(&stream), want, "{}", stream.escape_debug());
    }
}

#[test]
fn rp_03_offers_of_a_megabyte() {
    let stream = format!("1 open 1000000 {}", "x".repeat(1_000_000));
    let (outcome, peak) = run(256 << 10, stream.as_bytes().chunks(4096));
    assert_eq!(outcome.answers, b"1 rsp 19 500 offers too long\n0 serverclose 0\n");
    assert!(peak < 100, "{peak}");
    assert!(outcome.broken.is_some());
}

#[test]
fn rp_04_unanswered_frames_take_no_memory() {
    let mut decoder = Relp::new(30);
    let frames: String = (2..100_002).map(|n| format!("{n} syslog 1 a\n")).collect();
    let stream = format!("{OPEN}{frames}");
    let mut rest = stream.as_bytes();
    while let Step::Message { consumed, .. } = decoder.next(rest, false) {
        rest = &rest[consumed..];
    }
    assert_eq!(decoder.held(), 0);
    let mut answers = Vec::new();
    decoder.answers(&mut answers);
    let answers = String::from_utf8(answers).unwrap();
    let want: String = (2..100_002).map(|n| format!("{n} rsp 6 200 OK\n")).collect();
    assert!(answers.ends_with(&want));
}

/// A frame, right or wrong. `number` is what it should have.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let data = prop::collection::vec(select(b"a <1\n\r\0".to_vec()), 0..50);
    let wrong = prop_oneof![20 => Just(0_i64), 1 => -3_i64..3];
    (data, wrong, select(vec!["syslog", "syslog", "syslog", "syslog", "hint", "close", "open"]))
        .prop_map(|(data, wrong, command)| {
            let len = (data.len() as i64 + wrong).max(0);
            let blank: &[u8] = if data.is_empty() { b"" } else { b" " };
            [command.as_bytes(), b" ", len.to_string().as_bytes(), blank, &data, b"\n"].concat()
        })
}

/// A stream, numbered from 1 on but for a few.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let skips = prop_oneof![30 => Just(1_u32), 1 => 0_u32..3];
    let frames = prop::collection::vec((frame(), skips), 0..12);
    let noise = prop::collection::vec(select(b"0123 opensylg\n".to_vec()), 0..80);
    prop_oneof![
        6 => frames.prop_map(|frames| {
            let mut stream = OPEN.as_bytes().to_vec();
            let mut number = 1;
            for (frame, skip) in frames {
                number += skip;
                stream.extend_from_slice(format!("{number} ").as_bytes());
                stream.extend_from_slice(&frame);
            }
            stream
        }),
        1 => noise,
    ]
}

proptest! {
    #[test]
    fn splits_do_not_matter(
        stream in stream(), cuts in prop::collection::vec(any::<Index>(), 0..8), max in 1_usize..60,
    ) {
        let whole = run(max, [&stream[..]]).0;
        prop_assert_eq!(&run(max, stream.chunks(1)).0, &whole);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.push(stream.len());
        ends.sort_unstable();
        let mut from = 0;
        let reads = ends.into_iter().map(|end| &stream[std::mem::replace(&mut from, end)..end]);
        prop_assert_eq!(&run(max, reads).0, &whole);
    }

    #[test]
    fn memory_is_bounded(stream in stream(), step in 1_usize..9, max in 1_usize..60) {
        let (_, peak) = run(max, stream.chunks(step));
        // What else there may be: a header; and the data of other commands is up to 50 bytes here.
        prop_assert!(peak <= max.max(50) + 64, "{}", peak);
    }

    #[test]
    fn what_fits_round_trips_and_is_answered_in_order(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..36), 0..8),
        first in prop_oneof![Just(1_u32), 999_999_990_u32..=999_999_999],
    ) {
        let mut number = first;
        let mut next = || {
            let this = number;
            number = if number == 999_999_999 { 1 } else { number + 1 };
            this
        };
        let mut stream = format!("{} open 30 {OFFERS}\n", next()).into_bytes();
        let mut want = (Vec::new(), String::new());
        for body in bodies {
            let body = [&b"<13>"[..], &body, b"."].concat();
            let number = next();
            stream.extend_from_slice(format!("{number} syslog {} ", body.len()).as_bytes());
            stream.extend_from_slice(&body);
            stream.push(b'\n');
            want.0.push((body, None));
            want.1.push_str(&format!("{number} rsp 6 200 OK\n"));
        }
        let (got, _) = run(41, stream.chunks(7));
        prop_assert_eq!(got.messages, want.0);
        prop_assert_eq!(got.broken, None);
        let answers = String::from_utf8(got.answers).unwrap();
        prop_assert_eq!(answers.split_once("\n\n").map(|(_, rest)| rest), Some(&*want.1));
    }
}
