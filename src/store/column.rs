//! One field of many rows: how it is gathered, written and read back.
//!
//! ```text
//!  payload = encoding, presence, kinds, values
//!  encoding: 0 plain     values = lengths, then all bytes
//!            1 dictionary values = distinct values as plain, then one code a value
//!  presence: 0 every row | 1 the rows that have a value, as distances
//!  kinds:    one kind for all | 0xff and one a value
//! ```
//!
//! The same payload stands in a staged batch and in a chunk of a sealed block; what is said there
//! once for many (a checksum, compression) is not said here.

use rustc_hash::FxHashMap;

use super::bytes::{Damaged, Reader, put_varint};
use crate::event::{Kind, ValueRef};

/// A column of rows, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    values: Values,
    /// For each value (or code) its row; empty while every row so far has a value.
    rows: Vec<u32>,
    sparse: bool,
    /// For each row with a value the number of its value; empty while each has its own.
    codes: Vec<u8>,
    coded: bool,
}

/// Values one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Values {
    data: Vec<u8>,
    /// Where each value ends in `data`.
    ends: Vec<u32>,
    /// The kind of each; empty while all are of kind `kind`.
    kinds: Vec<Kind>,
    kind: Option<Kind>,
}

impl Column {
    /// Sets the value of `row`, which must not be before the last one set; a second value for the
    /// same row takes the place of the first.
    pub(super) fn push(&mut self, row: u32, value: ValueRef<'_>) {
        let count = self.values.len();
        let last = if self.sparse { self.rows.last().copied() } else { count.checked_sub(1) };
        if last == Some(row) {
            self.values.pop();
        } else if self.sparse {
            self.rows.push(row);
        } else if row != count {
            self.sparse = true;
            self.rows.extend(0..count);
            self.rows.push(row);
        }
        self.values.push(value);
    }

    /// How many rows have a value.
    pub fn len(&self) -> usize {
        if self.coded { self.codes.len() } else { self.values.ends.len() }
    }

    /// Whether no row has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `row`.
    pub fn at(&self, row: u32) -> Option<ValueRef<'_>> {
        let index = match self.sparse {
            false => row,
            true => u32::try_from(self.rows.binary_search(&row).ok()?).ok()?,
        };
        self.value(index)
    }

    /// Calls `each` with every row that has a value, in order, and that value.
    pub fn for_each<'a>(&'a self, mut each: impl FnMut(u32, ValueRef<'a>)) {
        for index in 0..u32::try_from(self.len()).unwrap_or(u32::MAX) {
            let row =
                if self.sparse { self.rows.get(index as usize).copied() } else { Some(index) };
            if let (Some(row), Some(value)) = (row, self.value(index)) {
                each(row, value);
            }
        }
    }

    /// Calls `each` with every row whose value `test` is true of. A dictionary is asked once for
    /// each of its values.
    pub fn select(&self, mut test: impl FnMut(ValueRef<'_>) -> bool, mut each: impl FnMut(u32)) {
        if !self.coded {
            return self.for_each(|row, value| {
                if test(value) {
                    each(row);
                }
            });
        }
        let found: Vec<bool> =
            (0..self.values.len()).map(|i| self.values.at(i).is_some_and(&mut test)).collect();
        if !found.contains(&true) {
            return;
        }
        for (index, code) in self.codes.iter().enumerate() {
            if found.get(usize::from(*code)) == Some(&true) {
                let row = if self.sparse {
                    self.rows.get(index).copied()
                } else {
                    u32::try_from(index).ok()
                };
                row.into_iter().for_each(&mut each);
            }
        }
    }

    /// The distinct values, where the column is a dictionary.
    pub fn dictionary(&self) -> Option<impl Iterator<Item = ValueRef<'_>>> {
        self.coded.then(|| (0..self.values.len()).filter_map(|i| self.values.at(i)))
    }

    /// Forgets the values of `row` and of all rows after it.
    pub(super) fn truncate(&mut self, row: u32) {
        let last = |column: &Self| match column.sparse {
            true => column.rows.last().copied(),
            false => column.values.len().checked_sub(1),
        };
        while last(self).is_some_and(|last| last >= row) {
            self.values.pop();
            self.rows.pop();
        }
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.values.data.clear();
        self.values.ends.clear();
        self.values.kinds.clear();
        self.values.kind = None;
        self.rows.clear();
        self.codes.clear();
        (self.sparse, self.coded) = (false, false);
    }

    /// The column with equal values written once, where they are few enough.
    pub(super) fn to_dictionary(&self) -> Option<Self> {
        if self.coded || self.values.ends.len() < 2 {
            return None;
        }
        let mut distinct = Values::default();
        let mut known: FxHashMap<(Kind, &[u8]), u8> = FxHashMap::default();
        let mut codes = Vec::new();
        for index in 0..self.values.len() {
            let value = self.values.at(index)?;
            let next = known.len();
            let code = match known.get(&(value.kind, value.bytes)) {
                Some(code) => *code,
                None => {
                    // A column that keeps bringing new values is given up early.
                    let code = u8::try_from(next).ok()?;
                    known.insert((value.kind, value.bytes), code);
                    distinct.push(value);
                    code
                }
            };
            codes.push(code);
        }
        let (rows, sparse) = (self.rows.clone(), self.sparse);
        Some(Self { values: distinct, rows, sparse, codes, coded: true })
    }

    /// Appends the payload.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.coded));
        out.push(u8::from(self.sparse));
        put_varint(out, self.len() as u64);
        let mut next = 0;
        for row in &self.rows {
            put_varint(out, u64::from(row - next));
            next = row + 1;
        }
        self.values.encode(out);
        out.extend_from_slice(&self.codes);
    }

    /// Reads a payload back.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(payload);
        let (coded, sparse) = (reader.byte()? != 0, reader.byte()? != 0);
        let count = usize::try_from(reader.varint()?).map_err(|_| Damaged("a count"))?;
        if count > reader.0.len() {
            return Err(Damaged("a column of that many values"));
        }
        let mut rows = Vec::with_capacity(if sparse { count } else { 0 });
        let mut next: u32 = 0;
        for _ in 0..if sparse { count } else { 0 } {
            let row = next.checked_add(reader.u32()?).ok_or(Damaged("a row"))?;
            next = row.saturating_add(1);
            rows.push(row);
        }
        let values = Values::decode(&mut reader)?;
        let codes = if coded { reader.take(count)?.to_vec() } else { Vec::new() };
        let distinct = values.ends.len();
        if !reader.0.is_empty() || (!coded && distinct != count) {
            return Err(Damaged("a column of that length"));
        }
        if codes.iter().any(|code| usize::from(*code) >= distinct) {
            return Err(Damaged("codes of the dictionary"));
        }
        Ok(Self { values, rows, sparse, codes, coded })
    }

    fn value(&self, index: u32) -> Option<ValueRef<'_>> {
        if self.coded {
            self.values.at(u32::from(*self.codes.get(index as usize)?))
        } else {
            self.values.at(index)
        }
    }
}

impl Values {
    fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, value: ValueRef<'_>) {
        match self.kind {
            None => self.kind = Some(value.kind),
            Some(kind) if self.kinds.is_empty() && kind != value.kind => {
                self.kinds.resize(self.ends.len(), kind);
                self.kinds.push(value.kind);
            }
            Some(_) if self.kinds.is_empty() => {}
            Some(_) => self.kinds.push(value.kind),
        }
        self.data.extend_from_slice(value.bytes);
        self.ends.push(u32::try_from(self.data.len()).expect("batches are far smaller than 4 GiB"));
    }

    fn pop(&mut self) {
        self.ends.pop();
        self.kinds.pop();
        self.data.truncate(self.ends.last().map_or(0, |end| *end as usize));
        if self.ends.is_empty() {
            self.kind = None;
        }
    }

    fn at(&self, index: u32) -> Option<ValueRef<'_>> {
        let index = index as usize;
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        let kind = self.kinds.get(index).copied().or(self.kind)?;
        Some(ValueRef::new(kind, self.data.get(start..end)?))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.ends.len() as u64);
        match self.kinds.is_empty() {
            true => out.push(self.kind.unwrap_or(Kind::Text) as u8),
            false => {
                out.push(MIXED);
                out.extend(self.kinds.iter().map(|kind| *kind as u8));
            }
        }
        let mut start = 0;
        for end in &self.ends {
            put_varint(out, u64::from(end - start));
            start = *end;
        }
        out.extend_from_slice(&self.data);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        let count = reader.count()?;
        let kind = |number| Kind::from_number(number).ok_or(Damaged("a kind of value"));
        let (one, kinds) = match reader.byte()? {
            MIXED => {
                let kinds: Result<Vec<_>, _> =
                    reader.take(count)?.iter().map(|number| kind(*number)).collect();
                let kinds = kinds?;
                (kinds.first().copied(), kinds)
            }
            number => (Some(kind(number)?).filter(|_| count > 0), Vec::new()),
        };
        let mut ends = Vec::with_capacity(count);
        let mut end: u32 = 0;
        for _ in 0..count {
            end = end.checked_add(reader.u32()?).ok_or(Damaged("a length"))?;
            ends.push(end);
        }
        let data = reader.take(end as usize)?.to_vec();
        Ok(Self { data, ends, kinds, kind: one })
    }
}

/// Instead of a kind: each value has its own.
const MIXED: u8 = 0xff;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::store) fn any_value() -> impl Strategy<Value = (Kind, Vec<u8>)> {
        let text = prop_oneof![
            prop::sample::select(vec!["", "a", "ERROR", "web-01"])
                .prop_map(|t| t.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..20),
        ];
        (prop::sample::select(vec![Kind::Text, Kind::Number, Kind::Bytes]), text)
    }

    proptest! {
        /// A block read back is the block written, to the byte: with and without a dictionary.
        #[test]
        fn columns_read_back(cells in prop::collection::vec(prop::option::of(any_value()), 0..300)) {
            let mut column = Column::default();
            for (row, cell) in (0..).zip(&cells) {
                if let Some((kind, bytes)) = cell {
                    column.push(row, ValueRef::new(Kind::Text, b"replaced"));
                    column.push(row, ValueRef::new(*kind, bytes));
                }
            }
            for column in [column.to_dictionary(), Some(column)].into_iter().flatten() {
                let mut payload = Vec::new();
                column.encode(&mut payload);
                let read = Column::decode(&payload).unwrap();
                for (row, cell) in (0..).zip(&cells) {
                    let want = cell.as_ref().map(|(kind, bytes)| ValueRef::new(*kind, bytes));
                    prop_assert_eq!(read.at(row), want);
                }
                let mut seen = 0;
                read.for_each(|row, value| {
                    seen += 1;
                    assert_eq!(read.at(row), Some(value));
                });
                prop_assert_eq!(seen, read.len());
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(payload: Vec<u8>) {
            if let Ok(column) = Column::decode(&payload) {
                column.for_each(|_, _| {});
            }
        }
    }

    #[test]
    fn a_dictionary_is_asked_once_for_each_value() {
        let mut column = Column::default();
        for row in 0..100 {
            column.push(row * 2, ValueRef::text(if row % 10 == 0 { "ERROR" } else { "INFO" }));
        }
        let column = column.to_dictionary().unwrap();
        let (mut asked, mut rows) = (0, Vec::new());
        column.select(
            |value| {
                asked += 1;
                value.bytes == b"ERROR"
            },
            |row| rows.push(row),
        );
        assert_eq!(asked, 2);
        assert_eq!(rows, [0, 20, 40, 60, 80, 100, 120, 140, 160, 180]);
    }
}
