//! The words of one block, gathered as its values go by.

use fearless_simd::{Level, dispatch, prelude::*};

use super::super::octets::{Classes, classify, classify_rest};
use super::foreign::Foreign;
use super::gathered::Gathered;
use super::token::{Bytes, Token};
use crate::eights::decimal_of;

/// Gathers the words of one block after the other.
#[derive(Debug)]
pub struct Words {
    /// What the processor can.
    level: Level,
    gathered: Gathered,
    foreign: Foreign,
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
        Self { level: Level::new(), gathered: Gathered::default(), foreign: Foreign::default() }
    }
}

impl Words {
    /// Forgets all but the memory.
    pub fn clear(&mut self) {
        self.gathered.clear();
        self.foreign.clear();
    }

    /// Adds the words of a text. What is not UTF-8 is of no word.
    pub fn add_text(&mut self, text: &[u8]) {
        let Self { gathered, foreign, .. } = self;
        dispatch!(self.level, simd => add_all(simd, text, gathered, foreign));
    }

    /// Adds a number: the same as its digits.
    pub fn add_number(&mut self, number: u64) {
        self.gathered.add_number(number);
    }

    /// The words so far; begins anew.
    pub fn finish(&mut self) -> BlockWords {
        self.foreign.clear();
        BlockWords(self.gathered.finish())
    }

    /// Adds a word in ASCII.
    pub(super) fn add_word(&mut self, word: Bytes<'_>) {
        add_word(&mut self.gathered, word);
    }
}

/// Adds the words of a text.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn add_all<S: Simd>(simd: S, text: &[u8], gathered: &mut Gathered, foreign: &mut Foreign) {
    let (windows, rest) = text.as_chunks::<64>();
    // Where the word begins that goes on over the end of what was looked at.
    let (mut base, mut open) = (0, None);
    for window in windows {
        open = add_window(text, base, &classify(simd, window), open, gathered, foreign);
        base += 64;
    }
    if !rest.is_empty() {
        let classes = classify_rest(simd, text, rest);
        open = add_window(text, base, &classes, open, gathered, foreign);
    }
    if let Some(start) = open {
        foreign.add_any(text, start, text.len(), gathered);
    }
}

/// Adds the words of 64 octets from `base` on; says where the one begins that may go on behind them.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn add_window(
    text: &[u8],
    base: usize,
    classes: &Classes,
    open: Option<usize>,
    gathered: &mut Gathered,
    foreign: &mut Foreign,
) -> Option<usize> {
    let mut words = classes.tokens;
    if let Some(start) = open {
        let len = words.trailing_ones();
        if len == 64 {
            return open;
        }
        foreign.add_any(text, start, base + len as usize, gathered);
        words &= u64::MAX << len;
    }
    let last = words.leading_ones();
    words &= u64::MAX.checked_shr(last).unwrap_or(0);
    if words & classes.beyond != 0 {
        words = foreign.add_all(text, base, words, classes.beyond, gathered);
    }
    gathered.make_room(32);
    // One kind after the other: what one word is says nothing about the next, and a processor that
    // guesses wrong loses as much time as a word takes.
    let mut ends = ends_of_numbers(words, classes.digits & words);
    while ends != 0 {
        let before = (1 << ends.trailing_zeros()) - 1;
        let first = 64 - (!words & before).leading_zeros();
        add_digits(gathered, word_at(text, base, words >> first, first));
        words &= !before | ((1 << first) - 1);
        ends &= ends - 1;
    }
    while words != 0 {
        let first = words.trailing_zeros();
        let word = word_at(text, base, words >> first, first);
        if word.len() <= 8 {
            gathered.push(Token::of_eight(word.eight(0), word.len()));
        } else {
            gathered.push(Token::of_text(word));
        }
        words &= words + (1 << first);
    }
    (last > 0).then_some(base + 64 - last as usize)
}

/// The bits behind the words that are digits alone; none of them reaches the last bit.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn ends_of_numbers(words: u64, digits: u64) -> u64 {
    let first = digits & !(words << 1);
    // What is added to the first of some digits is carried to the bit behind them.
    (digits + first) & !words
}

/// The word that begins at the bit `first` behind `base`; `bits` begin with it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn word_at(text: &[u8], base: usize, bits: u64, first: u32) -> Bytes<'_> {
    let start = base + first as usize;
    Bytes::new(text, start, start + bits.trailing_ones() as usize)
}

/// Adds a word of digits alone, for which there is room.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn add_digits(gathered: &mut Gathered, word: Bytes<'_>) {
    let octets = word.eight(0);
    if word.len() > 8 {
        add_word(gathered, word);
    } else if octets & 0xff == u64::from(b'0') && word.len() > 1 {
        gathered.push(Token::of_eight(octets, word.len()));
    } else {
        gathered.add_number(decimal_of(octets, word.len()));
    }
}

/// Adds a word of any length.
pub(super) fn add_word(gathered: &mut Gathered, word: Bytes<'_>) {
    match word.number() {
        Some(number) => gathered.add_number(number),
        None => gathered.add(Token::of_text(word)),
    }
}

/// Different words of a block that are told apart; one that has more may have any. A sender can
/// make words up, and each takes ten bits on disk.
pub const MAX_WORDS: usize = 1 << 18;

/// Digits of the largest number that is known by its value.
pub(super) const MAX_DIGITS: usize = 20;
