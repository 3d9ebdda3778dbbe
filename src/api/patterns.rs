//! `POST /v1/logs/patterns`.

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
use crate::query::{self, Patterns, PatternsAnswer};

/// What may be wanted of the events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    limit: Option<usize>,
}

/// Counts the templates of messages.
pub(super) async fn patterns(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<PatternsAnswer>, Problem> {
    let (asked, wanted): (Asked, Wanted) = Asked::read(&api, &caller, input).await?;
    let (which, limit) = (asked.which(&api)?, wanted.limit.unwrap_or(PATTERNS));
    let mut asked = Patterns { which, limit };
    let answer = run(&api, move |store, budget| {
        asked.which.budget = budget;
        query::patterns(store, &asked)
    });
    Ok(Json(answer.await?))
}

/// Templates in an answer, unless said otherwise.
const PATTERNS: usize = 100;
