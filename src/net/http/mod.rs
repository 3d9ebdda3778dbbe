//! `POST /v1/logs/ingest`: logs over HTTP (SPEC §6).
//!
//! ```text
//!  head ──▶ address, key ──▶ [body] within limits ──▶ ingest.logs ──▶ durable ──▶ 202
//!    └──────────┴───────────────┴───────────────────────┴──▶ [problem], booked and noted
//! ```
//!
//! What is cheap is asked first: a call that the gate refuses costs no byte of its body.
//!
//! # Invariants
//!
//! * *Every call is accounted for*: one that is refused as a whole is one message in the ledger,
//!   blocked or failed, and is noted in a journal.
//! * *202 is durable*: it is sent when all accepted logs are in the synced log.
//! * *Memory is bounded*: a body by `max_body`, compressed and not; all that are being read
//!   together by `MAX_BODIES`; those being inflated by `MAX_INFLATING`.
//! * *A refused client learns nothing* but that it is refused.

mod attempt;
mod body;
mod logs;
mod problem;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderName;
use axum::response::Response;
use axum::routing::post;
use tokio::sync::Semaphore;

use self::attempt::Attempt;
use self::problem::Problem;
use crate::gate::Quota;
use crate::ingest::{Ingest, Listener};

/// Limits of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The longest body, in bytes, as it comes and as it is after decompression. Default: 16 MiB.
    pub max_body: usize,
    /// The most logs in a call. Default: 5000.
    pub max_events: usize,
    /// How long a body may take to arrive. Default: 30s.
    pub body_timeout: Duration,
}

/// What every call needs.
#[derive(Debug)]
struct Door {
    ingest: Arc<Ingest>,
    listener: Arc<Listener>,
    config: HttpConfig,
    /// Memory for bodies that are being read, in KiB.
    memory: Arc<Semaphore>,
    /// Bodies that may be inflated at once.
    inflating: Arc<Semaphore>,
}

/// The routes by which logs come in; `api` has the others, and the answer to unknown paths.
///
/// Served with [`ConnectInfo`] of a [`SocketAddr`]: the address that the gate sees.
pub fn router(ingest: Arc<Ingest>, listener: Arc<Listener>, config: HttpConfig) -> Router {
    let door = Door {
        ingest,
        listener,
        config,
        memory: Arc::new(Semaphore::new(MAX_BODIES / 1024)),
        inflating: Arc::new(Semaphore::new(MAX_INFLATING)),
    };
    Router::new().route(PATH, post(ingest_logs).fallback(wrong_method)).with_state(Arc::new(door))
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { max_body: 16 * 1024 * 1024, max_events: 5000, body_timeout: Duration::from_secs(30) }
    }
}

async fn ingest_logs(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let mut attempt = Attempt::new(peer.ip(), request.method(), request.headers());
    let taken = logs::take(&door, &mut attempt, request).await;
    let quota = attempt.quota;
    let mut answer = match taken {
        Ok(answer) => answer,
        Err(problem) => attempt.answer(&door, problem),
    };
    for (name, value) in quota.iter().flat_map(Quota::headers) {
        answer.headers_mut().insert(HeaderName::from_static(name), value.into());
    }
    answer
}

async fn wrong_method(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let attempt = Attempt::new(peer.ip(), request.method(), request.headers());
    attempt.answer(&door, Problem::method_not_allowed())
}

const PATH: &str = "/v1/logs/ingest";

/// Memory that bodies which are being read may take together, in bytes.
const MAX_BODIES: usize = 128 * 1024 * 1024;

/// Bodies that are inflated at once; others wait.
const MAX_INFLATING: usize = 4;
