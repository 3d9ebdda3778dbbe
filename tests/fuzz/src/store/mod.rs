//! The formats of the store, without the database below them.

#[path = "../../../../src/store/bytes.rs"]
mod bytes;
#[path = "../../../../src/store/chunk.rs"]
mod chunk;
#[path = "../../../../src/store/column.rs"]
mod column;

pub use self::column::Column;

use crate::event::ValueRef;

/// What a damaged or forged chunk holds, if anything.
pub fn unpack(chunk: &[u8]) -> Option<Vec<u8>> {
    chunk::Unpacker::new().unpack(chunk).ok()
}

/// A chunk.
pub fn pack(raw: &[u8]) -> Vec<u8> {
    chunk::Packer::new(1).pack(raw)
}

/// A column out of a payload.
pub fn decode(payload: &[u8]) -> Option<Column> {
    Column::decode(payload).ok()
}

/// The payload of a column.
pub fn encode(column: &Column) -> Vec<u8> {
    let mut payload = Vec::new();
    column.encode(&mut payload);
    payload
}

/// A column of rows with these values, the numbers in order.
pub fn column<'a>(values: impl IntoIterator<Item = (u32, ValueRef<'a>)>) -> Column {
    let mut column = Column::default();
    for (row, value) in values {
        column.push(row, value);
    }
    column
}

/// The same column with equal values written once, where they are few enough.
pub fn dictionary(column: &Column) -> Option<Column> {
    column.to_dictionary()
}
