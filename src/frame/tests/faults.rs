//! The rows of the fault list that are about framing.

use super::*;

const COUNTED: &[u8] = b"8 <13>one\n8 <13>two\n7 <13>six8 <14>four";

#[test]
fn fr_01_splits_do_not_matter() {
    let stream = b"8 <13>one\n7 <13>two<13>three\r\n<13>four\n9 <13>fi\nve";
    let want = run(Frames::new(Framing::Auto, 30), [&stream[..]]).0;
    assert_eq!(want.messages.len(), 5);
    for cut in 0..=stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(run(Frames::new(Framing::Auto, 30), [a, b]).0, want, "cut at {cut}");
    }
    assert_eq!(run(Frames::new(Framing::Auto, 30), stream.chunks(1)).0, want);
}

#[test]
fn fr_02_what_is_no_count_is_text() {
    #[rustfmt::skip]
    let table: &[(&str, &str, &str)] = &[
        // the stream               auto                             octet
        ("007 <13>a\n8 <13>bcd\n",  "007 <13>a|<13>bcd",             "007 <13>a|<13>bcd !bad_count=1"),
        ("+5 <13>a\n8 <13>bcd\n",   "+5 <13>a|<13>bcd",              "+5 <13>a|<13>bcd !bad_count=1"),
        ("-1 <13>a\n8 <13>bcd\n",   "-1 <13>a|<13>bcd",              "-1 <13>a|<13>bcd !bad_count=1"),
        ("0x10 <13>a\n8 <13>bcd\n", "0x10 <13>a|<13>bcd",            "0x10 <13>a|<13>bcd !bad_count=1"),
        ("0 <13>a\n8 <13>bcd\n",    "0 <13>a|<13>bcd !bad_count=1",  "0 <13>a|<13>bcd !bad_count=1"),
        ("0 ",                      "0  !bad_count=1",               "0  !bad_count=1"),
        // Nor behind a counted message, where the next one must be counted too.
        ("5 <13>a007 <13>a\n",      "<13>a|007 <13>a !resync=1",     "<13>a|007 <13>a !resync=1"),
        ("5 <13>a+5 <13>a\n",       "<13>a|+5 <13>a !resync=1",      "<13>a|+5 <13>a !resync=1"),
        ("5 <13>a0x10 <13>a\n",     "<13>a|0x10 <13>a !resync=1",    "<13>a|0x10 <13>a !resync=1"),
    ];
    for (stream, auto, octet) in table {
        assert_eq!(frames(Framing::Auto, stream.as_bytes()), *auto, "{stream}");
        assert_eq!(frames(Framing::Octet, stream.as_bytes()), *octet, "{stream}");
    }
}

#[test]
fn fr_03_counts_beyond_any_message() {
    let body = "a".repeat(40);
    let kept = "a".repeat(26);
    for framing in [Framing::Auto, Framing::Octet] {
        let cut = frames(framing, format!("44 <13>{body}7 <13>two").as_bytes());
        assert_eq!(cut, format!("<13>{kept}+44|<13>two !too_long=1"));
        for count in ["2147483648", "4294967296", "9999999999"] {
            let cut = frames(framing, format!("{count} <13>{body}7 <13>two").as_bytes());
            assert_eq!(cut, format!("<13>{kept}+53 !truncated_tail=1 !too_long=1"));
        }
        for count in ["9223372036854775808", "18446744073709551616", "99999999999999999999"] {
            let text = frames(framing, format!("{count} <13>a7 <13>two").as_bytes());
            assert_eq!(text, format!("{count} <13>a|<13>two !bad_count=1"));
        }
    }
}

#[test]
fn fr_03_nothing_is_allocated_for_what_was_announced() {
    let mut decoder = Frames::new(Framing::Auto, 256 * 1024);
    assert!(matches!(decoder.next(b"9999999999 <13>a", false), Step::More { consumed: 16 }));
    assert!(decoder.held() < 100);
}

#[test]
fn fr_03_no_frame_begins_in_what_is_dropped() {
    let stream = b"48 <13>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n9 <13>evil\n\n7 <13>two";
    assert_eq!(
        frames(Framing::Auto, stream),
        "<13>aaaaaaaaaaaaaaaaaaaaaaaaaa+47|<13>two !too_long=1"
    );
}

#[test]
fn fr_04_digits_for_ever() {
    let digits = "1".repeat(1000);
    let text = format!("{}+1000 !bad_count=1 !too_long=1", head(&digits, 30));
    assert_eq!(frames(Framing::Auto, digits.as_bytes()), text);
    assert_eq!(frames(Framing::Octet, digits.as_bytes()), text);
    assert_eq!(frames(Framing::Octet, b"12foo bar\n8 <13>four"), "12foo bar|<13>four !bad_count=1");
    let (_, peak) = run(Frames::new(Framing::Octet, 30), digits.as_bytes().chunks(1));
    assert!(peak <= 30 + 64);
}

#[test]
fn fr_05_count_too_high() {
    // The first takes the front of the second with it; the third is whole again.
    let stream = b"12 <13>one7 <13>two9 <13>three7 <13>six";
    for framing in [Framing::Auto, Framing::Octet] {
        assert_eq!(frames(framing, stream), "<13>one7 <13|>two|<13>three|<13>six !resync=1");
    }
}

#[test]
fn fr_06_count_too_low() {
    for framing in [Framing::Auto, Framing::Octet] {
        #[rustfmt::skip]
        let table: &[(&str, &str)] = &[
            ("5 <13>hello7 <13>two",          "<13>h|ello|<13>two !resync=1"),
            ("5 <13>hello\n7 <13>two",        "<13>h|ello|<13>two !resync=1"),
            ("5 <13>hello 7 <13>two",         "<13>h|ello |<13>two !resync=1"),
            ("5 <13>hello",                   "<13>h|ello !resync=1"),
            ("5 <13>h 7 <13>two",             "<13>h|<13>two"),
            ("5 <13>hello 7 <b> 7 <13>two",   "<13>h|ello 7 <b> |<13>two !resync=1"),
            // Glued digits: 9997 is longer than any message, 97 as well.
            ("5 <13>hello 9997 <13>two",      "<13>h|ello 999|<13>two !resync=1"),
        ];
        for (stream, want) in table {
            assert_eq!(frames(framing, stream.as_bytes()), *want, "{framing:?} {stream}");
        }
    }
}

#[test]
fn fr_06_resync_in_a_text_too_long() {
    let text = "e".repeat(100);
    let stream = format!("5 <13>h{text}7 <13>two");
    let want = format!("<13>h|{}+100|<13>two !resync=1 !too_long=1", head(&text, 30));
    assert_eq!(frames(Framing::Octet, stream.as_bytes()), want);
}

#[test]
fn fr_07_delimiters_in_a_counted_message() {
    let stream = b"13 <13>a\nb\r\nc\0de<13>x\n";
    assert_eq!(frames(Framing::Auto, stream), "<13>a\\nb\\r\\nc\\x00de|<13>x");
}

#[test]
fn fr_08_line_ends_in_and_between_counted_messages() {
    let want = "<13>one|<13>two|<13>six|<14>four";
    assert_eq!(frames(Framing::Auto, COUNTED), want);
    assert_eq!(frames(Framing::Octet, COUNTED), want);
    for between in ["\n", "\r\n", "\0", "\n\n\0", " ", "\n "] {
        let stream = format!("7 <13>one{between}7 <13>two");
        assert_eq!(frames(Framing::Auto, stream.as_bytes()), "<13>one|<13>two", "{between:?}");
        assert_eq!(frames(Framing::Octet, stream.as_bytes()), "<13>one|<13>two", "{between:?}");
    }
    assert_eq!(frames(Framing::Auto, b"2 \r\n<13>x\n"), "2 |<13>x");
    assert_eq!(frames(Framing::Octet, b"2 \r\n5 <13>x"), "<13>x");
}

#[test]
fn fr_09_text_that_begins_with_a_number() {
    let lines = ["12 monkeys escaped", "2026-11-20 10:00:00 x", "12foo bar", "20261120101010 host"];
    for line in lines {
        let stream = format!("{line}\n<13>a\n{line}\n");
        assert_eq!(frames(Framing::Auto, stream.as_bytes()), format!("{line}|<13>a|{line}"));
        let behind_counted = format!("5 <13>a\n{line}\n5 <13>b");
        assert_eq!(frames(Framing::Auto, behind_counted.as_bytes()), format!("<13>a|{line}|<13>b"));
    }
}

#[test]
fn fr_10_delimiters() {
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        ("<11>a\0<11>b\0",              "<11>a|<11>b"),
        ("<11>a\0<11>b\nc\0<11>d\0",    "<11>a|<11>b\\nc|<11>d"),
        ("<11>a\0<11>b\n<11>c\r\n<11>d\0", "<11>a|<11>b|<11>c|<11>d"),
        ("<11>a\0<11>b\n5 <11>c<11>d\0",  "<11>a|<11>b|<11>c|<11>d"),
        ("<11>a\n<11>b\0<11>c\r\n",     "<11>a|<11>b|<11>c"),
        ("5 <11>a<11>b\0<11>c\nd\0",    "<11>a|<11>b|<11>c\\nd"),
        ("<11>a\0<11>b\n",              "<11>a|<11>b"),
        ("\0\0<11>a\n<11>b\n",          "<11>a|<11>b"),
    ];
    for (stream, want) in table {
        assert_eq!(frames(Framing::Auto, stream.as_bytes()), *want, "{stream:?}");
    }
    assert_eq!(frames(Framing::Lf, b"<11>a\0b\n<11>c"), "<11>a\\x00b|<11>c");
    assert_eq!(frames(Framing::Nul, b"<11>a\n<11>b\0<11>c"), "<11>a\\n<11>b|<11>c");
}

#[test]
fn fr_12_lines_too_long() {
    let line = |len: usize| "x".repeat(len);
    for framing in [Framing::Auto, Framing::Lf] {
        let stream = format!("{}\n{}\r\n{}\n<1>a\n", line(30), line(31), line(50));
        let kept = line(30);
        let want = format!("{kept}|{kept}+31|{kept}+50|<1>a !too_long=2");
        assert_eq!(frames(framing, stream.as_bytes()), want);
    }
}

#[test]
fn fr_13_no_delimiter_ever() {
    let mut decoder = Frames::new(Framing::Auto, 4096);
    let (chunk, mut buf) = ([b'w'; 1000], Vec::new());
    for _ in 0..2000 {
        buf.extend_from_slice(&chunk);
        drain(&mut decoder, &mut buf, false, &mut Vec::new());
        assert!(buf.len() + decoder.held() <= 4096 + 64);
    }
    let mut messages = Vec::new();
    drain(&mut decoder, &mut buf, true, &mut messages);
    assert_eq!(messages, [(vec![b'w'; 4096], Some(2_000_000))]);
    assert!(matches!(decoder.next(b"", true), Step::More { consumed: 0 }));
    assert_eq!(decoder.held(), 0);
}

#[test]
fn fr_14_tails() {
    assert_eq!(frames(Framing::Auto, b"<13>a\n<13>b"), "<13>a|<13>b");
    assert_eq!(frames(Framing::Auto, b"7 <13>a"), "<13>a !truncated_tail=1");
    assert_eq!(frames(Framing::Octet, b"5 <13>a7"), "<13>a !truncated_tail=1");
    assert_eq!(frames(Framing::Auto, b"5 <13>a7 "), "<13>a !truncated_tail=1");
    assert_eq!(frames(Framing::Auto, b"12"), "12");
}

#[test]
fn fr_21_a_start_of_a_message_within_another() {
    for inner in ["<13>", "<13>x", "7 <13>two", "\u{feff}<13>"] {
        let message = format!("<13>a {inner} b");
        let lines = format!("{message}\n{message}\n");
        let want = format!("{message}|{message}").as_bytes().escape_ascii().to_string();
        assert_eq!(frames(Framing::Auto, lines.as_bytes()), want);
        let counted = format!("{} {message}", message.len()).repeat(2);
        assert_eq!(frames(Framing::Auto, counted.as_bytes()), want);
        assert_eq!(frames(Framing::Octet, counted.as_bytes()), want);
    }
}

#[test]
fn lines_as_they_are() {
    assert_eq!(frames(Framing::None, b"a\r\n\n\0b\nc"), "a\\r||\\x00b|c");
}

#[test]
fn blank_before_a_frame() {
    assert_eq!(frames(Framing::Auto, b"<166>a\n <166>b\n  c\n"), "<166>a|<166>b|  c");
    assert_eq!(frames(Framing::Lf, b" <166>a\n"), " <166>a");
}
