//! What every test of the door begins with.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::batch::{self, Batcher, Commit, run_writer};
use crate::db::{self, Db};
use crate::gate::{self, Gate, NewKey, Reason, Secret};
use crate::ingest::{Format, Ingest, Listener, now};
use crate::kql;
use crate::metrics::{Counts, Ledger, Page};
use crate::net::http::{HttpConfig, router};
use crate::query::{self, CursorKey};
use crate::store::{self, Store};

/// A door, and all that is behind it.
pub(super) struct House {
    pub(super) ingest: Arc<Ingest>,
    pub(super) store: Arc<Store>,
    pub(super) gate: Arc<Gate>,
    pub(super) config: HttpConfig,
    batcher: Arc<Batcher>,
    listener: Arc<Listener>,
    writer: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl House {
    /// A door that lets everyone in.
    pub(super) fn open() -> Self {
        Self::new("{}", false)
    }

    /// A door with this configuration of the gate, in JSON. Nothing is written as yet.
    pub(super) fn new(gate: &str, require_key: bool) -> Self {
        static REASONS: LazyLock<Vec<&str>> =
            LazyLock::new(|| Reason::ALL.iter().map(|reason| reason.as_str()).collect());
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &db::Options::default()).unwrap());
        let store = Arc::new(Store::open(Arc::clone(&db), store::Config::default()).unwrap());
        let gate: gate::Config = serde_json::from_str(gate).unwrap();
        let gate = Arc::new(Gate::open(&gate, db, now()).unwrap());
        let ledger = Arc::new(Ledger::new(&REASONS, 10));
        let (_, gauges) = Page::new(Arc::clone(&ledger)).unwrap();
        let batcher = Arc::new(Batcher::new(&batch::Config::default()));
        let listener = Arc::new(Listener {
            name: "http".into(),
            protocol: "http/tcp".to_owned(),
            format: Format::Json,
            project: "default".into(),
            require_key,
            key: None,
            zone_offset: 0,
            keep_original: false,
            datagrams: false,
            account: ledger.listener("http"),
        });
        let ingest = Ingest::new(Arc::clone(&gate), Arc::clone(&batcher), ledger, gauges);
        let config = HttpConfig { max_body: 64 * 1024, max_events: 5, ..HttpConfig::default() };
        let ingest = Arc::new(ingest);
        Self { ingest, store, gate, config, batcher, listener, writer: None, _folder: folder }
    }

    /// Lets what is accepted be written from now on.
    pub(super) fn write(mut self) -> Self {
        let (batcher, store) = (Arc::clone(&self.batcher), Arc::clone(&self.store));
        let ledger = Arc::clone(self.ingest.ledger());
        let report = move |commit: &Commit<'_>| {
            for (origin, count) in &commit.origins {
                ledger.settle(&origin.listener, origin.key.as_deref(), *count, commit.stored);
            }
        };
        let run = move || run_writer(&batcher, &store, report).unwrap();
        self.writer = Some(std::thread::spawn(run));
        self
    }

    pub(super) fn router(&self) -> Router {
        router(Arc::clone(&self.ingest), Arc::clone(&self.listener), self.config)
    }

    /// A new key.
    pub(super) fn key(&self, more: &str) -> Secret {
        let mut new: NewKey = serde_json::from_str(more).unwrap();
        "test".clone_into(&mut new.name);
        self.gate.create_key(new, now()).unwrap().1
    }

    /// Sends a request; its address, its answer and the JSON of that.
    pub(super) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let answer = self.answer(request).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let answer = self.router().oneshot(request).await.unwrap();
        assert!(self.counts().adds_up(), "{:?}", self.counts());
        answer
    }

    /// Sends a body of JSON.
    pub(super) async fn post(&self, body: &str) -> (StatusCode, Value) {
        self.send(request(body.to_owned())).await
    }

    /// What became of the messages of the door.
    pub(super) fn counts(&self) -> Counts {
        self.listener.account.counts()
    }

    /// The messages of all events of a project, or the codes and reasons of a journal.
    pub(super) fn stored(&self, project: &str, field: &str) -> Vec<String> {
        let request = query::Request::new(project.into(), kql::Query::All, CURSOR_KEY, now());
        let page = query::run(&self.store, &request).unwrap();
        let text = |log: &serde_json::Map<_, Value>| log[field].as_str().unwrap().to_owned();
        let mut stored: Vec<_> = page.logs.iter().map(text).collect();
        stored.sort();
        stored
    }

    /// The reasons and codes that the journals have, once they have any.
    pub(super) async fn noted(&self) -> (Vec<String>, Vec<String>) {
        self.ingest.flush_journal().await;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let noted = (self.stored("_blocked", "reason"), self.stored("_failed", "error.code"));
            if !(noted.0.is_empty() && noted.1.is_empty()) {
                return noted;
            }
            tokio::task::yield_now().await;
        }
        panic!("nothing was noted");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.batcher.stop();
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
    }
}

/// A call with this body.
pub(super) fn request(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/v1/logs/ingest").header("content-type", "application/json");
    let mut request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(ConnectInfo(PEER));
    request
}

/// The same, with another header.
pub(super) fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// Where calls come from.
pub(super) const PEER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), 4000);

/// How long a note may take to be stored.
const PATIENCE: Duration = Duration::from_secs(10);

const CURSOR_KEY: CursorKey = CursorKey([7; 32]);
