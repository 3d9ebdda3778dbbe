//! What every test of the door begins with.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::gate::Secret;
use crate::ingest::now;
use crate::ingest::testing::Yard;
use crate::kql;
use crate::metrics::Counts;
use crate::net::http::{HttpConfig, router};
use crate::query::{self, CursorKey};

/// A door, and all that is behind it.
pub(super) struct House {
    pub(super) config: HttpConfig,
    yard: Yard,
}

impl House {
    /// A door that lets everyone in.
    pub(super) fn open() -> Self {
        Self::new("{}", false)
    }

    /// A door with this configuration of the gate, in JSON. Nothing is written as yet.
    pub(super) fn new(gate: &str, require_key: bool) -> Self {
        let config = HttpConfig { max_body: 64 * 1024, max_events: 5, ..HttpConfig::default() };
        Self { config, yard: Yard::new(gate, require_key) }
    }

    /// Lets what is accepted be written from now on.
    pub(super) fn write(self) -> Self {
        Self { yard: self.yard.write(), ..self }
    }

    pub(super) fn router(&self) -> Router {
        router(Arc::clone(&self.ingest), Arc::clone(&self.listener), self.config.clone())
    }

    /// A new key.
    pub(super) fn key(&self, properties: &str) -> Secret {
        self.yard.key(properties).1
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
        let logs = self.events(project);
        let text = |log: &Value| log[field].as_str().unwrap().to_owned();
        let mut stored: Vec<_> = logs.iter().map(text).collect();
        stored.sort();
        stored
    }

    /// All events of a project, the newest first.
    pub(super) fn events(&self, project: &str) -> Vec<Value> {
        let request = query::Request::new(project.into(), kql::Query::All, CURSOR_KEY, now());
        let page = query::run(&self.store, &request).unwrap();
        page.logs.into_iter().map(Value::Object).collect()
    }

    /// The reasons and codes that the journals have, once they have any.
    pub(super) async fn noted(&self) -> (Vec<String>, Vec<String>) {
        self.noted_at_least(1).await
    }

    /// The same, once they have so many.
    pub(super) async fn noted_at_least(&self, count: usize) -> (Vec<String>, Vec<String>) {
        self.ingest.flush_journal().await;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let noted = (self.stored("_blocked", "reason"), self.stored("_failed", "error.code"));
            if noted.0.len() + noted.1.len() >= count {
                return noted;
            }
            tokio::task::yield_now().await;
        }
        panic!("expected {count} notes, but found fewer");
    }
}

impl Deref for House {
    type Target = Yard;

    fn deref(&self) -> &Yard {
        &self.yard
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
const PATIENCE: Duration = Duration::from_secs(240);

const CURSOR_KEY: CursorKey = CursorKey([7; 32]);
