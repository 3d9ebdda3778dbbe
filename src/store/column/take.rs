//! Rows of one column taken over by another, many at a time: their texts are not put together in
//! between, and what is the same for many of them is asked once.

use super::coded::{Coded, Codes};
use super::taken::Taken;
use super::{Body, Column, WRITTEN};
use crate::event::ValueRef;

/// Where the values of a column are, by their rows.
#[derive(Debug)]
pub(in crate::store) struct Layout<'c> {
    column: &'c Column,
    /// The number of the value of each row; empty where that is the row's own.
    indices: Vec<u32>,
    /// Of which number each value is among those of its template; empty where nothing is split.
    nth: Vec<u32>,
}

/// What one column remembers of another while it takes values from it, and memory for that.
#[derive(Debug, Default)]
pub(in crate::store) struct Taking {
    /// The numbers of the values that are taken.
    indices: Vec<u32>,
    codes: Codes,
    templates: Taken,
}

impl Taking {
    /// Nothing yet; whether to find the shortest form of what is taken is for `is_final` to say.
    pub(in crate::store) fn new(is_final: bool) -> Self {
        Self { templates: Taken::new(is_final), ..Self::default() }
    }
}

impl<'c> Layout<'c> {
    /// That of a column of `rows` rows.
    pub(in crate::store) fn of(column: &'c Column, rows: usize) -> Self {
        let mut indices = Vec::new();
        if column.sparse {
            indices.resize(rows, NONE);
            for (index, row) in (0..).zip(&column.rows) {
                if let Some(place) = indices.get_mut(*row as usize) {
                    *place = index;
                }
            }
        }
        let nth = match &column.body {
            Body::Coded(_) => Vec::new(),
            Body::Split(divided) => divided.split.nth(),
            Body::Packed(_) => unreachable!("{WRITTEN}"),
        };
        Self { column, indices, nth }
    }

    /// The number of the value of `row`, if it has one.
    fn index(&self, row: u32) -> Option<u32> {
        let index = match self.indices.is_empty() {
            true => row,
            false => self.indices.get(row as usize).copied()?,
        };
        ((index as usize) < self.column.len()).then_some(index)
    }

    /// Whether the number of the value of each of `rows`, which are in order, is its own.
    fn has_all(&self, rows: &[u32]) -> bool {
        let last = rows.last().copied().unwrap_or(0) as usize;
        self.indices.is_empty() && last < self.column.len()
    }

    /// The code of the value of `row` in a dictionary; an error if there is a value without a code.
    pub(in crate::store) fn code(&self, row: u32) -> Result<Option<u8>, NoCode> {
        let Some(index) = self.index(row) else { return Ok(None) };
        match &self.column.body {
            Body::Coded(coded) => Ok(coded.codes().get(index as usize).copied()),
            Body::Split(_) | Body::Packed(_) => Err(NoCode),
        }
    }

    /// What a code of the dictionary stands for.
    pub(in crate::store) fn coded(&self, code: usize) -> Option<ValueRef<'c>> {
        match &self.column.body {
            Body::Coded(coded) => coded.value(u8::try_from(code).ok()?),
            Body::Split(_) | Body::Packed(_) => None,
        }
    }

    /// The value of `row`.
    pub(in crate::store) fn at(&self, row: u32) -> Option<ValueRef<'c>> {
        self.column.at(row)
    }

    /// Whether one of `rows`, which are in order, has a value.
    pub(in crate::store) fn has_any(&self, rows: &[u32]) -> bool {
        self.has_all(rows) || rows.iter().any(|row| self.index(*row).is_some())
    }
}

/// The value is in no dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct NoCode;

impl Column {
    /// Gives the rows from `first` on, which have no values yet, those that `rows` have in `from`.
    /// Returns about the length of the values.
    pub(in crate::store) fn take(
        &mut self,
        first: u32,
        from: &Layout<'_>,
        rows: &[u32],
        taking: &mut Taking,
    ) -> usize {
        let Taking { indices, codes, templates } = taking;
        indices.clear();
        self.place_all(first, from, rows, indices);
        if self.body.len() == 0 {
            self.body.become_like(&from.column.body);
        }
        match &from.column.body {
            Body::Coded(coded) => self.take_codes(coded, indices, codes, templates.is_final()),
            Body::Split(divided) => {
                let own = self.body.split(templates.is_final());
                own.kinds.take(own.split.len(), &divided.kinds, indices);
                own.split.take(&divided.split, indices, &from.nth, templates)
            }
            Body::Packed(_) => unreachable!("{WRITTEN}"),
        }
    }

    /// Makes room for the values of all `rows` that have one in `from`, and appends their numbers
    /// there to `indices`.
    fn place_all(&mut self, first: u32, from: &Layout<'_>, rows: &[u32], indices: &mut Vec<u32>) {
        let next = u32::try_from(self.len()).unwrap_or(u32::MAX);
        if !self.sparse && first == next && from.has_all(rows) {
            return indices.extend_from_slice(rows);
        }
        for (row, source) in (first..).zip(rows) {
            let Some(index) = from.index(*source) else { continue };
            let count = u32::try_from(indices.len()).unwrap_or(u32::MAX);
            if !self.sparse && row != next.saturating_add(count) {
                self.sparse = true;
                // All rows so far had a value, and those of this time follow them.
                self.rows.extend((0..next).chain((first..).take(indices.len())));
            }
            if self.sparse {
                self.rows.push(row);
            }
            indices.push(index);
        }
    }

    fn take_codes(
        &mut self,
        from: &Coded,
        indices: &[u32],
        codes: &mut Codes,
        is_final: bool,
    ) -> usize {
        if let Body::Coded(own) = &mut self.body
            && let Some(bytes) = own.take(from, indices, codes)
        {
            return bytes;
        }
        let mut bytes = 0;
        for index in indices {
            let code = from.codes().get(*index as usize);
            let Some(value) = code.and_then(|code| from.value(*code)) else { continue };
            bytes += value.bytes.len();
            self.push_value(value, is_final);
        }
        bytes
    }
}

/// Appends those of `other` that have these places there, which are in order and each there once: as
/// many as there are numbers are all.
pub(super) fn take_numbers(own: &mut Vec<u64>, other: &[u64], indices: &[u32]) {
    if indices.len() == other.len() {
        return own.extend_from_slice(other);
    }
    let at = |index: &u32| other.get(*index as usize).copied().unwrap_or_default();
    own.extend(indices.iter().map(at));
}

/// A row without a value.
const NONE: u32 = u32::MAX;
