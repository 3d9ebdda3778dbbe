//! Conditions on values that are compared as they are.

use std::cmp::Ordering;

use super::super::address::Network;
use super::super::number::{Number, whole_number};
use super::super::query::{Literal, RangeOp};
use super::super::wildcard::Wildcard;
use super::super::words;
use super::{folded, folded_wildcard, words_of_pattern};
use crate::event::{Kind, ValueRef};

/// Equality.
#[derive(Clone, Debug)]
pub(super) struct Exact {
    text: Box<str>,
    number: Option<Number>,
    network: Option<Network>,
    is_null: bool,
    any_case: bool,
}

/// A whole value with wildcards.
#[derive(Clone, Debug)]
pub(super) struct Like {
    pattern: Wildcard,
    words: Vec<String>,
    any_case: bool,
}

/// A comparison.
#[derive(Clone, Debug)]
pub(super) struct Order {
    op: RangeOp,
    text: Box<str>,
    number: Option<Number>,
    any_case: bool,
}

impl Exact {
    pub(super) fn new(value: &Literal, any_case: bool) -> Self {
        let text = value.as_text().unwrap_or_default();
        Self {
            number: Number::parse(text),
            network: Network::parse(text),
            is_null: *value == Literal::Null,
            any_case,
            text: if any_case { folded(text).into() } else { text.into() },
        }
    }

    pub(super) fn matches(&self, value: ValueRef<'_>) -> bool {
        match value.kind {
            Kind::Number => {
                let order = self.number.as_ref().and_then(|number| number.compare(value.bytes));
                order == Some(Ordering::Equal)
            }
            Kind::Null => self.is_null,
            Kind::Bool => self.text.as_bytes() == value.bytes,
            Kind::Text | Kind::Bytes | Kind::Json => {
                self.is_text(value.bytes)
                    || self.network.is_some_and(|network| network.contains(value.bytes))
            }
        }
    }

    /// A text that equals has the same words; a number or an address may be written otherwise.
    pub(super) fn required_words(&self) -> Vec<Vec<String>> {
        if self.network.is_some() || self.is_null {
            return vec![];
        }
        let text = words::words(&self.text).map(String::from).collect();
        match (&self.number, whole_number(self.text.as_bytes())) {
            (None, _) => vec![text],
            (Some(_), Some(whole)) => {
                let whole = vec![whole.to_string()];
                if text == whole { vec![whole] } else { vec![whole, text] }
            }
            (Some(_), None) => vec![],
        }
    }

    fn is_text(&self, value: &[u8]) -> bool {
        if !self.any_case {
            return value == self.text.as_bytes();
        }
        if value.is_ascii() {
            return value.eq_ignore_ascii_case(self.text.as_bytes());
        }
        super::text::with_folded(value, |value| *value == *self.text)
    }
}

impl Like {
    pub(super) fn new(pieces: &[String], any_case: bool) -> Self {
        let pattern = if any_case { folded_wildcard(pieces) } else { Wildcard::new(pieces) };
        Self { pattern, words: words_of_pattern(pieces), any_case }
    }

    /// The words of a value that no wildcard can add to.
    pub(super) fn required_words(&self) -> Vec<Vec<String>> {
        vec![self.words.clone()]
    }

    pub(super) fn matches(&self, value: &[u8]) -> bool {
        if self.any_case {
            super::text::with_folded(value, |value| self.pattern.matches(value.as_bytes()))
        } else {
            self.pattern.matches(value)
        }
    }
}

impl Order {
    pub(super) fn new(text: &str, op: RangeOp, any_case: bool) -> Self {
        let number = Number::parse(text);
        let text = if any_case { folded(text).into() } else { text.into() };
        Self { op, text, number, any_case }
    }

    /// By number if both are numbers, and else by bytes; a JSON number and a text do not compare.
    pub(super) fn matches(&self, value: ValueRef<'_>) -> bool {
        let by_number = || self.number.as_ref()?.compare(value.bytes);
        let order = match value.kind {
            Kind::Number => by_number(),
            Kind::Null | Kind::Bool => None,
            Kind::Text | Kind::Bytes | Kind::Json => {
                by_number().or_else(|| Some(self.by_text(value.bytes)))
            }
        };
        order.is_some_and(|order| match self.op {
            RangeOp::Gt => order.is_gt(),
            RangeOp::Gte => order.is_ge(),
            RangeOp::Lt => order.is_lt(),
            RangeOp::Lte => order.is_le(),
        })
    }

    fn by_text(&self, value: &[u8]) -> Ordering {
        if self.any_case {
            super::text::with_folded(value, |value| value.cmp(&*self.text))
        } else {
            value.cmp(self.text.as_bytes())
        }
    }
}
