//! `/v1/keys`: make, list, show, revoke.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use super::caller::{Allowed, Caller};
use super::input::Input;
use super::problem::Problem;
use crate::audit::Act;
use crate::gate::{GateError, Key, KeyInfo, NewKey, Scope};
use crate::ingest::now;

/// A new key, with the secret that is shown this once.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    info: KeyInfo,
    secret: String,
}

/// Makes a key. It belongs to the caller's project, and has no right that the caller lacks.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let new: NewKey = input.json(&api).await?;
    let lacks = |scope| allowed.key.as_ref().is_some_and(|key| !key.info().scopes.contains(scope));
    if !allowed.sees(&new.project, new.environment) || new.scopes.iter().any(lacks) {
        return Err(Problem::other_project());
    }
    let act = Act::new("api_key.created", "");
    let (info, secret) =
        api.change(&allowed, act, move |api| api.gate.create_key(new, now())).await?;
    let created = Created { info, secret: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Lists keys, the oldest first.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let mut keys = api.gate.keys();
    keys.retain(|key| allowed.sees(&key.project, key.environment));
    Ok(Json(json!({"keys": keys})))
}

/// Shows a key.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<KeyInfo>, Problem> {
    Ok(Json(find(&api, &caller, id)?.1))
}

/// Takes a key back.
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<KeyInfo>, Problem> {
    let (allowed, KeyInfo { id, .. }) = find(&api, &caller, id)?;
    let act = Act::new("api_key.revoked", format!("key/{id}"));
    Ok(Json(api.change(&allowed, act, move |api| api.gate.revoke_key(&id, now())).await?))
}

/// A key that the caller may see. One of another project is not there.
fn find(
    api: &Api,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<(Allowed, KeyInfo), Problem> {
    let allowed = api.allow(caller, Scope::AdminProjects)?;
    // What is no text is no id either.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let own = |key: &Arc<Key>| allowed.sees(key.project(), key.info().environment);
    let key = api.gate.key_by_id(&id).filter(own);
    let unknown = || Problem::from(GateError::UnknownKey(id.chars().take(MAX_SHOWN).collect()));
    let info = key.map(|key| key.info().clone()).ok_or_else(unknown)?;
    Ok((allowed, info))
}

/// Characters of an id that a problem repeats.
const MAX_SHOWN: usize = 64;
