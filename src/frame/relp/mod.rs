//! RELP: syslog messages in numbered transactions, each of which is answered.
//!
//! ```text
//!  TXNR SP COMMAND SP DATALEN [SP DATA] LF
//!
//!  1 open 86 relp_version=0…    ──▶   1 rsp 93 200 OK, what both sides can do
//!  2 syslog 22 <13>1 - h a - - - one  ──▶   2 rsp 6 200 OK, once it is durable
//!  3 close 0                    ──▶   3 rsp 0, 0 serverclose 0
//! ```
//!
//! Source: librelp's `doc/relp.md`, and what librelp 1.11 was seen to send, which counts where the
//! two differ: the version is 0, and without data there is no blank before the LF.
//!
//! # What is answered
//!
//! | frame                                             | answer                            |
//! |---------------------------------------------------|-----------------------------------|
//! | `open` with a version and the command `syslog`    | `200 OK` and our offers           |
//! | `open` without `syslog`, or unreadable; a second  | `500` and why, then the end       |
//! | `open` without a version                          | the hint `serverclose`, the end   |
//! | `syslog`                                          | `200 OK`, in the order they came  |
//! | any other command, or any before `open`           | `500` and why, then the end       |
//! | a hint (number 0)                                 | nothing                           |
//! | what is no frame, or has the wrong number         | the hint `serverclose`, the end   |
//!
//! `500` to a message makes senders drop it. So a message that came whole is only ever answered
//! with 200; a session that broke is ended, and its sender sends again what had no answer.

mod answers;
mod header;
mod offers;
#[cfg(test)]
mod tests;

use self::answers::{Answers, SERVER_CLOSE};
use self::header::{Front, Header};
use super::oversize::Oversize;
use super::{Dialogue, Found, FrameErrors, ProtocolError, Step, is_line_end, trimmed_len};

/// The decoder of one RELP session: messages of at most `max_len` bytes, and what to say to them.
///
/// A longer message is cut, and the rest of its frame dropped. A message that the end of the stream
/// cuts short is dropped: it had no answer, and comes again.
#[derive(Debug)]
pub struct Relp {
    max_len: usize,
    state: State,
    session: Session,
    /// The number of the last frame; none before the first.
    last: Option<u32>,
    answers: Answers,
    oversize: Oversize,
    errors: FrameErrors,
    broken: Option<ProtocolError>,
}

/// Where the front of the buffer lies.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a frame.
    Header,
    /// Before the data of one, `len` bytes, and the LF behind them.
    Data { command: Command, number: u32, len: usize },
    /// In a message that does not fit, of which `left` bytes are still to come, and the LF.
    TooLong { number: u32, left: u64 },
}

/// How far the dialogue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    New,
    Open,
    /// It is over, in good order or not: what still comes is dropped.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Open,
    Syslog,
    Close,
    Hint,
}

impl Relp {
    /// A decoder for one connection. `max_len` in bytes.
    pub fn new(max_len: usize) -> Self {
        Self {
            max_len,
            state: State::Header,
            session: Session::New,
            last: None,
            answers: Answers::default(),
            oversize: Oversize::new(max_len, is_line_end),
            errors: FrameErrors::default(),
            broken: None,
        }
    }

    fn advance(&mut self, buf: &[u8], eof: bool) -> Found {
        let mut at = 0;
        loop {
            let rest = buf.get(at..).unwrap_or_default();
            if self.session == Session::Over {
                return Found::More { consumed: buf.len() };
            }
            let (taken, found) = match self.state {
                State::Header => match header::front(rest) {
                    Front::Whole { header, len } => {
                        self.begin(&header);
                        (len, None)
                    }
                    Front::Wait => return self.wait(buf, at, eof),
                    Front::Bad { expected, found } => {
                        let what = format!("expected {expected}, but found {found}");
                        self.end("relp.frame", None, what);
                        (0, None)
                    }
                },
                State::Data { command, number, len } => {
                    let Some(byte) = rest.get(len) else { return self.wait(buf, at, eof) };
                    let data = rest.get(..len).unwrap_or_default();
                    if *byte == b'\n' {
                        let is_message = self.take(command, number, data);
                        let end = at + trimmed_len(data, is_line_end);
                        let body = Found::Body { start: at, end, consumed: at + len + 1 };
                        (len + 1, is_message.then_some(body))
                    } else {
                        self.no_trailer();
                        (0, None)
                    }
                }
                State::TooLong { number, left } => {
                    let whole = usize::try_from(left).ok().and_then(|left| rest.get(..left));
                    let bytes = whole.unwrap_or(rest);
                    self.oversize.push(bytes);
                    at += bytes.len();
                    self.state = State::TooLong { number, left: left - bytes.len() as u64 };
                    match buf.get(at) {
                        Some(b'\n') if whole.is_some() => self.finish_too_long(number, at + 1),
                        Some(_) if whole.is_some() => {
                            self.no_trailer();
                            (0, None)
                        }
                        _ => return self.wait(buf, at, eof),
                    }
                }
            };
            at += taken;
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Enters the frame that a header begins, if it may come now.
    fn begin(&mut self, header: &Header<'_>) {
        let Header { number, command, len } = *header;
        let size = usize::try_from(len).unwrap_or(usize::MAX);
        let command = match (command, self.session) {
            (b"open" | b"syslog" | b"close", _) if number == 0 => return self.wrong_number(0),
            (_, _) if number == 0 => Command::Hint,
            (_, _) if !self.is_next(number) => return self.wrong_number(number),
            (b"open", Session::New) => Command::Open,
            (b"open", _) => {
                let why = "protocol error: connection already open";
                let what = "expected one open, but found a second";
                return self.end("relp.command", Some((number, why)), what.to_owned());
            }
            (_, Session::New | Session::Over) => {
                let why = "protocol error: connection not open";
                let what = "expected open as the first command, but found another";
                return self.end("relp.command", Some((number, why)), what.to_owned());
            }
            (b"syslog", Session::Open) => Command::Syslog,
            (b"close", Session::Open) => Command::Close,
            (_, Session::Open) => {
                let why = "command not supported";
                let what = "expected open, syslog or close, but found another command";
                return self.end("relp.command", Some((number, why)), what.to_owned());
            }
        };
        if number != 0 {
            self.last = Some(number);
        }
        let max = if command == Command::Syslog { self.max_len } else { MAX_OFFERS };
        self.state = match command {
            _ if size <= max => State::Data { command, number, len: size },
            Command::Syslog => State::TooLong { number, left: len },
            _ => {
                let what = format!("expected at most {MAX_OFFERS} bytes of data, but found {len}");
                let answer = (command == Command::Open).then_some((number, "offers too long"));
                return self.end("relp.offers", answer, what);
            }
        };
    }

    /// Whether a frame of this number may come now: any may be the first, and each is one more
    /// than that before it.
    fn is_next(&self, number: u32) -> bool {
        self.last.is_none_or(|last| number == if last == MAX_NUMBER { 1 } else { last + 1 })
    }

    /// Does what a whole frame asks for; says whether its data is a message.
    fn take(&mut self, command: Command, number: u32, data: &[u8]) -> bool {
        self.state = State::Header;
        match command {
            Command::Syslog => {
                self.answers.accept(number);
                // Nothing, or nothing but a line end, is no message, and good all the same.
                return trimmed_len(data, is_line_end) > 0;
            }
            Command::Open => match offers::answer(data) {
                Ok(answer) => {
                    self.answers.open(number, &answer);
                    self.session = Session::Open;
                }
                Err(refused) => {
                    self.end("relp.offers", refused.answer.map(|why| (number, why)), refused.what);
                }
            },
            Command::Close => {
                self.answers.close(number);
                self.session = Session::Over;
            }
            // There are none from senders as yet, and one that is not known is to be ignored.
            Command::Hint => {}
        }
        false
    }

    /// The end of a message that did not fit: how much of the buffer is behind `State::TooLong`
    /// already, and what was found.
    fn finish_too_long(&mut self, number: u32, consumed: usize) -> (usize, Option<Found>) {
        self.state = State::Header;
        self.answers.accept(number);
        if self.oversize.is_blank() {
            self.oversize.clear();
            return (1, None);
        }
        (1, Some(Found::Kept { consumed }))
    }

    /// Asks for more, of a stream that is good so far and taken up to `at`.
    fn wait(&mut self, buf: &[u8], at: usize, eof: bool) -> Found {
        let is_between = matches!(self.state, State::Header) && at == buf.len();
        if !eof || is_between {
            return Found::More { consumed: at };
        }
        self.errors.truncated_tail += 1;
        self.session = Session::Over;
        self.oversize.clear();
        Found::More { consumed: buf.len() }
    }

    #[cold]
    fn no_trailer(&mut self) {
        let what = "expected a line feed behind the data, but found another byte";
        self.end("relp.frame", None, what.to_owned());
    }

    #[cold]
    fn wrong_number(&mut self, found: u32) {
        let last = self.last.unwrap_or_default();
        let what = format!("expected the number after {last}, but found {found}");
        self.end("relp.number", None, what);
    }

    /// Ends the session, with a `500` to a frame where there is one to answer.
    #[cold]
    fn end(&mut self, code: &'static str, refused: Option<(u32, &'static str)>, message: String) {
        self.answers.end(refused);
        self.oversize.clear();
        self.session = Session::Over;
        self.broken = Some(ProtocolError { code, message });
    }
}

impl Dialogue for Relp {
    /// An unfinished frame is dropped at the end of the stream.
    #[inline]
    fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        self.oversize.recycle();
        let found = self.advance(buffer, eof);
        found.step(buffer, self.max_len, &mut self.oversize, &mut self.errors)
    }

    fn answers(&mut self, out: &mut Vec<u8>) {
        self.answers.take(out);
    }

    /// As a session ends in any case.
    fn last_word(&self) -> Option<&'static [u8]> {
        Some(SERVER_CLOSE)
    }

    fn broken(&self) -> Option<ProtocolError> {
        self.broken.clone()
    }

    fn is_over(&self) -> bool {
        self.session == Session::Over
    }

    fn errors(&self) -> FrameErrors {
        self.errors
    }

    fn held(&self) -> usize {
        self.oversize.held()
    }
}

/// The highest number of a frame; 1 comes after it.
const MAX_NUMBER: u32 = 999_999_999;

/// Bytes of data that any frame but a message may have. librelp's offers have 86.
const MAX_OFFERS: usize = 16 << 10;
