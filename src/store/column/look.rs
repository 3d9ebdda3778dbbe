//! What is read of a column: values one by one, all of them, or those that have some text.

use super::holding::Needles;
use super::kinds::Kinds;
use super::{Body, Column, Reading};
use crate::event::{Kind, ValueRef};

impl Column {
    /// What `then` makes of the value of `row`.
    pub fn with<T>(&self, row: u32, then: impl FnOnce(ValueRef<'_>) -> T) -> Option<T> {
        let index = self.index_of(row)?;
        match &self.body {
            Body::Coded(coded) => coded.value(*coded.codes().get(index)?).map(then),
            Body::Split(divided) => {
                let kind = divided.kinds.at(index).filter(|_| index < divided.split.len())?;
                let mut text = Vec::new();
                divided.split.write(index, &mut text);
                Some(then(ValueRef::new(kind, &text)))
            }
            Body::Packed(reading) => {
                let kind = reading.kinds.at(index).filter(|_| index < reading.packed.len())?;
                let mut text = Vec::new();
                reading.packed.write(index, &mut text);
                Some(then(ValueRef::new(kind, &text)))
            }
        }
    }

    /// The value of `row`. All texts are put together for it: [`with`](Self::with) is for a few.
    pub fn at(&self, row: u32) -> Option<ValueRef<'_>> {
        let index = self.index_of(row)?;
        match &self.body {
            Body::Coded(coded) => coded.value(*coded.codes().get(index)?),
            Body::Split(divided) => divided.value(index),
            Body::Packed(reading) => {
                let texts = reading.texts.get_or_init(|| reading.packed.texts());
                Some(ValueRef::new(reading.kinds.at(index)?, texts.get(index)?))
            }
        }
    }

    /// Calls `each` with the rows that are `wanted` and whose value passes `test`, which only those
    /// do that have all texts of one of `lists` in them, in any case; those are in lower case. What
    /// cannot have them is not looked at. `is_local` says that a text passes once a part of it does
    /// that begins and ends where no word is cut.
    pub fn select_holding(
        &self,
        (lists, is_local): (&[Vec<String>], bool),
        wanted: impl Fn(u32) -> bool,
        mut test: impl FnMut(ValueRef<'_>) -> bool,
        mut each: impl FnMut(u32),
    ) {
        let is_told = |kinds: &Kinds| !lists.is_empty() && !kinds.may_have(Kind::Json);
        let is_wanted = |index| self.row_of(index).is_some_and(&wanted);
        match &self.body {
            Body::Split(divided) if is_told(&divided.kinds) => {
                divided.split.holding(lists, is_wanted, |index, text| {
                    let kind = divided.kinds.at(index).unwrap_or(Kind::Text);
                    if let Some(row) = self.row_of(index)
                        && test(ValueRef::new(kind, text))
                    {
                        each(row);
                    }
                });
            }
            Body::Packed(reading) if is_told(&reading.kinds) => {
                let Reading { kinds, packed, .. } = &**reading;
                let is_local = is_local && !kinds.may_have(Kind::Null);
                let is_enough = |text: &[u8]| is_local && test(ValueRef::new(Kind::Text, text));
                let enough = packed.with_constant(is_enough);
                packed.holding(&Needles::new(lists), &enough, is_wanted, |index, text| {
                    let kind = kinds.at(index).unwrap_or(Kind::Text);
                    if let Some(row) = self.row_of(index)
                        && text.is_none_or(|text| test(ValueRef::new(kind, text)))
                    {
                        each(row);
                    }
                });
            }
            _ => self.for_each_among(&wanted, |row, value| {
                if test(value) {
                    each(row);
                }
            }),
        }
    }

    /// Calls `each` with every row that has a value, in order, and that value.
    pub fn for_each(&self, each: impl FnMut(u32, ValueRef<'_>)) {
        self.for_each_among(|_| true, each);
    }

    /// As [`for_each`](Self::for_each), of the rows that are `wanted`.
    pub fn for_each_among(
        &self,
        wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(u32, ValueRef<'_>),
    ) {
        let is_wanted = |index| self.row_of(index).is_some_and(&wanted);
        let mut give = |kinds: &Kinds, index, text: &[u8]| {
            if let Some(row) = self.row_of(index) {
                each(row, ValueRef::new(kinds.at(index).unwrap_or(Kind::Text), text));
            }
        };
        match &self.body {
            Body::Coded(coded) => {
                for (row, code) in self.value_rows().zip(coded.codes()) {
                    if let Some(value) = coded.value(*code).filter(|_| wanted(row)) {
                        each(row, value);
                    }
                }
            }
            Body::Split(divided) => {
                let kinds = &divided.kinds;
                divided.split.for_each(is_wanted, |index, text| give(kinds, index, text));
            }
            Body::Packed(reading) => {
                let kinds = &reading.kinds;
                reading.packed.for_each(is_wanted, |index, text| give(kinds, index, text));
            }
        }
    }

    /// Calls `each` with every row whose value `test` is true of. A dictionary is asked once for
    /// each of its values.
    pub fn select(&self, mut test: impl FnMut(ValueRef<'_>) -> bool, mut each: impl FnMut(u32)) {
        let Body::Coded(coded) = &self.body else {
            return self.for_each(|row, value| {
                if test(value) {
                    each(row);
                }
            });
        };
        let found: Vec<bool> = coded.values().map(test).collect();
        if !found.contains(&true) {
            return;
        }
        for (row, code) in self.value_rows().zip(coded.codes()) {
            if found.get(usize::from(*code)) == Some(&true) {
                each(row);
            }
        }
    }

    /// The distinct values, where the column is a dictionary.
    pub fn dictionary(&self) -> Option<impl ExactSizeIterator<Item = ValueRef<'_>>> {
        match &self.body {
            Body::Coded(coded) => Some(coded.values()),
            Body::Split(_) | Body::Packed(_) => None,
        }
    }

    /// Calls `each` with every row that has a value, in order, and the number of that value in the
    /// [`dictionary`](Self::dictionary); never where the column is none.
    pub fn for_each_code(&self, mut each: impl FnMut(u32, u8)) {
        if let Body::Coded(coded) = &self.body {
            self.value_rows().zip(coded.codes()).for_each(|(row, code)| each(row, *code));
        }
    }
}
