//! What every test of the API begins with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api::{Api, Config, Health, router};
use crate::batch::{self, Batcher, Commit, run_writer};
use crate::db::{self, Db};
use crate::gate::{self, Gate, NewKey, Reason};
use crate::ingest::{Format, Ingest, Listener, Session, now};
use crate::metrics::{Ledger, Page};
use crate::query::CursorKey;
use crate::store::{self, Store};

/// An API, and all that is behind it.
pub(super) struct House {
    pub(super) api: Arc<Api>,
    pub(super) stop: CancellationToken,
    batcher: Arc<Batcher>,
    writer: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// A call, from this machine unless said otherwise.
pub(super) struct Call {
    method: Method,
    path: String,
    body: Option<String>,
    key: Option<String>,
    peer: IpAddr,
    headers: Vec<(&'static str, String)>,
}

impl House {
    /// The API as it is out of the box.
    pub(super) fn open() -> Self {
        Self::new(Config::default(), "{}")
    }

    /// An API with this configuration, and that of the gate, in JSON.
    pub(super) fn new(config: Config, gate: &str) -> Self {
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
        let listener = listener(&ledger);
        let ingest = Ingest::new(gate, Arc::clone(&batcher), Arc::clone(&ledger), gauges);
        let stop = CancellationToken::new();
        let health = Health::new(Instant::now(), 2, || vec!["the disk is full".to_owned()]);
        let api = Api::new(
            Arc::new(ingest),
            Arc::clone(&store),
            listener,
            config,
            CursorKey([7; 32]),
            health,
            stop.clone(),
        );
        let written = Arc::clone(&batcher);
        let report = move |commit: &Commit<'_>| {
            for (origin, count) in &commit.origins {
                ledger.settle(&origin.listener, origin.key.as_deref(), *count, commit.stored);
            }
        };
        let run = move || run_writer(&written, &store, report).unwrap();
        let writer = Some(std::thread::spawn(run));
        Self { api: Arc::new(api), stop, batcher, writer, _folder: folder }
    }

    pub(super) fn router(&self) -> Router {
        router(Arc::clone(&self.api))
    }

    pub(super) async fn answer(&self, call: Call) -> Response<Body> {
        self.router().oneshot(call.request()).await.unwrap()
    }

    /// Makes a call; its status and the JSON of the answer.
    pub(super) async fn send(&self, call: Call) -> (StatusCode, Value) {
        let answer = self.answer(call).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// A new key's public id and secret.
    pub(super) fn key(&self, scopes: &str, project: &str) -> (String, String) {
        let new = format!(r#"{{"name":"x","project":"{project}","scopes":[{scopes}]}}"#);
        let new: NewKey = serde_json::from_str(&new).unwrap();
        let (info, secret) = self.api.gate.create_key(new, now()).unwrap();
        (info.id, secret.reveal().to_owned())
    }

    /// Stores logs, a JSON list, under a key or under none.
    pub(super) async fn store(&self, key: Option<&str>, logs: &str) {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut session = Session::new(Arc::clone(&self.api.listener), peer, None);
        if let Some(key) = key {
            session.bind_secret(key.as_bytes(), crate::event::AuthMethod::Http);
        }
        let outcome = self.api.ingest.logs(&mut session, logs.as_bytes(), 1000).await.unwrap();
        assert_eq!(outcome.rejected, []);
        outcome.ticket.durable().await.unwrap();
    }

    /// Entries of a journal, once it has some.
    pub(super) async fn noted(&self, journal: &str) -> Vec<Value> {
        self.api.ingest.flush_journal().await;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let (status, answer) = self.send(get(&format!("/v1/{journal}"))).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            let entries = answer["entries"].as_array().unwrap();
            if !entries.is_empty() {
                return entries.clone();
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

impl Call {
    pub(super) fn new(method: Method, path: &str) -> Self {
        let (peer, path) = (IpAddr::V4(Ipv4Addr::LOCALHOST), path.to_owned());
        Self { method, path, body: None, key: None, peer, headers: vec![] }
    }

    pub(super) fn key(self, secret: &str) -> Self {
        Self { key: Some(secret.to_owned()), ..self }
    }

    pub(super) fn body(self, body: &str) -> Self {
        Self { body: Some(body.to_owned()), ..self }.header("content-type", "application/json")
    }

    pub(super) fn peer(self, peer: &str) -> Self {
        Self { peer: peer.parse().unwrap(), ..self }
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(self.body.map_or_else(Body::empty, Body::from)).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.peer, 4000)));
        request
    }
}

pub(super) fn get(path: &str) -> Call {
    Call::new(Method::GET, path)
}

pub(super) fn post(path: &str, body: &str) -> Call {
    Call::new(Method::POST, path).body(body)
}

pub(super) fn delete(path: &str) -> Call {
    Call::new(Method::DELETE, path)
}

fn listener(ledger: &Ledger) -> Arc<Listener> {
    Arc::new(Listener {
        name: "http".into(),
        protocol: "http/tcp".to_owned(),
        format: Format::Json,
        project: "default".into(),
        require_key: false,
        key: None,
        zone_offset: 0,
        keep_original: false,
        datagrams: false,
        account: ledger.listener("http"),
    })
}

/// How long a note may take to be stored.
const PATIENCE: Duration = Duration::from_secs(10);
