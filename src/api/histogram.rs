//! `POST /v1/logs/histogram`.

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
use crate::query::{self, Histogram, HistogramAnswer, Interval};

/// What may be wanted of the events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    /// About a hundred buckets, if none is named.
    interval: Option<String>,
    by: Option<String>,
    limit: Option<usize>,
}

/// Counts events over time.
pub(super) async fn histogram(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<HistogramAnswer>, Problem> {
    let (asked, wanted): (Asked, Wanted) = Asked::read(&api, &caller, input).await?;
    let Wanted { interval, by, limit } = wanted;
    let interval = interval.filter(|interval| interval != "auto");
    let interval = interval.map(|interval| Interval::parse(&interval)).transpose()?;
    let (which, limit) = (asked.which(&api)?, limit.unwrap_or(SERIES));
    let mut asked = Histogram { which, interval, by, limit };
    let answer = run(&api, move |store, budget| {
        asked.which.budget = budget;
        query::histogram(store, &asked)
    });
    Ok(Json(answer.await?))
}

/// Values with counts of their own, unless said otherwise.
const SERIES: usize = 10;
