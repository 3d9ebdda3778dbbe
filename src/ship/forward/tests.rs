//! Targets and receivers of this machine; what is forwarded is the record of changes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::audit::{self, Act, Who};
use crate::db::{self, Db};
use crate::metrics::{Ledger, Page};
use crate::ship::clock::now;

/// A store with its record of changes.
struct House {
    store: Arc<Store>,
    audit: Arc<Audit>,
    metrics: Shipping,
    _folder: TempDir,
}

/// A target that runs.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl House {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &db::Options::default()).unwrap());
        let store = Arc::clone(&db);
        let store = Arc::new(Store::open(store, crate::store::Config::default()).unwrap());
        let audit = Audit::open(db, audit::Config::default(), now).unwrap();
        let (_, gauges) = Page::new(Arc::new(Ledger::new(&[], 1))).unwrap();
        Self { store, audit, metrics: gauges.ship, _folder: folder }
    }

    /// Records changes of these numbers.
    fn record(&self, numbers: std::ops::Range<u32>) {
        for n in numbers {
            let act = Act::new("test.changed", format!("thing/{n}"));
            self.audit.record(Who::daemon(), act).unwrap();
        }
    }

    /// Forwards to `to`.
    fn forward(&self, to: &str, more: &Value) -> Running {
        let mut config = json!({"name": "siem", "journals": ["audit"], "to": to});
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        let config: ForwardConfig = serde_json::from_value(config).unwrap();
        assert_eq!(config.problems(true), []);
        let ship = Config { allow_http: true, ..Config::default() };
        let (store, audit) = (Arc::clone(&self.store), Arc::clone(&self.audit));
        let target = Target::new(config, &ship, store, audit, self.metrics.clone()).unwrap();
        let stop = CancellationToken::new();
        let task = TaskTracker::new().spawn(target.run(stop.clone()));
        Running { stop, task }
    }

    fn taken(&self) -> u64 {
        self.metrics.forwarded.with_label_values(&["siem", "audit"]).get()
    }
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Resources of changes that came.
type Came = Arc<Mutex<Vec<String>>>;

/// What came, each once.
fn things(came: &Came) -> BTreeSet<String> {
    came.lock().iter().cloned().collect()
}

fn wanted(numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    numbers.map(|n| format!("thing/{n}")).collect()
}

/// Something that takes JSON, but for the first calls.
async fn taker(refused: usize) -> (SocketAddr, Came) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, came): (_, Came) = (socket.local_addr().unwrap(), Arc::default());
    let seen = Arc::clone(&came);
    let take = async move {
        for number in 0.. {
            let (mut stream, _) = socket.accept().await.unwrap();
            let mut bytes = Vec::new();
            let whole = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let len = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
                (body.len() >= len).then(|| body.to_owned())
            };
            let body = loop {
                if let Some(body) = whole(&bytes) {
                    break body;
                }
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
            };
            let is_taken = number >= refused;
            if is_taken {
                let body: Vec<Value> = serde_json::from_str(&body).unwrap();
                let resource = |entry: &Value| entry["resource"].as_str().unwrap().to_owned();
                // The record itself begins with changes of its own.
                let things = body.iter().map(resource).filter(|r| r.starts_with("thing/"));
                seen.lock().extend(things);
            }
            let status = if is_taken { 200 } else { 503 };
            let answer =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    drop(TaskTracker::new().spawn(take));
    (at, came)
}

/// What reads octet-counted syslog; the first connections end as `rude` does it.
async fn listener(rude: fn(usize) -> Option<usize>) -> (SocketAddr, Came) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, came): (_, Came) = (socket.local_addr().unwrap(), Arc::default());
    let seen = Arc::clone(&came);
    let listen = async move {
        for number in 0.. {
            let (mut stream, _) = socket.accept().await.unwrap();
            let mut bytes = Vec::new();
            if let Some(len) = rude(number) {
                // Reads so many bytes, and goes away with others unread: what it read is lost.
                read_some(&mut stream, &mut bytes, len).await;
                continue;
            }
            read_some(&mut stream, &mut bytes, usize::MAX).await;
            let mut rest = &bytes[..];
            while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
                let len: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
                let message = std::str::from_utf8(&rest[space + 1..][..len]).unwrap();
                let thing = message.split("resource=\"").nth(1).unwrap();
                let thing = thing.split('"').next().unwrap();
                if thing.starts_with("thing/") {
                    seen.lock().push(thing.to_owned());
                }
                rest = &rest[space + 1 + len..];
            }
        }
    };
    drop(TaskTracker::new().spawn(listen));
    (at, came)
}

async fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>, len: usize) {
    while bytes.len() < len && stream.read_buf(bytes).await.is_ok_and(|read| read > 0) {}
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(240), "expected {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_receiver_of_json_that_was_away_gets_all_and_a_restart_sends_nothing_twice() {
    let (house, (at, came)) = (House::open(), taker(2).await);
    let to = format!("http://{at}/in");
    house.record(0..3);
    let running = house.forward(&to, &json!({"from": "beginning"}));
    until("what was there", || house.taken() >= 3).await;
    house.record(3..700);
    until("what came then", || things(&came) == wanted(0..700)).await;
    running.stop().await;
    house.record(700..800);
    let running = house.forward(&to, &json!({}));
    until("what came while it was away", || things(&came) == wanted(0..800)).await;
    running.stop().await;
    assert_eq!(came.lock().len(), 800, "none was sent twice");
    let failures = house.metrics.forward_failures.with_label_values(&["siem"]).get();
    assert_eq!(failures, 2);
}

#[tokio::test]
async fn a_target_that_is_new_begins_now_and_stays_there() {
    let (house, (at, came)) = (House::open(), taker(0).await);
    let to = format!("http://{at}/in");
    house.record(0..5);
    let begun = |house: &House| position::load(&house.store, "siem").unwrap().len() == 1;
    let running = house.forward(&to, &json!({}));
    until("a place to begin", || begun(&house)).await;
    running.stop().await;
    house.record(5..7);
    let running = house.forward(&to, &json!({}));
    until("what came since", || things(&came) == wanted(5..7)).await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_stream_broke_off_in_is_sent_again() {
    // The first goes away at once, the next in the middle of what it is sent.
    let rude = |number| [Some(0), Some(3000)].get(number).copied().flatten();
    let (house, (at, came)) = (House::open(), listener(rude).await);
    house.record(0..400);
    let more = json!({"from": "beginning"});
    let running = house.forward(&format!("tcp://{at}"), &more);
    until("all of it", || things(&came) == wanted(0..400)).await;
    until("the receiver's word", || house.taken() >= 400).await;
    running.stop().await;
    let sent = came.lock().len();
    let running = house.forward(&format!("tcp://{at}"), &more);
    house.record(400..401);
    until("what came since", || things(&came) == wanted(0..401)).await;
    running.stop().await;
    assert_eq!(came.lock().len(), sent + 1, "what was confirmed was not sent again");
}
