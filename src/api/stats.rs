//! `POST /v1/logs/stats`.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::Api;
use super::asked::Asked;
use super::caller::Caller;
use super::input::Input;
use super::problem::Problem;
use super::query::run;
use crate::query::{self, Aggregate, MAX_GROUPS, QueryError, Stats, StatsAnswer};

/// What may be wanted of the events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    by: Vec<String>,
    /// How many events there are, if nothing else is named.
    aggregates: Option<Vec<Written>>,
    limit: Option<usize>,
}

/// An aggregate, as in `"p95(latency_ms)"`, and what it is to be called.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Written {
    Plain(String),
    Named { aggregate: String, name: String },
}

/// Computes aggregates.
pub(super) async fn stats(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<StatsAnswer>, Problem> {
    let (asked, wanted): (Asked, Wanted) = Asked::read(&api, &caller, input).await?;
    let Wanted { by, aggregates, limit } = wanted;
    let aggregates = aggregates.unwrap_or_else(|| vec![Written::Plain("count".to_owned())]);
    let aggregates: Result<Vec<_>, QueryError> = aggregates.iter().map(Written::read).collect();
    let mut stats = Stats {
        which: asked.which(&api)?,
        by,
        aggregates: aggregates?,
        limit: limit.unwrap_or(MAX_GROUPS),
    };
    let answer = run(&api, move |store, budget| {
        stats.which.budget = budget;
        query::stats(store, &stats)
    });
    Ok(Json(answer.await?))
}

impl Written {
    fn read(&self) -> Result<Aggregate, QueryError> {
        match self {
            Self::Plain(text) => Aggregate::parse(text),
            Self::Named { aggregate, name } => Ok(Aggregate::parse(aggregate)?.named(name)),
        }
    }
}
