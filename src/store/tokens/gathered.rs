//! The tokens of one block as they come, most of them once.
//!
//! Most words of a block come again and again, and most numbers are small: neither of them gets as
//! far as the sort.

use super::token::Token;
use super::words::MAX_WORDS;

/// The tokens so far.
#[derive(Debug)]
pub(super) struct Gathered {
    /// One bit for each small number.
    small: Box<[u64; SMALL / 64]>,
    /// The last token of each place.
    seen: Box<[u32; SEEN]>,
    /// Room for more than there are.
    tokens: Vec<u32>,
    len: usize,
    spare: Vec<u32>,
    /// Whether there are too many.
    is_any: bool,
}

impl Default for Gathered {
    fn default() -> Self {
        let mut gathered = Self {
            small: Box::new([0; SMALL / 64]),
            seen: Box::new([0; SEEN]),
            tokens: Vec::new(),
            len: 0,
            spare: Vec::new(),
            is_any: false,
        };
        gathered.clear();
        gathered
    }
}

impl Gathered {
    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.small.fill(0);
        // No token that a place is for.
        for (other, place) in (1..).zip(self.seen.iter_mut()) {
            *place = u32::wrapping_shl(other, SEEN_SHIFT);
        }
        self.len = 0;
        self.is_any = false;
    }

    /// All tokens, in order, each once, unless there are too many; begins anew.
    pub(super) fn finish(&mut self) -> Option<Vec<u32>> {
        let small = std::mem::replace(&mut *self.small, [0; SMALL / 64]);
        for (first, bits) in (0_u64..).step_by(64).zip(small) {
            let mut left = bits;
            while left != 0 {
                self.add(Token::of_number(first + u64::from(left.trailing_zeros())));
                left &= left - 1;
            }
        }
        self.compact();
        let is_any = self.is_any || self.len > MAX_WORDS;
        let tokens = (!is_any).then(|| self.tokens.get(..self.len).unwrap_or_default().to_vec());
        self.clear();
        tokens
    }

    /// Adds a number.
    #[inline]
    pub(super) fn add_number(&mut self, number: u64) {
        match usize::try_from(number / 64).ok().and_then(|at| self.small.get_mut(at)) {
            Some(bits) => *bits |= 1 << (number % 64),
            None => self.add(Token::of_number(number)),
        }
    }

    /// Adds a token.
    pub(super) fn add(&mut self, token: Token) {
        self.make_room(1);
        self.push(token);
    }

    /// Makes room for `more` tokens.
    #[inline]
    pub(super) fn make_room(&mut self, more: usize) {
        if self.tokens.len() < self.len + more {
            self.grow(more);
        }
    }

    /// Adds a token for which there is room.
    #[inline]
    pub(super) fn push(&mut self, token: Token) {
        let place = self.seen.get_mut((token.0 >> SEEN_SHIFT) as usize).expect("as many places");
        let is_new = *place != token.0;
        *place = token.0;
        if let Some(next) = self.tokens.get_mut(self.len) {
            *next = token.0;
        }
        self.len += usize::from(is_new);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        if self.len >= 2 * MAX_WORDS {
            self.compact();
            if self.len > MAX_WORDS {
                self.is_any = true;
                self.len = 0;
            }
        }
        if self.tokens.len() < self.len + more {
            let room = (2 * self.tokens.len()).clamp(MIN_ROOM, 2 * MAX_WORDS);
            self.tokens.resize(room.max(self.len) + more, 0);
        }
    }

    /// Puts the tokens in order, each once.
    fn compact(&mut self) {
        self.tokens.truncate(self.len);
        sort(&mut self.tokens, &mut self.spare);
        self.tokens.dedup();
        self.len = self.tokens.len();
    }
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

/// Numbers below this have a bit each.
const SMALL: usize = 1 << 16;

/// Tokens that are remembered as seen.
const SEEN: usize = 1 << (32 - SEEN_SHIFT);

const SEEN_SHIFT: u32 = 20;

/// Values of 11 bits.
const DIGITS: usize = 1 << 11;

/// Tokens that there is room for from the first on.
const MIN_ROOM: usize = 1 << 12;
