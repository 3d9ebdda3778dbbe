//! The kind of each value of a column: nearly always that of the one before.

use super::super::bytes::{Damaged, Reader};
use crate::event::Kind;

/// The kinds of values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    one: Option<Kind>,
    /// The kind of each; empty while all are `one`.
    each: Vec<Kind>,
}

impl Kinds {
    /// Adds the kind of value number `count`.
    pub(super) fn push(&mut self, count: usize, kind: Kind) {
        match self.one {
            None => self.one = Some(kind),
            Some(one) if self.each.is_empty() && one != kind => {
                self.each.resize(count, one);
                self.each.push(kind);
            }
            Some(_) if self.each.is_empty() => {}
            Some(_) => self.each.push(kind),
        }
    }

    /// Adds the kinds that the values of `indices` have in `other`; `count` were there before.
    pub(super) fn take(&mut self, count: usize, other: &Self, indices: &[u32]) {
        let own = (self.one, self.each.is_empty());
        if other.each.is_empty() && (own == (None, true) || own == (other.one, true)) {
            if !indices.is_empty() {
                self.one = other.one;
            }
            return;
        }
        for (count, index) in (count..).zip(indices) {
            self.push(count, other.at(*index as usize).unwrap_or(Kind::Text));
        }
    }

    /// Takes the last one out; `left` are left.
    pub(super) fn pop(&mut self, left: usize) {
        self.each.pop();
        if left == 0 {
            self.one = None;
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<Kind> {
        self.each.get(index).copied().or(self.one)
    }

    /// Whether one may be of this kind.
    pub(super) fn may_have(&self, kind: Kind) -> bool {
        self.one == Some(kind) || self.each.contains(&kind)
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.one = None;
        self.each.clear();
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self.each.is_empty() {
            true => out.push(self.one.unwrap_or(Kind::Text) as u8),
            false => {
                out.push(MIXED);
                out.extend(self.each.iter().map(|kind| *kind as u8));
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>, count: usize) -> Result<Self, Damaged> {
        let kind = |number| Kind::from_number(number).ok_or(Damaged("a kind of value"));
        Ok(match reader.byte()? {
            MIXED => {
                let each: Result<Vec<_>, _> =
                    reader.take(count)?.iter().map(|number| kind(*number)).collect();
                let each = each?;
                Self { one: each.first().copied(), each }
            }
            number => Self { one: Some(kind(number)?).filter(|_| count > 0), each: Vec::new() },
        })
    }
}

/// Instead of a kind: each value has its own.
const MIXED: u8 = 0xff;
