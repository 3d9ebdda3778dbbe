//! `GET /v1/logs/{id}/context`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::input::Params;
use super::journals::{self, Journal, names};
use super::problem::Problem;
use super::query::run;
use super::request::Ask;
use super::wall::Wall;
use crate::gate::Scope;
use crate::query::{self, Context, ContextAnswer, QueryError};

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Around {
    before: Option<usize>,
    after: Option<usize>,
    /// Names with commas between them.
    fields: Option<String>,
    /// Instead of logs.
    journal: Option<Journal>,
}

/// Shows what came before an event and after it.
pub(super) async fn context(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Params(around): Params<Around>,
) -> Result<Json<ContextAnswer>, Problem> {
    let Around { before, after, fields, journal } = around;
    let scope = if journal.is_some() { Scope::ReadAudit } else { Scope::ReadLogs };
    let allowed = api.allow(&caller, scope)?;
    let project = match journal {
        None => Arc::clone(&allowed.project),
        Some(journal) => journals::project(journal, &allowed)?,
    };
    let is_id =
        id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let number = u64::from_str_radix(&id, 16).ok().filter(|_| is_id);
    let number = number.ok_or_else(|| QueryError::NoEvent(id.clone()))?;
    let wall = Wall::of(&api, &allowed);
    let fields = fields.filter(|_| matches!(wall, Wall::None));
    let ask = Ask { fields: fields.map(|fields| names(&fields)), ..Ask::default() };
    let mut asked = Context {
        request: ask.request(&api, &allowed, project)?,
        id: number.cast_signed(),
        before: before.unwrap_or(AROUND),
        after: after.unwrap_or(AROUND),
    };
    let answer = run(&api, move |store, budget| {
        asked.request.budget = budget;
        query::context(store, &asked)
    });
    let mut answer = answer.await?;
    if !wall.shows(&answer.event) {
        return Err(QueryError::NoEvent(id).into());
    }
    answer.before.retain(|event| wall.shows(event));
    answer.after.retain(|event| wall.shows(event));
    Ok(Json(answer))
}

/// Events before and after, unless said otherwise.
const AROUND: usize = 10;
