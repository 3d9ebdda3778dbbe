//! A sender that speaks RELP, byte by byte as it is told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Daemon, PATIENCE};

/// One session, and the numbers of its frames.
pub(crate) struct Session {
    stream: BufReader<TcpStream>,
    /// The number of the last frame sent.
    pub(crate) last: u32,
}

/// An answer: the number of its frame, the command, the data.
pub(crate) type Answer = (u32, String, String);

impl Session {
    /// Connects to the listener `relp`, and opens a session.
    #[track_caller]
    pub(crate) fn open(daemon: &Daemon) -> Self {
        let mut session = Self::connect(daemon);
        session.frame("open", "relp_version=0\nrelp_software=test\ncommands=syslog");
        let (number, command, data) = session.answer().expect("an answer to open");
        assert_eq!((number, &*command), (1, "rsp"));
        assert!(data.starts_with("200 OK\nrelp_version=0\n"), "{data}");
        assert!(data.contains("\ncommands=syslog"), "{data}");
        session
    }

    /// Only connects.
    pub(crate) fn connect(daemon: &Daemon) -> Self {
        let stream = daemon.connect("relp");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream), last: 0 }
    }

    /// Sends the next frame.
    pub(crate) fn frame(&mut self, command: &str, data: &str) {
        self.last += 1;
        let frame = frame(self.last, command, data);
        self.write(frame.as_bytes());
    }

    /// Sends a message, and returns its number.
    pub(crate) fn message(&mut self, text: &str) -> u32 {
        self.frame("syslog", &format!("<13>1 - h a - - - {text}"));
        self.last
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// The connection itself.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    /// The next answer; none where the connection ended before it.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let number = self.word()?.parse().expect("a number");
        let command = self.word()?;
        let mut len = String::new();
        let mut byte = [0];
        loop {
            self.stream.read_exact(&mut byte).ok()?;
            match byte[0] {
                b' ' | b'\n' => break,
                digit => len.push(char::from(digit)),
            }
        }
        let mut data = vec![0; len.parse().expect("a length")];
        if byte[0] == b' ' {
            self.stream.read_exact(&mut data).ok()?;
            self.stream.read_exact(&mut byte).ok()?;
        }
        assert_eq!(byte[0], b'\n');
        Some((number, command, String::from_utf8(data).unwrap()))
    }

    /// Expects the frames from `from` to the last to be acknowledged, in order.
    #[track_caller]
    pub(crate) fn acknowledged_from(&mut self, from: u32) {
        for number in from..=self.last {
            let want = (number, "rsp".to_owned(), "200 OK".to_owned());
            assert_eq!(self.answer(), Some(want));
        }
    }

    /// Whether nothing is said for so long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.socket().set_read_timeout(Some(time)).unwrap();
        let is_silent = self.stream.fill_buf().is_err();
        self.socket().set_read_timeout(Some(PATIENCE)).unwrap();
        is_silent
    }

    fn word(&mut self) -> Option<String> {
        let mut word = Vec::new();
        self.stream.read_until(b' ', &mut word).ok()?;
        (word.pop()? == b' ').then(|| String::from_utf8(word).unwrap())
    }
}

/// The number and the status of the next answer, read byte by byte.
pub(crate) fn status(stream: &mut TcpStream) -> io::Result<(u32, String)> {
    let mut word = || {
        let (mut word, mut byte) = (String::new(), [0]);
        loop {
            stream.read_exact(&mut byte)?;
            match byte[0] {
                b' ' | b'\n' => return io::Result::Ok(word),
                letter => word.push(char::from(letter)),
            }
        }
    };
    let (number, _, len) = (word()?, word()?, word()?);
    let mut data = vec![0; len.parse().expect("a length")];
    stream.read_exact(&mut data)?;
    stream.read_exact(&mut [0])?;
    let data = String::from_utf8(data).expect("text");
    let status = data.lines().next().unwrap_or_default().to_owned();
    Ok((number.parse().expect("a number"), status))
}

/// A frame, as librelp writes it.
pub(crate) fn frame(number: u32, command: &str, data: &str) -> String {
    match data {
        "" => format!("{number} {command} 0\n"),
        data => format!("{number} {command} {} {data}\n", data.len()),
    }
}
