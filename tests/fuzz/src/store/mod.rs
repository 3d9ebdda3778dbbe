//! The formats of the store, without the database below them.

#[path = "../../../../src/store/bytes.rs"]
mod bytes;
#[path = "../../../../src/store/chunk.rs"]
mod chunk;
#[path = "../../../../src/store/column/mod.rs"]
mod column;
#[path = "../../../../src/store/octets.rs"]
mod octets;
#[path = "../../../../src/store/origin.rs"]
mod origin;
#[path = "../../../../src/store/tokens/mod.rs"]
pub mod tokens;

pub use self::column::Column;
pub use self::origin::Origin;

use crate::event::ValueRef;

/// What a damaged or forged chunk holds, if anything: its two parts.
pub fn unpack(chunk: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let payload = chunk::Unpacker::new().unpack(chunk).ok()?;
    Some((payload.soft, payload.hard))
}

/// A chunk.
pub fn pack(soft: &[u8], hard: &[u8]) -> Vec<u8> {
    let payload = column::Payload { soft: soft.to_vec(), hard: hard.to_vec(), is_final: false };
    chunk::Packer::new(1).pack(payload.parts())
}

/// A column out of the two parts of a payload.
pub fn decode(soft: &[u8], hard: &[u8]) -> Option<Column> {
    let payload = column::Payload { soft: soft.to_vec(), hard: hard.to_vec(), is_final: false };
    Column::decode(payload.parts()).ok()
}

/// The payload of a column: its two parts.
pub fn encode(column: &Column) -> (Vec<u8>, Vec<u8>) {
    let mut payload = column::Payload::default();
    column.encode(&mut payload);
    (payload.soft, payload.hard)
}

/// A column of rows with these values, the numbers in order.
pub fn column<'a>(values: impl IntoIterator<Item = (u32, ValueRef<'a>)>) -> Column {
    let mut column = Column::default();
    for (row, value) in values {
        column.push(row, value);
    }
    column
}

/// The same column, its values taken over from it, of at most [`MAX_ROWS`] rows.
pub fn taken(from: &Column) -> Column {
    let mut rows = 0;
    from.for_each(|row, _| rows = row.saturating_add(1));
    if rows > MAX_ROWS {
        return from.clone();
    }
    let (mut column, mut taking) = (Column::default(), column::Taking::default());
    let all: Vec<u32> = (0..rows).collect();
    column.take(0, &column::Layout::of(from, all.len()), &all, &mut taking);
    column
}

/// A batch never has more.
const MAX_ROWS: u32 = 1 << 20;
