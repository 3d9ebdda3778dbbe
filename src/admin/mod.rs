//! The admin port (SPEC §12): health and metrics. Nothing here changes anything or names a secret.
//!
//! | path       | says                                                                         |
//! |------------|------------------------------------------------------------------------------|
//! | `/livez`   | `200`: the process answers                                                   |
//! | `/readyz`  | `200`, or `503` and what it waits for                                        |
//! | `/health`  | both as JSON, with what is stored                                            |
//! | `/metrics` | Prometheus's text format                                                     |

mod config;
mod health;
mod memory;
mod metrics;
mod readiness;
#[cfg(test)]
mod tests;

pub use self::config::Config;
pub use self::readiness::{Latch, Readiness};

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::batch::Room;
use crate::ingest::Ingest;
use crate::metrics::Page;
use crate::store::Store;

/// What is told here.
#[derive(Debug)]
pub struct Admin {
    ingest: Arc<Ingest>,
    store: Arc<Store>,
    room: Arc<Room>,
    page: Page,
    readiness: Readiness,
    started: Instant,
}

impl Admin {
    /// Tells of a daemon that started then; `page` is that of the ledger of `ingest`.
    pub fn new(
        ingest: Arc<Ingest>,
        store: Arc<Store>,
        room: Arc<Room>,
        page: Page,
        readiness: Readiness,
        started: Instant,
    ) -> Self {
        Self { ingest, store, room, page, readiness, started }
    }
}

/// All routes.
pub fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .fallback(async || {
            (StatusCode::NOT_FOUND, "expected /livez, /readyz, /health or /metrics\n")
        })
        .with_state(admin)
}
