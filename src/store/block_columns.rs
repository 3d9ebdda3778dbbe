//! What the catalog knows of the columns of a block, in memory: one run of bytes for each block, as
//! there are as many blocks as MiB of events.
//!
//! ```text
//!  column = place of its name, rows with a value, bytes of the values + 1 (0: not known), values
//!  value  = kind (1 byte), rows that have it, length, bytes
//! ```

use serde::{Deserialize, Serialize};

use super::bytes::{Damaged, Reader, put_bytes, put_varint};
use super::column::Column;
use crate::event::{Kind, ValueRef};

/// The columns that have a value in some row of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct BlockColumns(Box<[u8]>);

/// What is known of a column of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockColumn<'b> {
    /// Its place in [`Segment::names`](super::Segment::names).
    pub name: u16,
    /// How many rows have a value.
    pub rows: u32,
    /// All values there are, where they are few and short.
    values: Option<&'b [u8]>,
}

/// A column as the catalog has it on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    name: u16,
    rows: u32,
    values: Option<Vec<Value>>,
}

/// A value of a column as the catalog has it on disk, and how many rows have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    kind: u8,
    bytes: Box<[u8]>,
    rows: u32,
}

impl BlockColumns {
    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = BlockColumn<'_>> {
        let mut left = Reader(&self.0);
        std::iter::from_fn(move || BlockColumn::read(&mut left).ok())
    }

    /// The one at place `name` of the segment's names, if any row has a value.
    pub fn get(&self, name: u16) -> Option<BlockColumn<'_>> {
        self.iter().find(|column| column.name == name)
    }
}

impl<'b> BlockColumn<'b> {
    /// All values there are and how many rows have each, where the catalog knows them.
    pub fn few(self) -> Option<impl Iterator<Item = (ValueRef<'b>, u32)>> {
        let mut left = Reader(self.values?);
        let next = move || {
            let (kind, rows) = (left.byte().ok()?, left.u32().ok()?);
            Some((kind, left.bytes().ok()?, rows))
        };
        let known =
            |(kind, bytes, rows)| Some((ValueRef::new(Kind::from_number(kind)?, bytes), rows));
        Some(std::iter::from_fn(next).filter_map(known))
    }

    fn read(left: &mut Reader<'b>) -> Result<Self, Damaged> {
        let name = u16::try_from(left.varint()?).map_err(|_| Damaged("the place of a name"))?;
        let rows = left.u32()?;
        let values = match usize::try_from(left.varint()?).unwrap_or_default().checked_sub(1) {
            Some(len) => Some(left.take(len)?),
            None => None,
        };
        Ok(Self { name, rows, values })
    }
}

impl Row {
    /// What there is to know of `column`, whose name has no place yet.
    pub(super) fn of(column: &Column) -> Self {
        let rows = u32::try_from(column.len()).unwrap_or(u32::MAX);
        Self { name: u16::MAX, rows, values: few(column) }
    }

    /// The same, of the column whose name has that place.
    pub(super) fn named(self, name: u16) -> Self {
        Self { name, ..self }
    }
}

impl From<Vec<Row>> for BlockColumns {
    fn from(rows: Vec<Row>) -> Self {
        let (mut all, mut values) = (Vec::new(), Vec::new());
        for row in rows {
            put_varint(&mut all, row.name.into());
            put_varint(&mut all, row.rows.into());
            let Some(each) = row.values else {
                put_varint(&mut all, 0);
                continue;
            };
            values.clear();
            // One that another took the place of has none.
            for value in each.iter().filter(|value| value.rows > 0) {
                values.push(value.kind);
                put_varint(&mut values, value.rows.into());
                put_bytes(&mut values, &value.bytes);
            }
            put_varint(&mut all, values.len() as u64 + 1);
            all.extend_from_slice(&values);
        }
        Self(all.into())
    }
}

impl From<BlockColumns> for Vec<Row> {
    fn from(columns: BlockColumns) -> Self {
        let own = |(value, rows): (ValueRef<'_>, u32)| Value {
            kind: value.kind as u8,
            bytes: value.bytes.into(),
            rows,
        };
        let row = |column: BlockColumn<'_>| Row {
            name: column.name,
            rows: column.rows,
            values: column.few().map(|values| values.map(own).collect()),
        };
        columns.iter().map(row).collect()
    }
}

/// All values of `column`, where they are few and short enough for the catalog.
fn few(column: &Column) -> Option<Vec<Value>> {
    let own =
        |value: ValueRef<'_>| Value { kind: value.kind as u8, bytes: value.bytes.into(), rows: 1 };
    let mut values: Vec<Value> = match column.dictionary() {
        Some(values) => values.take(MAX_FEW + 1).map(own).collect(),
        None if column.len() == 1 => {
            let mut one = Vec::new();
            column.for_each(|_, value| one.push(own(value)));
            one
        }
        None => return None,
    };
    let bytes: usize = values.iter().map(|value| value.bytes.len()).sum();
    if values.len() > MAX_FEW || bytes > MAX_FEW_BYTES {
        return None;
    }
    if column.dictionary().is_some() {
        values.iter_mut().for_each(|value| value.rows = 0);
        column.for_each_code(|_, code| {
            if let Some(value) = values.get_mut(usize::from(code)) {
                value.rows += 1;
            }
        });
    }
    Some(values)
}

/// Values that a block column may have to be listed in the catalog.
const MAX_FEW: usize = 16;

/// Bytes that they may take together.
const MAX_FEW_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let bytes = prop::collection::vec(any::<u8>(), 0..20);
        let value = (0_u8..=Kind::Bytes as u8, bytes, 1_u32..)
            .prop_map(|(kind, bytes, rows)| Value { kind, bytes: bytes.into(), rows });
        let values = prop::option::of(prop::collection::vec(value, 0..17));
        let row = (any::<u16>(), any::<u32>(), values);
        prop::collection::vec(row.prop_map(|(name, rows, values)| Row { name, rows, values }), 0..9)
    }

    #[test]
    fn values_that_no_row_has_are_none() {
        let value = |rows| Value { kind: 0, bytes: (*b"web").into(), rows };
        let row = |values| Row { name: 1, rows: 2, values: Some(values) };
        let columns = BlockColumns::from(vec![row(vec![value(0), value(2), value(0)])]);
        assert_eq!(columns, BlockColumns::from(vec![row(vec![value(2)])]));
    }

    proptest! {
        #[test]
        fn what_is_kept_in_memory_is_what_was_on_disk(rows in rows()) {
            let disk = postcard::to_allocvec(&rows).unwrap();
            let columns: BlockColumns = postcard::from_bytes(&disk).unwrap();
            prop_assert_eq!(postcard::to_allocvec(&columns).unwrap(), disk);
            for row in &rows {
                let first = rows.iter().find(|other| other.name == row.name).unwrap();
                let column = columns.get(row.name).unwrap();
                prop_assert_eq!((column.name, column.rows), (first.name, first.rows));
                let values = column.few().map(|values| values.map(|(_, rows)| rows).collect());
                let want: Option<Vec<u32>> =
                    first.values.as_ref().map(|values| values.iter().map(|v| v.rows).collect());
                prop_assert_eq!(values, want);
            }
            prop_assert_eq!(columns.iter().count(), rows.len());
        }
    }
}
