//! What is opened to be looked at is what was written, and what is looked for in it is found.

use proptest::prelude::*;

use super::super::{Column, Payload};
use crate::event::{Kind, ValueRef};

fn any_value() -> impl Strategy<Value = (Kind, Vec<u8>)> {
    let text = prop_oneof![
        "(order|Cache) [0-9]{1,3} (from|to) 10\\.0\\.[0-9]{1,2}\\.7".prop_map(String::into_bytes),
        "[a-c]{2} [0-9]{2} [0-9a-f]{4} [0-9A-F]{20} v[12]".prop_map(String::into_bytes),
        "(x|y) at 00[0-9]{2}ms by [0-9]{1,19} [0-9a-f]{40}".prop_map(String::into_bytes),
        "[a-c0-2 .ÄK\u{212a}]{0,12}".prop_map(String::into_bytes),
        "([a-z][0-9] ){60,70}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..30),
    ];
    let kind = prop_oneof![30 => Just(Kind::Text), 1 => Just(Kind::Number), 1 => Just(Kind::Null)];
    (kind, text)
}

/// Lower case as queries see it.
fn lower(text: &[u8]) -> Vec<u8> {
    text.to_ascii_lowercase()
}

fn has(text: &[u8], needle: &str) -> bool {
    needle.is_empty() || text.windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn opened(values: &[Option<(Kind, Vec<u8>)>], is_final: bool) -> (Column, Column) {
    let mut column = Column::default();
    for (row, value) in (0..).zip(values) {
        if let Some((kind, text)) = value {
            column.push(row, ValueRef::new(*kind, text));
        }
    }
    let mut out = Payload { is_final, ..Payload::default() };
    column.encode(&mut out);
    let read = Column::decode(out.parts()).unwrap();
    (Column::open(out).unwrap(), read)
}

fn all(column: &Column, wanted: impl Fn(u32) -> bool) -> Vec<(u32, Kind, Vec<u8>)> {
    let mut all = Vec::new();
    let each = |row, value: ValueRef<'_>| all.push((row, value.kind, value.bytes.to_vec()));
    column.for_each_among(wanted, each);
    all
}

proptest! {
    #[test]
    fn what_is_opened_is_what_was_written(
        values in prop::collection::vec(prop::option::weighted(0.9, any_value()), 0..120),
        is_final: bool,
        modulus in 1_u32..5,
    ) {
        let (column, read) = opened(&values, is_final);
        let own = (0_u32..).zip(&values).filter_map(|(row, value)| {
            value.as_ref().map(|(kind, text)| (row, *kind, text.clone()))
        });
        let want: Vec<_> = own.collect();
        for column in [&column, &read] {
            let all_of = all(column, |_| true);
            prop_assert_eq!(&all_of, &want);
            let some: Vec<_> = want.iter().filter(|(row, ..)| row % modulus == 0).cloned().collect();
            prop_assert_eq!(all(column, |row| row % modulus == 0), some);
            for (row, value) in (0..).zip(&values) {
                let found = column.with(row, |value| (value.kind, value.bytes.to_vec()));
                prop_assert_eq!(&found, value);
                let found = column.at(row).map(|value| (value.kind, value.bytes.to_vec()));
                prop_assert_eq!(&found, value);
            }
        }
    }

    #[test]
    fn all_that_have_a_text_are_found(
        values in prop::collection::vec(any_value(), 0..120),
        is_final: bool,
        picked in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1_usize..6),
        other in "[a-f0-9 ]{1,5}",
        modulus in 1_u32..3,
    ) {
        let values: Vec<_> = values.into_iter().map(Some).collect();
        let (column, read) = opened(&values, is_final);
        // A part of one of them, or a text that may be in none.
        let mut needles = vec![other];
        if !values.is_empty() {
            let text = lower(&picked.0.get(&values).as_ref().unwrap().1);
            let start = if text.is_empty() { 0 } else { picked.1.index(text.len()) };
            let part = &text[start..text.len().min(start + picked.2)];
            needles.extend(std::str::from_utf8(part).ok().map(str::to_owned));
        }
        let one = needles.iter().map(|needle| vec![needle.clone()]).collect::<Vec<_>>();
        for lists in [one, vec![needles.clone()]] {
            for column in [&column, &read] {
                let test = |value: ValueRef<'_>| {
                    value.kind != Kind::Null
                        && lists.iter().any(|list| {
                            list.iter().all(|needle| has(&lower(value.bytes), needle))
                        })
                };
                // Texts of word characters alone are whole wherever texts are cut.
                let is_local = lists.iter().flatten().all(|needle| {
                    needle.bytes().all(|octet| octet.is_ascii_alphanumeric())
                }) && lists.iter().all(|list| list.len() == 1);
                for is_local in [false, is_local] {
                    let mut found = Vec::new();
                    let wanted = |row| row % modulus == 0;
                    column.select_holding((&lists, is_local), wanted, test, |row| found.push(row));
                    let is_in = |(row, value): (u32, &Option<(Kind, Vec<u8>)>)| {
                        let (kind, text) = value.as_ref().unwrap();
                        (wanted(row) && test(ValueRef::new(*kind, text))).then_some(row)
                    };
                    let want: Vec<u32> = (0..).zip(&values).filter_map(is_in).collect();
                    prop_assert_eq!(found, want, "{:?} {}", lists, is_local);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_an_answer(soft: Vec<u8>, hard: Vec<u8>) {
        let payload = Payload { soft, hard, is_final: false };
        let read = Column::decode(payload.parts());
        let opened = Column::open(payload);
        prop_assert_eq!(read.is_ok(), opened.is_ok());
        if let (Ok(read), Ok(opened)) = (read, opened) {
            prop_assert_eq!(all(&read, |_| true), all(&opened, |_| true));
        }
    }
}
