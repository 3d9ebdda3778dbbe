//! Streams of protocols that answer.

/// A session of RELP that sends these lines.
pub(crate) fn relp(lines: &[String]) -> Vec<u8> {
    let open = "1 open 30 relp_version=0\ncommands=syslog\n".to_owned();
    let frame = |(n, line): (usize, &String)| format!("{n} syslog {} {line}\n", line.len());
    let frames = (2..).zip(lines).map(frame);
    std::iter::once(open).chain(frames).collect::<String>().into_bytes()
}

/// Each line as an event of Fluentd's, with a chunk to acknowledge.
pub(crate) fn fluent(lines: &[String]) -> Vec<u8> {
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
