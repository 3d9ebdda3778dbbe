//! What a segment has to know of the rows of a block besides themselves: the words that they are found by,
//! and what its catalog has of their columns.
//!
//! Of a large batch, which becomes a block as it is, it is told when the batch is on disk and its senders
//! have been answered, from its rows: otherwise its columns would have to be read back.

use super::block_columns::Row;
use super::column::Column;
use super::origin::Origin;
use super::tokens::{BlockWords, Words};

/// What is known of the rows of a block.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) words: BlockWords,
    /// The columns with a value in some row, by their names.
    pub(super) columns: Vec<(Box<str>, Row)>,
}

impl Digest {
    /// Tells it of rows of these origins, with these columns. `words` is only memory.
    pub(super) fn of<'c>(
        origins: impl Iterator<Item = &'c Origin>,
        columns: impl Iterator<Item = (&'c str, &'c Column)>,
        words: &mut Words,
    ) -> Self {
        origins.for_each(|origin| words.add_origin(origin));
        let columns = columns
            .map(|(name, column)| {
                words.add_column(name, column);
                (name.into(), Row::of(column))
            })
            .collect();
        Self { words: words.finish(), columns }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::block_columns::BlockColumns;
    use super::super::chunk::{Packer, Unpacker};
    use super::super::column::Payload;
    use super::super::rows::Rows;
    use super::super::staged::{Opened, Staged};
    use super::super::tests::origin;
    use super::*;
    use crate::event::{Event, Known, Value};

    /// Lines of a few kinds, of a kind of their own, and other bytes.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "user [a-c]{3} logged in from 10\\.0\\.0\\.[0-9]{1,2}",
            2 => "took 0?[0-9]{1,6}ms of [0-9a-f]{16}",
            2 => "([a-zA-Z0-9_]{1,12}[ .:=-]){0,20}",
            1 => "\\PC{0,30}",
        ]
    }

    proptest! {
        #[test]
        fn it_is_the_same_of_rows_and_of_what_is_read_back(
            lines in prop::collection::vec((line(), 0_u32..4, any::<bool>()), 1..200),
        ) {
            let mut rows = Rows::default();
            rows.begin(&origin("a"), 7);
            for (line, number, is_named) in &lines {
                let mut event = Event::default();
                event.set(Known::Message, Value::Text(line.as_str().into()));
                event.set(Known::Priority, Value::Number(number.to_string().into()));
                if *is_named {
                    event.set(Known::AppName, Value::Text(format!("app{number}").into()));
                }
                rows.push(&event);
            }
            let mut words = Words::default();
            let told = rows.digest(&mut words);
            let mut unpacker = Unpacker::new();
            let staged = Staged::pack(1, 7, &rows, &mut Packer::new(1), &mut Payload::default());
            let batch = Opened::open(&staged.chunk, &mut unpacker).unwrap();
            let columns = batch.columns(&mut unpacker).unwrap();
            let columns = columns.iter().map(|(name, column)| (&**name, column));
            let origins = batch.head.origins.iter().map(|origin| &**origin);
            let read = Digest::of(origins, columns, &mut words);
            prop_assert_eq!(read.words, told.words);
            let told: BTreeMap<_, _> = told.columns.into_iter().collect();
            let read: BTreeMap<_, _> = read.columns.into_iter().collect();
            prop_assert!(read.keys().eq(told.keys()));
            for (told, read) in told.into_values().zip(read.into_values()) {
                let [told, read] = [told, read].map(|row| BlockColumns::from(vec![row]));
                let [told, read] = [&told, &read].map(|columns| columns.iter().next().unwrap());
                prop_assert_eq!(told.rows, read.rows);
                // Codes that are not worth it are no codes on disk: then less is known.
                if let Some(read) = read.few() {
                    prop_assert!(read.eq(told.few().unwrap()));
                }
            }
        }
    }
}
