//! `GET /v1/blocked` and `GET /v1/failed`: what the daemon notes about itself.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::caller::{Allowed, Caller};
use super::input::Params;
use super::problem::Problem;
use super::query::run;
use super::request::{Ask, Sort, Syntax};
use crate::gate::Scope;
use crate::journal::Which;
use crate::query;

/// A journal, by its name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Journal {
    /// Whom the gate turned away.
    Blocked,
    /// What failed.
    Failed,
}

/// What may be asked of one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Search {
    filter: String,
    syntax: Syntax,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    sort: Sort,
    /// Names with commas between them.
    fields: Option<String>,
}

/// Whom the gate turned away.
pub(super) async fn blocked(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<Search>,
) -> Result<Json<Value>, Problem> {
    entries(&api, &caller, search, Journal::Blocked).await
}

/// Which calls and messages failed.
pub(super) async fn failed(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<Search>,
) -> Result<Json<Value>, Problem> {
    entries(&api, &caller, search, Journal::Failed).await
}

async fn entries(
    api: &Arc<Api>,
    caller: &Caller,
    search: Search,
    journal: Journal,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(caller, Scope::ReadAudit)?;
    let project = journal.project(&allowed)?;
    let Search { filter, syntax, from, to, limit, cursor, sort, fields } = search;
    let ask = Ask {
        filter,
        syntax,
        from: from.into(),
        to: to.into(),
        limit,
        cursor,
        sort,
        fields: fields.map(|fields| names(&fields)),
    };
    let mut request = ask.request(api, &allowed, project)?;
    let page = run(api, move |store, budget| {
        request.budget = budget;
        query::run(store, &request)
    });
    let page = page.await?;
    Ok(Json(json!({"entries": page.logs, "meta": page.meta})))
}

impl Journal {
    /// Where its entries are kept, for who may see them: they are of senders of all projects.
    pub(super) fn project(self, allowed: &Allowed) -> Result<Arc<str>, Problem> {
        allowed.of_the_daemon()?;
        Ok(match self {
            Self::Blocked => Which::Blocked.project().into(),
            Self::Failed => Which::Failed.project().into(),
        })
    }
}

/// Names with commas between them.
pub(super) fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
