//! Few distinct integers: each once, and a code for every value.

use super::super::bytes::{Damaged, put_varint, put_zigzag};
use super::bits;
use super::numbers::{CODES, MIN_CODED_BITS, PACKED_CODES, put_width};
use super::payload::{Parts, Payload};

/// Distinct values, while they are few.
pub(super) struct Distinct {
    /// Value and number of each slot; open addressing.
    slots: Vec<(u64, u16)>,
    values: Vec<u64>,
    counts: Vec<u32>,
    codes: Vec<u8>,
}

impl Distinct {
    /// The distinct values of `values`, unless they are more than a byte can name, or so many
    /// that naming them gains nothing: each is named `times` times at least, on average.
    pub(super) fn of(values: &[u64], times: usize) -> Option<Self> {
        let most = MAX_DISTINCT.min(values.len() / times.max(1));
        let mut distinct = Self {
            slots: vec![(0, EMPTY); SLOTS],
            values: Vec::new(),
            counts: Vec::new(),
            codes: Vec::with_capacity(values.len()),
        };
        for value in values {
            let code = distinct.code(*value)?;
            if distinct.values.len() > most {
                return None;
            }
            distinct.codes.push(code);
        }
        Some(distinct)
    }

    fn code(&mut self, value: u64) -> Option<u8> {
        let mut at = (value.wrapping_mul(GOLDEN) >> (u64::BITS - SLOT_BITS)) as usize;
        loop {
            let slot = self.slots.get_mut(at)?;
            if slot.1 == EMPTY {
                let next = u8::try_from(self.values.len()).ok()?;
                *slot = (value, u16::from(next));
                self.values.push(value);
                self.counts.push(1);
                return Some(next);
            }
            if slot.0 == value {
                *self.counts.get_mut(usize::from(slot.1))? += 1;
                return u8::try_from(slot.1).ok();
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// About the bits that it takes: those of the values, and the entropy of the codes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn cost(&self, repeats: usize, width: u32) -> u64 {
        let total = self.codes.len() as f64;
        let shares = self.counts.iter().map(|count| f64::from(*count) / total);
        let entropy: f64 = shares.clone().map(|share| -share * share.log2()).sum();
        // Where a value follows itself more often than by chance, the compressor sees it.
        let chance: f64 = shares.map(|share| share * share).sum();
        let excess = (repeats as f64 / total - chance) / (1.0 - chance).max(f64::EPSILON);
        let names = self.values.len() as f64 * f64::from(width.min(16));
        (total * entropy * (1.0 - 0.8 * excess.clamp(0.0, 1.0)) + names) as u64
    }

    /// Appends it; `cost` is what [`cost`](Self::cost) said.
    pub(super) fn encode(mut self, cost: u64, out: &mut Payload) {
        let width = bits::width((self.values.len() as u64).saturating_sub(1));
        let packed = self.codes.len() as u64 * u64::from(width);
        // Even codes cannot be compressed.
        let is_packed = cost * 20 > packed * 19 && packed > MIN_CODED_BITS;
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_unstable_by_key(|code| self.values.get(*code));
        let mut rank = vec![0_u8; order.len()];
        out.soft.push(if is_packed { PACKED_CODES } else { CODES });
        put_varint(&mut out.soft, order.len() as u64);
        let mut before = 0_u64;
        for (new, old) in (0..=u8::MAX).zip(order) {
            let value = self.values.get(old).copied().unwrap_or_default();
            put_zigzag(&mut out.soft, value.wrapping_sub(before).cast_signed());
            before = value;
            if let Some(rank) = rank.get_mut(old) {
                *rank = new;
            }
        }
        for code in &mut self.codes {
            *code = rank.get(usize::from(*code)).copied().unwrap_or_default();
        }
        if is_packed {
            put_width(&mut out.soft, width);
            bits::pack(&mut out.hard, width, self.codes.iter().map(|code| u64::from(*code)));
        } else {
            out.soft.extend_from_slice(&self.codes);
        }
    }
}

/// Reads the values that codes stand for.
pub(super) fn decode_distinct(parts: &mut Parts<'_>) -> Result<Vec<u64>, Damaged> {
    let mut distinct = Vec::new();
    let mut value = 0_u64;
    for _ in 0..parts.soft.count()? {
        value = value.wrapping_add_signed(parts.soft.zigzag()?);
        distinct.push(value);
    }
    Ok(distinct)
}

/// As many as a byte can name.
pub(super) const MAX_DISTINCT: usize = 256;

const SLOT_BITS: u32 = 9;

/// Twice as many as there are values at most.
const SLOTS: usize = 1 << SLOT_BITS;

/// Nothing is in this slot.
const EMPTY: u16 = u16::MAX;

/// 2^64 divided by the golden ratio: spreads what is close together.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
