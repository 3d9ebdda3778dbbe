//! Streams of protocols that answer.

use logtrace::frame::{Dialogue, Fluent, Relp, Step};

/// These lines as senders of `protocol` write them.
pub(crate) fn stream(protocol: &str, lines: &[String]) -> Vec<u8> {
    if protocol == "relp" { relp(lines) } else { fluent(lines) }
}

/// Takes all messages out of a stream: their bytes, and what is answered to them.
pub(crate) fn run(protocol: &str, stream: &[u8]) -> (usize, Vec<u8>) {
    let mut decoder: Box<dyn Dialogue> = match protocol {
        "relp" => Box::new(Relp::new(256 << 10)),
        _ => Box::new(Fluent::new(256 << 10)),
    };
    let (mut rest, mut found, mut answers) = (stream, 0, Vec::new());
    while let Step::Message { bytes, consumed, .. } = decoder.next(rest, true) {
        found += bytes.len();
        rest = rest.get(consumed..).unwrap_or_default();
    }
    decoder.answers(&mut answers);
    (found, answers)
}

/// A session of RELP that sends these lines.
fn relp(lines: &[String]) -> Vec<u8> {
    let open = "1 open 30 relp_version=0\ncommands=syslog\n".to_owned();
    let frame = |(n, line): (usize, &String)| format!("{n} syslog {} {line}\n", line.len());
    let frames = (2..).zip(lines).map(frame);
    std::iter::once(open).chain(frames).collect::<String>().into_bytes()
}

/// Each line as an event of Fluentd's, with a chunk to acknowledge.
fn fluent(lines: &[String]) -> Vec<u8> {
    let text = |text: &str| {
        let len = u16::try_from(text.len()).expect("a short line").to_be_bytes();
        [&[0xda][..], &len, text.as_bytes()].concat()
    };
    let (time, option) = (b"\xd7\0\x65\0\0\0\0\0\0\x01", b"\x81\xa5chunk\xa8AAAAAAAA");
    let event = |line: &String| {
        [b"\x94", &text("app")[..], time, b"\x81", &text("log"), &text(line), option].concat()
    };
    lines.iter().flat_map(event).collect()
}
