//! A run of integers in the shortest of a few forms.
//!
//! ```text
//!  0 constant        the value
//!  1 packed          least value, bits each | the distances to it, packed
//!  2 varints         least value, the distances to it
//!  3 steps           first value, least step, bits each | the distances of the steps to it, packed
//!  4 varint steps    first value, the steps
//!  5 codes           distinct values, one byte each
//!  6 packed codes    distinct values, bits each | the codes, packed
//! ```

use fearless_simd::{Level, dispatch};

use super::super::bytes::{Damaged, put_varint, put_zigzag};
use super::bits;
use super::distinct::{Distinct, MAX_DISTINCT, decode_distinct};
use super::payload::{Parts, Payload};

/// What has to be known of values to choose a form.
struct Shape {
    min: u64,
    max: u64,
    /// Bits that all distances to the least value take, each as short as it can be.
    bits: u64,
    /// Least and greatest step from a value to the next.
    steps: (i64, i64),
    /// Bits that all steps take, each as short as it can be.
    step_bits: u64,
    /// How often a value is that before it.
    repeats: usize,
}

/// How values are best written.
enum Plan {
    Constant,
    /// One of the forms that need no dictionary.
    Plain(u8),
    Coded(Distinct),
}

/// Appends `values`. Their count is not written.
pub(in crate::store) fn encode(values: &[u64], out: &mut Payload) {
    if !out.is_final {
        return encode_quickly(values, out);
    }
    let Some(shape) = Shape::of(values) else { return };
    match shape.plan(values) {
        (Plan::Constant, _) => {
            out.soft.push(CONSTANT);
            put_varint(&mut out.soft, shape.min);
        }
        (Plan::Plain(form), _) => shape.encode(form, values, out),
        (Plan::Coded(distinct), cost) => distinct.encode(cost, out),
    }
}

/// Appends `codes`, as [`encode`] would. Their count is not written.
pub(super) fn encode_codes(codes: &[u8], out: &mut Payload) {
    let wide = |code: &u8| u64::from(*code);
    if out.is_final {
        return encode(&codes.iter().map(wide).collect::<Vec<_>>(), out);
    }
    let (Some(min), Some(max)) = (codes.iter().min(), codes.iter().max()) else { return };
    out.soft.push(if min == max { CONSTANT } else { PACKED });
    put_varint(&mut out.soft, wide(min));
    if min != max {
        let width = bits::width(wide(&(max - min)));
        put_width(&mut out.soft, width);
        bits::pack(&mut out.hard, width, codes.iter().map(|code| wide(&(code - min))));
    }
}

/// As [`encode`], for what is soon written anew: the better of the forms that need one look.
fn encode_quickly(values: &[u64], out: &mut Payload) {
    let Some(shape) = Shape::ends(values) else { return };
    let (min, max) = (shape.min, shape.max);
    if min == max {
        out.soft.push(CONSTANT);
        put_varint(&mut out.soft, min);
    } else if shape.step_width() < bits::width(max - min) {
        shape.encode(STEPS, values, out);
    } else {
        shape.encode(PACKED, values, out);
    }
}

/// About how many bits `values` take.
pub(super) fn cost(values: &[u64]) -> u64 {
    Shape::of(values).map_or(0, |shape| shape.plan(values).1)
}

/// Reads `count` values back.
pub(in crate::store) fn decode(parts: &mut Parts<'_>, count: usize) -> Result<Vec<u64>, Damaged> {
    let mut values = Vec::with_capacity(count);
    decode_each(parts, count, |value| values.push(value))?;
    Ok(values)
}

/// Reads `count` codes below `distinct` back.
pub(super) fn decode_codes(
    parts: &mut Parts<'_>,
    count: usize,
    distinct: usize,
) -> Result<Vec<u8>, Damaged> {
    let (mut codes, mut greatest) = (Vec::with_capacity(count), 0);
    decode_each(parts, count, |code| {
        greatest = greatest.max(code);
        codes.push((code & 0xff) as u8);
    })?;
    let is_known = count == 0 || greatest < distinct.min(MAX_DISTINCT) as u64;
    if is_known { Ok(codes) } else { Err(Damaged("a code of the dictionary")) }
}

/// Reads `count` values back, and calls `each` with them.
fn decode_each(
    parts: &mut Parts<'_>,
    count: usize,
    mut each: impl FnMut(u64),
) -> Result<(), Damaged> {
    if count == 0 {
        return Ok(());
    }
    match parts.soft.byte()? {
        CONSTANT => {
            let value = parts.soft.varint()?;
            (0..count).for_each(|_| each(value));
        }
        PACKED => {
            let (min, width) = (parts.soft.varint()?, u32::from(parts.soft.byte()?));
            bits::unpack(&mut parts.hard, width, count, |value| each(min.wrapping_add(value)))?;
        }
        VARINTS => {
            let min = parts.soft.varint()?;
            for _ in 0..count {
                each(min.wrapping_add(parts.soft.varint()?));
            }
        }
        STEPS => {
            let (mut value, least) = (parts.soft.varint()?, parts.soft.zigzag()?);
            let width = u32::from(parts.soft.byte()?);
            each(value);
            bits::unpack(&mut parts.hard, width, count - 1, |step| {
                value = value.wrapping_add_signed(least).wrapping_add(step);
                each(value);
            })?;
        }
        VARINT_STEPS => {
            let mut value = parts.soft.varint()?;
            each(value);
            for _ in 1..count {
                value = value.wrapping_add_signed(parts.soft.zigzag()?);
                each(value);
            }
        }
        form @ (CODES | PACKED_CODES) => decode_coded(form, parts, count, each)?,
        _ => return Err(Damaged("a form of integers")),
    }
    Ok(())
}

fn decode_coded(
    form: u8,
    parts: &mut Parts<'_>,
    count: usize,
    mut each: impl FnMut(u64),
) -> Result<(), Damaged> {
    let distinct = decode_distinct(parts)?;
    let mut is_known = true;
    let mut each = |code: usize| match distinct.get(code) {
        Some(value) => each(*value),
        None => is_known = false,
    };
    match form {
        CODES => parts.soft.take(count)?.iter().for_each(|code| each(usize::from(*code))),
        _ => {
            let width = u32::from(parts.soft.byte()?);
            let each = |code| each(usize::try_from(code).unwrap_or(usize::MAX));
            bits::unpack(&mut parts.hard, width, count, each)?;
        }
    }
    if is_known { Ok(()) } else { Err(Damaged("a code of an integer")) }
}

impl Shape {
    fn of(values: &[u64]) -> Option<Self> {
        let Self { min, max, steps: range, .. } = Self::ends(values)?;
        let (mut bits, mut step_bits, mut repeats) = (0, 0, 0);
        // What all of them take is told by some of them.
        let every = if values.len() > SAMPLED { SAMPLE_EVERY } else { 1 };
        for value in values.iter().step_by(every) {
            bits += u64::from(bits::width(value - min));
        }
        for step in steps(values).step_by(every) {
            step_bits += u64::from(bits::width(step.unsigned_abs())) + 1;
            repeats += usize::from(step == 0);
        }
        let (bits, step_bits) = (bits * every as u64, step_bits * every as u64);
        Some(Self { min, max, bits, steps: range, step_bits, repeats: repeats * every })
    }

    /// The least and the greatest value and step; nothing else is known.
    fn ends(values: &[u64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let ((min, max), steps) =
            dispatch!(Level::new(), _simd => (ends(values), step_ends(values)));
        Some(Self { min, max, bits: 0, steps, step_bits: 0, repeats: 0 })
    }

    /// The shortest way, and about how many bits it takes.
    fn plan(&self, values: &[u64]) -> (Plan, u64) {
        if self.min == self.max {
            return (Plan::Constant, 16);
        }
        let count = values.len() as u64;
        let width = bits::width(self.max - self.min);
        // What is compressed comes out a little longer than its bits alone.
        let forms = [
            (count * u64::from(width), PACKED),
            (self.bits + 2 * count, VARINTS),
            (count * u64::from(self.step_width()) + 64, STEPS),
            (self.step_bits + 2 * count + 64, VARINT_STEPS),
        ];
        let (bits, form) = forms.into_iter().min().expect("there are four");
        if bits > MIN_CODED_BITS
            && let Some(distinct) = Distinct::of(values, usize::from(width > 8) + 1)
        {
            let cost = distinct.cost(self.repeats, width);
            if cost < bits {
                return (Plan::Coded(distinct), cost);
            }
        }
        (Plan::Plain(form), bits)
    }

    /// The bits that every step takes, counted from the least one.
    fn step_width(&self) -> u32 {
        bits::width(self.steps.1.wrapping_sub(self.steps.0).cast_unsigned())
    }

    fn encode(&self, form: u8, values: &[u64], out: &mut Payload) {
        out.soft.push(form);
        let to_least = values.iter().map(|value| value - self.min);
        let first = values.first().copied().unwrap_or_default();
        match form {
            PACKED => {
                let width = bits::width(self.max - self.min);
                put_varint(&mut out.soft, self.min);
                put_width(&mut out.soft, width);
                bits::pack(&mut out.hard, width, to_least);
            }
            VARINTS => {
                put_varint(&mut out.soft, self.min);
                to_least.for_each(|value| put_varint(&mut out.soft, value));
            }
            STEPS => {
                let least = self.steps.0;
                put_varint(&mut out.soft, first);
                put_zigzag(&mut out.soft, least);
                put_width(&mut out.soft, self.step_width());
                let steps = steps(values).map(|step| step.wrapping_sub(least).cast_unsigned());
                bits::pack(&mut out.hard, self.step_width(), steps);
            }
            _ => {
                put_varint(&mut out.soft, first);
                steps(values).for_each(|step| put_zigzag(&mut out.soft, step));
            }
        }
    }
}

/// The least and the greatest of `values`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn ends(values: &[u64]) -> (u64, u64) {
    let ends = |(min, max): (u64, u64), value: &u64| (min.min(*value), max.max(*value));
    values.iter().fold((u64::MAX, 0), ends)
}

/// The least and the greatest step from one to the next; zeros if there is only one.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn step_ends(values: &[u64]) -> (i64, i64) {
    let Some((_, rest)) = values.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return (0, 0);
    };
    let steps = rest.iter().zip(values).map(|(value, before)| value.wrapping_sub(*before));
    let ends = |(least, greatest): (i64, i64), step: i64| (least.min(step), greatest.max(step));
    steps.map(u64::cast_signed).fold((i64::MAX, i64::MIN), ends)
}

fn steps(values: &[u64]) -> impl Iterator<Item = i64> {
    values.windows(2).map(|pair| match pair {
        [before, after] => after.wrapping_sub(*before).cast_signed(),
        _ => 0,
    })
}

pub(super) fn put_width(out: &mut Vec<u8>, width: u32) {
    out.push(u8::try_from(width).expect("at most 64"));
}

pub(super) const CONSTANT: u8 = 0;
pub(super) const PACKED: u8 = 1;
pub(super) const VARINTS: u8 = 2;
pub(super) const STEPS: u8 = 3;
pub(super) const VARINT_STEPS: u8 = 4;
pub(super) const CODES: u8 = 5;
pub(super) const PACKED_CODES: u8 = 6;

/// Where there are more values, one of so many is looked at.
const SAMPLED: usize = 256;
const SAMPLE_EVERY: usize = 7;

/// Below that naming the distinct values gains nothing.
pub(super) const MIN_CODED_BITS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lens(values: &[u64]) -> (usize, usize) {
        let [_, lens] = [false, true].map(|is_final| {
            let mut out = Payload { is_final, ..Payload::default() };
            encode(values, &mut out);
            let mut parts = out.parts();
            assert_eq!(decode(&mut parts, values.len()).unwrap(), values);
            parts.end().unwrap();
            out.lens()
        });
        lens
    }

    proptest! {
        #[test]
        fn integers_read_back(
            values in prop_oneof![
                prop::collection::vec(any::<u64>(), 0..300),
                prop::collection::vec(0_u64..7, 0..300),
                prop::collection::vec(1_000_000_u64..1_000_900, 0..300),
                prop::collection::vec(prop_oneof![9 => Just(5_u64), 1 => any::<u64>()], 0..300),
                (any::<u64>(), prop::collection::vec(0_u64..9, 0..300)).prop_map(|(mut at, steps)| {
                    steps.iter().map(|step| { at = at.wrapping_add(*step); at }).collect()
                }),
            ],
        ) {
            lens(&values);
        }

        #[test]
        fn codes_read_back(
            codes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                prop::collection::vec(3_u8..7, 0..300),
            ],
            is_final: bool,
        ) {
            let mut out = Payload { is_final, ..Payload::default() };
            encode_codes(&codes, &mut out);
            let distinct = codes.iter().max().map_or(0, |max| usize::from(*max) + 1);
            let mut parts = out.parts();
            prop_assert_eq!(decode_codes(&mut parts, codes.len(), distinct).unwrap(), codes.as_slice());
            parts.end().unwrap();
            if distinct > 0 {
                prop_assert!(decode_codes(&mut out.parts(), codes.len(), distinct - 1).is_err());
            }
        }

        #[test]
        fn any_bytes_are_an_answer(soft: Vec<u8>, hard: Vec<u8>, count in 0_usize..100) {
            let out = Payload { soft, hard, is_final: false };
            if let Ok(values) = decode(&mut out.parts(), count) {
                assert_eq!(values.len(), count);
            }
        }
    }

    #[test]
    fn each_form_is_chosen_where_it_is_shortest() {
        let mixed = |n: u64| {
            let n = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 31
        };
        assert_eq!(lens(&[7; 1000]), (2, 0));
        let ports: Vec<u64> = (0..1000).map(|n| 1024 + mixed(n) % 60_000).collect();
        assert_eq!(lens(&ports).1, 2000, "16 bits each");
        let counter: Vec<u64> = (0..1000).map(|n| 1_700_000_000 + n * 3).collect();
        assert!(lens(&counter).0 < 16 && lens(&counter).1 == 0);
        let status: Vec<u64> =
            (0..1000).map(|n| [200, 304, 404, 500][(mixed(n) % 4) as usize]).collect();
        assert_eq!(lens(&status).1, 250, "2 bits each");
        let skewed: Vec<u64> =
            (0..1000).map(|n| if mixed(n) % 50 == 0 { 500 } else { 200 }).collect();
        assert_eq!(lens(&skewed).1, 0, "left to the compressor");
    }
}
