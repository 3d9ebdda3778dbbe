//! The REST API (SPEC §6), but for the intake of logs, which is a door of its own.
//!
//! ```text
//!  [watch]: address ─▶ key ─▶ route ─▶ scope, project ─▶ body ─▶ store or gate ─▶ answer
//!     └── notes what failed ◀── [problem] ◀──┴──────────────┴───────────┘
//! ```
//!
//! # Invariants
//!
//! * *Every call is in one table* (`routes`), which says what it needs; the guard that holds it
//!   stands in front of each.
//! * *A key's project is the wall*: every query is asked of it, whatever its body says. What is
//!   of the whole daemon (lists, settings, keys and journals of other projects) is for project
//!   `default` alone.
//! * *Every change is recorded* before it is answered: who changes something does so in
//!   `Api::change`, and what is no change and yet to be known, such as an export, in `Api::record`.
//! * *A key's environment is a wall within it*: a query finds what keys of its own wrote.
//! * *A person is let in where a key is*: who calls is one thing (`caller`), what they may is
//!   another (`allowed`), and calls know only that.
//! * *Every failure is a problem* (RFC 9457) with a stable `code`, and is noted in a journal.
//! * *Queries are bounded*: in number, in time, in the rows of an answer, and in memory, of which they
//!   have what senders leave (`held`).
//! * *A 500 says nothing but an id*: what happened is in the log under that id.
//!
//! # Known quirks
//!
//! Without a key a caller on this machine may do anything, where the configuration lets loopback
//! in. A web page in a browser on this machine is not such a caller: its requests name another
//! `Host` or `Origin`, or say that they are of another site.

mod allowed;
mod asked;
mod audit;
mod audited;
mod backup;
mod body;
mod caller;
mod config;
mod context;
mod csv;
mod delete;
mod doctor;
mod export;
mod facets;
mod health;
mod held;
mod histogram;
mod input;
mod journals;
mod keys;
mod lists;
mod openapi;
mod parse;
mod patterns;
mod pipe;
mod prescription;
mod problem;
mod projects;
mod quarantine;
mod query;
mod rate;
mod reload;
mod request;
mod route;
mod routes;
mod rules;
mod senders;
mod sessions;
mod settings;
mod slots;
mod stats;
mod streamed;
mod tail;
#[cfg(test)]
mod tests;
mod threads;
mod users;
mod versioned;
mod wall;
mod watch;
mod webhooks;

pub use self::config::Config;
pub use self::health::Health;
pub use self::reload::{Reload, Reloads};

use std::sync::Arc;

use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;

use self::rate::Rate;
use self::slots::Slots;
use crate::audit::Audit;
use crate::gate::Gate;
use crate::ingest::Ingest;
use crate::people::People;
use crate::query::{CursorKey, Memory, Workers};
use crate::ship::Webhooks;
use crate::store::Store;

/// What every call needs.
#[derive(Debug)]
pub struct Api {
    ingest: Arc<Ingest>,
    store: Arc<Store>,
    gate: Arc<Gate>,
    audit: Arc<Audit>,
    people: Arc<People>,
    config: Config,
    cursor_key: CursorKey,
    health: Health,
    /// Ends what goes on for ever.
    stop: CancellationToken,
    slots: Slots,
    /// Threads and memory for all queries.
    workers: Arc<Workers>,
    threads: threads::Threads,
    memory: Arc<Memory>,
    rate: Rate,
    webhooks: Arc<Webhooks>,
    refused: audited::Refused,
    reloads: Reloads,
    /// Held while something that has a tag is changed.
    changing: tokio::sync::Mutex<()>,
    /// Held while settings are changed.
    settings: tokio::sync::Mutex<()>,
}

/// What the API is over.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What messages go through.
    pub ingest: Arc<Ingest>,
    /// Where events are.
    pub store: Arc<Store>,
    /// The record of changes.
    pub audit: Arc<Audit>,
    /// Who may sign in, and who is.
    pub people: Arc<People>,
    /// Receivers that are told of events.
    pub webhooks: Arc<Webhooks>,
    /// Where the configuration is asked to be read again.
    pub reloads: Reloads,
}

impl Api {
    /// The API over `parts` and the gate of `ingest`; `stop` ends live tails.
    pub fn new(
        parts: Parts,
        config: Config,
        cursor_key: CursorKey,
        health: Health,
        stop: CancellationToken,
    ) -> Self {
        let Parts { ingest, store, audit, people, webhooks, reloads } = parts;
        let gate = Arc::clone(ingest.gate());
        let (checks, shared) = (people.max_checks(), ingest.memory().size());
        let slots = Slots::new(&config, checks, shared, &ingest.gauges().queries);
        let workers = Arc::new(Workers::new(config.query_helpers()));
        let shared = Arc::clone(ingest.memory());
        let memory = Arc::new(Memory::within(config.query_memory_bytes(), shared));
        let refused = audited::Refused::default();
        Self {
            ingest,
            store,
            gate,
            audit,
            people,
            config,
            cursor_key,
            health,
            stop,
            slots,
            workers,
            threads: threads::Threads::default(),
            memory,
            rate: Rate::default(),
            changing: tokio::sync::Mutex::default(),
            settings: tokio::sync::Mutex::default(),
            webhooks,
            refused,
            reloads,
        }
    }
}

/// All calls of the API. Served with `ConnectInfo` of a `SocketAddr`: the address that the gate sees.
pub fn router(api: Arc<Api>) -> Router {
    let watch = middleware::from_fn_with_state(Arc::clone(&api), watch::watch);
    let add = |router, route: route::Route| route.add_to(router, &api);
    let router = routes::routes().into_iter().fold(Router::new(), add);
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(watch)
        .with_state(api)
}
