//! Lumberjack, versions 1 and 2: what Filebeat, Winlogbeat, Metricbeat and the like speak.
//!
//! ```text
//!  '2' 'W' count                                  so many events are acknowledged together
//!  '2' 'J' sequence len json                      an event of version 2
//!  '1' 'D' sequence pairs {len key len value}     an event of version 1
//!  '2' 'C' len zlib(frames)                       frames, compressed
//!  '2' 'A' sequence                               the answer to a window
//! ```
//!
//! All numbers are of 32 bits, the highest byte first. The first byte of a frame is its version;
//! frames of both may follow one another.
//!
//! # What is answered
//!
//! A window is full once so many events *came*, and is answered once, with the highest sequence
//! number among them: some senders number them from 1 in each window, others go on from the window
//! before, and either waits for the number of its last event. Windows are answered in order, and
//! never before they are full, but for two cases: a new window before that, and the end of the
//! stream. A window of none is answered with 0.
//!
//! # What is kept
//!
//! Of a window only numbers. A compressed frame is inflated piece by piece, so that no more than an
//! event and a piece are held, whatever it holds in all.
//!
//! # What ends the stream
//!
//! There is no mark at which one could begin anew: what is no frame ends the stream, and so do the
//! limits named here. Events in front of it are kept; their window is not answered, unless it was
//! full. An event that is longer than a message may be does not: it is cut.

mod fault;
mod frames;
mod packed;
mod pairs;
#[cfg(test)]
mod tests;
mod window;

use self::fault::Fault;
use self::frames::{Frame, Frames, HEADER, Id};
use self::packed::{Packed, Piece};
use self::window::Windows;
use super::{Dialogue, ProtocolError, Step};

/// Cuts a stream into events: the JSON text of those of version 2; of version 1 the number of pairs,
/// and the pairs. Those begin with a zero, which no JSON text does.
#[derive(Debug)]
pub struct Lumberjack {
    frames: Frames,
    packed: Option<Box<Packed>>,
    windows: Windows,
    fault: Option<Fault>,
}

/// Where the next event is.
enum Found {
    /// These bytes of the buffer.
    Outside { start: usize, end: usize },
    /// These bytes of what was inflated.
    Inside { start: usize, end: usize },
    /// It was too long, and its head was kept.
    Kept,
    /// There is none.
    More,
}

impl Lumberjack {
    /// Events of at most `max_len` bytes; longer ones are cut.
    pub fn new(max_len: usize) -> Self {
        Self { frames: Frames::new(max_len), packed: None, windows: Windows::new(), fault: None }
    }

    /// Finds the next event; with how much of the buffer was used.
    fn find(&mut self, buffer: &[u8]) -> Result<(Found, usize), Fault> {
        let mut used = 0;
        loop {
            let rest = buffer.get(used..).unwrap_or_default();
            let (found, taken) = match &self.packed {
                None => self.outside(rest, used)?,
                Some(_) => self.inside(rest)?,
            };
            used += taken;
            if let Some(found) = found {
                return Ok((found, used));
            }
        }
    }

    /// Takes a frame that is not compressed, or begins one that is; `rest` begins at the byte
    /// `before` of the buffer.
    #[inline]
    fn outside(&mut self, rest: &[u8], before: usize) -> Result<(Option<Found>, usize), Fault> {
        match self.frames.next(rest)? {
            Frame::Event { id, start, end } => {
                self.windows.event(id, (end - start) as u64)?;
                let (start, end) = (before + start, before + end);
                Ok((Some(Found::Outside { start, end }), end - before))
            }
            Frame::Kept { id, consumed } => Ok((Some(self.keep(id)?), consumed)),
            Frame::Window { version, count } => {
                self.windows.open(version, count)?;
                Ok((None, HEADER))
            }
            Frame::Packed { len } => {
                self.packed = Some(Box::new(Packed::new(len)?));
                Ok((None, HEADER))
            }
            Frame::More { consumed } => Ok((Some(Found::More), consumed)),
        }
    }

    /// Takes a frame from what was inflated, or inflates more of it.
    fn inside(&mut self, rest: &[u8]) -> Result<(Option<Found>, usize), Fault> {
        let Some(packed) = &mut self.packed else { return Ok((None, 0)) };
        match self.frames.next(packed.plain())? {
            Frame::Event { id, start, end } => {
                self.windows.event(id, (end - start) as u64)?;
                let at = packed.pass(end);
                Ok((Some(Found::Inside { start: at + start, end: at + end }), 0))
            }
            Frame::Kept { id, consumed } => {
                packed.pass(consumed);
                Ok((Some(self.keep(id)?), 0))
            }
            Frame::Window { version, count } => {
                packed.pass(HEADER);
                self.windows.open(version, count)?;
                Ok((None, 0))
            }
            Frame::Packed { .. } => Err(Fault::Nested),
            Frame::More { consumed } => {
                packed.pass(consumed);
                match packed.inflate(rest)? {
                    Piece::Some(taken) => Ok((None, taken)),
                    Piece::More | Piece::Room => Ok((Some(Found::More), 0)),
                    Piece::End if packed.held() > 0 || !self.frames.is_between() => {
                        Err(Fault::Unfinished)
                    }
                    Piece::End => {
                        self.packed = None;
                        Ok((None, 0))
                    }
                }
            }
        }
    }

    fn keep(&mut self, id: Id) -> Result<Found, Fault> {
        let (_, len) = self.frames.kept();
        self.windows.event(id, len.unwrap_or_default())?;
        Ok(Found::Kept)
    }
}

impl Dialogue for Lumberjack {
    fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        if self.fault.is_some() {
            return Step::More { consumed: buffer.len() };
        }
        let (found, consumed) = match self.find(buffer) {
            Ok(found) => found,
            Err(fault) => {
                self.fault = Some(fault);
                self.packed = None;
                return Step::More { consumed: buffer.len() };
            }
        };
        let (bytes, original_len) = match found {
            Found::Outside { start, end } => (buffer.get(start..end).unwrap_or_default(), None),
            Found::Inside { start, end } => {
                let packed = self.packed.as_ref();
                (packed.map(|packed| packed.slice(start, end)).unwrap_or_default(), None)
            }
            Found::Kept => self.frames.kept(),
            Found::More if eof && self.wants() == 0 => {
                self.windows.end();
                return Step::More { consumed: buffer.len() };
            }
            Found::More => return Step::More { consumed },
        };
        Step::Message { bytes, consumed, original_len }
    }

    fn answers(&mut self, out: &mut Vec<u8>) {
        self.windows.take(out);
    }

    fn unanswered(&self) -> u64 {
        self.windows.unanswered()
    }

    fn keep_alive(&self) -> Option<&'static [u8]> {
        Some(self.windows.keep_alive())
    }

    fn broken(&self) -> Option<ProtocolError> {
        self.fault.map(ProtocolError::from)
    }

    fn held(&self) -> usize {
        self.frames.held() + self.packed.as_ref().map_or(0, |packed| packed.held())
    }

    fn memory(&self) -> usize {
        self.frames.held() + self.packed.as_ref().map_or(0, |packed| packed.memory())
    }

    fn wants(&self) -> usize {
        self.packed.as_ref().map_or(0, |packed| packed.wants())
    }

    fn grant(&mut self) {
        if let Some(packed) = &mut self.packed {
            packed.grant();
        }
    }
}
