//! `/v1/keys`: make, list, show, rotate, revoke.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::input::{Input, Params};
use super::problem::Problem;
use crate::audit::Act;
use crate::gate::{GateError, Key, KeyInfo, NewKey, Rotation, Scope, Scopes, Tier};
use crate::ingest::now;
use crate::kql;
use crate::time::Timestamp;

/// A new key, with the secret that is shown this once.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    info: KeyInfo,
    secret: String,
}

/// A key, and when it was used.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    info: KeyInfo,
    first_used: Option<String>,
    last_used: Option<String>,
}

/// A time to be asked about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Span {
    from: Option<String>,
    to: Option<String>,
}

/// How a key is to be rotated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    id: String,
    /// How long the old secret works too. Default: 24h.
    #[serde(default, with = "humantime_serde")]
    grace: Option<Duration>,
    /// How long the new one is good for. Default: as long as the old one was.
    #[serde(default, with = "humantime_serde")]
    lifetime: Option<Duration>,
    /// Also while the grace of another rotation runs.
    #[serde(default)]
    force: bool,
}

/// Makes a key. It belongs to the caller's project, and has no right that the caller may not give.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let new: NewKey = input.json(&api).await?;
    if !allowed.sees(&new.project, new.environment) || !has_all(&allowed, new.scopes) {
        return Err(Problem::other_project());
    }
    // What a tier allows is a right too.
    let own_tier = allowed.key().map(|key| key.info().tier);
    if !allowed.governs() && new.tier != Tier::default() && own_tier != Some(new.tier) {
        return Err(Problem::other_project());
    }
    if let Some(id) = &new.auto_rotate {
        let webhook = api.webhooks.show(id).filter(|(webhook, _)| webhook.project == new.project);
        if webhook.is_none_or(|(webhook, _)| !webhook.url.starts_with("https://")) {
            let what = "expected a webhook of the key's project, with https, but found none";
            return Err(Problem::invalid("invalid_parameter", what).at("auto_rotate"));
        }
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
    let keys: Vec<_> = keys.into_iter().map(|key| Shown::new(&api, key)).collect();
    Ok(Json(json!({"keys": keys})))
}

/// Shows a key.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Shown>, Problem> {
    Ok(Json(Shown::new(&api, find(&api, &caller, id)?.1)))
}

/// Shows what a key was used for, by hour.
pub(super) async fn usage(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    Params(Span { from, to }): Params<Span>,
) -> Result<Json<Value>, Problem> {
    let id = find(&api, &caller, id)?.1.id;
    let at = now();
    let time = |name, text: &str| kql::parse_time(text, at).map_err(|e| Problem::from(e).at(name));
    let from = time("from", from.as_deref().unwrap_or("-24h"))?;
    let to = time("to", to.as_deref().unwrap_or("now"))?;
    let read = Arc::clone(&api);
    let of_key = id.clone();
    let hours = move || read.gate.hours_of_use(&of_key, from, to);
    let hours = tokio::task::spawn_blocking(hours).await;
    let hours = hours.map_err(|error| Problem::internal(&error))??;
    let used = api.gate.used(&id);
    let (from, to) = (from.to_string(), to.to_string());
    Ok(Json(json!({"id": id, "from": from, "to": to, "since_it_was_made": used, "hours": hours})))
}

/// Gives a key a new secret. The old one works too for a while.
pub(super) async fn rotate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<Created>, Problem> {
    api.allow(&caller, Scope::AdminProjects)?;
    let Rotate { id, grace, lifetime, force } = input.json(&api).await?;
    let (allowed, old) = find(&api, &caller, Ok(Path(id)))?;
    // Whoever gets a secret has all the rights of its key.
    if !has_all(&allowed, old.scopes) {
        return Err(Problem::other_project());
    }
    let rotation =
        Rotation { replaces: Some(old.masked), grace, lifetime, force, hand_over: false };
    let act = Act::new("api_key.rotated", format!("key/{}", old.id));
    let rotate = move |api: &Api| api.gate.rotate_key(&old.id, &rotation, now());
    let (info, secret) = api.change(&allowed, act, rotate).await?;
    Ok(Json(Created { info, secret: secret.reveal().to_owned() }))
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

impl Shown {
    fn new(api: &Api, info: KeyInfo) -> Self {
        let used = api.gate.used(&info.id);
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self { info, first_used: text(used.first_used), last_used: text(used.last_used) }
    }
}

/// Whether the caller may let a key have these rights.
fn has_all(allowed: &Allowed, scopes: Scopes) -> bool {
    scopes.iter().all(|scope| allowed.may_give(scope))
}

/// Characters of an id that a problem repeats.
const MAX_SHOWN: usize = 64;
