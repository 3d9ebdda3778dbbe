//! Webhooks and receivers of this machine.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Instant;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::db::Db;
use crate::metrics::{Ledger, Page};
use crate::ship;

/// A receiver that answers with the status that it is told; what came to it.
struct Receiver {
    at: SocketAddr,
    status: Arc<Mutex<&'static str>>,
    came: Arc<Mutex<Vec<(String, String)>>>,
    _task: JoinHandle<()>,
}

/// Webhooks that run.
struct Running {
    webhooks: Arc<Webhooks>,
    metrics: Shipping,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Receiver {
    async fn start(status: &'static str) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let status = Arc::new(Mutex::new(status));
        let came: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (answer, seen) = (Arc::clone(&status), Arc::clone(&came));
        let task = async move {
            loop {
                let (mut stream, _) = socket.accept().await.unwrap();
                let mut bytes = Vec::new();
                while !is_whole(&bytes)
                    && stream.read_buf(&mut bytes).await.is_ok_and(|len| len > 0)
                {}
                let text = String::from_utf8(bytes).unwrap();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let answer = format!(
                    "HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                    answer.lock()
                );
                seen.lock().push((head.to_owned(), body.to_owned()));
                stream.write_all(answer.as_bytes()).await.ok();
            }
        };
        Self { at, status, came, _task: TaskTracker::new().spawn(task) }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.at)
    }

    fn came(&self) -> Vec<(String, String)> {
        self.came.lock().clone()
    }
}

impl Running {
    /// Those in `folder`, with waits as short as can be.
    fn start(folder: &TempDir, max_attempts: u32) -> Self {
        let config = ship::Config {
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            allow_http: true,
            webhooks: Config {
                max_queued: 50,
                first_retry: Duration::from_millis(1),
                max_retry: Duration::from_millis(20),
                max_attempts,
                ..Config::default()
            },
            ..ship::Config::default()
        };
        let (_, gauges) = Page::new(Arc::new(Ledger::new(&[], 1))).unwrap();
        let outbound = Outbound::new(&config).unwrap();
        let (store, metrics) = (store(folder), gauges.ship);
        let webhooks = Webhooks::open(store, outbound, config.webhooks, metrics.clone()).unwrap();
        let (webhooks, stop) = (Arc::new(webhooks), CancellationToken::new());
        let task = TaskTracker::new().spawn(Arc::clone(&webhooks).run(stop.clone()));
        Self { webhooks, metrics, stop, task }
    }

    fn make(&self, url: String, event: &str, project: &str) -> (String, Secret) {
        let events = vec![Pattern::try_from(event.to_owned()).unwrap()];
        let new = NewWebhook { url, events, note: String::new(), project: None };
        let (webhook, secret) = self.webhooks.create(new, project).unwrap();
        (webhook.id, secret)
    }

    fn counted(&self, result: &str) -> u64 {
        self.metrics.webhook_deliveries.with_label_values(&[result]).get()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn store(folder: &TempDir) -> Arc<Store> {
    let began = Instant::now();
    let db = loop {
        match Db::open(folder.path(), &db::Options::default()) {
            Ok(db) => break Arc::new(db),
            // Work on the disk that was cut in the middle holds it for a moment.
            Err(error) => assert!(began.elapsed() < Duration::from_secs(240), "{error}"),
        }
    };
    Arc::new(Store::open(db, crate::store::Config::default()).unwrap())
}

fn is_whole(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let len = head.to_lowercase();
    let len = len.split("content-length: ").nth(1).and_then(|len| len.lines().next()?.parse().ok());
    body.len() >= len.unwrap_or(0)
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(240), "expected {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_event_is_told_signed_to_those_who_want_it() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start("204").await);
    let running = Running::start(&folder, 5);
    let (_, secret) = running.make(receiver.url(), "api_key.*", "shop");
    running.webhooks.notify("api_key.created", "bank", &json!({"n": 1}));
    running.webhooks.notify("limit.entered", "shop", &json!({"n": 2}));
    running.webhooks.notify("api_key.created", "shop", &json!({"n": 3}));
    until("a delivery", || running.counted("delivered") == 1).await;
    let (head, _) = &receiver.came()[0];
    let text = receiver.came.lock()[0].1.clone();
    let sent: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&sent["type"], &sent["data"]), (&json!("api_key.created"), &json!({"n": 3})));
    assert!(head.contains("content-type: application/json"));
    let at = header(head, "webhook-timestamp").parse().unwrap();
    let signature = secret.sign(header(head, "webhook-id"), at, text.as_bytes());
    assert_eq!(header(head, "webhook-signature"), signature);
    assert_eq!(receiver.came().len(), 1, "nobody is told what is not theirs");
    running.stop().await;
}

#[tokio::test]
async fn co_15_a_receiver_that_fails_is_tried_again_and_then_given_up() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start("500").await);
    let running = Running::start(&folder, 3);
    let (id, _) = running.make(receiver.url(), "*", "default");
    running.webhooks.notify("a.b", "shop", &json!({}));
    until("it to be given up", || running.counted("dead") == 1).await;
    let came = receiver.came();
    let ids: HashSet<_> = came.iter().map(|(head, _)| header(head, "webhook-id")).collect();
    assert_eq!((came.len(), ids.len()), (3, 1), "the same delivery, three times");
    assert_eq!(running.webhooks.show(&id).unwrap().1, State { queued: 0, dead: 1 });
    let kept = running.webhooks.deliveries(&id).unwrap();
    assert!(kept[0].dead && kept[0].attempts == 3);
    let told = running.webhooks.given_up();
    assert_eq!((told.len(), &*told[0].project, told[0].attempts), (1, "default", 3), "{told:?}");
    assert!(told[0].error.contains("status") && running.webhooks.given_up().is_empty());
    assert_eq!(kept[0].error.as_deref(), Some("expected status 200 to 299, but found 500"));
    // The receiver was mended.
    *receiver.status.lock() = "200";
    running.webhooks.retry(&id).unwrap();
    until("it to be delivered", || running.counted("delivered") == 1).await;
    assert_eq!(running.webhooks.deliveries(&id).unwrap(), []);
    // One that says that it will never want another is not asked again.
    *receiver.status.lock() = "410";
    running.webhooks.notify("a.b", "shop", &json!({}));
    until("it to be given up", || running.counted("dead") == 2).await;
    assert_eq!(receiver.came().len(), 5);
    running.stop().await;
}

#[tokio::test]
async fn what_was_not_taken_is_told_after_a_restart() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start("503").await);
    let running = Running::start(&folder, 1000);
    running.make(receiver.url(), "*", "default");
    for n in 0..20 {
        running.webhooks.notify("a.b", "shop", &json!({"n": n}));
    }
    until("attempts", || receiver.came().len() >= 20).await;
    running.stop().await;
    *receiver.status.lock() = "200";
    receiver.came.lock().clear();
    let running = Running::start(&folder, 1000);
    until("all deliveries", || running.counted("delivered") == 20).await;
    let bodies: HashSet<_> = receiver.came().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 20);
    assert_eq!(running.metrics.webhook_queued.get(), 0);
    running.stop().await;
    let running = Running::start(&folder, 1000);
    assert_eq!(running.webhooks.list()[0].1, State { queued: 0, dead: 0 });
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_away_holds_up_nobody_and_is_kept_no_more_for_than_may_be() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start("200").await);
    let running = Running::start(&folder, 1_000_000);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (away, _) = running.make(format!("http://{}/", gone.local_addr().unwrap()), "*", "default");
    drop(gone);
    running.make(receiver.url(), "*", "default");
    for n in 0..100 {
        running.webhooks.notify("a.b", "shop", &json!({"n": n}));
        until("room", || running.counted("delivered") + 20 > n).await;
    }
    until("all of the other", || running.counted("delivered") == 100).await;
    assert_eq!(running.webhooks.show(&away).unwrap().1.queued, 50);
    assert_eq!(running.counted("dropped"), 50);
    running.webhooks.remove(&away).unwrap();
    until("nothing on its way", || running.metrics.webhook_queued.get() == 0).await;
    running.stop().await;
    assert!(store(&folder).db().meta_scan(b"delivery/").unwrap().is_empty());
}

/// The bytes of all files under a folder.
fn all_bytes(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        all.extend(if path.is_dir() { all_bytes(&path) } else { std::fs::read(path).unwrap() });
    }
    all
}

#[tokio::test]
async fn au_07_the_secret_of_a_webhook_is_nowhere_on_the_disk() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start("204").await);
    let running = Running::start(&folder, 5);
    let (id, secret) = running.make(receiver.url(), "x", "shop");
    running.stop().await;
    let text = secret.reveal();
    let is_there = |text: &str| {
        memchr::memmem::find(
            &all_bytes(folder.path()),
            text.trim_start_matches("whsec_").as_bytes(),
        )
        .is_some()
    };
    assert!(is_there(&id) && !is_there(&text));
    // It signs after a restart as before; one that an earlier version kept is sealed then.
    let plain = Secret::draw().unwrap();
    let old = json!({"version": 1, "record": {
        "id": "wh_old", "project": "shop", "url": receiver.url(), "events": ["x"],
        "secret": plain.reveal(),
    }});
    store(&folder).db().meta_put(b"webhook/wh_old", old.to_string().as_bytes()).unwrap();
    let running = Running::start(&folder, 5);
    for (id, secret) in [(&*id, &secret), ("wh_old", &plain)] {
        assert_eq!(running.webhooks.test(id).await.unwrap().status, 204);
        let (head, body) = receiver.came.lock().pop().unwrap();
        let timestamp = header(&head, "webhook-timestamp").parse().unwrap();
        let signed = secret.sign(header(&head, "webhook-id"), timestamp, body.as_bytes());
        assert_eq!(header(&head, "webhook-signature"), signed);
    }
    running.stop().await;
    let kept = store(&folder).db().meta_get(b"webhook/wh_old").unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("whsec_"));
    // Without the key nothing is called, and why is said.
    std::fs::remove_file(folder.path().join("webhooks.key")).unwrap();
    let running = Running::start(&folder, 5);
    let error = running.webhooks.test(&id).await.unwrap_err().to_string();
    assert!(error.contains("make it anew"), "{error}");
    running.stop().await;
}
