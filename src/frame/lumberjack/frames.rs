//! Cuts frames from bytes that are not compressed: a connection's own, or what was in a compressed
//! frame of it.

use super::super::oversize::Oversize;
use super::fault::Fault;
use super::pairs::Walk;

/// Cuts one frame after the other.
#[derive(Debug)]
pub(super) struct Frames {
    max_len: usize,
    /// The longest event that is read to its end, to be cut.
    max_frame: usize,
    state: State,
    /// The head of an event that is too long.
    long: Oversize,
}

/// What is at the front.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A frame.
    Header,
    /// An event of version 1, of which so many bytes were walked over.
    Pairs { id: Id, walk: Walk, seen: usize },
    /// The rest of an event that is too long to wait for.
    Long { id: Id, rest: Rest, len: usize },
}

/// What an event says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) version: u8,
    pub(super) sequence: u32,
}

/// How much there is to come of an event.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Bytes(usize),
    Pairs(Walk),
}

/// A frame, in offsets: it borrows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// An event: these bytes.
    Event { id: Id, start: usize, end: usize },
    /// An event of which [`Frames::kept`] has the head.
    Kept { id: Id, consumed: usize },
    /// So many events follow, and are to be acknowledged together.
    Window { version: u8, count: u32 },
    /// So many compressed bytes follow.
    Packed { len: u32 },
    /// None that is whole.
    More { consumed: usize },
}

impl Frames {
    pub(super) fn new(max_len: usize) -> Self {
        Self {
            max_len,
            max_frame: max_len.max(MAX_FRAME),
            state: State::Header,
            // Nothing in a frame is the transport's, and so no byte of it is blank.
            long: Oversize::new(max_len, |_| false),
        }
    }

    /// Whether the next byte begins a frame.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.state, State::Header)
    }

    /// The event that was too long, and its length.
    pub(super) fn kept(&mut self) -> (&[u8], Option<u64>) {
        self.long.finish()
    }

    /// Bytes held of an event that is too long.
    pub(super) fn held(&self) -> usize {
        self.long.held()
    }

    /// The frame at the front of `bytes`.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Frame, Fault> {
        self.long.recycle();
        match self.state {
            State::Header => self.header(bytes),
            State::Pairs { id, walk, seen } => self.pairs(bytes, id, walk, seen),
            State::Long { id, rest, len } => self.rest(bytes, id, rest, len),
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Frame, Fault> {
        let Some(&version) = bytes.first() else { return Ok(Frame::More { consumed: 0 }) };
        if !matches!(version, b'1' | b'2') {
            return Err(Fault::Version(version));
        }
        let Some(&kind) = bytes.get(1) else { return Ok(Frame::More { consumed: 0 }) };
        if !matches!(kind, b'W' | b'J' | b'D' | b'C') {
            return Err(Fault::Type(kind));
        }
        let Some(first) = number(bytes, 2) else { return Ok(Frame::More { consumed: 0 }) };
        match kind {
            b'W' => return Ok(Frame::Window { version, count: first }),
            b'C' => return Ok(Frame::Packed { len: first }),
            _ => {}
        }
        let Some(second) = number(bytes, HEADER) else { return Ok(Frame::More { consumed: 0 }) };
        let id = Id { version, sequence: first };
        if kind == b'D' {
            if !(1..=MAX_PAIRS).contains(&second) {
                return Err(Fault::Pairs(second));
            }
            return self.pairs(bytes, id, Walk::new(second), EVENT_HEADER);
        }
        let len = second as usize;
        if !(1..=self.max_frame).contains(&len) {
            return Err(Fault::EventLen { len: len as u64, max: self.max_frame });
        }
        let end = EVENT_HEADER + len;
        if len > self.max_len {
            let rest = bytes.get(EVENT_HEADER..).unwrap_or_default();
            let found = self.rest(rest, id, Rest::Bytes(len), 0)?;
            return Ok(found.behind(EVENT_HEADER));
        }
        if bytes.len() < end {
            return Ok(Frame::More { consumed: 0 });
        }
        Ok(Frame::Event { id, start: EVENT_HEADER, end })
    }

    /// An event of version 1, whose bytes are waited for until they are too many. Its number of
    /// pairs is a part of it.
    fn pairs(
        &mut self,
        bytes: &[u8],
        id: Id,
        mut walk: Walk,
        mut seen: usize,
    ) -> Result<Frame, Fault> {
        let rest = bytes.get(seen..).unwrap_or_default();
        seen += walk.over(rest, self.max_frame).map_err(|len| self.too_long(len as usize))?;
        let len = seen - HEADER;
        if len > self.max_len {
            let event = bytes.get(HEADER..seen).unwrap_or_default();
            self.long.push(event);
            return self.pushed(id, Rest::Pairs(walk), len, seen);
        }
        if !walk.is_done() {
            self.state = State::Pairs { id, walk, seen };
            return Ok(Frame::More { consumed: 0 });
        }
        self.state = State::Header;
        Ok(Frame::Event { id, start: HEADER, end: seen })
    }

    /// The next part of an event that is too long; `len` bytes of it came before.
    fn rest(&mut self, bytes: &[u8], id: Id, mut rest: Rest, len: usize) -> Result<Frame, Fault> {
        let taken = match &mut rest {
            Rest::Bytes(left) => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                taken
            }
            Rest::Pairs(walk) => {
                walk.over(bytes, self.max_frame).map_err(|len| self.too_long(len as usize))?
            }
        };
        self.long.push(bytes.get(..taken).unwrap_or_default());
        self.pushed(id, rest, len + taken, taken)
    }

    /// What to do once all there is of an event that is too long was kept or dropped.
    fn pushed(&mut self, id: Id, rest: Rest, len: usize, consumed: usize) -> Result<Frame, Fault> {
        if len > self.max_frame {
            return Err(self.too_long(len));
        }
        let is_done = match rest {
            Rest::Bytes(left) => left == 0,
            Rest::Pairs(walk) => walk.is_done(),
        };
        if !is_done {
            self.state = State::Long { id, rest, len };
            return Ok(Frame::More { consumed });
        }
        self.state = State::Header;
        Ok(Frame::Kept { id, consumed })
    }

    fn too_long(&self, len: usize) -> Fault {
        Fault::EventLen { len: len as u64, max: self.max_frame }
    }
}

impl Frame {
    /// The same with so many bytes in front of it, which were consumed as well.
    fn behind(self, before: usize) -> Self {
        match self {
            Self::Kept { id, consumed } => Self::Kept { id, consumed: consumed + before },
            Self::More { consumed } => Self::More { consumed: consumed + before },
            other => other,
        }
    }
}

/// Four bytes, the highest first.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*four))
}

/// Bytes of a frame of type W or C up to where its number ends, and of one of type D up to its
/// number of pairs.
pub(super) const HEADER: usize = 6;

/// Bytes in front of the text of an event of version 2, and of the first pair of one of version 1.
const EVENT_HEADER: usize = 10;

/// The longest event, in bytes, that is read to its end where messages may not be as long; there is
/// no use in one that is longer.
const MAX_FRAME: usize = 16 << 20;

/// The most pairs of an event of version 1.
pub(super) const MAX_PAIRS: u32 = 1024;
