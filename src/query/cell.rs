//! What is known of the values of a field in a group, as far as it is wanted.

use serde_json::{Number, Value};

use super::aggregate::Function;
use super::distinct::Distinct;
use super::quantiles::Quantiles;
use crate::event::{Kind, ValueRef};
use crate::kql::number;

/// What is wanted of a field.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    numbers: bool,
    texts: bool,
    quantiles: bool,
    distinct: bool,
}

/// What is known of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// How many values.
    values: u64,
    numbers: Numbers,
    /// The least and the greatest text.
    texts: Option<Bounds>,
    quantiles: Quantiles,
    distinct: Distinct,
}

/// The least and the greatest of some texts.
type Bounds = (Box<[u8]>, Box<[u8]>);

/// Numbers that were added up.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    count: u64,
    /// The sum of those that are integers: exact.
    whole: i128,
    /// The sum of the others, and what was lost of it in rounding.
    rest: f64,
    lost: f64,
    bounds: Option<(f64, f64)>,
}

impl Wants {
    /// Adds what is needed for `function`.
    pub(super) fn add(&mut self, function: Function) {
        match function {
            Function::Count => {}
            Function::Sum | Function::Avg => self.numbers = true,
            Function::Min | Function::Max => (self.numbers, self.texts) = (true, true),
            Function::Quantile(_) => self.quantiles = true,
            Function::Distinct => self.distinct = true,
        }
    }
}

impl Cell {
    /// Adds a value that `count` events have.
    pub(super) fn add(&mut self, wants: Wants, value: ValueRef<'_>, count: u64) {
        self.values += count;
        if wants.distinct {
            self.distinct.add(value);
        }
        if !(wants.numbers || wants.quantiles) {
            return;
        }
        let is_text = value.kind == Kind::Text;
        match number(value.bytes).filter(|_| is_text || value.kind == Kind::Number) {
            Some(number) => {
                if wants.numbers {
                    self.numbers.add(number, value.bytes, count);
                }
                if wants.quantiles {
                    self.quantiles.add(number, count);
                }
            }
            None if wants.texts && is_text => self.add_text(value.bytes),
            None => {}
        }
    }

    /// Adds what is known of more values.
    pub(super) fn merge(&mut self, other: Self) {
        self.values += other.values;
        self.numbers.merge(other.numbers);
        if let Some((least, greatest)) = other.texts {
            self.add_text(&least);
            self.add_text(&greatest);
        }
        self.quantiles.merge(other.quantiles);
        self.distinct.merge(other.distinct);
    }

    /// The result of `function`; `null` of no values.
    pub(super) fn result(&self, function: Function) -> Value {
        let numbers = &self.numbers;
        let text = |text: &[u8]| Value::String(String::from_utf8_lossy(text).into_owned());
        let bound = |number: fn(&(f64, f64)) -> f64, of: fn(&Bounds) -> &[u8]| match (
            &numbers.bounds,
            &self.texts,
        ) {
            (Some(bounds), _) => float(number(bounds)),
            (None, Some(texts)) => text(of(texts)),
            (None, None) => Value::Null,
        };
        match function {
            Function::Count => self.values.into(),
            Function::Sum => numbers.sum(),
            Function::Avg => numbers.mean().map_or(Value::Null, float),
            Function::Min => bound(|bounds| bounds.0, |texts| &texts.0),
            Function::Max => bound(|bounds| bounds.1, |texts| &texts.1),
            Function::Quantile(part) => self.quantiles.at(part).map_or(Value::Null, float),
            Function::Distinct => self.distinct.count().0.into(),
        }
    }

    /// The memory that it takes beside its own size, in bytes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.texts.as_ref().map_or(0, |(a, b)| a.len() + b.len());
        texts + self.quantiles.bytes() + self.distinct.bytes()
    }

    fn add_text(&mut self, text: &[u8]) {
        let Some((least, greatest)) = &mut self.texts else {
            self.texts = Some((text.into(), text.into()));
            return;
        };
        if in_order(text) < in_order(least) {
            *least = text.into();
        } else if in_order(text) > in_order(greatest) {
            *greatest = text.into();
        }
    }
}

impl Numbers {
    fn add(&mut self, number: f64, digits: &[u8], count: u64) {
        self.count += count;
        let (least, greatest) = self.bounds.unwrap_or((number, number));
        self.bounds = Some((least.min(number), greatest.max(number)));
        let whole = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok());
        match whole {
            Some(whole) => {
                self.whole = self.whole.saturating_add(i128::from(whole) * i128::from(count));
            }
            None => self.add_rest(number * count as f64),
        }
    }

    /// Neumaier's sum: what a float cannot hold is summed apart.
    fn add_rest(&mut self, number: f64) {
        let sum = self.rest + number;
        self.lost += if self.rest.abs() >= number.abs() {
            (self.rest - sum) + number
        } else {
            (number - sum) + self.rest
        };
        self.rest = sum;
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.whole = self.whole.saturating_add(other.whole);
        self.add_rest(other.rest);
        self.lost += other.lost;
        self.bounds = match (self.bounds, other.bounds) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    fn sum(&self) -> Value {
        if self.count == 0 {
            return Value::Null;
        }
        let rest = self.rest + self.lost;
        match rest == 0.0 {
            true => Number::from_i128(self.whole).map_or(Value::Null, Value::Number),
            false => float(self.whole as f64 + rest),
        }
    }

    fn mean(&self) -> Option<f64> {
        let sum = self.whole as f64 + (self.rest + self.lost);
        (self.count > 0).then(|| sum / self.count as f64)
    }
}

/// A number as it is shown: an integer without a point.
fn float(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is an integer of 53 bits")]
        let whole = number as i64;
        return whole.into();
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// What texts are ordered by: times are written with and without microseconds.
fn in_order(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"Z").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_add_up() {
        let all = [
            Function::Count,
            Function::Sum,
            Function::Min,
            Function::Max,
            Function::Avg,
            Function::Quantile(0.5),
            Function::Distinct,
        ];
        let text = ValueRef::text;
        let digits = |digits: &'static str| ValueRef::new(Kind::Number, digits.as_bytes());
        let table: [(&[ValueRef<'_>], Value); 7] = [
            (&[], json!([0, null, null, null, null, null, 0])),
            (&[digits("1"), text("2"), text("x")], json!([3, 3, 1, 2, 1.5, 1, 3])),
            (&[digits("0.5"), digits("1e3")], json!([2, 1000.5, 0.5, 1000, 500.25, 0.5, 2])),
            (&[text("b"), text("a"), text("b")], json!([3, null, "a", "b", null, null, 2])),
            (&[ValueRef::new(Kind::Bool, b"true")], json!([1, null, null, null, null, null, 1])),
            (
                &[text("2026-06-15T12:00:00.000001Z"), text("2026-06-15T12:00:00.000Z")],
                json!([
                    2,
                    null,
                    "2026-06-15T12:00:00.000Z",
                    "2026-06-15T12:00:00.000001Z",
                    null,
                    null,
                    2
                ]),
            ),
            (
                &[digits("9007199254740993"), digits("9007199254740993")],
                json!([
                    2,
                    18_014_398_509_481_986_u64,
                    9_007_199_254_740_992_u64,
                    9_007_199_254_740_992_u64,
                    9_007_199_254_740_992_u64,
                    9_007_199_254_740_992_u64,
                    1
                ]),
            ),
        ];
        for (values, want) in table {
            let mut wants = Wants::default();
            all.iter().for_each(|function| wants.add(*function));
            let (mut one, mut other) = (Cell::default(), Cell::default());
            for (number, value) in values.iter().enumerate() {
                (if number % 2 == 0 { &mut one } else { &mut other }).add(wants, *value, 1);
            }
            other.merge(one);
            let results = Value::Array(all.map(|function| other.result(function)).to_vec());
            // Quantiles of 64-bit integers are floats: compared as text, as numbers are digits.
            assert_eq!(results.to_string(), want.to_string(), "{values:?}");
        }
    }
}
