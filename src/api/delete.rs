//! `POST /v1/logs/delete`: what a query finds is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::held::Held;
use super::input::Input;
use super::problem::Problem;
use super::query::CancelOnDrop;
use super::request::{Ask, Syntax};
use crate::audit::{Act, Who};
use crate::db::Trouble;
use crate::gate::{GateError, Scope};
use crate::query::{self, DeleteError, Deletion, Request};
use crate::store;

/// What may be deleted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// Never absent: `*` is everything.
    filter: String,
    #[serde(default)]
    syntax: Syntax,
    #[serde(default)]
    from: Value,
    #[serde(default)]
    to: Value,
    /// The caller's own, where it is named.
    project: Option<String>,
    /// Only says how many events that would be.
    #[serde(default)]
    dry_run: bool,
}

/// Deletes events of the caller's project. Answered when they are gone.
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let body: Body = input.json(&api).await?;
    if body.project.as_ref().is_some_and(|project| **project != *allowed.project) {
        return Err(Problem::other_project());
    }
    let Body { filter, syntax, from, to, dry_run, .. } = body;
    if filter.trim().is_empty() {
        let what = "expected a filter, `*` for all events, but found none";
        return Err(Problem::invalid("invalid_query", what));
    }
    let act = Act::new("logs.deleted", format!("project/{}", allowed.project)).new_value(json!({
        "filter": filter, "from": from, "to": to,
    }));
    let shown = filter.clone();
    let ask = Ask { filter, syntax, from, to, ..Ask::default() };
    let request = ask.request(&api, &allowed, Arc::clone(&allowed.project))?;
    let began = Instant::now();
    let deletion = run(&api, request, (!dry_run).then(|| (allowed.who(), act))).await?;
    if !dry_run {
        note(&allowed, &shown, &deletion);
    }
    Ok(Json(json!({
        "deleted": if dry_run { 0 } else { deletion.events },
        "matched": deletion.events,
        "dry_run": dry_run,
        "took_ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "partial": deletion.partial,
        "partial_reasons": deletion.partial_reasons,
    })))
}

/// Runs a deletion when its turn comes, within the memory of questions. Nobody who goes away leaves
/// half of it: it is done whole, or was not begun.
pub(super) async fn run(
    api: &Arc<Api>,
    mut request: Request,
    recorded: Option<(Who, Act)>,
) -> Result<Deletion, Problem> {
    let held = Held::begin(api).await?;
    request.budget.memory = held.memory();
    request.budget.until = Some(Instant::now() + LONGEST);
    let gone = CancelOnDrop(Arc::clone(&request.budget.cancelled));
    let api = Arc::clone(api);
    let done = tokio::task::spawn_blocking(move || {
        let done = match recorded {
            None => query::count_deletion(&api.store, &request),
            Some((who, act)) => delete_on_any_disk(&api, &request, |delete| {
                api.audit.change(who.clone(), act.clone(), delete)
            }),
        };
        drop(held);
        done
    });
    let done = done.await.map_err(|error| Problem::internal(&error))?;
    drop(gone);
    done.map_err(|error| match error {
        DeleteError::Query(error) => error.into(),
        error @ DeleteError::Spent => Problem::conflict("too_much", error),
        DeleteError::NoMemory => Problem::no_memory(),
        // Refused, as a change of the gate is that finds no room.
        DeleteError::Store(store::Error::Db(error)) => GateError::Db(error).into(),
        error => Problem::internal(&error),
    })
}

/// Deletes, on a full disk too: the ballast makes way. Each try is `recorded`.
fn delete_on_any_disk(
    api: &Api,
    request: &Request,
    recorded: impl Fn(&dyn Fn() -> Result<Deletion, DeleteError>) -> Result<Deletion, DeleteError>,
) -> Result<Deletion, DeleteError> {
    let delete = || query::delete(&api.store, request);
    api.store.make_way()?;
    match recorded(&delete) {
        Err(DeleteError::Store(error)) if error.trouble() != Trouble::Fatal => {
            api.store.make_way()?;
            recorded(&delete)
        }
        done => done,
    }
}

/// Leaves a trace of who deleted what. The one place where a deletion is written down.
fn note(allowed: &Allowed, filter: &str, deletion: &Deletion) {
    let (project, key) = (&*allowed.project, &*allowed.reader);
    info!(project, key, filter, events = deletion.events, "events were deleted");
}

/// How long one may take.
const LONGEST: Duration = Duration::from_secs(600);
