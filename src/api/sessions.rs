//! `/v1/sessions`: sign in, go on, list, sign out.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::allowed::{Allowed, who};
use super::caller::Caller;
use super::input::{Input, Params};
use super::problem::Problem;
use crate::audit::{Act, Who};
use crate::ingest::{now, only_project};
use crate::journal::{Actor, Visit, shown as shown_text};
use crate::people::{Email, Granted, Password, PeopleError, Person, Place, SessionInfo, UserInfo};

/// Who somebody says they are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    email: String,
    password: Password,
}

/// What goes on with a session.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    refresh_token: String,
}

/// Whose sessions are to be listed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Whose {
    /// The id of a user. Default: one's own; of a key's, all that it may see.
    user: Option<String>,
}

/// A session, and whose it is.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    session: SessionInfo,
    email: Option<String>,
    /// Whether it is the one that asks.
    is_current: bool,
}

/// Begins a session of whoever has this address and password.
pub(super) async fn sign_in(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    input: Input,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let SignIn { email, password } = input.json(&api).await?;
    let place = place(&caller, &headers);
    let checked = api.slots.check().await?;
    // Only what begins a session is recorded: so it is who they say.
    let named = Email::parse(&email).ok();
    let operator = named.as_ref().and_then(|email| Some(api.people.user_of(email)?.id.clone()));
    let actor = named.map(|email| email.to_string()).unwrap_or_default();
    let visitor = visitor(&caller, actor.clone(), &place);
    let who = Who { actor, operator, address: Some(caller.peer) };
    let act = Act::new("session.started", "");
    let begin = move |api: &Api| {
        let granted = api.people.sign_in(&email, &password, place, now());
        drop(checked);
        granted
    };
    let granted = api.change_by(who, act, move |api| Ok::<_, Problem>(begin(api))).await?;
    api.note_visit(visitor, "started", &granted);
    Ok((StatusCode::CREATED, Json(shown(&granted?))))
}

/// Gives the next two tokens for a refresh token.
pub(super) async fn refresh(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    input: Input,
) -> Result<Json<Value>, Problem> {
    let Refresh { refresh_token } = input.json(&api).await?;
    let people = Arc::clone(&api.people);
    let refresh = move || people.refresh(&refresh_token, now());
    let granted = tokio::task::spawn_blocking(refresh).await;
    let granted = granted.map_err(|error| Problem::internal(&error))?;
    let visitor = visitor(&caller, String::new(), &place(&caller, &headers));
    api.note_visit(visitor, "refreshed", &granted);
    if let Err(PeopleError::Reused(ended)) = &granted {
        let user = ended.user.as_deref().map(|user| who(user, caller.peer));
        let resource = format!("session/{}", ended.session.id);
        let act = Act::new("session.revoked", resource).new_value(ended.why.as_str());
        api.record_by(user.unwrap_or_default(), act).await?;
    }
    Ok(Json(shown(&granted?)))
}

/// Lists sessions: one's own, or those of somebody whom one administers.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    Params(Whose { user }): Params<Whose>,
) -> Result<Json<Value>, Problem> {
    let own = allowed.person().map(|person| person.user.id.clone());
    let user = user.or(own);
    let may =
        user.as_ref().map_or(allowed.administers(), |user| sees_those_of(&api, &allowed, user));
    if !may {
        return Err(Problem::other_project());
    }
    let mut sessions = api.people.sessions(now());
    sessions.retain(|session| match &user {
        Some(user) => session.user == *user,
        None => sees_those_of(&api, &allowed, &session.user),
    });
    let current = allowed.person().map(|person| Arc::clone(&person.session));
    let shown = sessions.into_iter().map(|session| Shown {
        email: api.people.user(&session.user).map(|user| user.email.to_string()),
        is_current: current.as_ref().is_some_and(|current| **current == session.id),
        session,
    });
    Ok(Json(json!({"sessions": shown.collect::<Vec<_>>()})))
}

/// Ends a session: one's own, also as `current`, or that of somebody whom one administers.
pub(super) async fn end(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<SessionInfo>, Problem> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let id = match allowed.person().filter(|_| id == "current") {
        Some(person) => person.session.to_string(),
        None => id,
    };
    let found = api.people.sessions(now()).into_iter().find(|session| session.id == id);
    match &found {
        // Whether there is such a session is nobody else's affair.
        Some(session) if sees_those_of(&api, &allowed, &session.user) => {}
        None if allowed.governs() => {}
        _ => return Err(Problem::other_project()),
    }
    let act = Act::new("session.ended", format!("session/{id}"));
    Ok(Json(api.change(&allowed, act, move |api| api.people.end(&id)).await?))
}

impl Api {
    /// Notes that somebody came, or was refused.
    fn note_visit(
        &self,
        actor: Actor,
        event: &'static str,
        granted: &Result<Granted, PeopleError>,
    ) {
        let (actor, event, reason) = match granted {
            Ok(Granted { person: Person { user, session }, .. }) => {
                let actor = Actor {
                    user: user.email.to_string(),
                    user_id: Some(user.id.clone()),
                    session: Some(session.to_string()),
                    project: only_project(user),
                    ..actor
                };
                (actor, event, None)
            }
            // That the session ended is noted, and why.
            Err(PeopleError::Reused(_)) => return,
            Err(PeopleError::Refused) => (actor, "refused", Some("password")),
            Err(PeopleError::Slow(_)) => (actor, "refused", Some("guesses")),
            Err(PeopleError::NoSession) => (actor, "refused", Some("refresh_token")),
            Err(_) => (actor, "refused", Some("failure")),
        };
        self.ingest.note_visit(Visit { actor, event, reason, ..Visit::default() });
    }
}

/// Somebody who is at the door.
fn visitor(caller: &Caller, user: String, place: &Place) -> Actor {
    let agent = shown_text(place.user_agent.as_bytes(), MAX_AGENT);
    Actor { user, peer: Some(caller.peer), user_agent: Some(agent), ..Actor::default() }
}

/// Where somebody calls from.
pub(super) fn place(caller: &Caller, headers: &HeaderMap) -> Place {
    let agent = headers.get(header::USER_AGENT).map(|agent| agent.as_bytes());
    let user_agent = String::from_utf8_lossy(agent.unwrap_or_default()).into_owned();
    Place { address: caller.peer, user_agent }
}

/// Whether the sessions of a user are the caller's affair: their own, or of somebody whom they
/// administer and nobody else does.
fn sees_those_of(api: &Api, allowed: &Allowed, user: &str) -> bool {
    let administers = |user: &Arc<UserInfo>| allowed.administers() && allowed.has_whole(user);
    allowed.is(user) || api.people.user(user).as_ref().is_some_and(administers)
}

/// What whoever signs in gets.
fn shown(granted: &Granted) -> Value {
    let Granted { person, access, access_until, refresh, refresh_until } = granted;
    json!({
        "session": person.session,
        "user": *person.user,
        "token_type": "Bearer",
        "access_token": access.reveal(),
        "expires_at": access_until.to_string(),
        "refresh_token": refresh.reveal(),
        "refresh_expires_at": refresh_until.to_string(),
    })
}

/// Bytes of the name of client software in a journal.
const MAX_AGENT: usize = 256;
