//! Whole messages, in all modes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::inflate::PIECE;
use super::*;
use crate::frame::tests::dialogue::{Heard, granted, hear};

/// What came of a stream, with messages of up to `max_len` bytes; and the most that was kept.
fn run<'r>(max_len: usize, reads: impl IntoIterator<Item = &'r [u8]>) -> (Heard, usize) {
    hear(Fluent::new(max_len), reads)
}

/// `messages -> answers !errors`, of messages of up to `max_len` bytes. It checks on its way that
/// splits do not matter.
fn show_up_to(max_len: usize, stream: &[u8]) -> String {
    let (outcome, _) = run(max_len, [stream]);
    for step in 1..5 {
        assert_eq!(run(max_len, stream.chunks(step)).0, outcome, "reads of {step}");
    }
    let messages = outcome.messages.iter().map(|(bytes, original_len)| {
        let cut = original_len.map(|len| format!("+{len}")).unwrap_or_default();
        format!("{}{cut}", String::from_utf8_lossy(bytes))
    });
    let mut line = messages.collect::<Vec<_>>().join("|");
    line.push_str(&format!(" -> {}", outcome.answers.escape_ascii()));
    for (reason, count) in outcome.errors.iter().filter(|(_, count)| *count > 0) {
        line.push_str(&format!(" !{reason}={count}"));
    }
    if let Some(broken) = outcome.broken {
        line.push_str(&format!(" !{broken}"));
    }
    line
}

fn show(stream: &[u8]) -> String {
    let tag = r#"{"fluent.tag":"t","@timestamp":"1970-01-01T00:00:0"#;
    show_up_to(100, stream).replace(tag, "{")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

/// `bytes` as a value of octets.
fn bin(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    [b"\xc6", &len.to_be_bytes()[..], bytes].concat()
}

/// Two entries, at the first and the second second of time.
const ENTRIES: &[u8] = b"\x92\x01\x81\xa1a\x01\x92\x02\x81\xa1a\x02";
const SHOWN: &str = r#"{1.000Z","a":1}|{2.000Z","a":2}"#;
const CHUNK: &[u8] = b"\x81\xa5chunk\xa2id";
const ACK: &str = r"\x81\xa3ack\xa2id";

#[test]
fn all_modes() {
    let packed = |mode: &[u8], body: &[u8], option: &[u8]| [mode, b"\xa1t", body, option].concat();
    let list = [&b"\x92"[..], ENTRIES].concat();
    #[rustfmt::skip]
    let table = [
        (packed(b"\x93", b"\x01\x81\xa1a\x01", b""),            r#"{1.000Z","a":1} -> "#.to_owned()),
        (packed(b"\x94", b"\x01\x81\xa1a\x01", CHUNK),          format!(r#"{{1.000Z","a":1}} -> {ACK}"#)),
        (packed(b"\x94", b"\x01\x81\xa1a\x01", b"\xc0"),        r#"{1.000Z","a":1} -> "#.to_owned()),
        (packed(b"\x92", &list, b""),                           format!("{SHOWN} -> ")),
        (packed(b"\x93", &list, CHUNK),                         format!("{SHOWN} -> {ACK}")),
        (packed(b"\x93", b"\xdc\x00\x01\xdc\x00\x02\x01\x80", CHUNK), format!(r#"{{1.000Z"}} -> {ACK}"#)),
        (packed(b"\x92", &bin(ENTRIES), b""),                   format!("{SHOWN} -> ")),
        (packed(b"\x93", &bin(ENTRIES), CHUNK),                 format!("{SHOWN} -> {ACK}")),
        (packed(b"\x93", &[b"\xac", ENTRIES].concat(), CHUNK),  format!("{SHOWN} -> {ACK}")),
        (packed(b"\x93", &bin(&gzip(ENTRIES)), CHUNK),          format!("{SHOWN} -> {ACK}")),
        (packed(b"\x92", &bin(&gzip(ENTRIES)), b""),            format!("{SHOWN} -> ")),
        // As Fluentd's buffers join what was added to them.
        (packed(b"\x93", &bin(&[gzip(&ENTRIES[..3]), gzip(b""), gzip(&ENTRIES[3..])].concat()), CHUNK),
                                                                format!("{SHOWN} -> {ACK}")),
        // Nothing in it, and acknowledged all the same.
        (packed(b"\x93", b"\x90", CHUNK),                       format!(" -> {ACK}")),
        (packed(b"\x93", &bin(b""), CHUNK),                     format!(" -> {ACK}")),
        (packed(b"\x93", &bin(&gzip(b"")), CHUNK),              format!(" -> {ACK}")),
        // A heartbeat.
        (b"\xc0\xc0".to_vec(),                                  " -> ".to_owned()),
    ];
    for (stream, want) in &table {
        assert_eq!(show(stream), *want, "{}", stream.escape_ascii());
        let twice = [&stream[..], stream].concat();
        assert_eq!(run(100, [&twice[..]]).0.broken, None, "{}", twice.escape_ascii());
        for len in 1..stream.len().saturating_sub(1) {
            // Cut short, it is not acknowledged.
            let (outcome, _) = run(100, [&stream[..len]]);
            assert_eq!((outcome.answers, outcome.broken), (Vec::new(), None), "{len}");
            let is_between = stream.starts_with(b"\xc0");
            assert_eq!(outcome.errors.truncated_tail, u64::from(!is_between), "{len}");
        }
    }
}

#[test]
fn what_is_no_message_ends_the_stream() {
    #[rustfmt::skip]
    let table: &[(&[u8], &str)] = &[
        (b"{\"a\":1}\n",                        " ->  !fluent.message: expected a list of 2 to 4 elements, but found something else"),
        (b"\x91\xa1t",                          " ->  !fluent.message: expected a list of 2 to 4 elements, but found something else"),
        (b"\xc1",                               " ->  !fluent.message: expected a list of 2 to 4 elements, but found something else"),
        (b"\x96\xa4PING",                       " ->  !fluent.handshake: expected a message, but found a handshake, and there is no shared_key"),
        (b"\x93\x05\x01\x80",                   " ->  !fluent.message: expected a tag of at most 4 KiB, but found something else"),
        (b"\x93\xda\x10\x01",                   " ->  !fluent.message: expected a tag of at most 4 KiB, but found something else"),
        (b"\x92\xa1t\x01",                      " ->  !fluent.message: expected entries, but found another value"),
        (b"\x92\xa1t\xc1",                      " ->  !fluent.message: expected entries, but found no value"),
        (b"\x92\xa1t\x91\x05",                  " ->  !fluent.entry: expected an entry of a time and a record, but found something else"),
        (b"\x92\xa1t\x91\x93\x01\x80\x80",      " ->  !fluent.entry: expected an entry of a time and a record, but found something else"),
        (b"\x92\xa1t\xa1\x92",                  " ->  !fluent.entry: expected whole entries, but found one that is cut short"),
        (b"\x93\xa1t\x01\xc1",                  " ->  !fluent.entry: expected a time and a record, but found neither"),
        (b"\x93\xa1t\x90\xc1",                  " ->  !fluent.option: expected an option of at most 16 KiB, but found something else"),
        (b"\x92\xa1t\xa4\x1f\x8b\0\0",          " ->  !fluent.gzip: expected gzip, but found no whole gzip"),
        // What came before it counts.
        (b"\x93\xa1t\x01\x80\xc1\x93",          "{1.000Z\"} ->  !fluent.message: expected a list of 2 to 4 elements, but found something else"),
    ];
    for (stream, want) in table {
        assert_eq!(show(stream), *want, "{}", stream.escape_ascii());
    }
}

#[test]
fn gzip_that_is_damaged_or_cut_ends_the_stream() {
    let message = |body: &[u8]| [b"\x92\xa1t", &bin(body)[..]].concat();
    let whole = gzip(ENTRIES);
    for len in 2..whole.len() {
        let broken = run(100, [&message(&whole[..len])[..]]).0.broken;
        assert!(broken.is_some_and(|why| why.starts_with("fluent.gzip: ")), "{len}");
    }
    let cut = run(100, [&message(&gzip(&ENTRIES[..9]))[..]]).0;
    assert_eq!(cut.messages.len(), 1);
    assert!(cut.broken.is_some_and(|why| why.starts_with("fluent.entry: ")));
}

#[test]
fn an_entry_too_long_is_cut_and_the_others_are_not() {
    let long = [b"\x92\x01\x81\xa1a\xda\x01\x00", &[b'x'; 256][..]].concat();
    let entries = [ENTRIES, &long, ENTRIES].concat();
    let kept = format!(r#"{{1.000Z","a":"{}"#, "x".repeat(100 - 63));
    let want = format!("{SHOWN}|{kept}+264|{SHOWN} -> {ACK} !too_long=1");
    for body in [bin(&entries), bin(&gzip(&entries)), [&b"\x95"[..], &entries].concat()] {
        let stream = [b"\x93\xa1t", &body[..], CHUNK].concat();
        assert_eq!(show(&stream), want);
    }
    let single = [b"\x94\xa1t", &long[1..], CHUNK].concat();
    assert_eq!(show(&single), format!("{kept}+263 -> {ACK} !too_long=1"));
}

#[test]
fn lengths_that_lie_take_no_memory() {
    #[rustfmt::skip]
    let table: &[&[u8]] = &[
        b"\x92\xa1t\xdd\xff\xff\xff\xff\x92\x01\x81\xa1a\xdb\xff\xff\xff\xff",
        b"\x92\xa1t\xc6\xff\xff\xff\xff\x92\x01\xdf\xff\xff\xff\xff",
        b"\x94\xa1t\x01\xdb\xff\xff\xff\xff",
        b"\x93\xa1t\x90\xdf\xff\xff\xff\xff",
        b"\x92\xdb\xff\xff\xff\xff",
    ];
    for front in table {
        let stream = [front, &[0x01; 100_000][..]].concat();
        let (outcome, peak) = run(1000, stream.chunks(512));
        assert!(peak <= (16 << 10) + 1024, "{peak}");
        assert_eq!(outcome.messages, [], "{}", front.escape_ascii());
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let piece = b"\x92\x01\x80".repeat(100_000);
    let entry = [b"\x92\x01\xdb\x7f\xff\xff\xff", &vec![b'x'; 1 << 20][..]].concat();
    // Many entries, and one that does not end.
    for content in [piece, entry] {
        let body = bin(&gzip(&content));
        let stream = [b"\x92\xa1t", &body[..]].concat();
        let (_, peak) = run(1000, stream.chunks(4096));
        assert!(peak <= 1000 + PIECE + (8 << 10), "{peak}");
    }
}

#[test]
fn nothing_is_inflated_before_there_is_room_for_it() {
    let long = [&b"\x92\x01\x81\xa1a\xda\xff\xff"[..], &[b'x'; 0xffff]].concat();
    let stream = [&b"\x92\xa1t"[..], &bin(&gzip(&long.repeat(4)))].concat();
    let mut decoder = Fluent::new(1 << 20);
    // The text of an entry is made of what is there.
    let granted = granted(&mut decoder, &stream, 4, 3 * long.len());
    assert!(granted >= PIECE, "{granted}");
    assert_eq!(decoder.next(b"", false), Step::More { consumed: 0 });
    assert_eq!(decoder.memory(), 0, "all of it is given back");
}

/// A value of `MessagePack`.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(|byte| vec![0xcc, byte]),
        select(vec![
            &b"\xc0"[..],
            b"\xc2",
            b"\x07",
            b"\xff",
            b"\xcb\0\0\0\0\0\0\0\0",
            b"\xd4\x05\x01"
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..31)
            .prop_map(|text| { [&[0xa0 | u8::try_from(text.len()).unwrap()][..], &text].concat() }),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let values = prop::collection::vec(inner, 0..4);
        prop_oneof![
            values.clone().prop_map(|values| {
                [&[0x90 | u8::try_from(values.len()).unwrap()][..], &values.concat()].concat()
            }),
            values.prop_map(|values| {
                let pairs = values.iter().map(|value| [b"\xa1k", &value[..]].concat());
                let head = 0x80 | u8::try_from(values.len()).unwrap();
                std::iter::once(vec![head]).chain(pairs).collect::<Vec<_>>().concat()
            }),
        ]
    })
}

/// A message in some mode, now and then damaged.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let record = prop::collection::vec(value(), 0..4).prop_map(|values| {
        let pairs = values.iter().map(|value| [b"\xa1k", &value[..]].concat());
        let head = 0x80 | u8::try_from(values.len()).unwrap();
        std::iter::once(vec![head]).chain(pairs).collect::<Vec<_>>().concat()
    });
    let entries = prop::collection::vec(record, 0..5);
    let damage = prop::option::weighted(0.1, (any::<Index>(), any::<u8>()));
    (entries, 0..4_u8, damage).prop_map(|(records, mode, damage)| {
        let packed: Vec<u8> =
            records.iter().flat_map(|record| [b"\x92\x01", &record[..]].concat()).collect();
        let body = match mode {
            0 => [&[0x90 | u8::try_from(records.len()).unwrap()][..], &packed].concat(),
            1 => bin(&packed),
            2 => bin(&gzip(&packed)),
            _ => [b"\x01", &records.first().cloned().unwrap_or(vec![0x80])[..]].concat(),
        };
        let head: &[u8] = if mode == 3 { b"\x94\xa1t" } else { b"\x93\xa1t" };
        let mut message = [head, &body, CHUNK].concat();
        if let Some((place, byte)) = damage {
            let place = place.index(message.len());
            message[place] = byte;
        }
        message
    })
}

proptest! {
    #[test]
    fn splits_do_not_matter(
        messages in prop::collection::vec(message(), 0..4),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
        max in 1_usize..200,
    ) {
        let stream = messages.concat();
        let whole = run(max, [&stream[..]]).0;
        // How much of damaged gzip comes out before the damage shows depends on how it came.
        let is_damaged = |outcome: &Heard| {
            outcome.broken.as_ref().is_some_and(|why| why.starts_with("fluent.gzip"))
        };
        let single = run(max, stream.chunks(1)).0;
        if is_damaged(&whole) || is_damaged(&single) {
            prop_assert!(whole.broken.is_some() && single.broken.is_some());
            return Ok(());
        }
        prop_assert_eq!(&single, &whole);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.push(stream.len());
        ends.sort_unstable();
        let mut from = 0;
        let reads = ends.into_iter().map(|end| &stream[std::mem::replace(&mut from, end)..end]);
        prop_assert_eq!(&run(max, reads).0, &whole);
    }

    #[test]
    fn every_message_is_json_and_acknowledged(messages in prop::collection::vec(message(), 0..4)) {
        let stream = messages.concat();
        let (outcome, _) = run(1 << 20, stream.chunks(13));
        if outcome.broken.is_none() && outcome.errors.truncated_tail == 0 {
            let acks = u64::try_from(outcome.answers.len() / 8).unwrap();
            prop_assert!(acks <= u64::try_from(messages.len()).unwrap());
        }
        for (bytes, original_len) in outcome.messages {
            prop_assert_eq!(original_len, None);
            if let Err(error) = serde_json::from_slice::<serde_json::Value>(&bytes) {
                // A name that is no scalar ends its object.
                prop_assert!(error.is_eof(), "{}: {}", error, bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn noise_breaks_nothing(noise in prop::collection::vec(any::<u8>(), 0..300), step in 1_usize..20) {
        let (_, peak) = run(50, noise.chunks(step));
        prop_assert!(peak <= 50 + PIECE + 400, "{}", peak);
    }
}

#[test]
fn nothing_is_heard_before_a_secret_was_proven() {
    use sha2::{Digest, Sha512};
    let decoder = || Fluent::secret(100, SharedKey::new("secret"), [7; 16]);
    let digest = Sha512::digest([&b"saltweb"[..], &[7; 16], b"secret"].concat());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let ping = |digest: &str| {
        let head = b"\x96\xa4PING\xa3web\xa4salt\xd9\x80";
        [&head[..], digest.as_bytes(), b"\xa0\xa0"].concat()
    };
    let message = [&b"\x93\xa1t"[..], &bin(ENTRIES), b"\x81\xa5chunk\xa1c"].concat();
    let good = [ping(&digest), message.clone()].concat();
    for step in [1, 2, 7, good.len()] {
        let (heard, _) = hear(decoder(), good.chunks(step));
        assert_eq!((heard.messages.len(), heard.broken), (2, None), "reads of {step}");
        assert!(heard.answers.starts_with(b"\x92\xa4HELO"));
        assert!(heard.answers.ends_with(b"\x81\xa3ack\xa1c"));
    }
    let bad = [ping(&"0".repeat(128)), message.clone()].concat();
    let long = [&b"\xdb\0\x01\0\0"[..], &[b'a'; 5000]].concat();
    for (stream, is_answered) in
        [(bad, true), (message, true), (b"\xc1".to_vec(), false), (long, false)]
    {
        let (heard, _) = hear(decoder(), [&stream[..]]);
        assert_eq!(heard.messages.len(), 0);
        assert!(heard.broken.is_some_and(|broken| broken.contains("shared_key")));
        let refused = heard.answers.windows(6).any(|part| part == b"PONG\xc2\xd9");
        assert_eq!(refused, is_answered);
    }
}
