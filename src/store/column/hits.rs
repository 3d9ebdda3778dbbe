//! Which variables have some text in them, told without putting texts together.

use super::digits::{Decimal, Hex, MAX_DIGITS};
use super::slot::{Form, Slot};
use super::texts::Texts;

/// Some of the variables of a slot, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hits {
    words: Vec<u64>,
    len: usize,
}

impl Hits {
    /// Of the variables in `slot`, of which there are `count`, at least all that have `run` in them,
    /// in any case. It is of ASCII word characters alone, and in lower case.
    pub(super) fn of(slot: &Slot, count: usize, run: &str, scratch: &mut Vec<u8>) -> Self {
        let mut hits = Self::none(count);
        if !slot.may_hold(run, scratch) {
            return hits;
        }
        match (slot.form, HexRun::read(run)) {
            (Form::Text, _) => in_texts(&slot.texts, run, scratch, |index| hits.insert(index)),
            (Form::Decimal(Decimal { is_canonical: true, .. }), _)
                if !slot.has_affix() && run.len() < usize::from(MAX_DIGITS) =>
            {
                let run = DecimalRun::read(run);
                let values = slot.numbers.iter().enumerate();
                values.filter(|(_, value)| run.is_in(**value)).for_each(|(n, _)| hits.insert(n));
            }
            (Form::Hex(hex), Some(run)) if hex.words() == 1 => {
                let values = slot.numbers.iter().enumerate();
                let is_in = |value: u64| run.is_in(u128::from(value), hex);
                values.filter(|(_, value)| is_in(**value)).for_each(|(n, _)| hits.insert(n));
            }
            (Form::Hex(hex), Some(run)) if hex.words() == 2 => {
                let low = u32::from(hex.len - 16) * 4;
                let values = slot.numbers.as_chunks::<2>().0.iter().enumerate();
                let whole = |words: &[u64; 2]| u128::from(words[0]) << low | u128::from(words[1]);
                let found = values.filter(|(_, words)| run.is_in(whole(words), hex));
                found.for_each(|(index, _)| hits.insert(index));
            }
            _ => (0..count).for_each(|index| {
                scratch.clear();
                slot.write(index, scratch);
                if super::texts::holds(scratch, run) {
                    hits.insert(index);
                }
            }),
        }
        hits
    }

    /// None of so many.
    pub(super) fn none(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)], len: 0 }
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    pub(super) fn insert(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word |= 1 << (index % 64);
            self.len += 1;
        }
    }
}

/// Decimal digits that are looked for in numbers.
struct DecimalRun {
    value: u64,
    len: usize,
    /// Ten to the power of `len`.
    above: u64,
}

impl DecimalRun {
    /// Of fewer digits than always fit.
    fn read(run: &str) -> Self {
        let value = run.bytes().fold(0, |value, digit| value * 10 + u64::from(digit & 0x0f));
        let above = run.bytes().fold(1, |above, _| above * 10);
        Self { value, len: run.len(), above }
    }

    /// Whether the digits of `value` have it among them.
    fn is_in(&self, value: u64) -> bool {
        // What has no more digits than are looked for is those, or is not: it has no zeros before.
        if value < self.above {
            return value == self.value && (self.len == 1 || value >= self.above / 10);
        }
        let mut left = value;
        while left >= self.above {
            if left % self.above == self.value {
                return true;
            }
            left /= 10;
        }
        left == self.value
    }
}

/// Hexadecimal digits that are looked for in longer ones.
struct HexRun {
    value: u128,
    mask: u128,
    len: u32,
}

impl HexRun {
    fn read(run: &str) -> Option<Self> {
        let len = u32::try_from(run.len()).ok().filter(|len| *len <= 32)?;
        let value = u128::from_str_radix(run, 16).ok()?;
        Some(Self { value, mask: u128::MAX.checked_shr(128 - len * 4).unwrap_or(0), len })
    }

    fn is_in(&self, value: u128, hex: Hex) -> bool {
        let places = u32::from(hex.len).checked_sub(self.len);
        places.is_some_and(|last| {
            (0..=last).any(|place| value >> (place * 4) & self.mask == self.value)
        })
    }
}

/// Calls `found` with all texts that may have `run` in them.
fn in_texts(texts: &Texts, run: &str, scratch: &mut Vec<u8>, mut found: impl FnMut(usize)) {
    for (index, text) in texts.iter().enumerate() {
        if text.len() < run.len() {
            continue;
        }
        scratch.clear();
        scratch.extend_from_slice(text);
        scratch.make_ascii_lowercase();
        if !text.is_ascii() || memchr::memmem::find(scratch, run.as_bytes()).is_some() {
            found(index);
        }
    }
}
