//! `/v1/projects` and `/v1/organizations`: make, list, show, change, delete.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::allowed::Allowed;
use super::delete;
use super::input::{Input, Params};
use super::problem::Problem;
use super::request::Ask;
use crate::audit::Act;
use crate::gate::{NewPlace, OrganizationInfo, ProjectInfo};
use crate::ingest::now;
use crate::query::Request;
use crate::time::Timestamp;

/// A project, and how many keys it has that were not revoked.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    project: ProjectInfo,
    keys: usize,
}

/// How a project is to be deleted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deletion {
    /// With its keys, which are revoked, and its logs.
    force: bool,
}

/// Lists the projects that the caller may see.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
) -> Json<Value> {
    let mut projects = api.gate.projects();
    projects.retain(|project| sees(&allowed, &project.name));
    let projects: Vec<_> = projects.into_iter().map(|project| Shown::new(&api, project)).collect();
    Json(json!({"projects": projects}))
}

/// Shows one.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Shown>, Problem> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let mut projects = api.gate.projects();
    projects.retain(|project| project.name == name && sees(&allowed, &name));
    let project = projects.pop().ok_or_else(unknown)?;
    Ok(Json(Shown::new(&api, project)))
}

/// Makes one.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    input: Input,
) -> Result<(StatusCode, Json<ProjectInfo>), Problem> {
    let new: NewPlace = input.json(&api).await?;
    let act = Act::new("project.created", "");
    let made = api.change(&allowed, act, move |api| api.gate.create_project(new, now())).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Changes what is said of one. Its name stays: its events are kept under it.
pub(super) async fn change(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    name: Result<Path<String>, PathRejection>,
    input: Input,
) -> Result<Json<ProjectInfo>, Problem> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let mut change: NewPlace = input.json(&api).await?;
    if !change.name.is_empty() && change.name != name {
        let what = "expected the name that the project has, but found another";
        return Err(Problem::invalid("invalid_parameter", what).at("name"));
    }
    change.name = name;
    let act = Act::new("project.changed", "");
    let changed = api.change(&allowed, act, move |api| api.gate.change_project(change, now()));
    Ok(Json(changed.await?))
}

/// Takes one away: where it has keys or logs only if that is asked for in so many words.
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    name: Result<Path<String>, PathRejection>,
    Params(Deletion { force }): Params<Deletion>,
) -> Result<Json<Value>, Problem> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let project = api.gate.projects().into_iter().find(|project| project.name == name);
    let project = project.ok_or_else(unknown)?;
    if name == allowed.project.as_ref() {
        let what = "expected another project than the caller's own, but found that";
        return Err(Problem::conflict("in_use", what));
    }
    let keys: Vec<_> = keys_of(&api, &name).collect();
    let found = delete::run(&api, everything(&api, &allowed, &name)?, None).await?;
    if !force && (!keys.is_empty() || found.events > 0) {
        let what = "expected a project without keys and logs, or force=true, but found some";
        let problem = Problem::conflict("in_use", what);
        return Err(problem.with("keys", keys.len()).with("logs", found.events));
    }
    for id in &keys {
        let (act, id) = (Act::new("api_key.revoked", format!("key/{id}")), id.clone());
        api.change(&allowed, act, move |api| api.gate.revoke_key(&id, now())).await?;
    }
    if found.events > 0 {
        let act = Act::new("logs.deleted", format!("project/{name}")).new_value("*");
        let all = everything(&api, &allowed, &name)?;
        delete::run(&api, all, Some((allowed.who(), act))).await?;
    }
    let (act, gone) = (Act::new("user.role_changed", ""), project.name.clone());
    api.change(&allowed, act, move |api| api.people.forget_project(&gone)).await?;
    let act = Act::new("project.deleted", "");
    let gone = project.name.clone();
    // The caller's own session may have ended with a role of theirs there.
    let delete = move |api: &Api| api.gate.delete_project(&gone, now());
    api.change_by(allowed.who(), act, delete).await?;
    Ok(Json(json!({"project": project, "keys_revoked": keys.len(), "logs_deleted": found.events})))
}

/// Lists organizations.
pub(super) async fn list_organizations(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(json!({"organizations": api.gate.organizations()}))
}

/// Makes one.
pub(super) async fn create_organization(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    input: Input,
) -> Result<(StatusCode, Json<OrganizationInfo>), Problem> {
    let new: NewPlace = input.json(&api).await?;
    let act = Act::new("organization.created", "");
    let create = move |api: &Api| api.gate.create_organization(new, now());
    Ok((StatusCode::CREATED, Json(api.change(&allowed, act, create).await?)))
}

/// Takes one away that has no projects.
pub(super) async fn remove_organization(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<OrganizationInfo>, Problem> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let act = Act::new("organization.deleted", "");
    Ok(Json(api.change(&allowed, act, move |api| api.gate.delete_organization(&name)).await?))
}

impl Shown {
    fn new(api: &Api, project: ProjectInfo) -> Self {
        let keys = keys_of(api, &project.name).count();
        Self { project, keys }
    }
}

/// The ids of a project's keys that were not revoked.
fn keys_of<'a>(api: &Api, name: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let own = move |key: &crate::gate::KeyInfo| key.project == name && key.revoked_at.is_none();
    api.gate.keys().into_iter().filter(own).map(|key| key.id)
}

/// All events of a project.
fn everything(api: &Api, allowed: &Allowed, name: &str) -> Result<Request, Problem> {
    let ask = Ask { filter: "*".to_owned(), ..Ask::default() };
    let mut request = ask.request(api, allowed, name.into())?;
    (request.from, request.to) = (Timestamp::MIN, Timestamp::MAX);
    Ok(request)
}

fn sees(allowed: &Allowed, name: &str) -> bool {
    allowed.governs() || *allowed.project == *name
}

fn unknown() -> Problem {
    Problem::not_found("expected the name of a project, but found another")
}
