//! Chunks and columns: what was written is read back, and what was not is an error or harmless.
//!
//! Input: which format; then its bytes, or the values of a column.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::event::{Kind, ValueRef};
use logtrace_fuzz::store::{Column, column, decode, encode, pack, taken, unpack};

fuzz_target!(|data: &[u8]| {
    let [kind, bytes @ ..] = data else { return };
    match kind % 4 {
        0 => {
            unpack(bytes);
        }
        1 => {
            let (soft, hard) = halves(bytes);
            assert_eq!(unpack(&pack(soft, hard)), Some((soft.to_vec(), hard.to_vec())));
        }
        2 => {
            let (soft, hard) = halves(bytes);
            let Some(column) = decode(soft, hard) else { return };
            let (soft, hard) = encode(&column);
            let again = decode(&soft, &hard).expect("what was read can be written");
            assert_eq!(rows(&again), rows(&column));
            assert_eq!(rows(&taken(&column)), rows(&column));
            column.dictionary().map(Iterator::count);
        }
        _ => written_columns_read_back(bytes),
    }
});

/// Each value: how many rows are left out before it, its kind, its length, its bytes.
fn written_columns_read_back(mut bytes: &[u8]) {
    let mut values = Vec::new();
    let mut row = 0;
    while let [gap, kind, len, rest @ ..] = bytes {
        let (value, rest) = rest.split_at(usize::from(len % 16).min(rest.len()));
        bytes = rest;
        row += u32::from(gap % 4);
        values.push((row, *kind % 4, value));
        row += 1;
    }
    let kinds = [Kind::Text, Kind::Number, Kind::Bool, Kind::Json];
    let values = values.iter().map(|(row, kind, value)| {
        let kind = kinds.get(usize::from(*kind)).copied().unwrap_or(Kind::Text);
        (*row, ValueRef::new(kind, value))
    });
    let values: Vec<_> = values.collect();
    let column = column(values.clone());
    for column in [taken(&column), column] {
        assert_eq!(rows(&column), owned(&values));
        let (soft, hard) = encode(&column);
        let read = decode(&soft, &hard).expect("what was written can be read");
        assert_eq!(rows(&read), owned(&values));
        for (row, value) in &values {
            assert_eq!(read.at(*row), Some(*value));
        }
        let mut selected = Vec::new();
        read.select(|value| value.kind == Kind::Number, |row| selected.push(row));
        let wanted = values.iter().filter(|(_, value)| value.kind == Kind::Number);
        assert_eq!(selected, wanted.map(|(row, _)| *row).collect::<Vec<_>>());
    }
}

/// The two parts of what a payload is read from: the first byte says where to cut.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let [cut, bytes @ ..] = bytes else { return (&[], &[]) };
    bytes.split_at(usize::from(*cut).min(bytes.len()))
}

fn rows(column: &Column) -> Vec<(u32, Kind, Vec<u8>)> {
    let mut rows = Vec::new();
    column.for_each(|row, value| rows.push((row, value.kind, value.bytes.to_vec())));
    rows
}

fn owned(values: &[(u32, ValueRef<'_>)]) -> Vec<(u32, Kind, Vec<u8>)> {
    values.iter().map(|(row, value)| (*row, value.kind, value.bytes.to_vec())).collect()
}
