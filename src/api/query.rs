//! `POST /v1/logs/query`, and what is done of every question to the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::Api;
use super::asked::Asked;
use super::caller::Caller;
use super::held::Held;
use super::input::Input;
use super::problem::Problem;
use super::request::Sort;
use crate::query::{self, Budget, Page, QueryError};
use crate::store::Store;

/// What may be wanted of the events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    limit: Option<usize>,
    cursor: Option<String>,
    sort: Sort,
    fields: Option<Vec<String>>,
}

/// Answers a query.
pub(super) async fn query(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<Page>, Problem> {
    let (asked, wanted): (Asked, Wanted) = Asked::read(&api, &caller, input).await?;
    let mut request = asked.request(&api)?;
    let Wanted { limit, cursor, sort, fields } = wanted;
    request.limit = limit.unwrap_or(request.limit);
    (request.cursor, request.fields) = (cursor, fields);
    request.order = sort.into();
    let page = run(&api, move |store, budget| {
        request.budget = budget;
        query::run(store, &request)
    });
    Ok(Json(page.await?))
}

/// Does what is to be done with the store when its turn comes, as far as time lets it.
pub(super) async fn run<T: Send + 'static>(
    api: &Arc<Api>,
    work: impl FnOnce(&Store, Budget) -> Result<T, QueryError> + Send + 'static,
) -> Result<T, Problem> {
    let (held, answer) = held_run(api, work).await?;
    held.leave();
    Ok(answer)
}

/// The same, with the memory that the answer takes.
pub(super) async fn held_run<T: Send + 'static>(
    api: &Arc<Api>,
    work: impl FnOnce(&Store, Budget) -> Result<T, QueryError> + Send + 'static,
) -> Result<(Held, T), Problem> {
    let held = Held::begin(api).await?;
    let budget = Budget {
        until: Some(Instant::now() + api.config.query_timeout),
        cancelled: Arc::default(),
        workers: Arc::clone(&api.workers),
        memory: held.memory(),
    };
    let _gone = CancelOnDrop(Arc::clone(&budget.cancelled));
    let api = Arc::clone(api);
    let threads = api.threads.clone();
    // Whoever works holds it, also when nobody waits any longer.
    let done = threads.run(move || {
        let answer = work(&api.store, budget);
        (held, answer)
    });
    let (held, answer) = done.await.map_err(|error| Problem::internal(&error))?;
    Ok((held, answer?))
}

/// Ends a query for which nobody waits any longer.
#[derive(Debug)]
pub(super) struct CancelOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
