//! One field of many rows: how it is gathered, written and read back.
//!
//! ```text
//!  payload = form, presence, kinds, values
//!  form:     0 coded  distinct values, and a code for each row: few values that come often
//!            1 split  templates, and their variables in columns of their own: everything else
//!  presence: 0 every row | 1 the rows that have a value
//! ```
//!
//! A column begins with codes and is split once a byte cannot name all its values. Both forms stand
//! alike in open batches, staged batches and sealed blocks, and rows go from one to the next without
//! their texts being put together in between.

mod bits;
mod coded;
mod cut;
mod digits;
mod distinct;
mod divided;
mod guess;
mod hits;
mod holding;
mod integers;
mod kept;
mod key;
mod kinds;
mod look;
mod met;
pub(super) mod numbers;
mod packed;
mod patterns;
mod payload;
mod places;
mod recent;
mod slot;
mod split;
mod take;
mod taken;
mod template;
mod texts;

use std::sync::OnceLock;

use self::coded::Coded;
pub use self::cut::Cutter;
use self::divided::Divided;
use self::kinds::Kinds;
use self::packed::Packed;
pub(super) use self::payload::{Parts, Payload};
pub(super) use self::slot::Variable;
use self::split::Split;
pub(super) use self::take::{Layout, Taking};
use self::texts::Texts;
use super::bytes::{Damaged, put_varint};
use crate::event::{Kind, ValueRef};

/// A column of rows, in memory.
#[derive(Clone, Debug, Default)]
pub struct Column {
    body: Body,
    /// For each value its row; empty while every row so far has a value.
    rows: Vec<u32>,
    sparse: bool,
}

#[derive(Clone, Debug)]
enum Body {
    Coded(Coded),
    Split(Box<Divided>),
    /// As it lies on disk. Nothing is added to it, and nothing taken from it by other columns.
    Packed(Box<Reading>),
}

/// Values that are split and lie as on disk, with their kinds.
#[derive(Clone, Debug)]
struct Reading {
    kinds: Kinds,
    packed: Packed,
    /// All of them, once someone asked for them so.
    texts: OnceLock<Texts>,
}

impl Column {
    /// Sets the value of `row`, which must not be before the last one set; a second value for the
    /// same row takes the place of the first.
    pub(super) fn push(&mut self, row: u32, value: ValueRef<'_>) {
        self.place(row);
        self.push_value(value, false);
    }

    /// How many rows have a value.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether no row has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About the bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        let body = match &self.body {
            Body::Coded(coded) => coded.memory(),
            Body::Split(divided) => divided.split.memory(),
            Body::Packed(reading) => reading.packed.memory(),
        };
        body + self.rows.len() * size_of::<u32>()
    }

    /// Whether a value may be of this kind.
    pub(super) fn may_have(&self, kind: Kind) -> bool {
        match &self.body {
            Body::Coded(coded) => coded.values().any(|value| value.kind == kind),
            Body::Split(divided) => divided.kinds.may_have(kind),
            Body::Packed(reading) => reading.kinds.may_have(kind),
        }
    }

    /// Calls `each` with pieces that together hold every word of every value, and each piece once
    /// where the column keeps it once.
    pub(super) fn pieces(&self, mut each: impl FnMut(Variable<'_>)) {
        let divided = match &self.body {
            Body::Coded(coded) => {
                return coded.values().for_each(|value| each(Variable::Text(value.bytes)));
            }
            Body::Split(divided) => divided,
            Body::Packed(_) => unreachable!("{WRITTEN}"),
        };
        let mut scratch = Vec::new();
        for (_, template) in divided.split.templates() {
            template.constants().for_each(|constant| each(Variable::Text(constant)));
            for slot in template.slots() {
                slot.for_each(template.count() as usize, &mut scratch, &mut each);
            }
        }
    }

    /// Forgets the values of `row` and of all rows after it.
    pub(super) fn truncate(&mut self, row: u32) {
        let last = |column: &Self| match column.sparse {
            true => column.rows.last().copied(),
            false => column.len().checked_sub(1).and_then(|last| u32::try_from(last).ok()),
        };
        while last(self).is_some_and(|last| last >= row) {
            self.body.pop();
            self.rows.pop();
        }
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        match &mut self.body {
            Body::Coded(coded) => coded.clear(),
            Body::Split(divided) => divided.clear(),
            Body::Packed(_) => self.body = Body::default(),
        }
        self.rows.clear();
        self.sparse = false;
    }

    /// Appends the payload.
    pub(super) fn encode(&self, out: &mut Payload) {
        let split = match &self.body {
            Body::Coded(coded) if coded.is_worth() => None,
            Body::Coded(coded) => Some(Box::new(Divided::of(coded, out.is_final))),
            Body::Split(_) | Body::Packed(_) => None,
        };
        let body = match (&split, &self.body) {
            (Some(divided), _) | (None, Body::Split(divided)) => Err(divided),
            (None, Body::Coded(coded)) => Ok(coded),
            (None, Body::Packed(_)) => unreachable!("{WRITTEN}"),
        };
        out.soft.push(if body.is_ok() { CODED } else { SPLIT });
        out.soft.push(u8::from(self.sparse));
        put_varint(&mut out.soft, self.len() as u64);
        if self.sparse {
            let rows: Vec<u64> = self.rows.iter().map(|row| u64::from(*row)).collect();
            numbers::encode(&rows, out);
        }
        match body {
            Ok(coded) => coded.encode(out),
            Err(divided) => {
                divided.kinds.encode(&mut out.soft);
                divided.split.encode(out);
            }
        }
    }

    /// Reads a payload back, for rows to be taken from it.
    pub(super) fn decode(parts: Parts<'_>) -> Result<Self, Damaged> {
        Self::read(parts, |parts, kinds, count| {
            let split = Split::decode(parts, count)?;
            Ok(Body::Split(Box::new(Divided { kinds, split, texts: OnceLock::new() })))
        })
    }

    /// Reads a payload back, to be looked at: what is split stays as it is until it is asked for.
    pub(super) fn open(payload: Payload) -> Result<Self, Damaged> {
        let mut column = Self::read(payload.parts(), |parts, kinds, count| {
            let packed = Packed::open(&payload, parts, count)?;
            Ok(Body::Packed(Box::new(Reading { kinds, packed, texts: OnceLock::new() })))
        })?;
        if let Body::Packed(reading) = &mut column.body {
            reading.packed.payload = payload;
        }
        Ok(column)
    }

    fn read(
        mut parts: Parts<'_>,
        split: impl FnOnce(&mut Parts<'_>, Kinds, usize) -> Result<Body, Damaged>,
    ) -> Result<Self, Damaged> {
        let (form, sparse) = (parts.soft.byte()?, parts.soft.byte()? != 0);
        let count = usize::try_from(parts.soft.varint()?).map_err(|_| Damaged("a count"))?;
        if count > MAX_VALUES {
            return Err(Damaged("a column of that many values"));
        }
        let mut rows = Vec::new();
        if sparse {
            for row in numbers::decode(&mut parts, count)? {
                let row = u32::try_from(row).map_err(|_| Damaged("a row"))?;
                if rows.last().is_some_and(|last| *last >= row) {
                    return Err(Damaged("rows in order"));
                }
                rows.push(row);
            }
        }
        let body = match form {
            CODED => Body::Coded(Coded::decode(&mut parts, count)?),
            SPLIT => {
                let kinds = Kinds::decode(&mut parts.soft, count)?;
                split(&mut parts, kinds, count)?
            }
            _ => return Err(Damaged("a form of column")),
        };
        parts.end()?;
        Ok(Self { body, rows, sparse })
    }

    fn row_of(&self, index: usize) -> Option<u32> {
        if self.sparse { self.rows.get(index).copied() } else { u32::try_from(index).ok() }
    }

    /// The number of the value of `row`, were it there.
    fn index_of(&self, row: u32) -> Option<usize> {
        match self.sparse {
            false => Some(row as usize),
            true => self.rows.binary_search(&row).ok(),
        }
    }

    /// The rows that have a value.
    fn value_rows(&self) -> impl Iterator<Item = u32> {
        let all = if self.sparse { 0 } else { u32::try_from(self.len()).unwrap_or(u32::MAX) };
        self.rows.iter().copied().chain(0..all)
    }

    /// Makes room for the value of `row`.
    fn place(&mut self, row: u32) {
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let last = if self.sparse { self.rows.last().copied() } else { count.checked_sub(1) };
        if last == Some(row) {
            self.body.pop();
        } else if self.sparse {
            self.rows.push(row);
        } else if row != count {
            self.sparse = true;
            self.rows.extend(0..count);
            self.rows.push(row);
        }
    }

    /// Adds a value; where that splits the column, in the shortest form if this `is_final`.
    fn push_value(&mut self, value: ValueRef<'_>, is_final: bool) {
        if let Body::Coded(coded) = &mut self.body
            && coded.push(value).is_some()
        {
            return;
        }
        self.body.split(is_final).push(value, is_final);
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Coded(Coded::default())
    }
}

impl Body {
    fn len(&self) -> usize {
        match self {
            Self::Coded(coded) => coded.len(),
            Self::Split(divided) => divided.split.len(),
            Self::Packed(reading) => reading.packed.len(),
        }
    }

    fn pop(&mut self) {
        match self {
            Self::Coded(coded) => coded.pop(),
            Self::Split(divided) => {
                divided.split.pop();
                divided.kinds.pop(divided.split.len());
            }
            Self::Packed(_) => unreachable!("{WRITTEN}"),
        }
    }

    /// Takes the form of `other`, while there are no values yet.
    fn become_like(&mut self, other: &Self) {
        match (&*self, other) {
            (Self::Coded(_), Self::Split(_)) => *self = Self::Split(Box::default()),
            (Self::Split(_), Self::Coded(_)) => *self = Self::Coded(Coded::default()),
            _ => {}
        }
    }

    /// Splits the values if they are not.
    fn split(&mut self, is_final: bool) -> &mut Divided {
        if let Self::Coded(coded) = self {
            *self = Self::Split(Box::new(Divided::of(coded, is_final)));
        }
        match self {
            Self::Split(divided) => divided,
            Self::Coded(_) => unreachable!("split above"),
            Self::Packed(_) => unreachable!("{WRITTEN}"),
        }
    }
}

impl Coded {
    /// Whether codes are shorter than the values themselves, split.
    fn is_worth(&self) -> bool {
        self.distinct() * 2 <= self.len() || self.len() < FEW
    }
}

/// What is opened to be looked at is not written to, nor taken from: that is read whole.
const WRITTEN: &str = "a column that lies as on disk is only looked at";

const CODED: u8 = 0;
const SPLIT: u8 = 1;

/// So few values that neither form matters.
const FEW: usize = 8;

/// More than a batch or block ever has; a damaged count must not allocate what it claims.
pub(super) const MAX_VALUES: usize = 1 << 20;

#[cfg(test)]
pub(super) mod tests;
