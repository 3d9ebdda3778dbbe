//! What each stage costs on the way of a message: `cargo bench`. Read the time of one item; bytes
//! are those of the message.
//!
//! The lines are rendered here, in the mix that a few services write: 160 to 250 bytes each.

use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use logtrace::event::Event;
use logtrace::frame::{Frames, Framing, Step};
use logtrace::parse::{self, Context};
use logtrace::store::{Origin, Rows};
use logtrace::time::Timestamp;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Lines in a run.
const LINES: usize = 2000;

const CONTEXT: Context = Context {
    received_at: Timestamp::from_micros(1_790_000_000_000_000),
    zone_offset: 0,
    keep_original: false,
};

fn syslog_lines() -> Vec<String> {
    let line = |n: usize| {
        let (host, order, latency) = (n % 200, n * 7919 % 90_000_000, n * 31 % 900);
        format!(
            "<134>1 2026-11-20T12:15:{:02}.{:06}Z web-{host:03}.prod.example payment-gateway {} - - \
             order {order} accepted customer={} amount={}.{:02} currency=EUR latency_ms={latency}",
            n % 60,
            n % 1_000_000,
            100 + n % 60_000,
            n * 13 % 500_000,
            n % 100_000,
            n % 100,
        )
    };
    (0..LINES).map(line).collect()
}

fn json_lines() -> Vec<String> {
    let line = |n: usize| {
        format!(
            "{{\"@timestamp\":\"2026-11-20T12:15:{:02}.{:06}Z\",\"@version\":\"1\",\
             \"host\":\"web-{:03}.prod.example\",\"service\":\"checkout\",\"level\":\"INFO\",\
             \"pid\":{},\"message\":\"order {} accepted customer={} latency_ms={}\"}}",
            n % 60,
            n % 1_000_000,
            n % 200,
            100 + n % 60_000,
            n * 7919 % 90_000_000,
            n * 13 % 500_000,
            n * 31 % 900,
        )
    };
    (0..LINES).map(line).collect()
}

fn origin() -> Arc<Origin> {
    Arc::new(Origin {
        project: "default".into(),
        listener: "syslog-tcp".into(),
        peer: None,
        key: None,
        auth: None,
    })
}

fn bytes(lines: &[String]) -> BytesCount {
    BytesCount::new(lines.iter().map(String::len).sum::<usize>())
}

#[divan::bench(args = ["lf", "counted"])]
fn frame(bencher: Bencher<'_, '_>, framing: &str) {
    let lines = syslog_lines();
    let render = |line: &String| match framing {
        "lf" => format!("{line}\n"),
        _ => format!("{} {line}", line.len()),
    };
    let stream: String = lines.iter().map(render).collect();
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let mut frames = Frames::new(Framing::Auto, 256 << 10);
        let (mut rest, mut found) = (stream.as_bytes(), 0);
        while let Step::Message { bytes, consumed, .. } = frames.next(rest, true) {
            found += bytes.len();
            rest = rest.get(consumed..).unwrap_or_default();
        }
        black_box(found)
    });
}

#[divan::bench]
fn parse_syslog(bencher: Bencher<'_, '_>) {
    let lines = syslog_lines();
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let mut event = Event::default();
        for line in &lines {
            event.clear();
            parse::syslog(line.as_bytes(), &CONTEXT, &mut event);
            black_box(&event);
        }
    });
}

#[divan::bench]
fn parse_json(bencher: Bencher<'_, '_>) {
    let lines = json_lines();
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let mut event = Event::default();
        for line in &lines {
            let mut each = |event: &mut Event<'_>| {
                black_box(event.fields.len());
            };
            let read = parse::json::json(line.as_bytes(), &CONTEXT, &mut event, &mut each);
            read.expect("rendered as JSON above");
        }
    });
}

#[divan::bench]
fn append(bencher: Bencher<'_, '_>) {
    let lines = syslog_lines();
    let events: Vec<Event<'_>> = lines
        .iter()
        .map(|line| {
            let mut event = Event::default();
            parse::syslog(line.as_bytes(), &CONTEXT, &mut event);
            event
        })
        .collect();
    let origin = origin();
    let mut rows = Rows::default();
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench_local(|| {
        rows.clear();
        for event in &events {
            rows.begin(&origin, 0);
            rows.push(event);
        }
        black_box(rows.len())
    });
}

#[divan::bench(args = ["order", "absent", "message:\"order 7919 accepted\""])]
fn search(bencher: Bencher<'_, '_>, filter: &str) {
    use logtrace::db::{Db, Options};
    use logtrace::kql::{self, Syntax};
    use logtrace::query::{CursorKey, Request, run};
    use logtrace::store::{Config, Store};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open(folder.path(), &Options::default()).expect("a new store");
    let store = Store::open(Arc::new(db), Config::default()).expect("a new store");
    let lines = syslog_lines();
    let origin = origin();
    let mut rows = Rows::default();
    rows.begin(&origin, CONTEXT.received_at.as_micros());
    for line in &lines {
        let mut event = Event::default();
        parse::syslog(line.as_bytes(), &CONTEXT, &mut event);
        rows.push(&event);
    }
    for _ in 0..50 {
        store.stage([&rows]).expect("room on the disk");
    }
    store.seal().expect("room on the disk");
    let query = kql::parse(filter, Syntax::Lenient).expect("a query").query;
    bencher.counter(ItemsCount::new(50 * LINES)).bench(|| {
        let key = CursorKey([0; 32]);
        let request = Request::new("default".into(), query.clone(), key, CONTEXT.received_at);
        black_box(run(&store, &request).expect("an answer").meta.count)
    });
}
