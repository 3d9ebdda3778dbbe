//! Logs over HTTP: `POST /v1/logs/ingest` (SPEC §6), and the protocols of others.
//!
//! ```text
//!  head ──▶ address, key ──▶ [body] within limits ──▶ ingest.logs ──▶ durable ──▶ answer
//!    └──────────┴───────────────┴───────────────────────┴──▶ [problem], booked and noted
//! ```
//!
//! What is on the way is the same for all (`call`); a protocol is a `dialect`: the format of its
//! bodies, and its words for what became of them. Both doors speak all of them: the API's, and
//! listeners with `protocol = "http"`, where what has no other meaning is read as Logstash's `http`
//! input reads it (`logstash`).
//!
//! | path                                             | dialect                              |
//! |--------------------------------------------------|--------------------------------------|
//! | `/v1/logs/ingest`                                | the daemon's own (`logs`)            |
//! | `/loki/api/v1/push`, `/api/prom/push`, `/ready`  | Grafana Loki (`loki`)                |
//! | `/v1/logs`                                       | OTLP (`otlp`)                        |
//! | `/services/collector`, and below                 | Splunk's HTTP Event Collector (`hec`)|
//! | `/upload`                                        | systemd-journal-upload (`upload`)    |
//!
//! To add one: a [`BodyFormat`](crate::parse::BodyFormat) in `parse`, a `Dialect` here, a route
//! in `protocols`.
//!
//! What is cheap is asked first: a call that the gate refuses costs no byte of its body.
//!
//! # Invariants
//!
//! * *Every call is accounted for*: one that is refused as a whole is one message in the ledger,
//!   blocked or failed, and is noted in a journal.
//! * *A success is durable*: it is sent when all accepted logs are in the synced log.
//! * *Memory is bounded*: a body by `max_body`, compressed and not; all together by what they share
//!   with others ([`memory`](crate::memory)), for which they wait a moment.
//! * *A refused client learns nothing* but that it is refused.

mod attempt;
mod body;
mod call;
mod carrier;
mod dialect;
mod elastic;
mod gelf;
mod hec;
mod logs;
mod logstash;
mod loki;
mod otlp;
mod patient;
mod problem;
mod serve;
#[cfg(test)]
mod tests;
mod upload;

pub use self::serve::{PATIENCE, Server, serve_connection};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, get, on};
use bytesize::ByteSize;
use tokio_util::sync::CancellationToken;

use self::attempt::Attempt;
pub(crate) use self::carrier::Carrier;
use self::dialect::Dialect;
use self::gelf::Gelf;
use self::hec::Hec;
use self::logs::Logs;
use self::logstash::Logstash;
use self::loki::Loki;
use self::otlp::Otlp;
use self::problem::Problem;
pub(crate) use self::serve::serve;
use super::config::ListenerConfig;
use crate::gate::Quota;
use crate::ingest::{Ingest, Listener};

/// Limits of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The longest body, in bytes, as it comes and as it is after decompression. Default: 16 MiB.
    pub max_body: usize,
    /// The most logs in a call of `POST /v1/logs/ingest`. Default: 5000.
    pub max_events: usize,
    /// A longer message that is a whole body is cut once and marked. Default: 256 KiB.
    pub max_message: usize,
    /// How long a body may take to arrive. Default: 30s.
    pub body_timeout: Duration,
    /// The version of Elasticsearch that its clients are told. Default: "9.99.0".
    pub elasticsearch_version: String,
}

/// What every call needs.
#[derive(Debug)]
struct Door {
    ingest: Arc<Ingest>,
    listener: Arc<Listener>,
    config: HttpConfig,
    /// Says that the daemon is about to stop, to calls that would go on for hours.
    stop: CancellationToken,
}

/// The routes by which logs come in beside the API, which has the others, and the answer to unknown
/// paths.
///
/// Served with [`ConnectInfo`] of a [`SocketAddr`]: the address that the gate sees.
pub fn router(ingest: Arc<Ingest>, listener: Arc<Listener>, config: HttpConfig) -> Router {
    let wrong = |State(door): State<Arc<Door>>, ConnectInfo(peer), request| async move {
        wrong_method(&door, peer, Logs, &request)
    };
    let stop = CancellationToken::new();
    let door = Door { ingest, listener, config, stop };
    protocols().method_not_allowed_fallback(wrong).with_state(Arc::new(door))
}

/// What serves the connections of a listener: what no protocol knows is for Logstash's `http` input.
pub(super) fn server(
    ingest: Arc<Ingest>,
    listener: Arc<Listener>,
    config: &ListenerConfig,
    stop: &CancellationToken,
) -> Server {
    let guard = Some(Arc::clone(ingest.gate()));
    let door = Door { ingest, listener, config: config.http(), stop: stop.clone() };
    let taken = |State(door): State<Arc<Door>>, ConnectInfo(peer), request: Request| async move {
        let path = request.uri().path();
        // A call that Elasticsearch has a meaning for, which is not to be taken for a message.
        if path.contains("/_") {
            return elastic::no_such_path(request.method().as_str(), path);
        }
        take(&door, peer, Logstash, request).await
    };
    let router = protocols().method_not_allowed_fallback(taken).fallback(taken);
    Server {
        router: router.with_state(Arc::new(door)),
        header_timeout: config.idle_timeout.unwrap_or(IDLE),
        guard,
        proxies: Arc::new(config.trusted_proxies()),
        stop: stop.clone(),
        patience: PATIENCE,
        goes_on: true,
    }
}

/// The routes of all protocols.
fn protocols() -> Router<Arc<Door>> {
    let post = MethodFilter::POST;
    let events = || takes(post, Hec { is_raw: false });
    let lines = || takes(post, Hec { is_raw: true });
    Router::new()
        .route("/v1/logs/ingest", takes(post, Logs))
        .route("/gelf", takes(post, Gelf))
        .route("/loki/api/v1/push", takes(post, Loki))
        .route("/api/prom/push", takes(post, Loki))
        .route("/ready", only(get(loki::ready)))
        .route("/loki/api/v1/status/buildinfo", only(get(loki::build_info)))
        .route("/services/collector", events())
        .route("/services/collector/event", events())
        .route("/services/collector/event/1.0", events())
        .route("/services/collector/raw", lines())
        .route("/services/collector/raw/1.0", lines())
        .route("/services/collector/ack", only(axum::routing::post(hec::acknowledgements)))
        .route("/services/collector/health", only(get(hec::health)))
        .route("/services/collector/health/1.0", only(get(hec::health)))
        .route("/v1/logs", any(otlp_logs))
        .route("/upload", only(axum::routing::post(upload::take)))
        .merge(elastic::routes())
}

/// No other method than these.
fn only(methods: MethodRouter<Arc<Door>>) -> MethodRouter<Arc<Door>> {
    methods.fallback(|State(door): State<Arc<Door>>, ConnectInfo(peer), request| async move {
        wrong_method(&door, peer, Logs, &request)
    })
}

/// Takes logs over OTLP, and answers in the encoding that they come in.
async fn otlp_logs(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let dialect = Otlp::of(&media_type(kind));
    match *request.method() {
        Method::POST => take(&door, peer, dialect, request).await,
        _ => wrong_method(&door, peer, dialect, &request),
    }
}

/// What a `Content-Type` says, in lower case and without parameters.
fn media_type(kind: &[u8]) -> String {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    String::from_utf8_lossy(kind).to_ascii_lowercase()
}

/// The same of a call; empty where there is none.
fn content_type(head: &Parts) -> String {
    let kind = head.headers.get(header::CONTENT_TYPE);
    media_type(kind.map_or(&b""[..], HeaderValue::as_bytes))
}

/// Takes logs that come by these methods in this dialect.
fn takes<D: Dialect>(methods: MethodFilter, dialect: D) -> MethodRouter<Arc<Door>> {
    let wrong = move |State(door): State<Arc<Door>>, ConnectInfo(peer), request| async move {
        wrong_method(&door, peer, dialect, &request)
    };
    let taken = move |State(door): State<Arc<Door>>, ConnectInfo(peer), request| async move {
        take(&door, peer, dialect, request).await
    };
    on(methods, taken).fallback(wrong)
}

async fn take<D: Dialect>(door: &Door, peer: SocketAddr, dialect: D, request: Request) -> Response {
    let mut attempt = Attempt::new(peer.ip(), &request);
    let taken = call::take(door, &mut attempt, dialect, request).await;
    let quota = attempt.quota;
    let mut answer = match taken {
        Ok(answer) => answer,
        Err(problem) => attempt.answer(door, dialect, problem),
    };
    for (name, value) in quota.iter().flat_map(Quota::headers) {
        answer.headers_mut().insert(HeaderName::from_static(name), value.into());
    }
    answer
}

fn wrong_method<D: Dialect>(
    door: &Door,
    peer: SocketAddr,
    dialect: D,
    request: &Request,
) -> Response {
    let attempt = Attempt::new(peer.ip(), request);
    attempt.answer(door, dialect, Problem::method_not_allowed())
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            max_body: 16 * 1024 * 1024,
            max_events: 5000,
            max_message: 256 * 1024,
            body_timeout: Duration::from_secs(30),
            elasticsearch_version: elasticsearch_version(),
        }
    }
}

/// The longest body, where the configuration does not say.
pub(super) fn max_body() -> ByteSize {
    ByteSize::mib(16)
}

/// The version of Elasticsearch that its clients are told, where the configuration does not say:
/// Beats send nothing to one that is older than they are.
pub fn elasticsearch_version() -> String {
    "9.99.0".to_owned()
}

/// How long a connection of a listener may be idle, where its configuration does not say.
const IDLE: Duration = Duration::from_secs(60);

/// The most logs in a call of another protocol: shippers make up their calls by size.
const MAX_LOGS: usize = 100_000;
