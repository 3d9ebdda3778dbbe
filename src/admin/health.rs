//! `/readyz` and `/health`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Admin;

/// Whether to send work here.
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    let reasons = admin.readiness.reasons();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", reasons.join("; ")))
}

/// How it is.
pub(super) async fn health(State(admin): State<Arc<Admin>>) -> (StatusCode, Json<Value>) {
    let mut problems = admin.readiness.reasons();
    let (usage, room) = (admin.store.usage(), admin.room.status());
    // Old damage is no reason to send new work elsewhere.
    let status = match problems.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    problems.extend(usage.damage());
    problems.extend(admin.store.missing());
    problems.extend(admin.ingest.memory().is_short().then(|| SHORT.to_owned()));
    problems.extend(admin.store.salvaged());
    let body = json!({
        "status": if problems.is_empty() { "healthy" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": admin.started.elapsed().as_secs(),
        "store": {
            "is_new": admin.store.db().is_new(),
            "missing_batches": admin.store.missing_batches(),
            "staged_batches": usage.staged_batches,
            "staged_events": usage.staged_rows,
            "staged_bytes": usage.staged_bytes,
            "segments": usage.segments,
            "segment_events": usage.segment_rows,
            "segment_bytes": usage.segment_bytes,
            "quarantined_segments": usage.quarantined_segments,
        },
        "disk": {
            "free_bytes": room.space.free,
            "total_bytes": room.space.total,
            "min_free_bytes": room.floor,
            "held": room.held,
        },
        "problems": problems,
    });
    (status, Json(body))
}

/// Said while senders wait for memory, and for long.
const SHORT: &str = "senders wait for memory (memory.limit)";
