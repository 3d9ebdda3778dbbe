//! Quantiles of numbers: exact while these are few, and then as a `DDSketch` tells, within 1 % of
//! the value, from at most 32 KiB.
//!
//! The quantile `q` of `n` numbers is the one at place `q * (n - 1)`, cut to an integer, of their
//! order: always one that there is, or near it.

use std::fmt;

use sketches_ddsketch::{Config, DDSketch};

/// Numbers of which quantiles are asked.
#[derive(Clone, Default)]
pub(super) struct Quantiles {
    /// All of them, while they are few.
    few: Vec<f64>,
    many: Option<Box<DDSketch>>,
}

impl Quantiles {
    /// Adds a number `count` times; one that is not finite is passed over.
    pub(super) fn add(&mut self, number: f64, count: u64) {
        if !number.is_finite() {
            return;
        }
        match &mut self.many {
            Some(sketch) => sketch.add_with_count(number, count),
            None if self.few.len() as u64 + count <= MAX_FEW => {
                self.few.extend((0..count).map(|_| number));
            }
            None => self.sketch().add_with_count(number, count),
        }
    }

    /// Adds the numbers of another.
    pub(super) fn merge(&mut self, other: Self) {
        other.few.into_iter().for_each(|number| self.add(number, 1));
        if let Some(sketch) = other.many {
            // Both have the configuration that is made here, so that they go together.
            let merged = self.sketch().merge(&sketch);
            debug_assert!(merged.is_ok());
        }
    }

    /// The quantile `q`, from 0 to 1; `None` of no numbers.
    pub(super) fn at(&self, q: f64) -> Option<f64> {
        if let Some(sketch) = &self.many {
            return sketch.quantile(q.clamp(0.0, 1.0)).ok().flatten();
        }
        let mut numbers = self.few.clone();
        numbers.sort_unstable_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place among a few numbers"
        )]
        let place = (q.clamp(0.0, 1.0) * last as f64) as usize;
        numbers.get(place).copied()
    }

    /// The memory that it takes, in bytes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let sketch = |sketch: &DDSketch| size_of::<DDSketch>() + sketch.length() * size_of::<u64>();
        self.few.capacity() * size_of::<f64>() + self.many.as_deref().map_or(0, sketch)
    }

    /// The sketch, made of the few numbers where there was none.
    fn sketch(&mut self) -> &mut DDSketch {
        let few = std::mem::take(&mut self.few);
        self.many.get_or_insert_with(|| {
            let mut sketch = DDSketch::new(Config::new(ERROR, MAX_BINS, LEAST));
            few.into_iter().for_each(|number| sketch.add(number));
            Box::new(sketch)
        })
    }
}

impl fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = self.many.as_ref().map(|sketch| sketch.count());
        f.debug_struct("Quantiles").field("few", &self.few).field("many", &many).finish()
    }
}

/// Numbers that are all kept.
const MAX_FEW: u64 = 64;

/// How far a quantile may be from the number that it is, as a part of that.
const ERROR: f64 = 0.01;

/// At an error of 1 % so many bins hold numbers of 17 orders of magnitude; of more, the least are
/// taken together.
const MAX_BINS: u32 = 2048;

/// Numbers nearer to zero count as zero.
const LEAST: f64 = 1e-9;

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small places")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_numbers_have_exact_quantiles() {
        let mut quantiles = Quantiles::default();
        assert_eq!(quantiles.at(0.5), None);
        for number in [5.0, -1.0, 3.0, f64::NAN, f64::INFINITY] {
            quantiles.add(number, 1);
        }
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0, 7.0].map(|q| quantiles.at(q)),
            [-1.0, 3.0, 3.0, 5.0, 5.0].map(Some)
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_near(
            numbers in prop::collection::vec((-1e6_f64..1e6, 1_u64..4), 1..400),
            split in 0_usize..400,
            q in 0.0_f64..=1.0,
        ) {
            let mut parts = [Quantiles::default(), Quantiles::default()];
            let mut all = Vec::new();
            for (number, (value, count)) in numbers.iter().enumerate() {
                parts[usize::from(number < split)].add(*value, *count);
                all.extend((0..*count).map(|_| *value));
            }
            let [mut one, other] = parts;
            one.merge(other);
            all.sort_unstable_by(f64::total_cmp);
            let want = all[(q * (all.len() - 1) as f64) as usize];
            let found = one.at(q).unwrap();
            prop_assert!((found - want).abs() <= want.abs() * 0.0101 + 1e-9, "{} {}", found, want);
        }
    }
}
