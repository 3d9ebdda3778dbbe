//! What the text index costs: `cargo bench --bench tokens`. Read the time of one event; the sizes
//! are printed first.
//!
//! The messages are rendered here: nine templates of sixteen services, with addresses, ports,
//! durations and ids as daemons write them. A block has as many as a seal gives it.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use logtrace::store::tokens::{BlockWords, Token, TokenMap, Words};

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

/// A generator of numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(all.len() as u64)).unwrap_or_default();
        all.get(at).copied().unwrap_or_default()
    }

    fn id(&mut self) -> u64 {
        self.below(u64::MAX)
    }
}

const SERVICES: [&str; 16] = [
    "payments",
    "auth-api",
    "nginx",
    "sshd",
    "kernel",
    "postgres",
    "checkout",
    "indexer",
    "haproxy",
    "cron",
    "relay",
    "inventory",
    "sessions",
    "ledger",
    "notifier",
    "edge-proxy",
];
const USERS: [&str; 6] = ["root", "deploy", "maria", "backup", "admin", "git"];
const PATHS: [&str; 5] =
    ["/api/v1/orders", "/login", "/health", "/api/v2/search", "/static/app.js"];
const STATUS: [&str; 6] = ["200", "201", "304", "404", "429", "500"];

fn message(r: &mut Random, service: &str) -> String {
    let (a, b, c, d) = (10 + r.below(200), r.below(256), r.below(256), 1 + r.below(254));
    let peer = format!("{a}.{b}.{c}.{d}");
    let (user, path, status) = (r.of(&USERS), r.of(&PATHS), r.of(&STATUS));
    let (port, ms, bytes) = (1024 + r.below(60_000), r.below(30_000), r.below(90_000));
    let (some, million) = (r.below(100), r.below(1_000_000));
    let (one, two) = (r.id(), r.id());
    match r.below(9) {
        0 => format!(
            "Accepted publickey for {user} from {peer} port {port} ssh2: RSA SHA256:{one:016x}{two:016x}"
        ),
        1 => format!(
            "Failed password for invalid user {user} from {peer} port {port} ssh2 attempt={some}"
        ),
        2 => format!(
            "{peer} - - \"GET {path}?id={million} HTTP/1.1\" {status} {bytes} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" rt=0.{some:03}"
        ),
        3 => format!(
            "Connection timeout on db-primary-{some:02} after {ms} ms, retry {} of 5, trace_id={one:016x}{two:016x}",
            some % 5
        ),
        4 => format!(
            "order {} accepted customer={} amount={bytes}.{some:02} currency=EUR latency_ms={}",
            one % 90_000_000,
            million / 2,
            ms % 900
        ),
        5 => format!(
            "cache miss key=user:{}:profile shard={some} ttl={} bytes={ms}",
            one % 5_000_000,
            ms % 3600
        ),
        6 => format!(
            "checkpoint complete: wrote {ms} buffers ({some}.1%); 0 WAL file(s) added, {} removed; write={some}.{:03} s",
            some % 9,
            ms % 1000
        ),
        7 => format!(
            "out of memory: killed process {ms} ({service}) total-vm:{}kB, anon-rss:{}kB, file-rss:{bytes}kB",
            one % 9_000_000,
            two % 4_000_000
        ),
        _ => format!(
            "request completed method=POST path={path} status={status} duration={}ms request_id={one:016x} client={peer}",
            ms % 5000
        ),
    }
}

/// The messages of one block.
fn messages(block: u64) -> Vec<String> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ block);
    let service = SERVICES.iter().cycle().nth(usize::try_from(block).unwrap_or_default());
    (0..ROWS).map(|_| message(&mut random, service.unwrap_or(&""))).collect()
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
    let mut r = Random(1);
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
