//! `GET /v1/health`.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;

/// What the daemon knows of its state.
pub struct Health {
    started: Instant,
    workers: usize,
    problems: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl Health {
    /// A daemon that started then, with so many threads; `problems` names what is wrong at the
    /// moment, without secrets and paths.
    pub fn new(
        started: Instant,
        workers: usize,
        problems: impl Fn() -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        Self { started, workers, problems: Box::new(problems) }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// Says how the daemon is; needs no key, for balancers and probes.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Json<Value> {
    let mut problems = (api.health.problems)();
    let received: u64 =
        api.ingest.ledger().listeners().iter().map(|(_, counts)| counts.received).sum();
    let usage = api.store.usage();
    problems.extend(usage.damage());
    problems.extend(api.store.salvaged());
    Json(json!({
        "status": if problems.is_empty() { "healthy" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": api.health.started.elapsed().as_secs(),
        "workers": api.health.workers,
        "ingestion_rps": api.rate.per_second(received, Instant::now()),
        "store": {
            "staged_events": usage.staged_rows,
            "segments": usage.segments,
            "segment_events": usage.segment_rows,
            "segment_bytes": usage.segment_bytes,
            "quarantined_segments": usage.quarantined_segments,
        },
        "problems": problems,
    }))
}
