//! What holds for every stream.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::reference::cut_slowly;
use super::*;

const FRAMINGS: [Framing; 5] =
    [Framing::Auto, Framing::Octet, Framing::Lf, Framing::Nul, Framing::None];

/// What a caller must keep beyond the longest message: a number, its surroundings and one byte.
const SLACK: usize = 64;

/// Bytes that framing looks at, and a few that it does not.
fn byte() -> impl Strategy<Value = u8> {
    select(b"0123456789 <>{\n\r\0+x-\"a\xef\xbb\xbf".to_vec())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "<[0-9]{1,3}>[a-z <0-9]{0,30}".prop_map(String::into_bytes),
        "<13>[a-z]{0,9}[\n\r][a-z]{0,9}".prop_map(String::into_bytes),
        "<13>[a-z]{0,5}[0-9]{1,2} <13>[a-z]{0,5}".prop_map(String::into_bytes),
        "[a-z0-9 ]{1,12}".prop_map(String::into_bytes),
    ]
}

/// A piece of a stream: frames of all kinds, right and wrong, and noise between them.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let counted = |body: Vec<u8>, wrong: i64, behind: &str| {
        let len = (body.len() as i64 + wrong).max(0);
        [len.to_string().as_bytes(), b" ", &body, behind.as_bytes()].concat()
    };
    let delimiter = || select(vec!["\n", "\0", "\r\n", "\n\0", ""]);
    prop_oneof![
        4 => body().prop_map(move |body| counted(body, 0, "")),
        2 => (body(), delimiter()).prop_map(move |(body, behind)| counted(body, 0, behind)),
        2 => (body(), -9_i64..9, delimiter())
            .prop_map(move |(body, wrong, behind)| counted(body, wrong, behind)),
        4 => (body(), delimiter()).prop_map(|(body, behind)| [&body, behind.as_bytes()].concat()),
        1 => select(vec![
            "007 <13>a", "+5 <13>b", "-1 <c", "0x10 <d", "0 ", "12 monkeys\n", "2026-11-20 12\n", "12foo\n",
            "12345678901 <13>", "9999999999", "18446744073709551616 <13>a\n", " ", " <13>a\n", " 5 <13>a",
            "1111111111111111111111111 <13>a",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(byte(), 0..12),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(piece(), 0..10).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(byte(), 0..80),
    ]
}

/// Some JSON, some of it damaged.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ",",
        ":",
        "\n",
        "\r\n",
        " ",
        "1",
        "a",
        "{\"a\":1}",
        "[{},\n{}]",
        "{\"a\":\"}\\\"\"}",
        "\u{feff}",
        "\0",
        "true\n",
        "{\"a\":\"b\n",
        "{\"a\":1,\"b\":{\"c\":[1,2,3]}}\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

/// `stream` in reads that end at `cuts`.
fn reads<'s>(stream: &'s [u8], cuts: &[Index]) -> Vec<&'s [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    let mut from = 0;
    ends.into_iter().map(|end| &stream[std::mem::replace(&mut from, end)..end]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..8)
}

proptest! {
    #[test]
    fn splits_do_not_matter(stream in stream(), cuts in cuts(), max in 1_usize..40) {
        for framing in FRAMINGS {
            let new = || Frames::new(framing, max);
            let (whole, _) = run(new(), [&stream[..]]);
            prop_assert_eq!(&run(new(), reads(&stream, &cuts)).0, &whole, "{:?}", framing);
            prop_assert_eq!(&run(new(), stream.chunks(1)).0, &whole, "{:?}, singly", framing);
        }
    }

    #[test]
    fn fr_11_mixed_framings_as_the_reference_has_them(
        stream in stream(), cuts in cuts(), max in 1_usize..40,
    ) {
        for framing in FRAMINGS {
            let (got, _) = run(Frames::new(framing, max), reads(&stream, &cuts));
            prop_assert_eq!(got, cut_slowly(framing, max, &stream), "{:?}", framing);
        }
    }

    #[test]
    fn memory_is_bounded(stream in stream(), step in 1_usize..9, max in 1_usize..40) {
        for framing in FRAMINGS {
            let (_, peak) = run(Frames::new(framing, max), stream.chunks(step));
            prop_assert!(peak <= max + SLACK, "{:?}: {}", framing, peak);
        }
    }

    #[test]
    fn what_fits_round_trips(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..36), 0..8), cuts in cuts(),
    ) {
        let want: Vec<Cut> = bodies.iter().map(|body| ([b"<13>", &body[..], b"."].concat(), None)).collect();
        let framed = |framing: Framing, want: &[Cut]| -> Vec<u8> {
            want.iter().flat_map(|(message, _)| match framing {
                Framing::Octet | Framing::Auto => [message.len().to_string().as_bytes(), b" ", message].concat(),
                Framing::Nul => [message, &b"\0"[..]].concat(),
                Framing::Lf | Framing::None => [message, &b"\n"[..]].concat(),
            }).collect()
        };
        for framing in FRAMINGS {
            let delimiter = match framing {
                Framing::Octet | Framing::Auto => None,
                Framing::Nul => Some(0),
                Framing::Lf | Framing::None => Some(b'\n'),
            };
            let mut want = want.clone();
            want.retain(|(message, _)| delimiter.is_none_or(|byte| !message.contains(&byte)));
            let stream = framed(framing, &want);
            let (got, _) = run(Frames::new(framing, 41), reads(&stream, &cuts));
            prop_assert_eq!(got, Outcome { messages: want, errors: FrameErrors::default() }, "{:?}", framing);
        }
    }

    #[test]
    fn json_splits_do_not_matter(stream in json(), cuts in cuts(), max in 1_usize..40) {
        let (whole, _) = run(JsonValues::new(max), [&stream[..]]);
        prop_assert_eq!(&run(JsonValues::new(max), reads(&stream, &cuts)).0, &whole);
        prop_assert_eq!(&run(JsonValues::new(max), stream.chunks(1)).0, &whole);
    }

    #[test]
    fn json_memory_is_bounded(stream in json(), step in 1_usize..9, max in 1_usize..40) {
        let (_, peak) = run(JsonValues::new(max), stream.chunks(step));
        prop_assert!(peak <= max + SLACK, "{}", peak);
    }

    #[test]
    fn json_nothing_but_white_space_is_lost(stream in json()) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(['\u{feff}', '\0', ' ', '\r', '\n'], "");
        let (got, _) = run(JsonValues::new(1000), [&stream[..]]);
        let kept: Vec<u8> = got.messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        prop_assert_eq!(text(&kept), text(&stream));
    }

    #[test]
    fn json_what_fits_round_trips(
        values in prop::collection::vec((value(), select(vec!["", "\n", "\r\n", "  ", "\n\n"])), 0..8), cuts in cuts(),
    ) {
        let stream: String = values.iter().map(|(value, space)| format!("{value}{space}")).collect();
        let (got, _) = run(JsonValues::new(4096), reads(stream.as_bytes(), &cuts));
        let messages = values.iter().map(|(value, _)| (value.as_bytes().to_vec(), None)).collect();
        prop_assert_eq!(got, Outcome { messages, errors: FrameErrors::default() });
    }
}

/// The text of a JSON object or array, on one line or several.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-z\"{}\\[\\]\\\\]{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    (prop::collection::vec(nested, 0..3), any::<bool>()).prop_map(|(values, pretty)| {
        if pretty { serde_json::to_string_pretty(&values) } else { serde_json::to_string(&values) }
            .unwrap()
    })
}
