//! The entries of a compressed message, unpacked a piece at a time.

use flate2::{Decompress, FlushDecompress, Status};

/// Unpacks gzip: one member or several after each other, as Fluentd's buffers hold them.
#[derive(Debug)]
pub(super) struct Inflate {
    /// That of a member, once its first byte came.
    state: Option<Decompress>,
    /// Whether the member is over, so that what comes next begins another.
    is_between: bool,
    members: usize,
    /// All that came out.
    made: u64,
}

/// What a call took and made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inflated {
    /// Bytes of the input.
    pub(super) taken: usize,
    /// Bytes of the output.
    pub(super) made: usize,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { state: None, is_between: false, members: 0, made: 0 }
    }

    /// Unpacks some of `input` to the end of `out`, [`PIECE`] bytes at the most.
    ///
    /// # Errors
    ///
    /// It is no gzip, or holds more than a message may.
    pub(super) fn run(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Inflated, &'static str> {
        if self.is_between || self.state.is_none() {
            if input.is_empty() {
                return Ok(Inflated { taken: 0, made: 0 });
            }
            self.members += 1;
            if self.members > MAX_MEMBERS {
                return Err("more members of gzip than allowed");
            }
            self.state = None; // one at a time
            self.is_between = false;
        }
        let state = self.state.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
        let (before, len) = (state.total_in(), out.len());
        out.reserve_exact(PIECE);
        let status =
            state.decompress_vec(input, out, FlushDecompress::None).map_err(|_| "no whole gzip")?;
        self.is_between = status == Status::StreamEnd;
        let taken = usize::try_from(state.total_in() - before).unwrap_or(input.len());
        let made = out.len() - len;
        self.made += made as u64;
        if self.made > MAX_INFLATED {
            return Err("more than 256 MiB in one message");
        }
        Ok(Inflated { taken, made })
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.state.as_ref().map_or(0, |_| STATE)
    }

    /// Whether all that began has ended.
    pub(super) fn is_whole(&self) -> bool {
        self.is_between
    }
}

/// The widest window of RFC 1951, 32 KiB, as its logarithm.
const WINDOW_BITS: u8 = 15;

/// What the state of unpacking takes, in bytes: mostly its window.
pub(super) const STATE: usize = 48 << 10;

/// How much is unpacked at a time.
pub(super) const PIECE: usize = 64 << 10;

/// Members of a message. Each takes some 40 KiB to set up, and may be 20 bytes that hold nothing.
const MAX_MEMBERS: usize = 16 << 10;

/// What one message may hold. Fluentd's chunks on disk are of 256 MiB at the most by default.
const MAX_INFLATED: u64 = 256 << 20;
