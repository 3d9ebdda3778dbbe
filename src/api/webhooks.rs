//! `/v1/webhooks`: make, list, show, remove; try one out, see what is on its way, try again.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::input::Input;
use super::problem::Problem;
use crate::audit::Act;
use crate::gate::{Environment, Scope};
use crate::ship::{self, NewWebhook, Webhook, WebhookError};

/// A new webhook, with the secret that is shown this once.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    webhook: Webhook,
    secret: String,
}

/// A webhook, and how it is doing.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    webhook: Webhook,
    #[serde(flatten)]
    state: ship::State,
}

/// A body that says nothing. It has to be there, and of type JSON: a page of another site in a
/// browser on this machine cannot send one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

type Id = Result<Path<String>, PathRejection>;

/// Makes a webhook of the caller's project.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let new: NewWebhook = input.json(&api).await?;
    let project = new.project.clone().unwrap_or_else(|| allowed.project.to_string());
    if !sees(&allowed, &project) {
        return Err(Problem::other_project());
    }
    let act = Act::new("webhook.created", "");
    let make = move |api: &Api| api.webhooks.create(new, &project);
    let (webhook, secret) = api.change(&allowed, act, make).await?;
    Ok((StatusCode::CREATED, Json(Created { webhook, secret: secret.reveal() })))
}

/// Lists those that the caller may see.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let mut all = api.webhooks.list();
    all.retain(|(webhook, _)| sees(&allowed, &webhook.project));
    let all: Vec<_> = all.into_iter().map(|(webhook, state)| Shown { webhook, state }).collect();
    Ok(Json(json!({"webhooks": all})))
}

/// Shows one.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Json<Shown>, Problem> {
    Ok(Json(find(&api, &caller, id)?))
}

/// Removes one, with all that is on its way to it.
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Json<Webhook>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    let id = find(&api, &caller, id)?.webhook.id;
    let act = Act::new("webhook.removed", format!("webhook/{id}"));
    Ok(Json(api.change(&allowed, act, move |api| api.webhooks.remove(&id)).await?))
}

/// What is on its way to one, or was given up.
pub(super) async fn deliveries(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    let id = find(&api, &caller, id)?.webhook.id;
    let webhooks = Arc::clone(&api.webhooks);
    let found = tokio::task::spawn_blocking(move || webhooks.deliveries(&id)).await;
    let found = found.map_err(|error| Problem::internal(&error))??;
    Ok(Json(json!({"deliveries": found})))
}

/// Calls the receiver of one, now; says whether it took the call, and nothing of what it answered
/// but the status.
pub(super) async fn test(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Id,
    input: Input,
) -> Result<Json<Value>, Problem> {
    let id = find(&api, &caller, id)?.webhook.id;
    let Nothing {} = input.json(&api).await?;
    match api.webhooks.test(&id).await {
        Ok(answer) => Ok(Json(json!({"delivered": answer.is_taken(), "status": answer.status}))),
        Err(WebhookError::Url(error)) => {
            Ok(Json(json!({"delivered": false, "error": error.to_string()})))
        }
        Err(error) => Err(error.into()),
    }
}

/// Tries again what was given up.
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Id,
    input: Input,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let id = find(&api, &caller, id)?.webhook.id;
    let Nothing {} = input.json(&api).await?;
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    api.record(&allowed, Act::new("webhook.retried", format!("webhook/{id}"))).await?;
    let state = api.webhooks.retry(&id)?;
    Ok((StatusCode::ACCEPTED, Json(json!({"retried": state.dead}))))
}

/// A webhook that the caller may see. One of another project is not there.
fn find(api: &Api, caller: &Caller, id: Id) -> Result<Shown, Problem> {
    let allowed = api.allow(caller, Scope::AdminProjects)?;
    // What is no text is no id either.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let found = api.webhooks.show(&id).filter(|(webhook, _)| sees(&allowed, &webhook.project));
    let unknown = || WebhookError::Unknown(id.chars().take(MAX_SHOWN).collect());
    let (webhook, state) = found.ok_or_else(unknown)?;
    Ok(Shown { webhook, state })
}

/// A webhook is told of what happens in production, and is the affair of those who are there.
fn sees(allowed: &Allowed, project: &str) -> bool {
    allowed.sees(project, Environment::Production)
}

/// Characters of an id that a problem repeats.
const MAX_SHOWN: usize = 64;
