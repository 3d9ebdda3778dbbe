//! What the text index costs: `cargo bench --bench tokens`. Read the time of one event; the sizes
//! are printed first.
//!
//! A block has as many messages of a service as a seal gives it.

mod lines;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use logtrace::store::tokens::{BlockWords, Token, TokenMap, Words};

use self::lines::{PATHS, Random, SERVICES, USERS, message};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    print_sizes();
    divan::main();
}

/// Messages of a block.
const ROWS: usize = 14_000;

/// Blocks of a segment.
const BLOCKS: u64 = 32;

/// The messages of one block.
fn messages(block: u64) -> Vec<String> {
    let mut random = Random::new(block);
    let service = SERVICES.iter().cycle().nth(usize::try_from(block).unwrap_or_default());
    (0..ROWS).map(|_| message(&mut random, service.unwrap_or(&"")).1).collect()
}

fn gather(words: &mut Words, messages: &[String]) -> BlockWords {
    messages.iter().for_each(|message| words.add_text(message.as_bytes()));
    words.finish()
}

fn blocks() -> Vec<BlockWords> {
    let mut words = Words::default();
    (0..BLOCKS).map(|block| gather(&mut words, &messages(block))).collect()
}

#[allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "for who runs it")]
fn print_sizes() {
    let blocks = blocks();
    let events = BLOCKS as f64 * ROWS as f64;
    let (map, buckets) = TokenMap::build(&blocks);
    let tokens: usize = blocks.iter().filter_map(|b| Some(b.tokens()?.len())).sum();
    let bytes: usize = buckets.iter().map(Vec::len).sum();
    let largest = buckets.iter().map(Vec::len).max().unwrap_or_default();
    let absent = (0..10_000).map(|n| Token::of(&format!("absent{n}")));
    let found: usize = absent.map(|token| ask(&map, &buckets, token)).sum();
    println!(
        "{:.2} words and {:.2} bytes an event, {:.2} bits a word; {} buckets of {} bytes at most; \
         one block in {:.0} looks as if it had a word",
        tokens as f64 / events,
        bytes as f64 / events,
        bytes as f64 * 8.0 / tokens as f64,
        buckets.len(),
        largest,
        10_000.0 * BLOCKS as f64 / found as f64,
    );
}

fn ask(map: &TokenMap, buckets: &[Vec<u8>], token: Token) -> usize {
    let number = usize::try_from(map.bucket_of(token)).unwrap_or_default();
    let bucket = buckets.get(number).map_or(&[][..], |bucket| bucket);
    map.lookup(bucket, token).map_or(0, |found| found.len())
}

#[divan::bench]
fn gather_block(bencher: Bencher<'_, '_>) {
    let messages = messages(1);
    let bytes = BytesCount::new(messages.iter().map(String::len).sum::<usize>());
    let mut words = Words::default();
    bencher
        .counter(ItemsCount::new(ROWS))
        .counter(bytes)
        .bench_local(|| black_box(gather(&mut words, &messages)));
}

/// What is left of a message whose template is known: two words of its own, and three that others
/// have as well.
#[divan::bench]
fn gather_variables(bencher: Bencher<'_, '_>) {
    let mut r = Random::new(1);
    let mut text = || {
        let (user, path, id, n) = (r.of(&USERS), r.of(&PATHS), r.id(), r.below(1 << 40));
        format!("{user} {} {n} {} {id:016x}", path.len(), r.below(60_000))
    };
    let texts: Vec<String> = (0..ROWS).map(|_| text()).collect();
    let bytes = BytesCount::new(texts.iter().map(String::len).sum::<usize>());
    let mut words = Words::default();
    bencher
        .counter(ItemsCount::new(ROWS))
        .counter(bytes)
        .bench_local(|| black_box(gather(&mut words, &texts)));
}

/// Long messages that are no template's: all of their words.
#[divan::bench]
fn gather_long(bencher: Bencher<'_, '_>) {
    let messages: Vec<String> = messages(1).chunks(20).map(|some| some.join(" ")).collect();
    let bytes = BytesCount::new(messages.iter().map(String::len).sum::<usize>());
    let mut words = Words::default();
    bencher
        .counter(ItemsCount::new(messages.len()))
        .counter(bytes)
        .bench_local(|| black_box(gather(&mut words, &messages)));
}

/// Without the sort at the end of a block.
#[divan::bench]
fn add_texts(bencher: Bencher<'_, '_>) {
    let messages = messages(1);
    let mut words = Words::default();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        messages.iter().for_each(|message| words.add_text(message.as_bytes()));
        words.clear();
    });
}

#[divan::bench]
fn build(bencher: Bencher<'_, '_>) {
    let blocks = blocks();
    let events = blocks.len() * ROWS;
    bencher.counter(ItemsCount::new(events)).bench(|| black_box(TokenMap::build(&blocks)));
}

#[divan::bench]
fn lookup(bencher: Bencher<'_, '_>) {
    let (map, buckets) = TokenMap::build(&blocks());
    let mut n = 0;
    bencher.bench_local(|| {
        n += 1;
        ask(&map, &buckets, Token::of_number(1 << 40 | n))
    });
}
