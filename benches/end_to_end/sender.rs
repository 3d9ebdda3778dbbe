//! Senders of protocols that acknowledge: each keeps a few pieces unanswered, as real ones do.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::Outcome;
use super::flood::Format;
use super::lumberjack;

/// One connection of a protocol that acknowledges.
pub(crate) trait Sender {
    /// Sends lines, each with its line feed, and waits while too much is unanswered.
    fn send(&mut self, lines: &[u8]) -> Outcome<()>;

    /// Waits until all is answered.
    fn finish(&mut self) -> Outcome<()>;
}

/// A connection for lines of that format.
pub(crate) fn connect(address: &str, format: Format) -> Outcome<Box<dyn Sender>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let answers = BufReader::new(stream.try_clone()?);
    if format == Format::Relp {
        return Ok(Box::new(Relp::open(stream, answers)?));
    }
    Ok(Box::new(Beats {
        answers,
        stream,
        is_packed: format == Format::BeatsCompressed,
        sequence: 0,
        unanswered: VecDeque::new(),
    }))
}

/// Windows whose events are numbered on and on.
struct Beats {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    is_packed: bool,
    sequence: u32,
    /// The last number of each window that is not answered.
    unanswered: VecDeque<u32>,
}

impl Sender for Beats {
    fn send(&mut self, lines: &[u8]) -> Outcome<()> {
        while self.unanswered.len() >= PIPELINED {
            self.answer()?;
        }
        let (mut events, mut count) = (Vec::with_capacity(lines.len() * 9 / 8), 0);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.sequence = self.sequence.wrapping_add(1);
            count += 1;
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            lumberjack::push_event(&mut events, self.sequence, text);
        }
        self.stream.write_all(&lumberjack::window(count))?;
        if self.is_packed {
            events = lumberjack::packed(&events);
        }
        self.stream.write_all(&events)?;
        self.unanswered.push_back(self.sequence);
        Ok(())
    }

    fn finish(&mut self) -> Outcome<()> {
        while !self.unanswered.is_empty() {
            self.answer()?;
        }
        Ok(())
    }
}

impl Beats {
    /// Waits for the answer to the oldest window.
    fn answer(&mut self) -> Outcome<()> {
        let Some(wanted) = self.unanswered.pop_front() else { return Ok(()) };
        loop {
            let mut answer = [0; 6];
            self.answers.read_exact(&mut answer)?;
            let [_, _, number @ ..] = answer;
            match u32::from_be_bytes(number) {
                0 => {}
                found if found == wanted => return Ok(()),
                found => return Err(format!("expected answer {wanted}, but found {found}").into()),
            }
        }
    }
}

/// A session whose window is of so many frames as go with [`PIPELINED`] pieces.
struct Relp {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    /// The number of the last frame.
    transaction: u32,
    /// The last number of each piece that is not answered.
    unanswered: VecDeque<u32>,
}

impl Relp {
    fn open(mut stream: TcpStream, answers: BufReader<TcpStream>) -> Outcome<Self> {
        let offer = "relp_version=0\ncommands=syslog";
        stream.write_all(format!("1 open {} {offer}\n", offer.len()).as_bytes())?;
        let mut relp = Self { stream, answers, transaction: 1, unanswered: VecDeque::from([1]) };
        relp.answer()?;
        Ok(relp)
    }

    /// Waits for the answers up to that of the last frame of the oldest piece.
    fn answer(&mut self) -> Outcome<()> {
        let Some(wanted) = self.unanswered.pop_front() else { return Ok(()) };
        let mut line = String::new();
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            // What the daemon offers goes on over further lines, which begin with a letter.
            let Some((number, rest)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            if !rest.starts_with("rsp ") || !rest.contains(" 200 OK") {
                return Err(format!("expected an acknowledgement, but found {line:?}").into());
            }
            if number == wanted {
                return Ok(());
            }
        }
    }
}

impl Sender for Relp {
    fn send(&mut self, lines: &[u8]) -> Outcome<()> {
        while self.unanswered.len() >= PIPELINED {
            self.answer()?;
        }
        let mut frames = Vec::with_capacity(lines.len() * 9 / 8);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.transaction =
                if self.transaction < MAX_TRANSACTION { self.transaction + 1 } else { 1 };
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            write!(frames, "{} syslog {} ", self.transaction, text.len())?;
            frames.extend_from_slice(text);
            frames.push(b'\n');
        }
        self.stream.write_all(&frames)?;
        self.unanswered.push_back(self.transaction);
        Ok(())
    }

    fn finish(&mut self) -> Outcome<()> {
        while !self.unanswered.is_empty() {
            self.answer()?;
        }
        Ok(())
    }
}

/// The highest number of a frame of RELP.
const MAX_TRANSACTION: u32 = 999_999_999;

/// Windows that are sent before the first of them is answered: Filebeat's `pipelining`.
const PIPELINED: usize = 2;
