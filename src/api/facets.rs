//! `POST /v1/logs/facets`.

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
use crate::query::{self, Facets, FacetsAnswer};

/// What may be wanted of the events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    fields: Vec<String>,
    /// The same, for one.
    field: Option<String>,
    limit: Option<usize>,
}

/// Counts the values of fields.
pub(super) async fn facets(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<FacetsAnswer>, Problem> {
    let (asked, wanted): (Asked, Wanted) = Asked::read(&api, &caller, input).await?;
    let Wanted { mut fields, field, limit } = wanted;
    fields.extend(field);
    if fields.is_empty() {
        fields = FIELDS.map(str::to_owned).to_vec();
    }
    let (which, limit) = (asked.which(&api)?, limit.unwrap_or(VALUES));
    let mut asked = Facets { which, fields, limit };
    let answer = run(&api, move |store, budget| {
        asked.which.budget = budget;
        query::facets(store, &asked)
    });
    Ok(Json(answer.await?))
}

/// The fields that every event has, if none is named.
const FIELDS: [&str; 3] = ["service", "level", "host.name"];

/// Values of each, unless said otherwise.
const VALUES: usize = 10;
