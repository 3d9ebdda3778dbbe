//! Tokens with octets above 127: their characters are folded one by one, and not all of them are of words.
//!
//! A language has few words, and most come again: what was looked at for a block is not looked at again.

use super::gathered::Gathered;
use super::token::{Bytes, Token};
use super::words::add_word;
use crate::kql::words;

/// Takes tokens apart.
#[derive(Debug)]
pub(super) struct Foreign {
    /// Those of the last tokens that are short, each at the place that its octets tell.
    recent: Box<[Recent; RECENT]>,
    /// The number of the block, from 1 on.
    block: u64,
    folded: String,
}

/// A token, and the block that has its words.
#[derive(Clone, Copy, Debug)]
struct Recent {
    block: u64,
    len: u8,
    octets: [u8; SHORT],
}

impl Default for Foreign {
    fn default() -> Self {
        let none = Recent { block: 0, len: 0, octets: [0; SHORT] };
        Self { recent: Box::new([none; RECENT]), block: 1, folded: String::new() }
    }
}

impl Foreign {
    /// Begins another block.
    pub(super) fn clear(&mut self) {
        self.block += 1;
    }

    /// Of the tokens whose octets behind `base` have a bit in `words`, adds those that have one `beyond`
    /// ASCII; returns the bits of the others. The last octet is of none.
    pub(super) fn add_all(
        &mut self,
        text: &[u8],
        base: usize,
        mut words: u64,
        beyond: u64,
        gathered: &mut Gathered,
    ) -> u64 {
        let gaps = !words | 1 << 63;
        let mut left = words & beyond & !gaps;
        while left != 0 {
            let behind = u64::MAX << left.trailing_zeros();
            let first = 64 - (gaps & !behind).leading_zeros();
            let end = (gaps & behind).trailing_zeros();
            let token = text.get(base + first as usize..base + end as usize);
            self.add(token.unwrap_or_default(), gathered);
            words &= u64::MAX << end | !(u64::MAX << first);
            left &= u64::MAX << end;
        }
        words
    }

    /// Adds the words of the token in `text` from `start` to `end`, which may be ASCII.
    pub(super) fn add_any(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        gathered: &mut Gathered,
    ) {
        let token = text.get(start..end).unwrap_or_default();
        if token.is_ascii() {
            add_word(gathered, Bytes::new(text, start, end));
        } else {
            self.add(token, gathered);
        }
    }

    /// Adds the words of a token. What is not UTF-8 is of no word.
    fn add(&mut self, token: &[u8], gathered: &mut Gathered) {
        if self.is_known(token) {
            return;
        }
        words::fold(token, &mut self.folded);
        for word in words::split(&self.folded) {
            add_word(gathered, Bytes::new(word.as_bytes(), 0, word.len()));
        }
        if self.folded.capacity() > MAX_KEPT {
            self.folded = String::new();
        }
    }

    /// Whether the block has the words of a token already; from now on it has.
    fn is_known(&mut self, token: &[u8]) -> bool {
        let place = Token::of_text(Bytes::new(token, 0, token.len())).0 as usize % RECENT;
        let (Some(recent), Ok(len)) = (self.recent.get_mut(place), u8::try_from(token.len()))
        else {
            return false;
        };
        let Some(octets) = recent.octets.get_mut(..token.len()) else { return false };
        if (recent.block, recent.len) == (self.block, len) && *octets == *token {
            return true;
        }
        octets.copy_from_slice(token);
        (recent.block, recent.len) = (self.block, len);
        false
    }
}

/// Tokens that are remembered.
const RECENT: usize = 512;

/// Octets of the longest one that is.
const SHORT: usize = 55;

/// The memory that is kept for the next token, in bytes.
const MAX_KEPT: usize = 1 << 16;
