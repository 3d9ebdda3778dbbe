//! What stands in one place of a template: numbers, hexadecimal digits, or any text.
//!
//! A slot is as narrow as the texts in it allow, and widens when one comes that does not fit. What
//! is read back is what was pushed, to the byte. Numbers may stand between letters that are the same
//! in all: `5ms`, `blk_42`.

use super::digits::{Decimal, Hex, around_digits, digits, digits_of_all, may_surround};
use super::numbers;
use super::take::take_numbers;
use super::texts::Texts;
use crate::eights::is_same;

/// The variables of one place, one for each row of a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub(super) form: Form,
    /// What stands before and after the digits of every decimal number.
    pub(super) affix: (Vec<u8>, Vec<u8>),
    /// Numbers, or hexadecimal digits by their value.
    pub(super) numbers: Vec<u64>,
    pub(super) texts: Texts,
}

/// What all texts of a slot have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// There are none yet.
    #[default]
    Empty,
    /// Decimal digits: without leading zeros, or all of the same length, or both.
    Decimal(Decimal),
    /// As many hexadecimal digits in each, in one case; 16 of them to a number.
    Hex(Hex),
    /// Any bytes.
    Text,
}

/// A variable, without its text where it is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Variable<'a> {
    /// Its text is these digits, without leading zeros.
    Number(u64),
    /// Its text, which is one word: ASCII letters, digits and `_`.
    Word(&'a [u8]),
    /// Its text.
    Text(&'a [u8]),
}

impl Slot {
    /// Adds a variable: what is in `text` from `start` to `end`.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], start: usize, end: usize) {
        match self.form {
            Form::Decimal(all) if !self.has_affix() => {
                if let Some(value) = Decimal::read(text, start, end)
                    && let Some(both) = all.and(Decimal::of(text, start, end))
                {
                    if both != all {
                        self.form = Form::Decimal(both);
                    }
                    return self.numbers.push(value);
                }
            }
            Form::Hex(all)
                if usize::from(all.len) == end - start
                    && all.read_alike(text, start, end, &mut self.numbers) =>
            {
                return;
            }
            _ => {}
        }
        self.push_other(text.get(start..end).unwrap_or_default());
    }

    /// Adds a text to those of a slot that is for nothing else.
    pub(super) fn push_text(&mut self, text: &[u8]) {
        self.form = Form::Text;
        self.texts.push(text);
    }

    /// Adds a text that may be unlike those before it.
    fn push_other(&mut self, text: &[u8]) {
        if self.form == Form::Text {
            return self.texts.push(text);
        }
        let (before, digits, after) = around_digits(text);
        if let Some(value) = Decimal::read(digits, 0, digits.len())
            && let Some(both) =
                self.with_decimal(Decimal::of(digits, 0, digits.len()), (before, after))
        {
            self.form = Form::Decimal(both);
            return self.numbers.push(value);
        }
        if let Some((own, has_letter)) = Hex::of(text)
            && self.with_hex(own, has_letter)
        {
            return own.read(text, &mut self.numbers);
        }
        self.widen();
        self.texts.push(text);
    }

    /// Takes over the variable at `index` of another slot. Returns about the length of its text.
    pub(super) fn push_from(&mut self, other: &Self, index: usize, scratch: &mut Vec<u8>) -> usize {
        match other.form {
            Form::Decimal(own) => {
                let (before, after) = &other.affix;
                if let Some(value) = other.numbers.get(index)
                    && let Some(both) = self.with_decimal(own, (before, after))
                {
                    self.form = Form::Decimal(both);
                    self.numbers.push(*value);
                    let digits = both.len.map_or_else(|| digits(*value), usize::from);
                    return before.len() + digits + after.len();
                }
            }
            Form::Hex(own) => {
                if self.form == other.form || (self.form == Form::Empty && self.with_hex(own, true))
                {
                    let words = own.words();
                    let from = index.saturating_mul(words);
                    let digits = other.numbers.get(from..from.saturating_add(words));
                    self.numbers.extend_from_slice(digits.unwrap_or_default());
                    return usize::from(own.len);
                }
            }
            Form::Text if self.form == Form::Text => {
                let text = other.texts.get(index).unwrap_or_default();
                self.texts.push(text);
                return text.len();
            }
            Form::Text | Form::Empty => {}
        }
        scratch.clear();
        other.write(index, scratch);
        self.push_other(scratch);
        scratch.len()
    }

    /// Takes over the variables of another slot that have these numbers there. Returns about the
    /// length of their texts.
    pub(super) fn take(&mut self, other: &Self, indices: &[u32], scratch: &mut Vec<u8>) -> usize {
        match other.form {
            Form::Decimal(own) => {
                let (before, after) = &other.affix;
                if let Some(both) = self.with_decimal(own, (before, after)) {
                    self.form = Form::Decimal(both);
                    let start = self.numbers.len();
                    take_numbers(&mut self.numbers, &other.numbers, indices);
                    let taken = self.numbers.get(start..).unwrap_or_default();
                    return (before.len() + after.len()) * taken.len() + digits_of_all(taken);
                }
            }
            Form::Hex(own)
                if own.words() == 1
                    && (self.form == other.form
                        || (self.form == Form::Empty && self.with_hex(own, true))) =>
            {
                take_numbers(&mut self.numbers, &other.numbers, indices);
                return usize::from(own.len) * indices.len();
            }
            Form::Hex(_) | Form::Text | Form::Empty => {}
        }
        indices.iter().map(|index| self.push_from(other, *index as usize, scratch)).sum()
    }

    pub(super) fn pop(&mut self) {
        match self.form {
            Form::Empty => {}
            Form::Decimal(_) => drop(self.numbers.pop()),
            Form::Hex(hex) => {
                self.numbers.truncate(self.numbers.len().saturating_sub(hex.words()));
            }
            Form::Text => self.texts.pop(),
        }
    }

    /// Whether a variable may have `run` in it, which is of word characters alone and in lower
    /// case; `scratch` is only memory.
    pub(super) fn may_hold(&self, run: &str, scratch: &mut Vec<u8>) -> bool {
        match self.form {
            Form::Empty => false,
            Form::Decimal(_) if self.has_affix() => {
                may_surround((&self.affix.0, &self.affix.1), run)
            }
            Form::Decimal(_) => run.bytes().all(|octet| octet.is_ascii_digit()),
            Form::Hex(hex) => {
                run.len() <= usize::from(hex.len) && run.bytes().all(|o| o.is_ascii_hexdigit())
            }
            Form::Text => self.texts.may_hold(run, scratch),
        }
    }

    /// Whether its variables are any bytes.
    pub(super) fn is_text(&self) -> bool {
        self.form == Form::Text
    }

    /// About the bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.numbers.len() * size_of::<u64>() + self.texts.memory()
    }

    /// About the bits that the numbers take on disk, if the slot holds numbers of one word.
    pub(super) fn cost(&self) -> Option<u64> {
        match self.form {
            Form::Decimal(_) => Some(numbers::cost(&self.numbers)),
            Form::Hex(hex) if hex.words() == 1 => Some(numbers::cost(&self.numbers)),
            Form::Hex(_) | Form::Text | Form::Empty => None,
        }
    }

    /// Whether both hold numbers that would stay such in one slot.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self.form, other.form) {
            (Form::Decimal(own), Form::Decimal(others)) => {
                self.affix == other.affix && own.and(others).is_some()
            }
            (Form::Hex(own), Form::Hex(others)) => own == others,
            _ => false,
        }
    }

    /// Whether both hold the same variables, as far as is told without writing them out.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.numbers == other.numbers
            && self.texts == other.texts
            && self.form == other.form
            && (!matches!(self.form, Form::Decimal(_)) || self.affix == other.affix)
            && self.form != Form::Empty
    }

    /// What is the same of slots that are equal, and of others mostly not.
    pub(super) fn look(&self) -> u64 {
        let at = |index: usize| self.numbers.get(index).copied().unwrap_or_default();
        let len = self.numbers.len();
        let numbers =
            at(0) ^ at(len / 2).rotate_left(21) ^ at(len.saturating_sub(1)).rotate_left(42);
        numbers ^ ((self.texts.bytes() as u64) << 16)
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.form = Form::Empty;
        self.numbers.clear();
        self.texts.clear();
    }

    /// Appends the text at `index`.
    pub(super) fn write(&self, index: usize, out: &mut Vec<u8>) {
        match self.form {
            Form::Empty | Form::Decimal(_) | Form::Hex(_) => {
                self.write_words(self.words_of(index), out);
            }
            Form::Text => out.extend_from_slice(self.texts.get(index).unwrap_or_default()),
        }
    }

    /// Appends the text of a variable that is kept as these numbers.
    pub(super) fn write_words(&self, words: &[u64], out: &mut Vec<u8>) {
        match self.form {
            Form::Decimal(decimal) => {
                out.extend_from_slice(&self.affix.0);
                decimal.write(words.first().copied().unwrap_or_default(), out);
                out.extend_from_slice(&self.affix.1);
            }
            Form::Hex(hex) => hex.write(words, out),
            Form::Empty | Form::Text => {}
        }
    }

    /// Calls `each` with every variable, in order.
    pub(in crate::store) fn for_each(
        &self,
        count: usize,
        scratch: &mut Vec<u8>,
        mut each: impl FnMut(Variable<'_>),
    ) {
        match self.form {
            Form::Decimal(Decimal { is_canonical: true, .. }) if !self.has_affix() => {
                self.numbers.iter().for_each(|value| each(Variable::Number(*value)));
            }
            Form::Text => self.texts.iter().for_each(|text| each(Variable::Text(text))),
            Form::Empty | Form::Decimal(_) | Form::Hex(_) => {
                let is_word = self.is_word();
                for index in 0..count {
                    scratch.clear();
                    self.write(index, scratch);
                    each(if is_word { Variable::Word(scratch) } else { Variable::Text(scratch) });
                }
            }
        }
    }

    /// The numbers that the variable at `index` is kept as.
    fn words_of(&self, index: usize) -> &[u64] {
        let words = match self.form {
            Form::Hex(hex) => hex.words(),
            _ => 1,
        };
        let from = index.saturating_mul(words);
        self.numbers.get(from..from.saturating_add(words)).unwrap_or_default()
    }

    /// Whether each of the numbers is written as one word.
    fn is_word(&self) -> bool {
        let is_plain = |affix: &[u8]| affix.iter().all(|o| o.is_ascii_alphanumeric() || *o == b'_');
        match self.form {
            Form::Decimal(_) => is_plain(&self.affix.0) && is_plain(&self.affix.1),
            Form::Hex(_) => true,
            Form::Text | Form::Empty => false,
        }
    }

    pub(super) fn has_affix(&self) -> bool {
        !(self.affix.0.is_empty() && self.affix.1.is_empty())
    }

    /// What the slot would be with such digits in it, if they fit. An empty slot takes the affix.
    fn with_decimal(&mut self, own: Decimal, (before, after): (&[u8], &[u8])) -> Option<Decimal> {
        match self.form {
            Form::Empty => {
                self.affix.0.clear();
                self.affix.0.extend_from_slice(before);
                self.affix.1.clear();
                self.affix.1.extend_from_slice(after);
                Some(own)
            }
            Form::Decimal(all)
                if is_same(&self.affix.0, before) && is_same(&self.affix.1, after) =>
            {
                all.and(own)
            }
            Form::Decimal(_) | Form::Hex(_) | Form::Text => None,
        }
    }

    /// Whether the slot takes such digits; it is made to if it can be. Without a letter they are of
    /// either case.
    fn with_hex(&mut self, own: Hex, has_letter: bool) -> bool {
        match self.form {
            Form::Empty => self.form = Form::Hex(own),
            Form::Hex(before) => {
                return before.len == own.len && (before.is_upper == own.is_upper || !has_letter);
            }
            Form::Decimal(_) => return self.become_hex(own, has_letter),
            Form::Text => return false,
        }
        true
    }

    /// Turns what there is into hexadecimal digits like `own`, if all of it can be.
    fn become_hex(&mut self, own: Hex, has_letter: bool) -> bool {
        let mut is_upper = has_letter.then_some(own.is_upper);
        let (mut text, mut numbers) = (Vec::new(), Vec::new());
        for index in 0..self.numbers.len() {
            text.clear();
            self.write(index, &mut text);
            match Hex::of(&text) {
                Some((hex, has_letter)) if hex.len == own.len => {
                    if has_letter && *is_upper.get_or_insert(hex.is_upper) != hex.is_upper {
                        return false;
                    }
                    own.read(&text, &mut numbers);
                }
                _ => return false,
            }
        }
        self.numbers = numbers;
        self.form = Form::Hex(Hex { is_upper: is_upper.unwrap_or_default(), ..own });
        true
    }

    /// Turns what there is into texts.
    fn widen(&mut self) {
        let count = match self.form {
            Form::Hex(hex) => self.numbers.len() / hex.words(),
            _ => self.numbers.len(),
        };
        let mut texts = std::mem::take(&mut self.texts);
        (0..count).for_each(|index| texts.push_with(|out| self.write(index, out)));
        self.texts = texts;
        self.numbers.clear();
        self.form = Form::Text;
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
