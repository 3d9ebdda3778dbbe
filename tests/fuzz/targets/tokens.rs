//! The text index: every word of a value is found, and forged bytes are an error or harmless.
//!
//! Input: which check; then a text, a JSON value, or a map and one of its buckets.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::event::{Kind, ValueRef};
use logtrace_fuzz::kql::{whole_number, words};
use logtrace_fuzz::store::tokens::{Token, TokenMap, Words};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

fuzz_target!(|data: &[u8]| {
    let [kind, bytes @ ..] = data else { return };
    match kind % 3 {
        0 => texts_are_found_by_their_words(bytes),
        1 => json_is_found_by_what_it_says(bytes),
        _ => forged_buckets_are_harmless(bytes),
    }
});

/// Each byte 255 begins another text, and every text is a block.
fn texts_are_found_by_their_words(bytes: &[u8]) {
    let (mut words, mut blocks, mut wanted) = (Words::default(), Vec::new(), Vec::new());
    for text in bytes.split(|byte| *byte == 255) {
        let mut want = BTreeSet::new();
        want_words(text, &mut want);
        words.add_text(text);
        let block = words.finish();
        assert!(block.tokens().expect("so few words").eq(want.iter().copied()));
        blocks.push(block);
        wanted.push(want);
    }
    let (map, buckets) = TokenMap::build(&blocks);
    for (block, want) in (0..).zip(&wanted) {
        for token in want {
            let bucket = &buckets[map.bucket_of(*token) as usize];
            assert!(map.lookup(bucket, *token).expect("as it was built").contains(block));
        }
    }
}

fn json_is_found_by_what_it_says(bytes: &[u8]) {
    let mut words = Words::default();
    words.add_value("a", ValueRef::new(Kind::Json, bytes));
    let found: BTreeSet<Token> = words.finish().tokens().expect("so few words").collect();
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut want = BTreeSet::new();
    want_json(&json, &mut want);
    assert!(want.is_subset(&found), "{json}");
}

fn want_json(json: &Value, want: &mut BTreeSet<Token>) {
    match json {
        Value::String(text) => want_words(text.as_bytes(), want),
        Value::Number(number) => {
            let digits = number.to_string();
            want.extend(whole_number(digits.as_bytes()).map(Token::of_number));
        }
        Value::Array(values) => values.iter().for_each(|value| want_json(value, want)),
        Value::Object(members) => members.values().for_each(|value| want_json(value, want)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn want_words(text: &[u8], want: &mut BTreeSet<Token>) {
    let mut folded = String::new();
    words::fold(text, &mut folded);
    want.extend(words::split(&folded).map(Token::of));
}

/// The bits of the map, how many blocks it has, their words; then the bucket, under a checksum that
/// is right.
fn forged_buckets_are_harmless(bytes: &[u8]) {
    let [bits, blocks, bytes @ ..] = bytes else { return };
    let (sizes, body) = bytes.split_at(usize::from(*blocks).min(bytes.len()));
    let size = |size: &u8| (*size != 255).then_some(u32::from(*size) << (size % 16));
    let sizes: Vec<_> = sizes.iter().map(size).collect();
    let map = serde_json::from_value::<TokenMap>(json!({ "bits": bits, "words": sizes }));
    let map = map.expect("the fields of a map");
    for number in 0..40 {
        let token = Token::of_number(number);
        let checksum = xxh3_64_with_seed(body, u64::from(map.bucket_of(token))).to_le_bytes();
        let found = map.lookup(&[&checksum[..4], body].concat(), token);
        let any = sizes.iter().filter(|size| size.is_none()).count();
        assert!(found.is_err() || found.is_ok_and(|found| found.len() >= any));
    }
}
