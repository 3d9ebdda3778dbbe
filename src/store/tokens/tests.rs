//! What a map answers, whatever it was made of.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{BlockSet, BlockWords, MAX_WORDS, Token, TokenMap, Words};
use crate::kql::words;

fn gathered(texts: &[&str]) -> BlockWords {
    let mut all = Words::default();
    texts.iter().for_each(|text| all.add_text(text.as_bytes()));
    all.finish()
}

fn lookup(map: &TokenMap, buckets: &[Vec<u8>], token: Token) -> BlockSet {
    map.lookup(&buckets[map.bucket_of(token) as usize], token).unwrap()
}

proptest! {
    #[test]
    fn gathered_words_are_those_of_queries(
        texts in prop::collection::vec(
            "[ -~]{0,200}|\\PC{0,40}|[a-c0-1 ]{60,70}|[a-z]{0,200}|[A-Za-z_ .ÄİK\u{212a}ΣßẞⒶ0-9]{0,80}|[0-9]{1,25}\
             |([a-z0-9_]{1,12}[ .:=-]){0,40}|(0?[0-9]{1,21}[ ./-]){0,20}\
             |([a-dA-DäÄ日“°7]{1,4}[ .:-]){0,60}|([a-zA-Z0-9日]{1,90} ){0,4}", 0..8,
        ),
        numbers in prop::collection::vec(prop_oneof![any::<u64>(), 65_000_u64..66_000], 0..8),
        junk in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut gathered = Words::default();
        let mut want = BTreeSet::new();
        let mut fold = String::new();
        for _ in 0..2 {
            for text in texts.iter().map(|text| text.as_bytes()).chain([&junk[..]]) {
                gathered.add_text(text);
                words::fold(text, &mut fold);
                want.extend(words::split(&fold).map(Token::of));
            }
            for number in &numbers {
                gathered.add_number(*number);
                want.insert(Token::of(&number.to_string()));
            }
            prop_assert!(gathered.finish().tokens().unwrap().eq(want.iter().copied()));
        }
        prop_assert_eq!(gathered.finish(), BlockWords(Some(vec![])));
    }

    #[test]
    fn a_block_is_found_by_every_word_it_has(
        sizes in prop::collection::vec(prop_oneof![Just(None), (0_usize..300).prop_map(Some)], 0..40),
        seed: u64,
    ) {
        let mut number = seed;
        let mut block = |size: usize| {
            let tokens: BTreeSet<u32> = (0..size).map(|_| {
                number = number.wrapping_add(1 + number % 3);
                Token::of_number(number).0
            }).collect();
            tokens.into_iter().collect::<Vec<_>>()
        };
        let blocks: Vec<_> = sizes.iter().map(|size| BlockWords(size.map(&mut block))).collect();
        let (map, buckets) = TokenMap::build(&blocks);
        prop_assert_eq!(buckets.len(), map.buckets() as usize);
        let (mut hits, mut asked) = (0, 0);
        for (number, block) in (0..).zip(&blocks) {
            for token in block.tokens().into_iter().flatten().step_by(17) {
                let found = lookup(&map, &buckets, token);
                prop_assert!(found.contains(number));
                prop_assert!(blocks.iter().zip(0..).all(|(b, n)| b.0.is_some() || found.contains(n)));
                let any = blocks.iter().filter(|block| block.0.is_none()).count();
                hits += found.len() - any - 1;
                asked += blocks.len() - any - 1;
            }
        }
        prop_assert!(asked < 4000 || hits * 60 < asked, "{hits} of {asked}");
    }

    #[test]
    fn any_bytes_are_an_answer(bits: u8, words: Vec<Option<u32>>, bucket: Vec<u8>, number: u64) {
        let map = postcard::from_bytes::<TokenMap>(&postcard::to_stdvec(&(bits, words)).unwrap());
        let token = Token::of_number(number);
        let map = map.unwrap();
        map.bucket_of(token);
        map.lookup(&bucket, token).unwrap_err();
    }
}

#[test]
fn words_that_are_not_there_are_seldom_found() {
    let block = |first: u64| {
        let mut words = Words::default();
        (first..first + 5000).for_each(|number| words.add_text(format!("id{number}").as_bytes()));
        words.finish()
    };
    let blocks: Vec<_> = (0..40).map(|n| block(n * 5000)).collect();
    let (map, buckets) = TokenMap::build(&blocks);
    let absent = (0..2000).map(|number| Token::of(&format!("absent{number}")));
    let found: usize = absent.map(|token| lookup(&map, &buckets, token).len()).sum();
    // One in 256 of 80,000 is 312.
    assert!((230..400).contains(&found), "{found}");
    let bytes: usize = buckets.iter().map(Vec::len).sum();
    assert!(bytes * 8 < 200_000 * 98 / 10, "{bytes}");
    assert!(buckets.iter().all(|bucket| (1500..5000).contains(&bucket.len())));
}

#[test]
fn a_block_of_too_many_words_may_have_any() {
    let mut words = Words::default();
    // Some of them share a token.
    (0..=MAX_WORDS as u64 + 100).for_each(|number| words.add_number(1 << 20 | number));
    let any = words.finish();
    assert!(any.tokens().is_none());
    (0..MAX_WORDS as u64 * 3).for_each(|number| words.add_number(1 << 20 | number));
    assert_eq!(words.finish(), any);
    (0..MAX_WORDS as u64 * 4).for_each(|number| words.add_number(1 << 20 | (number % 1000)));
    let few = words.finish();
    assert_eq!(few.tokens().unwrap().len(), 1000);
    let (map, buckets) = TokenMap::build(&[gathered(&["a b"]), any, gathered(&[])]);
    let found = |word| lookup(&map, &buckets, Token::of(word)).iter().collect::<Vec<_>>();
    assert_eq!(found("a"), [0, 1]);
    assert_eq!(found("c"), [1]);
}

#[test]
fn a_segment_without_blocks_has_no_words() {
    let (map, buckets) = TokenMap::build(&[]);
    assert!(lookup(&map, &buckets, Token::of("a")).is_empty());
    let (map, buckets) = TokenMap::build(&[gathered(&[])]);
    assert!(lookup(&map, &buckets, Token::of("a")).is_empty());
}
