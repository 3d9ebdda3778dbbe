//! What each stage costs on the way of a message: `cargo bench`. Read the time of one item; bytes
//! are those of the message.
//!
//! The stages of the store have a new store for each run, in memory where the machine has a file
//! system there: what a disk takes to sync is its own, and `end_to_end` has it.

mod answered;
mod heard;
mod lines;
mod lumberjack;
mod rules;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use logtrace::db::{Db, Options};
use logtrace::event::{Event, Memory};
use logtrace::frame::{Dialogue, Frames, Framing, JsonValues, Lumberjack, Step};
use logtrace::gate::{
    Config as GateConfig, Gate, Key, Limits, ListKind, ListSource, NewKey, Scope, Who,
};
use logtrace::kql::{self, Syntax};
use logtrace::parse::{self, Context};
use logtrace::query::{CursorKey, Request, run};
use logtrace::store::{Config, Merge, Origin, Rows, Store};
use logtrace::time::Timestamp;
use tempfile::TempDir;

use self::lines::{Line, Random, stamp};

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
    rendered(LINES, Line::syslog)
}

fn json_lines() -> Vec<String> {
    rendered(LINES, Line::json)
}

/// So many lines, a hundred microseconds apart.
fn rendered(count: usize, render: fn(&Line, &str, Option<&str>) -> String) -> Vec<String> {
    let mut random = Random::new(1);
    let times = (CONTEXT.received_at.as_micros()..).step_by(100);
    times.take(count).map(|at| render(&Line::random(&mut random), &stamp(at), None)).collect()
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

/// As [`frame`], of JSON values that nothing but their brackets tells apart.
#[divan::bench]
fn frame_json(bencher: Bencher<'_, '_>) {
    let lines = json_lines();
    let stream: String = lines.iter().map(|line| format!("{line}\n")).collect();
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let mut values = JsonValues::new(256 << 10);
        let (mut rest, mut found) = (stream.as_bytes(), 0);
        while let Step::Message { bytes, consumed, .. } = values.next(rest, true) {
            found += bytes.len();
            rest = rest.get(consumed..).unwrap_or_default();
        }
        black_box(found)
    });
}

/// What Beats send, cut and parsed: one window, of the same events as of `parse_json`.
#[divan::bench(args = ["plain", "compressed"])]
fn beats(bencher: Bencher<'_, '_>, how: &str) {
    let lines = json_lines();
    let mut events = Vec::new();
    for (number, line) in (1_u32..).zip(&lines) {
        events.extend(lumberjack::event(number, line.as_bytes()));
    }
    let mut stream = lumberjack::window(LINES);
    stream.extend(if how == "plain" { events } else { lumberjack::packed(&events) });
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let (mut decoder, mut spare) = (Lumberjack::new(256 << 10), Memory::default());
        let (mut rest, mut found, mut answers) = (&*stream, 0, Vec::new());
        while let Step::Message { bytes, consumed, .. } = decoder.next(rest, true) {
            let mut each = |event: &mut Event<'_>| found += event.fields.len();
            let mut own = std::mem::take(&mut spare).begin();
            let read = parse::json::beats(bytes, &CONTEXT, &mut own, &mut each);
            read.expect("rendered as JSON above");
            own.leave(&mut spare);
            rest = rest.get(consumed..).unwrap_or_default();
        }
        decoder.answers(&mut answers);
        assert_eq!(answers.len(), 6);
        black_box(found)
    });
}

/// The same for protocols that answer, with their answers.
#[divan::bench(args = ["relp", "fluent"])]
fn dialogue(bencher: Bencher<'_, '_>, protocol: &str) {
    let lines = syslog_lines();
    let stream = answered::stream(protocol, &lines);
    let run = || black_box(answered::run(protocol, &stream));
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(run);
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

/// What the gate asks of each address, once a connection: on a list of so many ranges.
#[divan::bench(args = [10, 1_000_000])]
fn gate_address(bencher: Bencher<'_, '_>, ranges: u32) {
    let gated = Gated::new(0, ranges, 0);
    let mut random = Random::new(3);
    let peers: Vec<_> = (0..LINES)
        .map(|_| IpAddr::V4(Ipv4Addr::from(u32::try_from(random.below(1 << 32)).unwrap_or(0))))
        .collect();
    bencher.counter(ItemsCount::new(LINES)).bench(|| {
        let admitted = |peer: &&IpAddr| gated.gate.admit_peer(**peer, CONTEXT.received_at).is_ok();
        black_box(peers.iter().filter(admitted).count())
    });
}

/// What content rules cost a message that is looked at alone, in which none of them is found.
#[divan::bench(args = [0, 10, 1000, 9000])]
fn gate_content(bencher: Bencher<'_, '_>, rules: u32) {
    let lines = syslog_lines();
    let gated = Gated::new(0, 0, rules);
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let content = gated.gate.content();
        let found = |line: &&String| match &content {
            Some(content) => !content.find(line.as_bytes()).is_empty(),
            None => false,
        };
        black_box(lines.iter().filter(found).count())
    });
}

/// All that the gate asks of an event, with 10,000 keys, 1,000,000 ranges and 1,000 content rules:
/// the list, the key and the content once a read of a hundred. The rules are about few things, as
/// those of attacks are, or each about another (`names`); they are short words, names of hosts and
/// software of which each line has the beginning (`near`), or expressions with classes and
/// alternations. `hits`: one of them finds one line of some hundred.
#[divan::bench(args = ["attacks", "names", "both", "words", "near", "expressions", "hits"])]
fn gate(bencher: Bencher<'_, '_>, about: &str) {
    let lines = syslog_lines();
    let gated = Gated::new(10_000, 1_000_000, 0);
    gated.add_rules(1000, about);
    let (gate, now) = (&gated.gate, CONTEXT.received_at);
    let key = gate.key_of(gated.secret.as_bytes()).expect("just made");
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let reads: Vec<String> = lines.chunks(READ).map(|lines| lines.join("\n")).collect();
    bencher.counter(ItemsCount::new(LINES)).counter(bytes(&lines)).bench(|| {
        let mut passed = 0;
        for (read, lines) in reads.iter().zip(lines.chunks(READ)) {
            let good = gate.admit_peer(peer, now).is_ok()
                && gate.check(&key, Scope::WriteLogs, peer, now).is_ok();
            let content = gate.content().expect("just made");
            // A text may seem to be there and is not: then each line is looked at.
            let seems = content.find_text(read.as_bytes()).is_some();
            let is_bad = |line: &&String| seems && !content.find(line.as_bytes()).is_empty();
            let bad = lines.iter().filter(is_bad).count();
            passed += if good { lines.len() - bad } else { 0 };
        }
        assert!(passed == LINES || about == "hits", "no rule is about these lines: {passed}");
        black_box(passed)
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

/// What the writer does with a batch: encodes and compresses its columns, and writes them.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn stage(bencher: Bencher<'_, '_>) {
    let (lines, batches) = batches(1);
    let kept = Kept::empty();
    bencher.counter(ItemsCount::new(BATCH)).counter(bytes(&lines)).bench_local(|| {
        kept.store.stage(&batches).expect("room on the disk");
    });
}

/// What the sealer does with as much as it waits for: from staged batches to blocks.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn seal(bencher: Bencher<'_, '_>) {
    let (lines, batches) = batches(SEALED);
    bencher
        .counter(ItemsCount::new(SEALED * BATCH))
        .counter(bytes(&lines))
        .with_inputs(|| Kept::staged(&batches))
        .bench_local_values(|kept| {
            kept.store.seal().expect("room on the disk");
            kept
        });
}

/// What a query does that must see a column: reads, decompresses and decodes it in all blocks, and
/// looks at each value.
#[divan::bench(args = ["message", "log.syslog.appname", "@timestamp"])]
fn read(bencher: Bencher<'_, '_>, column: &str) {
    let (lines, batches) = batches(SEALED);
    let kept = Kept::staged(&batches);
    kept.store.seal().expect("room on the disk");
    let sources = kept.store.sources("default", i64::MIN, i64::MAX);
    bencher.counter(ItemsCount::new(SEALED * BATCH)).counter(bytes(&lines)).bench_local(|| {
        let mut seen = 0;
        for source in &sources {
            let view = kept.store.view(source).expect("just sealed");
            match column {
                "@timestamp" => {
                    seen += usize::from(view.head().expect("just sealed").time(0).is_some());
                }
                name => {
                    let column = view.column(name).expect("just sealed").expect("in all lines");
                    column.for_each(|_, value| seen += value.bytes.len());
                }
            }
        }
        black_box(seen)
    });
}

/// What the merger does: `small` segments become one, and later, compressed harder, the `last`.
#[divan::bench(args = ["small", "last"], sample_count = 3, sample_size = 1)]
fn merge(bencher: Bencher<'_, '_>, what: &str) {
    let (lines, batches) = batches(MERGED * 4);
    let prepare = || {
        let kept = Kept::empty();
        let segments = if what == "small" { 4 } else { 1 };
        for batches in batches.chunks(batches.len() / segments) {
            kept.store.stage(batches).expect("room on the disk");
            kept.store.seal().expect("room on the disk");
        }
        kept
    };
    let what = if what == "small" { Merge::Small } else { Merge::Last };
    bencher
        .counter(ItemsCount::new(MERGED * 4 * BATCH))
        .counter(bytes(&lines))
        .with_inputs(prepare)
        .bench_local_values(|kept| {
            let merged = kept.store.merge(what, |_| ControlFlow::Continue(()));
            assert!(merged.expect("room on the disk"), "there was something to merge");
            kept
        });
}

#[divan::bench(args = ["accepted", "absent", "message:\"killed process\""])]
fn search(bencher: Bencher<'_, '_>, filter: &str) {
    let (_, batches) = batches(SEALED);
    let kept = Kept::staged(&batches);
    kept.store.seal().expect("room on the disk");
    let query = kql::parse(filter, Syntax::Lenient).expect("a query").query;
    bencher.counter(ItemsCount::new(SEALED * BATCH)).bench(|| {
        let key = CursorKey([0; 32]);
        let request = Request::new("default".into(), query.clone(), key, CONTEXT.received_at);
        black_box(run(&kept.store, &request).expect("an answer").meta.count)
    });
}

/// A gate with so many keys, ranges and content rules.
struct Gated {
    gate: Gate,
    /// Of the last key.
    secret: String,
    _folder: TempDir,
}

impl Gated {
    fn new(keys: u32, ranges: u32, rules: u32) -> Self {
        let folder = folder();
        let db = Db::open(folder.path(), &Options::default()).expect("a new store");
        let (now, config) = (CONTEXT.received_at, GateConfig::default());
        let gate = Gate::open(&config, Arc::new(db), now).expect("a new gate");
        let mut secret = String::new();
        for number in 0..keys {
            let scopes = [Scope::WriteLogs].into_iter().collect();
            let new = NewKey { name: format!("key {number}"), scopes, ..NewKey::default() };
            let made = gate.create_key(new, now).expect("room for keys");
            made.1.reveal().clone_into(&mut secret);
        }
        if ranges > 0 {
            // Every other /24 of the space, from 16.0.0.0 on, and none of them is 192.0.2.0.
            let range = |n: u32| format!("{}/24\n", Ipv4Addr::from((16 << 24) + (n << 9) + 256));
            let text: String = (0..ranges).map(range).collect();
            let list = ListSource::read("bench", text.as_bytes()).expect("a list");
            gate.set_source(ListKind::Block, list);
        }
        let gated = Self { gate, secret, _folder: folder };
        gated.add_rules(rules, "attacks");
        gated
    }

    fn add_rules(&self, rules: u32, about: &str) {
        let rules = (0..rules).map(|n| rules::rule(n, about)).collect();
        self.gate.add_rules(rules, CONTEXT.received_at).expect("room for rules");
    }
}

/// What the gate costs an event, with ten thousand keys that all have limits, as their projects and
/// addresses do. Each read is one of another connection: its key is known, and is checked and
/// charged once for so many events.
#[divan::bench(args = [20, 100, 1000])]
fn gate_limits(bencher: Bencher<'_, '_>, read: u64) {
    let (gate, _kept) = gate_with_keys();
    let keys: Vec<_> = gate.keys().iter().filter_map(|key| gate.key_by_id(&key.id)).collect();
    let now = CONTEXT.received_at;
    let (mut random, mut micros) = (Random::new(1), 0);
    bencher.counter(ItemsCount::new(100 * read)).bench_local(|| {
        for _ in 0..100 {
            let place = usize::try_from(random.below(keys.len() as u64)).unwrap_or(0);
            let key: &Arc<Key> = keys.get(place).expect("below their number");
            let peer = IpAddr::from([10, 0, 0, u8::try_from(random.below(200)).unwrap_or(0)]);
            micros += 10;
            let at = Duration::from_micros(micros);
            black_box(gate.generation());
            gate.check(key, Scope::WriteLogs, peer, now).expect("it may write");
            let who = Who { key: Some(key), project: key.budget(), peer, datagrams: false };
            let mut allowance = gate.grant(who, at);
            for _ in 0..read {
                black_box(allowance.offer(150, || false));
            }
            black_box(gate.settle(who, &allowance, at));
        }
    });
}

/// A gate that knows ten thousand keys, and the folder that it keeps them in.
fn gate_with_keys() -> (Gate, TempDir) {
    let folder = folder();
    let db = Db::open(folder.path(), &Options::default()).expect("a new store");
    let limits = Limits { events_per_second: Some(1_000_000_000), ..Limits::default() };
    let mut config = GateConfig::default();
    config.limits.key = limits.clone();
    config.limits.project = limits.clone();
    config.limits.address = limits;
    let now = CONTEXT.received_at;
    let gate = Gate::open(&config, Arc::new(db), now).expect("a new store");
    for number in 0..KEYS {
        let scopes = [Scope::WriteLogs].into_iter().collect();
        let name = format!("agent {number}");
        gate.create_key(NewKey { name, scopes, ..NewKey::default() }, now).expect("a new key");
    }
    (gate, folder)
}

/// A store of its own; its folder goes with it.
struct Kept {
    store: Store,
    _folder: TempDir,
}

impl Kept {
    fn empty() -> Self {
        let folder = folder();
        let db = Db::open(folder.path(), &Options::default()).expect("a new store");
        let store = Store::open(Arc::new(db), Config::default()).expect("a new store");
        Self { store, _folder: folder }
    }

    fn staged(batches: &[Rows]) -> Self {
        let kept = Self::empty();
        for batch in batches {
            kept.store.stage([batch]).expect("room on the disk");
        }
        kept
    }
}

/// A folder of its own, in memory where there is a file system there.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = tempfile::Builder::new();
    let folder = if memory.is_dir() { folder.tempdir_in(memory) } else { folder.tempdir() };
    folder.expect("a temporary folder")
}

/// The rows of so many batches, and the lines that they come from.
fn batches(count: usize) -> (Vec<String>, Vec<Rows>) {
    let lines = rendered(count * BATCH, Line::syslog);
    let origin = origin();
    let rows = |(lines, received_at): (&[String], i64)| {
        let mut rows = Rows::default();
        rows.begin(&origin, received_at);
        for line in lines {
            let mut event = Event::default();
            parse::syslog(line.as_bytes(), &CONTEXT, &mut event);
            rows.push(&event);
        }
        rows
    };
    let times = (CONTEXT.received_at.as_micros()..).step_by(5000);
    let batches = lines.chunks(BATCH).zip(times).map(rows).collect();
    (lines, batches)
}

/// Events of a read.
const READ: usize = 100;

/// Events of a batch, about as many as fit into its `max_bytes`.
const BATCH: usize = 5000;

/// Keys of the gate that is measured.
const KEYS: usize = 10_000;

/// Batches that are sealed at once, about as many as fit into `seal_bytes`.
const SEALED: usize = 30;

/// Batches of each segment that is merged.
const MERGED: usize = 8;
