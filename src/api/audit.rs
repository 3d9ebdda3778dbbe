//! `GET /v1/audit`: who changed what.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::caller::Caller;
use super::input::Params;
use super::journals::names;
use super::problem::Problem;
use crate::audit::{AuditError, Filter};
use crate::gate::{Scope, parse_net};
use crate::ingest::now;
use crate::kql::parse_time;
use crate::time::Timestamp;

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Search {
    actor: Option<String>,
    /// Patterns with commas between them.
    event: Option<String>,
    resource: Option<String>,
    /// An address or a network.
    address: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists entries, the newest first.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<Search>,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::ReadAudit)?.of_the_daemon()?;
    let limit = search.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let what = format!("expected 1 to {MAX_LIMIT} entries, but found {limit}");
        return Err(Problem::invalid("invalid_parameter", what).at("limit"));
    }
    let before = search.cursor.as_deref().map(cursor).transpose()?;
    let filter = search.filter()?;
    let page = read(&api, move |api| api.audit.page(&filter, before, limit)).await?;
    let next = page.next.map(|next| next.to_string());
    let count = page.entries.len();
    Ok(Json(json!({"entries": page.entries, "meta": {"count": count, "next_cursor": next}})))
}

/// The public key of the log.
pub(super) async fn key(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::ReadAudit)?.of_the_daemon()?;
    let keys = read(&api, |api| Ok(api.audit.public_keys()?)).await?;
    Ok(Json(json!({"key": api.audit.public_key().to_string(), "keys": keys})))
}

/// A signed checkpoint of all entries, to be kept elsewhere.
pub(super) async fn checkpoint(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    api.allow(&caller, Scope::ReadAudit)?.of_the_daemon()?;
    let note = read(&api, |api| api.audit.checkpoint()).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

impl Search {
    fn filter(&self) -> Result<Filter, Problem> {
        let at = now();
        let time = |text: &Option<String>| -> Result<Option<Timestamp>, Problem> {
            Ok(text.as_deref().map(|text| parse_time(text, at)).transpose()?)
        };
        let net = |text: &String| {
            let what = format!("expected an address or a network, but found {text:?}");
            let wrong = || Problem::invalid("invalid_parameter", what).at("address");
            parse_net(text).ok_or_else(wrong)
        };
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Filter {
            actor: filled(&self.actor),
            events: self.event.as_deref().map(names).unwrap_or_default(),
            resource: filled(&self.resource),
            address: filled(&self.address).as_ref().map(net).transpose()?,
            from: time(&filled(&self.from))?,
            to: time(&filled(&self.to))?,
        })
    }
}

fn cursor(text: &str) -> Result<u64, Problem> {
    let wrong = |_| {
        let what = "expected a cursor of an earlier answer, but found something else";
        Problem::invalid("invalid_cursor", what).at("cursor")
    };
    text.parse().map_err(wrong)
}

/// Reads the log where it may wait for the disk.
async fn read<T: Send + 'static>(
    api: &Arc<Api>,
    read: impl FnOnce(&Api) -> Result<T, AuditError> + Send + 'static,
) -> Result<T, Problem> {
    let api = Arc::clone(api);
    let done = tokio::task::spawn_blocking(move || read(&api)).await;
    Ok(done.map_err(|error| Problem::internal(&error))??)
}

/// Entries of an answer, unless said otherwise.
const DEFAULT_LIMIT: usize = 100;

/// Entries of an answer at most.
const MAX_LIMIT: usize = 1000;
