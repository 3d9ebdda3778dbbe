//! Syslog over a stream, octet counted or delimited (RFC 6587), told apart message by message.

use super::count::{Front, Is, Lookahead, begins_message, front, usual_count};
use super::ends::{End, Ender, Ends};
use super::oversize::Oversize;
use super::{Found, FrameErrors, Framing, Step, is_line_end, trimmed_len};

/// Cuts a stream into messages of at most `max_len` bytes.
///
/// * CR, LF and NUL between messages are skipped, and those that end a message are no part of it.
/// * A message whose count is above `max_len`, or whose delimiter comes later than that, is cut.
/// * After a counted message, what begins like no message is the rest of one whose count was
///   wrong: it is text up to a delimiter or to the next count with a priority behind it.
/// * `auto`: if the first delimited message ends in NUL, LF is text on this connection, unless
///   another frame begins right behind it.
///
/// See [`Framing`] for what else the kinds differ in.
#[derive(Debug)]
pub struct Frames {
    framing: Framing,
    max_len: usize,
    state: State,
    hint: Hint,
    delimiter: Delimiter,
    oversize: Oversize,
    errors: FrameErrors,
}

/// How a message is told from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimited {
    /// By its count of octets.
    Counted,
    /// By a line feed.
    Lines,
    /// By a NUL.
    Nul,
}

/// Where the front of the buffer lies. This alone decides the next step: within a message no byte
/// of it can be taken for the start of another.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a message.
    Between,
    /// In a message without a count; the first `seen` bytes of the buffer hold no end of it.
    Text { ends: Ends, seen: usize },
    /// Before `len` bytes of message that fit.
    Counted { len: usize },
    /// In a message that does not fit, of which `left` bytes are still to come.
    CountedTooLong { left: u64 },
}

/// What the message before this one tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    None,
    /// It was counted, so this one must begin as one does.
    Counted,
}

/// What ended the first delimited message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter {
    Unknown,
    Lf,
    Nul,
}

impl Frames {
    /// A decoder for one connection. `max_len` in bytes.
    pub fn new(framing: Framing, max_len: usize) -> Self {
        let blank = if framing == Framing::None { |_| false } else { is_line_end };
        Self {
            framing,
            max_len,
            state: State::Between,
            hint: Hint::None,
            delimiter: Delimiter::Unknown,
            oversize: Oversize::new(max_len, blank),
            errors: FrameErrors::default(),
        }
    }

    /// The next message in `buf`, which begins where the last step's `consumed` ended.
    ///
    /// `eof`: no more bytes will come; the unterminated tail is then delivered.
    #[inline]
    pub fn next<'b>(&'b mut self, buf: &'b [u8], eof: bool) -> Step<'b> {
        self.oversize.recycle();
        let found = self.advance(buf, eof);
        found.step(buf, self.max_len, &mut self.oversize, &mut self.errors)
    }

    /// What went wrong since [`new`](Self::new).
    pub fn errors(&self) -> FrameErrors {
        self.errors
    }

    /// How the last message was told from the next, as far as that is known.
    pub fn told_apart(&self) -> Option<Delimited> {
        match (self.hint, self.delimiter) {
            (Hint::Counted, _) => Some(Delimited::Counted),
            (Hint::None, Delimiter::Lf) => Some(Delimited::Lines),
            (Hint::None, Delimiter::Nul) => Some(Delimited::Nul),
            (Hint::None, Delimiter::Unknown) => None,
        }
    }

    /// The memory that the decoder holds beside the caller's buffer, in bytes: none, but while a
    /// message too long is on its way.
    pub fn held(&self) -> usize {
        self.oversize.held()
    }

    fn advance(&mut self, buf: &[u8], eof: bool) -> Found {
        let mut at = 0;
        loop {
            let rest = buf.get(at..).unwrap_or_default();
            let found = match self.state {
                State::Between => {
                    let (skip, begun) = self.begin(rest, eof);
                    at += skip;
                    if begun {
                        continue;
                    }
                    Found::More { consumed: at }
                }
                State::Text { ends, seen } => self.text(rest, at, ends, seen, eof),
                State::Counted { len } => self.counted(rest, at, len, eof),
                State::CountedTooLong { left } => self.too_long(rest, at, left, eof),
            };
            match found {
                // Nothing but line ends in a count: no message.
                Found::Body { start, end, consumed }
                    if start == end && self.framing != Framing::None =>
                {
                    at = consumed;
                }
                Found::Kept { consumed } if self.oversize.is_blank() => {
                    self.oversize.clear();
                    at = consumed;
                }
                _ => return found,
            }
        }
    }

    /// Enters the next message, if its kind can be told: how much to skip before it, and whether it
    /// was entered.
    #[inline]
    fn begin(&mut self, rest: &[u8], eof: bool) -> (usize, bool) {
        if self.framing == Framing::None {
            if !rest.is_empty() {
                self.state = State::Text { ends: Ends::Lf, seen: 0 };
            }
            return (0, !rest.is_empty());
        }
        let blank = rest.iter().position(|&b| !is_line_end(b)).unwrap_or(rest.len());
        let rest = rest.get(blank..).unwrap_or_default();
        if blank > 0 && self.framing == Framing::Auto {
            self.hint = Hint::None;
        }
        let Some(&first) = rest.first() else { return (blank, false) };
        let (skip, state) = match self.framing {
            Framing::Lf | Framing::None => (0, Some(State::Text { ends: Ends::Lf, seen: 0 })),
            Framing::Nul => (0, Some(State::Text { ends: Ends::Nul, seen: 0 })),
            Framing::Auto if first == b'<' => (0, Some(self.delimited())),
            Framing::Auto | Framing::Octet => self.begin_any(rest, eof),
        };
        self.state = state.unwrap_or(State::Between);
        (blank + skip, state.is_some())
    }

    /// As [`begin`](Self::begin), where the message may have a count. `rest` is not empty.
    #[inline]
    fn begin_any(&mut self, rest: &[u8], eof: bool) -> (usize, Option<State>) {
        match usual_count(rest) {
            Some((len, prefix)) => (prefix, Some(self.enter_counted(len))),
            None => self.begin_unusual(rest, eof),
        }
    }

    fn begin_unusual(&mut self, rest: &[u8], eof: bool) -> (usize, Option<State>) {
        let lookahead = match self.framing {
            Framing::Octet => Lookahead::Free,
            _ => Lookahead::Message,
        };
        // Cisco ASA sends a blank after the LF; it is skipped where a frame is sure to follow.
        let (blank, behind) = match rest {
            [b' ', behind @ ..] => (1, behind),
            _ => (0, rest),
        };
        match front(behind, lookahead, eof) {
            Front::Wait => (0, None),
            Front::Counted { len, prefix } => (blank + prefix, Some(self.enter_counted(len))),
            Front::Cut if self.framing == Framing::Octet || self.hint == Hint::Counted => {
                self.errors.truncated_tail += 1;
                (rest.len(), None)
            }
            _ if blank == 1 && self.framing == Framing::Auto && behind.starts_with(b"<") => {
                (blank, Some(self.delimited()))
            }
            Front::Overlong => {
                self.errors.bad_count += 1;
                (0, Some(State::Text { ends: Ends::Resync, seen: 0 }))
            }
            front => (0, self.enter_text(front, rest, eof)),
        }
    }

    fn enter_counted(&mut self, len: u64) -> State {
        self.hint = Hint::Counted;
        match usize::try_from(len) {
            Ok(len) if len <= self.max_len => State::Counted { len },
            _ => State::CountedTooLong { left: len },
        }
    }

    /// Enters a message without a count; `None`: more bytes are needed to say what it is.
    fn enter_text(&mut self, front: Front, rest: &[u8], eof: bool) -> Option<State> {
        if self.framing == Framing::Auto {
            match begins_message(rest) {
                Is::Unknown if !eof => return None,
                Is::Yes => return Some(self.delimited()),
                Is::No | Is::Unknown => {}
            }
        }
        if self.hint == Hint::Counted {
            self.errors.resync += 1;
            return Some(State::Text { ends: Ends::Resync, seen: 0 });
        }
        let broken = self.framing == Framing::Octet || front == Front::Zero;
        self.errors.bad_count += u64::from(broken);
        Some(self.delimited())
    }

    /// A message that ends as messages on this connection do.
    #[inline]
    fn delimited(&self) -> State {
        let ends = match self.delimiter {
            Delimiter::Nul => Ends::NulMostly,
            Delimiter::Lf | Delimiter::Unknown => Ends::LfOrNul,
        };
        State::Text { ends, seen: 0 }
    }

    #[inline]
    fn text(&mut self, rest: &[u8], at: usize, ends: Ends, seen: usize, eof: bool) -> Found {
        let kept = self.oversize.is_active();
        let (end, next, by) = match ends.find(rest, seen, self.max_len) {
            End::At { end, next, by } => (end, next, by),
            End::NotYet { .. } if eof => (rest.len(), rest.len(), Ender::Other),
            End::NotYet { seen } => {
                let passed = seen.saturating_sub(ends.look_behind());
                if !kept && passed <= self.max_len {
                    self.state = State::Text { ends, seen };
                    return Found::More { consumed: at };
                }
                self.oversize.push(rest.get(..passed).unwrap_or_default());
                self.state = State::Text { ends, seen: seen - passed };
                return Found::More { consumed: at + passed };
            }
        };
        self.state = State::Between;
        if self.framing == Framing::Auto {
            self.hint = Hint::None;
            self.learn(ends, by);
        }
        let text = rest.get(..end).unwrap_or_default();
        let consumed = at + next;
        if kept {
            self.oversize.push(text);
            return Found::Kept { consumed };
        }
        let len = if self.framing == Framing::None { end } else { trimmed_len(text, is_line_end) };
        Found::Body { start: at, end: at + len, consumed }
    }

    /// Remembers what the first delimited message was ended by.
    #[inline]
    fn learn(&mut self, ends: Ends, by: Ender) {
        if self.delimiter == Delimiter::Unknown && ends == Ends::LfOrNul {
            self.delimiter = match by {
                Ender::Lf => Delimiter::Lf,
                Ender::Nul => Delimiter::Nul,
                Ender::Other => Delimiter::Unknown,
            };
        }
    }

    #[inline]
    fn counted(&mut self, rest: &[u8], at: usize, len: usize, eof: bool) -> Found {
        let body = match rest.get(..len) {
            Some(body) => body,
            None if eof => {
                self.errors.truncated_tail += 1;
                rest
            }
            None => return Found::More { consumed: at },
        };
        self.state = State::Between;
        let end = at + trimmed_len(body, is_line_end);
        Found::Body { start: at, end, consumed: at + body.len() }
    }

    fn too_long(&mut self, rest: &[u8], at: usize, left: u64, eof: bool) -> Found {
        let whole = usize::try_from(left).ok().and_then(|left| rest.get(..left));
        let bytes = whole.unwrap_or(rest);
        let consumed = at + bytes.len();
        if whole.is_none() && !eof {
            self.state = State::CountedTooLong { left: left - bytes.len() as u64 };
            self.oversize.push(bytes);
            return Found::More { consumed };
        }
        self.errors.truncated_tail += u64::from(whole.is_none());
        self.state = State::Between;
        if self.oversize.is_active() {
            self.oversize.push(bytes);
            return Found::Kept { consumed };
        }
        Found::Body { start: at, end: at + trimmed_len(bytes, is_line_end), consumed }
    }
}
