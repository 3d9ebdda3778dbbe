//! Columns against the values that were put into them.

use super::*;
use proptest::prelude::*;

pub(in crate::store) fn any_value() -> impl Strategy<Value = (Kind, Vec<u8>)> {
    let text = prop_oneof![
        prop::sample::select(vec!["", "a", "ERROR", "web-01"]).prop_map(|t| t.as_bytes().to_vec()),
        "1[0-9]:[0-5][0-9] (R[0-9]) [a-c] is [0-9]".prop_map(String::into_bytes),
        "(order|cache) [0-9]{1,6} from 10\\.0\\.[0-9]{1,2}\\.7".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    (prop::sample::select(vec![Kind::Text, Kind::Number, Kind::Bytes]), text)
}

type Cells = Vec<Option<(Kind, Vec<u8>)>>;

/// Few distinct values, or many.
fn any_cells() -> impl Strategy<Value = Cells> {
    prop_oneof![
        prop::collection::vec(prop::option::of(any_value()), 0..600),
        prop::collection::vec(any_value(), 1..9).prop_flat_map(|values| {
            prop::collection::vec(prop::option::of(prop::sample::select(values)), 0..300)
        }),
    ]
}

fn column(cells: &Cells) -> Column {
    let mut column = Column::default();
    for (row, cell) in (0..).zip(cells) {
        if let Some((kind, bytes)) = cell {
            column.push(row, ValueRef::new(Kind::Text, b"replaced"));
            column.push(row, ValueRef::new(*kind, bytes));
        }
    }
    column
}

fn read_back(column: &Column) -> Column {
    let read = |is_final| {
        let mut payload = Payload { is_final, ..Payload::default() };
        column.encode(&mut payload);
        Column::decode(payload.parts()).unwrap()
    };
    let (staged, last) = (read(false), read(true));
    let all = |column: &Column| {
        let mut all = Vec::new();
        column.for_each(|row, value| all.push((row, value.kind, value.bytes.to_vec())));
        all
    };
    assert_eq!(all(&staged), all(&last));
    last
}

fn assert_is(column: &Column, cells: &Cells) {
    for (row, cell) in (0..).zip(cells) {
        let want = cell.as_ref().map(|(kind, bytes)| ValueRef::new(*kind, bytes));
        assert_eq!(column.at(row), want);
    }
    let mut seen = 0;
    column.for_each(|row, value| {
        seen += 1;
        assert_eq!(column.at(row), Some(value));
    });
    assert_eq!(seen, column.len());
    assert_eq!(seen, cells.iter().flatten().count());
}

proptest! {
    /// A block read back is the block written, to the byte.
    #[test]
    fn columns_read_back(cells in any_cells(), cut in 0_usize..700) {
        let mut column = column(&cells);
        assert_is(&column, &cells);
        assert_is(&read_back(&column), &cells);
        let left: Cells = cells.iter().take(cut).cloned().collect();
        column.truncate(u32::try_from(cut).unwrap());
        assert_is(&read_back(&column), &left);
        column.clear();
        assert_is(&read_back(&column), &Vec::new());
    }

    /// As rows go from staged batches into blocks: from any forms, into any.
    #[test]
    fn values_are_taken_over(
        parts in prop::collection::vec(any_cells(), 1..4), run in 1_usize..400,
    ) {
        let mut all = Column::default();
        for _ in 0..2 {
            all.clear();
            let mut rows = 0;
            for cells in &parts {
                let part = read_back(&column(cells));
                let layout = Layout::of(&part, cells.len());
                let mut taking = Taking::default();
                // In runs, as if others took the rows between them.
                let mut left = &(0..).take(cells.len()).collect::<Vec<u32>>()[..];
                while !left.is_empty() {
                    let (run, more) = left.split_at(left.len().min(run));
                    all.take(rows, &layout, run, &mut taking);
                    rows += u32::try_from(run.len()).unwrap();
                    left = more;
                }
            }
        }
        assert_is(&read_back(&all), &parts.concat());
    }

    /// An index of the pieces would find every value by any of its words.
    #[test]
    fn pieces_hold_every_word(cells in any_cells()) {
        let mut words = std::collections::HashSet::new();
        let mut add = |text: &[u8]| {
            let text = String::from_utf8_lossy(text).into_owned();
            words.extend(crate::kql::words::split(&text).map(str::to_owned));
        };
        column(&cells).pieces(|piece| match piece {
            Variable::Number(value) => add(value.to_string().as_bytes()),
            Variable::Word(text) | Variable::Text(text) => add(text),
        });
        for (_, text) in cells.iter().flatten() {
            let text = String::from_utf8_lossy(text).into_owned();
            for word in crate::kql::words::split(&text) {
                prop_assert!(words.contains(word), "{word} of {text}");
            }
        }
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(soft: Vec<u8>, hard: Vec<u8>) {
        let payload = Payload { soft, hard, is_final: false };
        if let Ok(column) = Column::decode(payload.parts()) {
            column.for_each(|_, _| {});
        }
    }

    /// The same of damage to what was written, behind a checksum that happens to be right.
    #[test]
    fn so_is_a_flipped_bit(cells in any_cells(), bit in any::<prop::sample::Index>()) {
        let mut payload = Payload { is_final: true, ..Payload::default() };
        column(&cells).encode(&mut payload);
        let bit = bit.index(payload.soft.len() * 8);
        payload.soft[bit / 8] ^= 1 << (bit % 8);
        if let Ok(column) = Column::decode(payload.parts()) {
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

/// What is kept for long is split however seldom it comes, also where it leaves a dictionary.
#[test]
fn the_last_merge_splits_what_had_codes() {
    let column_of = |texts: Vec<String>| {
        let cells = texts.into_iter().map(|text| Some((Kind::Text, text.into_bytes())));
        column(&cells.collect())
    };
    let coded = column_of((0..5).map(|n| format!("order {n} from {n} for {n}")).collect());
    // The first word with a digit is kept whole, and so are three of the orders where they come seldom,
    // or fewer, as templates may share a count.
    for (is_final, whole) in [(false, 1..=4), (true, 1..=1)] {
        let mut own = column_of((0..300).map(|n| format!("x{n}y")).collect());
        let mut taking = Taking::new(is_final);
        own.take(300, &Layout::of(&coded, 5), &[0, 1, 2, 3, 4], &mut taking);
        let Body::Split(divided) = &own.body else { panic!("split, as it has 300 values") };
        let first = divided.split.templates.first().unwrap();
        assert!(whole.contains(&first.count), "{}", first.count);
    }
}
