//! Where columns are written to: bytes that compression can shorten, and bytes that it cannot.
//!
//! Bits that are packed already would only cost the compressor time, and spoil its statistics.

use super::super::bytes::{Damaged, Reader};

/// What is being written.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Payload {
    /// Will be compressed.
    pub(in crate::store) soft: Vec<u8>,
    /// Will be kept as it is.
    pub(in crate::store) hard: Vec<u8>,
    /// Whether it is kept for long, so that finding a shorter form is worth the time.
    pub(in crate::store) is_final: bool,
}

/// What is being read back. Each part is read from its front.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Parts<'a> {
    pub(in crate::store) soft: Reader<'a>,
    pub(in crate::store) hard: Reader<'a>,
}

impl Payload {
    /// Forgets all but the memory.
    pub(in crate::store) fn clear(&mut self) {
        self.soft.clear();
        self.hard.clear();
    }

    /// How long both are.
    pub(in crate::store) fn lens(&self) -> (usize, usize) {
        (self.soft.len(), self.hard.len())
    }

    /// What was written, to be read.
    pub(in crate::store) fn parts(&self) -> Parts<'_> {
        Parts { soft: Reader(&self.soft), hard: Reader(&self.hard) }
    }
}

impl Parts<'_> {
    /// Says whether everything was read.
    pub(in crate::store) fn end(&self) -> Result<(), Damaged> {
        match self.soft.0.is_empty() && self.hard.0.is_empty() {
            true => Ok(()),
            false => Err(Damaged("the end of a column")),
        }
    }
}
