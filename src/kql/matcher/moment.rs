//! Conditions on times.

use super::super::query::RangeOp;
use super::super::time::{Span, parse_time, span};
use crate::event::{Kind, ValueRef};
use crate::time::Timestamp;

/// A stretch of time, without end on a side that is not bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    first: i64,
    last: i64,
}

impl Moment {
    /// During all of what `text` names.
    pub(super) fn during(text: &str, now: Timestamp) -> Option<Self> {
        let Span { first, last } = span(text, now).ok()?;
        Some(Self { first: first.as_micros(), last: last.as_micros() })
    }

    /// Before or after what `text` names.
    pub(super) fn range(text: &str, op: RangeOp, now: Timestamp) -> Option<Self> {
        let all = Self { first: i64::MIN, last: i64::MAX };
        let Self { first, last } = Self::during(text, now)?;
        Some(match op {
            RangeOp::Gt => Self { first: last.saturating_add(1), ..all },
            RangeOp::Gte => Self { first, ..all },
            RangeOp::Lt => Self { last: first.saturating_sub(1), ..all },
            RangeOp::Lte => Self { last, ..all },
        })
    }

    pub(super) fn contains(&self, at: Timestamp) -> bool {
        (self.first..=self.last).contains(&at.as_micros())
    }

    pub(super) fn bounds(&self) -> (Timestamp, Timestamp) {
        (Timestamp::from_micros(self.first), Timestamp::from_micros(self.last))
    }

    /// A value that is an RFC 3339 text, or digits of an epoch.
    pub(super) fn matches(&self, value: ValueRef<'_>) -> bool {
        let at = match value.kind {
            Kind::Text => Timestamp::parse_rfc3339(value.bytes),
            Kind::Number => {
                let digits = std::str::from_utf8(value.bytes).ok();
                digits.and_then(|digits| parse_time(digits, Timestamp::default()).ok())
            }
            Kind::Bool | Kind::Null | Kind::Json | Kind::Bytes => None,
        };
        at.is_some_and(|at| self.contains(at))
    }
}
