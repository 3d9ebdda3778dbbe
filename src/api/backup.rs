//! `/v1/backup`: a checkpoint of the store that somebody on this machine copies.
//!
//! The daemon writes nothing outside of its data folder: whoever makes a backup reads the
//! checkpoint there, as the user that owns the folder, and takes it away again.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::caller::Caller;
use super::input::Input;
use super::problem::Problem;
use crate::audit::Act;
use crate::gate::Scope;
use crate::store::{CHECKPOINT_LEASE, Error};

/// What may be asked: nothing yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {}

/// Makes a checkpoint of all that was acknowledged.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<(StatusCode, Json<Value>), Problem> {
    // It has the events of all projects in it.
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let Body {} = input.json(&api).await?;
    if api.ingest.is_held() {
        return Err(Problem::no_room());
    }
    let own = Arc::clone(&api);
    let made = tokio::task::spawn_blocking(move || own.store.checkpoint()).await;
    let made = match made.map_err(|error| Problem::internal(&error))? {
        Err(error @ Error::CheckpointHeld) => return Err(Problem::conflict("busy", error)),
        made => made?,
    };
    let act = Act::new("backup.begun", format!("backup/{}", made.id));
    if let Err(problem) = api.record(&allowed, act).await {
        let own = Arc::clone(&api);
        tokio::task::spawn_blocking(move || own.store.drop_checkpoint(&made.id)).await.ok();
        return Err(problem);
    }
    let lease = CHECKPOINT_LEASE.as_secs();
    let made = json!({"id": made.id, "path": made.path, "lease_seconds": lease});
    Ok((StatusCode::CREATED, Json(made)))
}

/// Keeps a checkpoint for as long again.
pub(super) async fn keep(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    input: Input,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::AdminProjects)?.of_the_daemon()?;
    let Body {} = input.json(&api).await?;
    let id = id.map(|Path(id)| id).unwrap_or_default();
    match api.store.keep_checkpoint(&id) {
        true => Ok(Json(json!({"id": id, "lease_seconds": CHECKPOINT_LEASE.as_secs()}))),
        false => Err(unknown()),
    }
}

/// Takes a checkpoint away.
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let (own, held) = (Arc::clone(&api), id.clone());
    let gone = tokio::task::spawn_blocking(move || own.store.drop_checkpoint(&held)).await;
    match gone.map_err(|error| Problem::internal(&error))? {
        true => {
            api.record(&allowed, Act::new("backup.ended", format!("backup/{id}"))).await?;
            Ok(Json(json!({"id": id})))
        }
        false => Err(unknown()),
    }
}

fn unknown() -> Problem {
    Problem::not_found("expected a checkpoint that is there, but found none of that id")
}
