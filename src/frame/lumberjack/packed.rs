//! A compressed frame, inflated piece by piece as it comes.

use flate2::{Decompress, FlushDecompress, Status};

use super::fault::Fault;

/// A compressed frame on its way (RFC 1950), and what of it was inflated and not yet cut.
pub(super) struct Packed {
    state: Option<Decompress>,
    /// Its length.
    len: u32,
    /// Compressed bytes to come.
    left: usize,
    /// Whether the compressed stream has ended.
    ended: bool,
    /// What is wrong with it, behind what was inflated.
    fault: Option<Fault>,
    plain: Vec<u8>,
    /// Where in `plain` the next frame begins.
    at: usize,
    /// The memory that it may take, and how much more it needs to go on, in bytes.
    granted: usize,
    wants: usize,
}

impl Packed {
    /// A frame of so many compressed bytes.
    pub(super) fn new(len: u32) -> Result<Self, Fault> {
        if !(1..=MAX_PACKED).contains(&len) {
            return Err(Fault::PackedLen(len));
        }
        Ok(Self {
            state: None,
            len,
            left: len as usize,
            ended: false,
            fault: None,
            plain: Vec::new(),
            at: 0,
            granted: 0,
            wants: 0,
        })
    }

    /// What was inflated and not yet used.
    pub(super) fn plain(&self) -> &[u8] {
        self.plain.get(self.at..).unwrap_or_default()
    }

    /// These bytes of what was inflated: they stay until more is.
    pub(super) fn slice(&self, start: usize, end: usize) -> &[u8] {
        self.plain.get(start..end).unwrap_or_default()
    }

    /// Passes over so many bytes of what was inflated. Returns where they begin.
    pub(super) fn pass(&mut self, len: usize) -> usize {
        let at = self.at;
        self.at += len;
        at
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.plain.len() - self.at.min(self.plain.len())
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.plain.capacity() + self.state.as_ref().map_or(0, |_| STATE)
    }

    /// How much more it needs to go on, in bytes.
    pub(super) fn wants(&self) -> usize {
        self.wants
    }

    /// There is room for that.
    pub(super) fn grant(&mut self) {
        self.granted += std::mem::take(&mut self.wants);
    }

    /// Inflates a piece more from `input`. What is wrong with the frame is told once all in front of
    /// it was used, however it came.
    pub(super) fn inflate(&mut self, input: &[u8]) -> Result<Piece, Fault> {
        match (self.fault, self.ended, self.left) {
            (Some(fault), ..) => return Err(fault),
            (None, true, 0) => return Ok(Piece::End),
            (None, true, left) => return Err(Fault::Trailing(left)),
            (None, false, _) => {}
        }
        self.plain.drain(..self.at.min(self.plain.len()));
        self.at = 0;
        if !self.make_room() {
            return Ok(Piece::Room);
        }
        let state = self.state.get_or_insert_with(|| Decompress::new(true));
        let input = input.get(..self.left).unwrap_or(input);
        let (taken, made) = (state.total_in(), state.total_out());
        let status = state.decompress_vec(input, &mut self.plain, FlushDecompress::None);
        let (taken, out) = (state.total_in() - taken, state.total_out());
        let taken = usize::try_from(taken).unwrap_or(usize::MAX);
        self.left = self.left.saturating_sub(taken);
        self.ended = matches!(status, Ok(Status::StreamEnd));
        self.fault = status.err().map(|_| Fault::Corrupt);
        self.limit(out);
        let stands = taken == 0 && out == made && !self.ended && self.fault.is_none();
        match self.left {
            0 if stands => Err(Fault::Truncated),
            _ if stands => Ok(Piece::More),
            _ => Ok(Piece::Some(taken)),
        }
    }

    /// Makes room for a piece, where there is a grant for it; says whether there is.
    fn make_room(&mut self) -> bool {
        if self.plain.capacity() - self.plain.len() >= MIN_PIECE {
            return true;
        }
        let piece = self.plain.len().clamp(PIECE, MAX_PIECE);
        self.wants = (STATE + self.plain.len() + piece).saturating_sub(self.granted);
        if self.wants > 0 {
            return false;
        }
        self.plain.reserve_exact(piece);
        true
    }

    /// Takes back what is over a limit, where so many bytes were inflated in all.
    fn limit(&mut self, out: u64) {
        let by_ratio = FREE.max(u64::from(self.len) * MAX_RATIO);
        let max = by_ratio.min(MAX_INFLATED);
        if out > max {
            let over = usize::try_from(out - max).unwrap_or(usize::MAX);
            self.plain.truncate(self.plain.len().saturating_sub(over));
            self.fault = Some(if max < by_ratio { Fault::TooLarge } else { Fault::Ratio });
        }
    }
}

/// What inflating came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// It took so many bytes, and may have made some.
    Some(usize),
    /// It needs more bytes.
    More,
    /// It needs more memory than was granted.
    Room,
    /// There is nothing more in the frame.
    End,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { len, left, ended, at, plain, .. } = self;
        let held = plain.len();
        write!(f, "Packed {{ len: {len}, left: {left}, ended: {ended}, at: {at}, held: {held} }}")
    }
}

/// The longest compressed frame, in bytes.
pub(super) const MAX_PACKED: u32 = 64 << 20;

/// The most that may come out of one: a window of events of 4 KiB. Only a piece of it is ever held.
pub(super) const MAX_INFLATED: u64 = 256 << 20;

/// How many bytes may come out for each that went in; logs come to some ten.
pub(super) const MAX_RATIO: u64 = 256;

/// Bytes that may come out whatever went in.
const FREE: u64 = 1 << 20;

/// What the state of inflating takes, in bytes: mostly its window.
const STATE: usize = 48 << 10;

/// Room for a piece of what is inflated: as much as is held, but no less and no more than this.
const PIECE: usize = 64 << 10;
const MAX_PIECE: usize = 1 << 20;

/// Less room is not worth inflating into.
const MIN_PIECE: usize = 16 << 10;
