//! `POST /v1/logs/query`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::input::Input;
use super::journals::Journal;
use super::problem::Problem;
use super::request::{Ask, Sort, Syntax};
use crate::gate::Scope;
use crate::query::{self, Page, Request};

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    filter: String,
    syntax: Syntax,
    from: serde_json::Value,
    to: serde_json::Value,
    limit: Option<usize>,
    cursor: Option<String>,
    sort: Sort,
    fields: Option<Vec<String>>,
    /// The caller's own, where it is named.
    project: Option<String>,
    /// Instead of logs.
    journal: Option<Journal>,
}

/// Answers a query.
pub(super) async fn query(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<Page>, Problem> {
    // A key that reads only journals is let in for its body, which says what is asked.
    let may_read = api.allow(&caller, Scope::ReadLogs);
    let allowed = match may_read {
        Ok(allowed) => allowed,
        Err(problem) => api.allow(&caller, Scope::ReadAudit).map_err(|_| problem)?,
    };
    let body: Body = input.json(&api).await?;
    let scope = if body.journal.is_some() { Scope::ReadAudit } else { Scope::ReadLogs };
    drop(allowed);
    let allowed = api.allow(&caller, scope)?;
    if body.project.as_ref().is_some_and(|project| **project != *allowed.project) {
        return Err(Problem::other_project());
    }
    let project = match body.journal {
        None => Arc::clone(&allowed.project),
        Some(journal) => journal.project(&allowed)?,
    };
    let Body { filter, syntax, from, to, limit, cursor, sort, fields, .. } = body;
    let ask = Ask { filter, syntax, from, to, limit, cursor, sort, fields };
    let request = ask.request(&api, &allowed, project)?;
    Ok(Json(run(&api, request).await?))
}

/// Answers `request` when its turn comes, as far as time lets it.
pub(super) async fn run(api: &Arc<Api>, mut request: Request) -> Result<Page, Problem> {
    let place = api.slots.query().await?;
    request.budget.until = Some(Instant::now() + api.config.query_timeout);
    let _gone = CancelOnDrop(Arc::clone(&request.budget.cancelled));
    let api = Arc::clone(api);
    let answer = tokio::task::spawn_blocking(move || {
        let answer = query::run(&api.store, &request);
        drop(place);
        answer
    });
    Ok(answer.await.map_err(|error| Problem::internal(&error))??)
}

/// Ends a query for which nobody waits any longer.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
