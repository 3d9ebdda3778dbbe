//! The words of one block, gathered as its values go by.

use super::token::{Bytes, Token};
use crate::kql::words;

/// Gathers the words of one block after the other.
///
/// Most words of a block come again and again, and most numbers are small: neither of them gets as
/// far as the sort.
#[derive(Debug)]
pub struct Words {
    /// One bit for each small number.
    small: Box<[u64; SMALL / 64]>,
    /// The last token of each place.
    seen: Box<[u32; SEEN]>,
    tokens: Vec<u32>,
    spare: Vec<u32>,
    /// Whether there are too many.
    is_any: bool,
    folded: String,
}

/// The words of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockWords(pub(super) Option<Vec<u32>>);

impl BlockWords {
    /// The tokens, in order, each once; `None` if the block may have any word.
    pub fn tokens(&self) -> Option<impl ExactSizeIterator<Item = Token>> {
        self.0.as_ref().map(|tokens| tokens.iter().map(|token| Token(*token)))
    }
}

impl Default for Words {
    fn default() -> Self {
        let mut words = Self {
            small: Box::new([0; SMALL / 64]),
            seen: Box::new([0; SEEN]),
            tokens: Vec::new(),
            spare: Vec::new(),
            is_any: false,
            folded: String::new(),
        };
        words.clear();
        words
    }
}

impl Words {
    /// Forgets all but the memory.
    pub fn clear(&mut self) {
        self.small.fill(0);
        // No token that a place is for.
        for (other, place) in (1..).zip(self.seen.iter_mut()) {
            *place = u32::wrapping_shl(other, SEEN_SHIFT);
        }
        self.tokens.clear();
        self.is_any = false;
    }

    /// Adds the words of a text. What is not UTF-8 is of no word.
    pub fn add_text(&mut self, text: &[u8]) {
        if text.is_ascii() {
            return self.add_ascii(text);
        }
        let mut folded = std::mem::take(&mut self.folded);
        words::fold(text, &mut folded);
        for word in words::split(&folded) {
            self.add_word(Bytes::new(word.as_bytes(), 0, word.len()));
        }
        if folded.capacity() <= MAX_KEPT {
            self.folded = folded;
        }
    }

    /// Adds a number: the same as its digits.
    pub fn add_number(&mut self, number: u64) {
        match usize::try_from(number / 64).ok().and_then(|at| self.small.get_mut(at)) {
            Some(bits) => *bits |= 1 << (number % 64),
            None => self.add(Token::of_number(number)),
        }
    }

    /// The words so far; begins anew.
    pub fn finish(&mut self) -> BlockWords {
        let small = std::mem::replace(&mut *self.small, [0; SMALL / 64]);
        for (first, bits) in (0_u64..).step_by(64).zip(small) {
            let mut left = bits;
            while left != 0 {
                self.add(Token::of_number(first + u64::from(left.trailing_zeros())));
                left &= left - 1;
            }
        }
        self.compact();
        let is_any = self.is_any || self.tokens.len() > MAX_WORDS;
        let words = BlockWords((!is_any).then(|| self.tokens.clone()));
        self.clear();
        words
    }

    /// Eight bytes at a time are told apart into those of words and those between them.
    fn add_ascii(&mut self, text: &[u8]) {
        let all = Bytes::new(text, 0, text.len());
        // Where the word begins that goes on over the end of what was looked at.
        let mut open = None;
        for base in (0..text.len()).step_by(64) {
            let mut bits = 0;
            for (at, shift) in (base..text.len().min(base + 64)).step_by(8).zip((0..).step_by(8)) {
                bits |= word_bits(all.eight(at)) << shift;
            }
            if let Some(start) = open {
                let len = bits.trailing_ones();
                if len == 64 {
                    continue;
                }
                self.add_word(Bytes::new(text, start, base + len as usize));
                bits &= u64::MAX << len;
                open = None;
            }
            while bits != 0 {
                let start = bits.trailing_zeros();
                let end = start + (bits >> start).trailing_ones();
                if end == 64 {
                    open = Some(base + start as usize);
                    break;
                }
                self.add_word(Bytes::new(text, base + start as usize, base + end as usize));
                bits &= u64::MAX << end;
            }
        }
        if let Some(start) = open {
            self.add_word(Bytes::new(text, start, text.len()));
        }
    }

    /// Adds a word.
    pub(super) fn add_word(&mut self, word: Bytes<'_>) {
        match word.number() {
            Some(number) => self.add_number(number),
            None => self.add(Token::of_text(word)),
        }
    }

    fn add(&mut self, token: Token) {
        let place = self.seen.get_mut((token.0 >> SEEN_SHIFT) as usize).expect("as many places");
        if *place == token.0 {
            return;
        }
        *place = token.0;
        if self.tokens.len() >= 2 * MAX_WORDS {
            self.compact();
            if self.tokens.len() > MAX_WORDS {
                self.is_any = true;
                self.tokens.clear();
            }
        }
        self.tokens.push(token.0);
    }

    /// Puts the tokens in order, each once.
    fn compact(&mut self) {
        sort(&mut self.tokens, &mut self.spare);
        self.tokens.dedup();
    }
}

/// For each of eight ASCII bytes, the first of them lowest, whether it is part of a word.
fn word_bits(bytes: u64) -> u64 {
    let lower = bytes | 0x2020_2020_2020_2020;
    let between = |bytes: u64, first: u8, last: u8| {
        (bytes + ONES * u64::from(0x80 - first)) & !(bytes + ONES * u64::from(0x7f - last))
    };
    let tops = between(lower, b'a', b'z') | between(bytes, b'0', b'9') | between(bytes, b'_', b'_');
    // The product moves each of the eight bits to a place of its own in the highest byte.
    (tops >> 7 & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Sorts by digits of 11 bits, the last of them first: tokens are many and look random.
fn sort(tokens: &mut Vec<u32>, spare: &mut Vec<u32>) {
    spare.resize(tokens.len(), 0);
    for shift in [0, 11, 22] {
        let digit = |token: u32| (token >> shift) as usize % DIGITS;
        let mut places = [0_usize; DIGITS];
        for token in tokens.iter() {
            if let Some(place) = places.get_mut(digit(*token)) {
                *place += 1;
            }
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for token in tokens.iter() {
            if let Some(place) = places.get_mut(digit(*token))
                && let Some(to) = spare.get_mut(*place)
            {
                *to = *token;
                *place += 1;
            }
        }
        std::mem::swap(tokens, spare);
    }
}

/// Different words of a block that are told apart; one that has more may have any. A sender can
/// make words up, and each takes ten bits on disk.
pub const MAX_WORDS: usize = 1 << 18;

/// Digits of the largest number that is known by its value.
pub(super) const MAX_DIGITS: usize = 20;

/// Numbers below this have a bit each.
const SMALL: usize = 1 << 16;

/// Tokens that are remembered as seen.
const SEEN: usize = 1 << (32 - SEEN_SHIFT);

const SEEN_SHIFT: u32 = 20;

/// Values of 11 bits.
const DIGITS: usize = 1 << 11;

/// The memory that is kept for the next text that is not ASCII, in bytes.
const MAX_KEPT: usize = 1 << 20;

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
