//! `GET /v1/audit`: who changed what.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::error;

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::held::Held;
use super::input::Params;
use super::journals::names;
use super::pipe::Pipe;
use super::problem::Problem;
use crate::audit::{Act, AuditError, BundleError, Extent, Filter, Rows};
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
    format: Format,
}

/// How entries are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// A page of them.
    #[default]
    Json,
    /// All of them, for a spreadsheet.
    Csv,
}

/// What of the log may be taken away.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Part {
    from: Option<String>,
    to: Option<String>,
    /// The entries of a checkpoint that somebody kept.
    anchor: Option<u64>,
}

/// Lists entries, the newest first.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<Search>,
) -> Result<Response, Problem> {
    let allowed = api.allow(&caller, Scope::ReadAudit)?;
    allowed.of_the_daemon()?;
    if search.format == Format::Csv {
        return export(&api, &allowed, &search).await;
    }
    let limit = search.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let what = format!("expected 1 to {MAX_LIMIT} entries, but found {limit}");
        return Err(Problem::invalid("invalid_parameter", what).at("limit"));
    }
    let before = search.cursor.as_deref().map(cursor).transpose()?;
    let filter = search.filter()?;
    let held = Held::begin(&api).await?;
    let page = read(&api, move |api| api.audit.page(&filter, before, limit)).await?;
    let next = page.next.map(|next| next.to_string());
    let count = page.entries.len();
    let page = json!({"entries": page.entries, "meta": {"count": count, "next_cursor": next}});
    let answer = Json(page).into_response();
    held.leave();
    Ok(answer)
}

/// All entries that are looked for, the newest first, as they are found.
async fn export(api: &Arc<Api>, allowed: &Allowed, search: &Search) -> Result<Response, Problem> {
    if search.limit.is_some() || search.cursor.is_some() {
        let what = "expected neither limit nor cursor with format csv, but found one";
        return Err(Problem::invalid("invalid_parameter", what).at("limit"));
    }
    let (filter, asked) = (search.filter()?, search.to_json());
    let act =
        Act::new("audit.exported", "audit").new_value(json!({"format": "csv", "asked": asked}));
    let held = Held::without_turn(api)?;
    api.record(allowed, act).await?;
    let (pipe, body) = Pipe::new();
    let api = Arc::clone(api);
    tokio::task::spawn_blocking(move || {
        let _until_it_is_read = held;
        let Ok(mut rows) = Rows::new(pipe) else { return };
        let mut before = None;
        let read = loop {
            let page = match api.audit.page(&filter, before, MAX_LIMIT) {
                Ok(page) => page,
                Err(error) => break Err(error),
            };
            if page.entries.iter().any(|entry| rows.add(entry).is_err()) {
                return; // nobody reads it any longer
            }
            before = page.next;
            if before.is_none() {
                break Ok(());
            }
        };
        if let (Ok(pipe), Err(error)) = (rows.finish(), read) {
            error!(%error, "an export of the audit log ended early");
            pipe.fail(&"the log cannot be read");
        }
    });
    let name = "attachment; filename=\"audit.csv\"";
    let head =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, name)];
    Ok((head, body).into_response())
}

/// A part of the log that proves itself.
pub(super) async fn bundle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(part): Params<Part>,
) -> Result<Response, Problem> {
    let allowed = api.allow(&caller, Scope::ReadAudit)?;
    allowed.of_the_daemon()?;
    let time =
        |text: &Option<String>| text.as_deref().map(|text| parse_time(text, now())).transpose();
    let extent = Extent { from: time(&part.from)?, to: time(&part.to)?, anchor: part.anchor };
    let size = read(&api, |api| api.audit.size()).await?;
    if extent.anchor.is_some_and(|anchor| anchor > size) {
        let what = format!("expected an anchor of at most {size} entries, but found more");
        return Err(Problem::invalid("invalid_parameter", what).at("anchor"));
    }
    let asked = json!({"format": "bundle", "from": part.from, "to": part.to});
    let held = Held::without_turn(&api)?;
    api.record(&allowed, Act::new("audit.exported", "audit").new_value(asked)).await?;
    let (mut pipe, body) = Pipe::new();
    tokio::task::spawn_blocking(move || {
        let _until_it_is_read = held;
        match api.audit.bundle(&extent, &mut pipe, now()) {
            Ok(()) | Err(BundleError::Io(_)) => {}
            Err(error) => {
                error!(%error, "a bundle of the audit log ended early");
                pipe.fail(&"the log cannot be read");
            }
        }
    });
    let name = "attachment; filename=\"audit.tar\"";
    let head = [(header::CONTENT_TYPE, "application/x-tar"), (header::CONTENT_DISPOSITION, name)];
    Ok((head, body).into_response())
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
    /// What was asked, for the record.
    fn to_json(&self) -> Value {
        let Self { actor, event, resource, address, from, to, .. } = self;
        json!({
            "actor": actor, "event": event, "resource": resource, "address": address,
            "from": from, "to": to,
        })
    }

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
