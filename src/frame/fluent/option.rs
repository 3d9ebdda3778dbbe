//! The option of a Fluent message, and the answer that it asks for.

use super::msgpack::{Front, Kind, Passed, Scan, front};

/// The id of a chunk whose sender waits for an acknowledgement: the member `chunk` of an option,
/// which is whole.
pub(super) fn chunk(option: &[u8]) -> Option<&[u8]> {
    let Front::Head(head) = front(option) else { return None };
    if head.kind != Kind::Map {
        return None;
    }
    let mut rest = option.get(head.size..)?;
    for _ in 0..head.len {
        let Front::Head(name) = front(rest) else { return None };
        let end = name.size + name.payload();
        if rest.get(name.size..end) == Some(b"chunk")
            && let Front::Head(value) = front(rest.get(end..)?)
            && matches!(value.kind, Kind::Str | Kind::Bin)
        {
            return rest.get(end + value.size..end + value.size + value.len);
        }
        let Passed::All(end) = Scan::new(2).run(rest) else { return None };
        rest = rest.get(end..)?;
    }
    None
}

/// Appends `{"ack": chunk}`.
pub(super) fn acknowledge(chunk: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x81\xa3ack");
    let len = u16::try_from(chunk.len()).unwrap_or(u16::MAX); // an option is shorter than that
    match len {
        0..=31 => out.push(0xa0 | len.to_be_bytes()[1]),
        32..=255 => out.extend_from_slice(&[0xd9, len.to_be_bytes()[1]]),
        _ => {
            out.push(0xda);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(chunk);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_their_acknowledgements() {
        #[rustfmt::skip]
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"\x81\xa5chunk\xa4abc=",                      Some(b"abc=")),
            (b"\x82\xa4size\x05\xa5chunk\xc4\x02ab",        Some(b"ab")),
            (b"\x82\xa5chunk\xd9\x03abc\xa4size\x05",       Some(b"abc")),
            (b"\x82\x90\x90\xa5chunk\xa1a",                 Some(b"a")),
            (b"\x81\xa5chunk\x05",                          None),
            (b"\x81\xa4size\x05",                           None),
            (b"\x80",                                       None),
            (b"\xc0",                                       None),
        ];
        for (option, want) in table {
            assert_eq!(chunk(option), *want, "{}", option.escape_ascii());
        }
        for len in [0, 1, 31, 32, 255, 256, 16_000] {
            let mut out = Vec::new();
            acknowledge(&vec![b'x'; len], &mut out);
            assert_eq!(&out[..5], b"\x81\xa3ack");
            let Front::Head(head) = front(&out[5..]) else { panic!("{len}") };
            assert_eq!((head.kind, head.len, out.len()), (Kind::Str, len, 5 + head.size + len));
        }
    }
}
