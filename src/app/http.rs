//! The API and the admin port on their sockets.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::build::Parts;
use super::run::Keeping;
use super::serve::{Limits, serve};
use crate::admin::{self, Admin, Readiness};
use crate::api::{self, Api, Health, Reload, Reloads};
use crate::config::Config;
use crate::net::http::{self, HttpConfig, PATIENCE};
use crate::parse::TrustedProxies;

/// Serves both until the stop; calls that are under way then end. Returns where the
/// configuration is asked to be read again.
pub(super) fn serve_all(
    parts: &Parts,
    config: &Config,
    [api_socket, admin_socket]: [TcpListener; 2],
    readiness: &Readiness,
    keeping: &Keeping,
) -> mpsc::Receiver<Reload> {
    let (started, stop) = (Instant::now(), &keeping.stop);
    let door = HttpConfig {
        max_body: usize::try_from(config.api.max_body.as_u64()).unwrap_or(usize::MAX),
        max_events: config.api.max_events,
        body_timeout: config.api.body_timeout,
        elasticsearch_version: config.api.elasticsearch_version.clone(),
        ..HttpConfig::default()
    };
    let logs = http::router(Arc::clone(&parts.ingest), Arc::clone(&parts.http), door)
        .layer(from_fn_with_state(keeping.tasks.clone(), go_on));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (reloads, asked) = Reloads::channel();
    let below = api::Parts {
        ingest: Arc::clone(&parts.ingest),
        store: Arc::clone(&parts.store),
        audit: Arc::clone(&parts.audit),
        people: Arc::clone(&parts.people),
        webhooks: Arc::clone(&parts.webhooks),
        reloads,
    };
    let api = Api::new(
        below,
        config.api.clone(),
        parts.cursor_key,
        Health::new(started, workers, problems(parts, readiness)),
        stop.clone(),
    );
    let limits = Limits {
        max_connections: config.api.max_connections,
        header_timeout: config.api.header_timeout,
        patience: PATIENCE,
        proxies: config.api.trusted_proxies(),
    };
    let guard = Some(Arc::clone(parts.ingest.gate()));
    let router = api::router(Arc::new(api)).merge(logs);
    keeping.spawn("api", serve(api_socket, router, limits, guard, stop.clone()));

    let admin = Admin::new(
        Arc::clone(&parts.ingest),
        Arc::clone(&parts.store),
        Arc::clone(&parts.room),
        parts.page.clone(),
        readiness.clone(),
        started,
    );
    let router = admin::router(Arc::new(admin));
    keeping.spawn("admin", serve(admin_socket, router, admin_limits(), None, stop.clone()));
    asked
}

/// What health says that is wrong.
fn problems(parts: &Parts, readiness: &Readiness) -> impl Fn() -> Vec<String> + use<> {
    let (waiting, kept) = (readiness.clone(), Arc::clone(&parts.store));
    let memory = Arc::clone(parts.ingest.memory());
    move || {
        let short = memory.is_short().then(|| "senders wait for memory".to_owned());
        [waiting.reasons(), kept.missing(), short.into_iter().collect()].concat()
    }
}

/// Lets a call go on whose client has closed its side: some that ship logs do not wait for an answer.
/// One that only asks something ends instead: nobody wants the answer any longer.
async fn go_on(State(tasks): State<TaskTracker>, request: Request, next: Next) -> Response {
    match tasks.spawn(next.run(request)).await {
        Ok(answer) => answer,
        // As if it had been done here: the connection ends.
        Err(error) => resume_unwind(Box::new(error.to_string())),
    }
}

/// Limits of the admin port: a few scrapers and probes.
fn admin_limits() -> Limits {
    let header_timeout = Duration::from_secs(10);
    let proxies = TrustedProxies::default();
    Limits { max_connections: 64, header_timeout, patience: PATIENCE, proxies }
}
