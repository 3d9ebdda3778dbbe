//! Senders of protocols that acknowledge: each keeps a few pieces unanswered, as real ones do.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
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
    Ok(Box::new(Beats {
        answers: BufReader::new(stream.try_clone()?),
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

/// Windows that are sent before the first of them is answered: Filebeat's `pipelining`.
const PIPELINED: usize = 2;
