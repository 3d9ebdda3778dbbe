//! `GET /v1/logs/export`: all events that a filter finds, to be kept elsewhere.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::allowed::Allowed;
use super::input::Params;
use super::journals::names;
use super::problem::Problem;
use super::request::{Ask, Sort, Syntax};
use super::streamed::{Form, streamed};
use crate::audit::Act;

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Export {
    filter: String,
    syntax: Syntax,
    from: Option<String>,
    to: Option<String>,
    sort: Sort,
    /// Names with commas between them.
    fields: Option<String>,
    /// The most events; all without it.
    limit: Option<usize>,
    format: Option<Format>,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[serde(alias = "json", alias = "jsonl")]
    Ndjson,
    Csv,
}

/// Sends all of them, however many they are.
pub(super) async fn export(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    headers: HeaderMap,
    Params(wanted): Params<Export>,
) -> Result<Response, Problem> {
    let Export { filter, syntax, from, to, sort, fields, limit, format } = wanted;
    if limit == Some(0) {
        let what = "expected a limit of 1 or more, but found 0";
        return Err(Problem::invalid("invalid_parameter", what).at("limit"));
    }
    let fields = fields.map(|fields| names(&fields));
    let format = format.unwrap_or_else(|| accepted(&headers));
    let (form, fields) = match format {
        Format::Ndjson => (Form::Lines, fields),
        Format::Csv => {
            let columns = fields.unwrap_or_else(|| COLUMNS.map(str::to_owned).to_vec());
            (Form::Table(columns.clone()), Some(columns))
        }
    };
    let asked = json!({"filter": filter, "from": from, "to": to});
    let (from, to) = (from.into(), to.into());
    let ask = Ask { filter, syntax, from, to, sort, fields, ..Ask::default() };
    let project = Arc::clone(&allowed.project);
    let request = ask.request(&api, &allowed, Arc::clone(&project))?;
    let act = Act::new("logs.exported", format!("project/{project}"));
    api.record(&allowed, act.new_value(asked)).await?;
    streamed((&api, &allowed), "logs", request, form, limit).await
}

/// What a caller accepts.
fn accepted(headers: &HeaderMap) -> Format {
    let accepts = headers.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_csv = accepts.to_ascii_lowercase().starts_with(b"text/csv");
    if is_csv { Format::Csv } else { Format::Ndjson }
}

/// The columns, unless others are asked for.
const COLUMNS: [&str; 6] = ["@timestamp", "host.name", "service", "level", "message", "_id"];
