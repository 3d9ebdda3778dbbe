//! What is computed of the events of a group.

use super::request::QueryError;
use crate::kql::number;

/// Something that is computed of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub(super) function: Function,
    /// The field that it is of; only a count may be of none.
    pub(super) field: Option<Box<str>>,
    /// What it is called in the answer.
    pub(super) name: Box<str>,
}

/// How an aggregate is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    /// How many events, or values of a field.
    Count,
    /// Of the values that are numbers.
    Sum,
    /// The least: of numbers if there are any, and else of text.
    Min,
    /// The greatest, likewise.
    Max,
    /// The mean of the numbers.
    Avg,
    /// The number that this part, from 0 to 1, of all are no greater than (within 1 %).
    Quantile(f64),
    /// How many different values (exactly up to 4096, then within 2 % or so).
    Distinct,
}

impl Aggregate {
    /// Reads `count`, `count(FIELD)`, `sum(FIELD)`, `min`, `max`, `avg`, `median` and `distinct`
    /// likewise, `p95(FIELD)`, or `quantile(0.95, FIELD)`. It is called what it was written as.
    ///
    /// # Errors
    ///
    /// [`QueryError::Aggregate`] for anything else.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let error = || QueryError::Aggregate(text.to_owned());
        let text = text.trim();
        let (function, inside) = match text.split_once('(') {
            None => (text, None),
            Some((function, rest)) => {
                (function.trim(), Some(rest.strip_suffix(')').ok_or_else(error)?.trim()))
            }
        };
        let (function, field) = match (function.to_ascii_lowercase().as_str(), inside) {
            ("count", None | Some("" | "*")) => (Function::Count, None),
            (_, None | Some("")) => return Err(error()),
            ("quantile", Some(inside)) => {
                let (part, field) = inside.split_once(',').ok_or_else(error)?;
                (quantile(part.trim(), 1.0).ok_or_else(error)?, Some(field.trim()))
            }
            (function, field) => (named(function).ok_or_else(error)?, field),
        };
        let field = field.map(|field| field.trim_matches('"'));
        if field.is_some_and(|field| field.is_empty() || field.len() > MAX_FIELD) {
            return Err(error());
        }
        Ok(Self { function, field: field.map(Box::from), name: text.into() })
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// What it is called in the answer.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn named(function: &str) -> Option<Function> {
    Some(match function {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "min" => Function::Min,
        "max" => Function::Max,
        "avg" | "mean" => Function::Avg,
        "median" => Function::Quantile(0.5),
        "distinct" | "count_distinct" | "uniq" => Function::Distinct,
        _ => return quantile(function.strip_prefix('p')?, 100.0),
    })
}

/// A part of a whole.
fn quantile(part: &str, whole: f64) -> Option<Function> {
    // Divided as decimals are: 99.9 of 100 is 0.999.
    let part = (number(part.as_bytes())? * PARTS).round() / (whole * PARTS);
    (0.0..=1.0).contains(&part).then_some(Function::Quantile(part))
}

/// As fine as a quantile may be told.
const PARTS: f64 = 1e10;

/// The longest name of a field, in bytes.
const MAX_FIELD: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_are_read() {
        let read = |text: &str| {
            let aggregate = Aggregate::parse(text).ok()?;
            Some((aggregate.function, aggregate.field.unwrap_or_default().to_string()))
        };
        let table = [
            ("count", Function::Count, ""),
            ("COUNT(*)", Function::Count, ""),
            (" count( a.b ) ", Function::Count, "a.b"),
            ("sum(bytes)", Function::Sum, "bytes"),
            ("min(a b)", Function::Min, "a b"),
            ("max(\"a(b)\")", Function::Max, "a(b)"),
            ("mean(x)", Function::Avg, "x"),
            ("median(x)", Function::Quantile(0.5), "x"),
            ("p95(x)", Function::Quantile(0.95), "x"),
            ("p99.9(x)", Function::Quantile(0.999), "x"),
            ("quantile(0.25, x)", Function::Quantile(0.25), "x"),
            ("uniq(x)", Function::Distinct, "x"),
        ];
        for (text, function, field) in table {
            assert_eq!(read(text), Some((function, field.to_owned())), "{text}");
        }
        for text in [
            "",
            "sum",
            "sum()",
            "sum(x",
            "p101(x)",
            "p-1(x)",
            "p(x)",
            "px(x)",
            "quantile(x)",
            "quantile(2, x)",
            "quantile(0.5, )",
            "avg(\"\")",
            "stddev(x)",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(Aggregate::parse(" p95(x) ").unwrap().name(), "p95(x)");
        assert!(Aggregate::parse(&format!("sum({})", "x".repeat(1025))).is_err());
    }
}
