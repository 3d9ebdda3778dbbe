//! `/v1/users`: make, list, show, change, remove.
//!
//! Users are those of all projects; whoever owns one of them sees and changes what its members are
//! there. A user as a whole (their password, whether they may sign in, whether they are there at all)
//! is for the owners of project `default`, and for those of the only project where they have a role.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::input::Input;
use super::problem::Problem;
use super::sessions::place;
use crate::audit::Act;
use crate::ingest::now;
use crate::people::{NewUser, Password, PeopleError, Role, UserChange, UserInfo};

/// A new user, with the password that is shown this once where it was made.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    user: UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A new password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The one before: whoever changes their own must have it.
    #[serde(default)]
    old: Option<Password>,
    new: Password,
}

type Id = Result<Path<String>, PathRejection>;

/// Makes a user.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    input: Input,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let new: NewUser = input.json(&api).await?;
    reaches(&api, &allowed, new.roles.keys())?;
    let checked = api.slots.check().await?;
    let create = move |api: &Api| {
        let made = api.people.create(new, now());
        drop(checked);
        made
    };
    let (user, password) = api.change(&allowed, Act::new("user.created", ""), create).await?;
    let password = password.map(|password| password.reveal().to_owned());
    let user = seen_by(&allowed, &user);
    Ok((StatusCode::CREATED, Json(Created { user, password })))
}

/// Lists users, the oldest first: those with a role in the caller's project.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<Json<Value>, Problem> {
    if !allowed.administers() {
        return Err(Problem::other_project());
    }
    let mut users = api.people.users();
    users.retain(|user| is_of(&allowed, user));
    let users: Vec<_> = users.iter().map(|user| seen_by(&allowed, user)).collect();
    Ok(Json(json!({"users": users})))
}

/// Shows one: oneself, or one with a role in the caller's project.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    id: Id,
) -> Result<Json<UserInfo>, Problem> {
    let user = find(&api, &allowed, id)?;
    Ok(Json(if allowed.is(&user.id) { UserInfo::clone(&user) } else { seen_by(&allowed, &user) }))
}

/// Changes one.
pub(super) async fn change(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    id: Id,
    input: Input,
) -> Result<Json<UserInfo>, Problem> {
    let change: UserChange = input.json(&api).await?;
    let user = find(&api, &allowed, id)?;
    reaches(&api, &allowed, change.roles.keys())?;
    let is_of_the_whole = change.name.is_some() || change.disabled.is_some();
    if is_of_the_whole && !allowed.has_whole(&user) {
        return Err(Problem::other_project());
    }
    let event = if change.roles.is_empty() { "user.changed" } else { "user.role_changed" };
    let act = Act::new(event, format!("user/{}", user.id));
    let by = allowed.person().map(|person| person.user.id.clone());
    let change = move |api: &Api| api.people.change(&user.id, change, by.as_deref());
    Ok(Json(seen_by(&allowed, &*api.change(&allowed, act, change).await?)))
}

/// Removes one.
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    id: Id,
) -> Result<Json<UserInfo>, Problem> {
    let user = find(&api, &allowed, id)?;
    if !allowed.has_whole(&user) {
        return Err(Problem::other_project());
    }
    let act = Act::new("user.removed", format!("user/{}", user.id));
    let removed = api.change(&allowed, act, move |api| api.people.remove(&user.id)).await?;
    Ok(Json(seen_by(&allowed, &removed)))
}

/// Sets a password. One's own needs the one before; that of others, to own them as a whole.
pub(super) async fn set_password(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    id: Id,
    input: Input,
) -> Result<Json<UserInfo>, Problem> {
    let NewPassword { old, new } = input.json(&api).await?;
    let user = find(&api, &allowed, id)?;
    let is_own = allowed.is(&user.id);
    let may = is_own || allowed.owns(&api) && allowed.has_whole(&user);
    if !may {
        return Err(Problem::not_an_owner());
    }
    if is_own && old.is_none() {
        let what = "expected your old password beside the new one, but found none";
        return Err(Problem::invalid("invalid_parameter", what).at("old"));
    }
    let place = place(&caller, &headers);
    let checked = api.slots.check().await?;
    let act = Act::new("user.password_changed", format!("user/{}", user.id));
    let set = move |api: &Api| {
        let done = match old.filter(|_| is_own) {
            Some(old) => api.people.check_password(&user.id, &old, &place, now()),
            None => Ok(()),
        };
        let done = done.and_then(|()| api.people.set_password(&user.id, &new, now()));
        drop(checked);
        done.map_err(|error| match error {
            // Who is signed in is known: it is the old password that is wrong, and no more.
            PeopleError::Refused => Problem::wrong_password(),
            error => error.into(),
        })
    };
    let user = api.change(&allowed, act, set).await?;
    Ok(Json(seen_by(&allowed, &user)))
}

/// A user who is the caller's affair. Of others it is not said whether they are there.
fn find(api: &Api, allowed: &Allowed, id: Id) -> Result<Arc<UserInfo>, Problem> {
    let user = api.people.user(&id.map(|Path(id)| id).unwrap_or_default());
    match user {
        Some(user) if allowed.is(&user.id) => Ok(user),
        Some(user) if allowed.administers() && is_of(allowed, &user) => Ok(user),
        None if allowed.governs() => Err(PeopleError::UnknownUser.into()),
        _ => Err(Problem::other_project()),
    }
}

/// Whether a user is one of those whom the caller may know.
fn is_of(allowed: &Allowed, user: &UserInfo) -> bool {
    allowed.governs() || user.role_in(&allowed.project).is_some()
}

/// A user as the caller may know them: what they are elsewhere is the affair of those there.
fn seen_by(allowed: &Allowed, user: &UserInfo) -> UserInfo {
    let sees = |project: &String| allowed.governs() || **project == *allowed.project;
    let roles = user.roles.iter().filter(|(project, _)| sees(project));
    let roles: BTreeMap<String, Role> = roles.map(|(name, role)| (name.clone(), *role)).collect();
    UserInfo { roles, ..user.clone() }
}

/// Sees that roles are in projects that there are, and that are the caller's affair.
fn reaches<'p>(
    api: &Api,
    allowed: &Allowed,
    projects: impl Iterator<Item = &'p String>,
) -> Result<(), Problem> {
    let known = api.gate.projects();
    for project in projects {
        if !allowed.governs() && **project != *allowed.project {
            return Err(Problem::other_project());
        }
        if known.iter().all(|known| known.name != *project) {
            let found: String = project.chars().take(MAX_SHOWN).collect();
            let what = format!("expected the name of a project, but found {found:?}");
            return Err(Problem::invalid("invalid_parameter", what).at("roles"));
        }
    }
    Ok(())
}

/// Characters of a name that a problem repeats.
const MAX_SHOWN: usize = 64;
