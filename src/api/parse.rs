//! `POST /v1/logs/query/parse`: what is asked by a filter, as a tree.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;

use super::Api;
use super::caller::Caller;
use super::input::Input;
use super::problem::Problem;
use super::request::Syntax;
use crate::gate::Scope;
use crate::kql;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    #[serde(alias = "query")]
    filter: String,
    syntax: Syntax,
}

/// Shows the tree of a filter, or where it is wrong: in `error`, as `logtrace kql` does.
pub(super) async fn parse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::ReadLogs)?;
    let Body { filter, syntax } = input.json(&api).await?;
    match kql::parse(&filter, syntax.into()) {
        Ok(parsed) => Ok(Json(parsed.query.to_json())),
        Err(error) => {
            let shown = error.to_json().get("error").cloned().unwrap_or_default();
            Err(Problem::from(error).with("error", shown))
        }
    }
}
