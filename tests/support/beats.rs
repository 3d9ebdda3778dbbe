//! What speaks lumberjack to the daemon, as Filebeat does.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::wait::PATIENCE;

/// A connection that sends windows and waits for their answers.
pub(crate) struct Beats<S = TcpStream>(pub(crate) S);

impl<S: Read + Write> Beats<S> {
    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends one window of events, numbered from `first`.
    pub(crate) fn window(&mut self, first: u32, texts: &[String]) -> io::Result<()> {
        let mut bytes = window(b'2', texts.len());
        for (sequence, text) in (first..).zip(texts) {
            bytes.extend(event(sequence, text));
        }
        self.0.write_all(&bytes)
    }

    /// The next answer: version and number. Keep-alives are answers as well.
    pub(crate) fn answer(&mut self) -> io::Result<(u8, u32)> {
        let mut bytes = [0; 6];
        self.0.read_exact(&mut bytes)?;
        let [version, kind, number @ ..] = bytes;
        assert_eq!(kind, b'A', "{bytes:?}");
        Ok((version, u32::from_be_bytes(number)))
    }

    /// The next answer that is none to keep it alive, and how many of those came before.
    pub(crate) fn acknowledged(&mut self) -> io::Result<(u32, usize)> {
        for before in 0.. {
            let (_, number) = self.answer()?;
            if number > 0 {
                return Ok((number, before));
            }
        }
        unreachable!("an answer comes, or an error")
    }

    /// All that comes until the daemon closes.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error}"),
        }
        rest
    }
}

impl Beats {
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }
}

/// The announcement of a window of so many events.
pub(crate) fn window(version: u8, count: usize) -> Vec<u8> {
    frame(version, b'W', number(count))
}

/// An event of version 2.
pub(crate) fn event(sequence: u32, text: &str) -> Vec<u8> {
    let len = number(text.len()).to_be_bytes();
    [&frame(b'2', b'J', sequence), &len[..], text.as_bytes()].concat()
}

/// An event of version 1.
pub(crate) fn pairs(sequence: u32, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = frame(b'1', b'D', sequence);
    bytes.extend(number(pairs.len()).to_be_bytes());
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(number(text.len()).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Frames, compressed.
pub(crate) fn zlib(frames: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
    to.write_all(frames).unwrap();
    let bytes = to.finish().unwrap();
    [&frame(b'2', b'C', number(bytes.len())), &bytes[..]].concat()
}

/// An answer.
pub(crate) fn acknowledgement(version: u8, sequence: u32) -> Vec<u8> {
    frame(version, b'A', sequence)
}

fn frame(version: u8, kind: u8, number: u32) -> Vec<u8> {
    [&[version, kind][..], &number.to_be_bytes()].concat()
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap()
}
