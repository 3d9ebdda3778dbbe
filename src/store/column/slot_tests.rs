//! Slots against the texts that were pushed into them.

use super::super::digits::MAX_HEX;
use super::super::payload::Payload;
use super::*;
use proptest::prelude::*;

fn texts(slot: &Slot, count: usize) -> Vec<Vec<u8>> {
    let text = |index| {
        let mut out = Vec::new();
        slot.write(index, &mut out);
        out
    };
    (0..count).map(text).collect()
}

fn any_texts() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        prop::collection::vec("[1-9][0-9]{0,18}", 0..40),
        prop::collection::vec("[0-9]{3}", 0..40),
        prop::collection::vec("[0-9a-f]{32}", 0..40),
        prop::collection::vec("[0-9A-F]{5}", 0..40),
        prop::collection::vec("blk_[0-9]{1,3}|[a-f][0-9][a-f]", 0..40),
        prop::collection::vec("[0-9]{1,3}ms", 0..40),
        prop::collection::vec("[0-9]{1,2}|[0-9a-f]{2}|[0-9A-F]{2}|[a-z0-9]{0,3}|[0-9]{20}", 0..40),
    ]
}

proptest! {
    #[test]
    fn what_was_pushed(before in any_texts(), after in any_texts(), popped in 0_usize..9) {
        let mut slot = Slot::default();
        let mut want: Vec<Vec<u8>> = Vec::new();
        for text in before.iter().chain(&after) {
            slot.push(text.as_bytes(), 0, text.len());
            want.push(text.as_bytes().to_vec());
        }
        for _ in 0..popped.min(want.len()) {
            slot.pop();
            want.pop();
        }
        prop_assert_eq!(&texts(&slot, want.len()), &want);
        let mut out = Payload::default();
        slot.encode(&mut out);
        let mut parts = out.parts();
        let read = Slot::decode(&mut parts, want.len()).unwrap();
        prop_assert!(want.is_empty() || parts.end().is_ok());
        prop_assert_eq!(&texts(&read, want.len()), &want);
        let (mut seen, mut scratch) = (Vec::new(), Vec::new());
        read.for_each(want.len(), &mut scratch, |variable| seen.push(match variable {
            Variable::Number(value) => value.to_string().into_bytes(),
            Variable::Word(text) | Variable::Text(text) => text.to_vec(),
        }));
        prop_assert_eq!(&seen, &want);
    }

    #[test]
    fn what_was_taken_over(first in any_texts(), second in any_texts()) {
        let (mut one, mut two, mut all) = (Slot::default(), Slot::default(), Slot::default());
        let mut scratch = Vec::new();
        first.iter().for_each(|text| one.push(text.as_bytes(), 0, text.len()));
        second.iter().for_each(|text| two.push(text.as_bytes(), 0, text.len()));
        for (slot, count) in [(&one, first.len()), (&two, second.len())] {
            for index in 0..count {
                all.push_from(slot, index, &mut scratch);
            }
        }
        let want: Vec<Vec<u8>> =
            first.iter().chain(&second).map(|text| text.as_bytes().to_vec()).collect();
        prop_assert_eq!(texts(&all, want.len()), want);
    }

    #[test]
    fn any_bytes_are_an_answer(soft: Vec<u8>, hard: Vec<u8>, count in 0_usize..100) {
        let out = Payload { soft, hard, is_final: false };
        if let Ok(slot) = Slot::decode(&mut out.parts(), count) {
            texts(&slot, count);
        }
    }
}

#[test]
fn numbers_and_hashes_are_not_kept_as_texts() {
    let mut out = Payload::default();
    let push = |texts: &[&str]| {
        let mut slot = Slot::default();
        texts.iter().for_each(|text| slot.push(text.as_bytes(), 0, text.len()));
        slot.form
    };
    let canonical = Form::Decimal(Decimal { is_canonical: true, len: None });
    assert_eq!(push(&["1", "22"]), canonical);
    let padded = Form::Decimal(Decimal { is_canonical: false, len: Some(3) });
    assert_eq!(push(&["120", "042"]), padded);
    assert_eq!(push(&["042", "1"]), Form::Text);
    assert_eq!(push(&["5ms", "12ms"]), canonical);
    assert_eq!(push(&["blk_5", "blk_12"]), canonical);
    assert_eq!(push(&["5ms", "5s"]), Form::Text);
    assert_eq!(push(&["ab12", "1f2e"]), Form::Hex(Hex { len: 4, is_upper: false }));
    assert_eq!(push(&["12", "0f"]), Form::Hex(Hex { len: 2, is_upper: false }));
    assert_eq!(push(&["0F", "12"]), Form::Hex(Hex { len: 2, is_upper: true }));
    assert_eq!(push(&["0F", "0f"]), Form::Text);
    assert_eq!(push(&["0F", "11", "a0"]), Form::Text);
    let mut slot = Slot::default();
    (0..100_u64).for_each(|n| {
        let spread = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let text = format!("{spread:032x}");
        slot.push(text.as_bytes(), 0, text.len());
    });
    slot.encode(&mut out);
    assert!(out.soft.len() + out.hard.len() < 1650, "16 bytes each");
}

#[test]
fn as_many_hexadecimal_digits_as_none_writes_are_damage() {
    for (len, is_right) in [(0, false), (1, true), (MAX_HEX, true), (MAX_HEX + 1, false)] {
        let out = Payload { soft: vec![2, len], ..Payload::default() };
        assert_eq!(Slot::decode_form(&mut out.parts()).is_ok(), is_right, "{len}");
    }
}
