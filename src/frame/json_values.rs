//! JSON values on a stream, for Logstash's `json` codec.

use memchr::memchr2;

use super::count::{BOM, Is};
use super::json_scan::{JsonScan, Stop};
use super::oversize::Oversize;
use super::{Found, FrameErrors, Step, trimmed_len};

/// Cuts a stream into JSON objects and arrays of at most `max_len` bytes, each a message.
///
/// They may follow one another with any white space or NUL between or none, and may span lines.
/// What begins neither is a message up to LF or NUL, for its parser to refuse. Logstash takes each read for a
/// value, and so depends on segments; this does not.
///
/// A value left open does not swallow those after it: it ends at an LF within a string, which JSON
/// does not allow, at a NUL, and where a bracket on a new line cannot be part of it. One nested too deep for
/// any parser ends at LF.
#[derive(Debug)]
pub struct JsonValues {
    max_len: usize,
    state: State,
    oversize: Oversize,
    errors: FrameErrors,
}

/// Where the front of the buffer lies. `seen`: the bytes of the buffer that were searched.
#[derive(Clone, Copy, Debug)]
enum State {
    Between,
    Value { scan: JsonScan, seen: usize },
    Text { seen: usize },
}

impl JsonValues {
    /// A decoder for one connection. `max_len` in bytes.
    pub fn new(max_len: usize) -> Self {
        Self {
            max_len,
            state: State::Between,
            oversize: Oversize::new(max_len, is_space),
            errors: FrameErrors::default(),
        }
    }

    /// The next value in `buf`, which begins where the last step's `consumed` ended.
    ///
    /// `eof`: no more bytes will come; an unfinished tail is then delivered.
    #[inline]
    pub fn next<'b>(&'b mut self, buf: &'b [u8], eof: bool) -> Step<'b> {
        self.oversize.recycle();
        let found = self.advance(buf, eof);
        found.step(buf, self.max_len, &mut self.oversize, &mut self.errors)
    }

    /// What went wrong since [`new`](Self::new). That a value is not valid JSON is for its parser
    /// to say.
    pub fn errors(&self) -> FrameErrors {
        self.errors
    }

    /// The memory that the decoder holds beside the caller's buffer, in bytes: none, but while a
    /// value too long is on its way.
    pub fn held(&self) -> usize {
        self.oversize.held()
    }

    fn advance(&mut self, buf: &[u8], eof: bool) -> Found {
        let mut at = 0;
        loop {
            let rest = buf.get(at..).unwrap_or_default();
            let (end, next) = match self.state {
                State::Between => {
                    at += rest.iter().position(|&b| !is_space(b)).unwrap_or(rest.len());
                    let rest = buf.get(at..).unwrap_or_default();
                    match begins_with_bom(rest) {
                        Is::Yes => at += BOM.len(),
                        Is::Unknown if !eof || rest.is_empty() => {
                            return Found::More { consumed: at };
                        }
                        Is::No | Is::Unknown => self.begin(rest),
                    }
                    continue;
                }
                State::Value { mut scan, seen } => match scan.run(rest, seen) {
                    Stop::Whole(end) => (end, end),
                    Stop::Broken(end) => {
                        self.errors.resync += 1;
                        (end, end)
                    }
                    Stop::TooDeep(seen) => {
                        self.errors.resync += 1;
                        self.state = State::Text { seen };
                        continue;
                    }
                    Stop::NotYet if eof => {
                        self.errors.truncated_tail += 1;
                        (rest.len(), rest.len())
                    }
                    Stop::NotYet => return self.wait(rest, at, |seen| State::Value { scan, seen }),
                },
                State::Text { seen } => {
                    match memchr2(b'\n', 0, rest.get(seen..).unwrap_or_default()) {
                        Some(hit) => (seen + hit, seen + hit + 1),
                        None if eof => (rest.len(), rest.len()),
                        None => return self.wait(rest, at, |seen| State::Text { seen }),
                    }
                }
            };
            self.state = State::Between;
            return self.finish(rest, at, end, next);
        }
    }

    /// Enters the value or text that begins `rest`.
    fn begin(&mut self, rest: &[u8]) {
        self.state = match rest {
            [b'{' | b'[', ..] => State::Value { scan: JsonScan::default(), seen: 0 },
            _ => State::Text { seen: 0 },
        };
    }

    /// Asks for more of a message whose bytes so far, `rest`, have all been searched.
    fn wait(&mut self, rest: &[u8], at: usize, state: impl Fn(usize) -> State) -> Found {
        if !self.oversize.is_active() && rest.len() <= self.max_len {
            self.state = state(rest.len());
            return Found::More { consumed: at };
        }
        self.oversize.push(rest);
        self.state = state(0);
        Found::More { consumed: at + rest.len() }
    }

    fn finish(&mut self, rest: &[u8], at: usize, end: usize, next: usize) -> Found {
        let message = rest.get(..end).unwrap_or_default();
        let consumed = at + next;
        if self.oversize.is_active() {
            self.oversize.push(message);
            return Found::Kept { consumed };
        }
        Found::Body { start: at, end: at + trimmed_len(message, is_space), consumed }
    }
}

/// White space between JSON values (RFC 8259 §2), and the NUL that GELF senders put there.
#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0)
}

fn begins_with_bom(buf: &[u8]) -> Is {
    match buf {
        _ if buf.starts_with(BOM) => Is::Yes,
        _ if BOM.starts_with(buf) => Is::Unknown,
        _ => Is::No,
    }
}
