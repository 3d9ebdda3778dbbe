//! `GET /v1/access`, `/v1/advisory`, `/v1/blocked` and `/v1/failed`: what the daemon notes about
//! itself, as a page of entries, as groups of them, or as comma-separated values.
//!
//! Who does not govern the daemon sees the entries of their own project, and no others.

mod csv;
mod filters;
mod groups;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::allowed::Allowed;
use super::input::Params;
use super::problem::Problem;
use super::query::run;
use super::request::{Ask, Sort, Syntax};
use super::route::{Needs, Route};
use super::wall;
use crate::audit::Act;
use crate::gate::Scope;
use crate::kql::{Literal, Query};
use crate::query::{self, Request};

/// A journal, by its name.
pub(super) use crate::journal::Which as Journal;

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
    /// Names with commas between them: groups instead of entries.
    group_by: Option<String>,
    format: Option<Format>,
    actor: Option<String>,
    key: Option<String>,
    user: Option<String>,
    session: Option<String>,
    event: Option<String>,
    reason: Option<String>,
    error: Option<String>,
    code: Option<String>,
    rule: Option<String>,
    fingerprint: Option<String>,
    country: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    result: Option<String>,
    resource: Option<String>,
    endpoint: Option<String>,
    method: Option<String>,
    status: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    project: Option<String>,
}

/// How entries are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Csv,
}

/// The call of a journal.
pub(super) fn route(path: &'static str, journal: Journal) -> Route {
    let show = async move |State(api): State<Arc<Api>>,
                           Extension(allowed): Extension<Allowed>,
                           headers: HeaderMap,
                           Params(search): Params<Search>| {
        show(&api, &allowed, journal, &headers, search).await
    };
    Route::get(path, Needs::Scope(Scope::ReadAudit), show)
}

async fn show(
    api: &Arc<Api>,
    allowed: &Allowed,
    journal: Journal,
    headers: &HeaderMap,
    mut search: Search,
) -> Result<Response, Problem> {
    let format = search.format.unwrap_or_else(|| wanted(headers));
    let group_by = search.group_by.take().map(|by| names(&by));
    let (limit, filter) = (search.limit, search.filter.clone());
    let mut request = search.request(api, allowed, journal)?;
    if let Some(by) = group_by {
        let answer = groups::groups(api, journal, request, &by, limit).await?;
        return Ok(match format {
            Format::Json => Json(answer).into_response(),
            Format::Csv => csv::groups(journal, &answer),
        });
    }
    if format == Format::Csv {
        let act = Act::new("journal.exported", format!("journal/{}", journal.as_str()));
        api.record(allowed, act.new_value(json!({"filter": filter}))).await?;
        return csv::entries(api, allowed, journal, request, limit).await;
    }
    let page = run(api, move |store, budget| {
        request.budget = budget;
        query::run(store, &request)
    });
    let page = page.await?;
    Ok(Json(json!({"entries": page.logs, "meta": page.meta})).into_response())
}

impl Search {
    /// What is asked of the store, within the wall.
    fn request(
        mut self,
        api: &Api,
        allowed: &Allowed,
        journal: Journal,
    ) -> Result<Request, Problem> {
        let parameters = self.parameters();
        let Self { filter, syntax, from, to, limit, cursor, sort, fields, format, .. } = self;
        let ask = Ask {
            filter,
            syntax,
            from: from.into(),
            to: to.into(),
            // Of values with commas all are wanted, page by page.
            limit: limit.filter(|_| format != Some(Format::Csv)),
            cursor,
            sort,
            fields: fields.map(|fields| names(&fields)),
        };
        let mut request = ask.request(api, allowed, journal.project().into())?;
        let mut all = filters::conditions(api, journal, parameters)?;
        if !allowed.governs() {
            let own = Literal::Phrase(allowed.project.to_string());
            all.push(filters::is("project", own));
            all.extend(wall::of_journals(api, allowed));
        }
        if !all.is_empty() {
            all.push(std::mem::replace(&mut request.filter, Query::All));
            request.filter = Query::And(all);
        }
        Ok(request)
    }

    /// The parameters that ask for entries by what they are of.
    fn parameters(&mut self) -> BTreeMap<&'static str, String> {
        let all = [
            ("actor", &mut self.actor),
            ("key", &mut self.key),
            ("user", &mut self.user),
            ("session", &mut self.session),
            ("event", &mut self.event),
            ("reason", &mut self.reason),
            ("error", &mut self.error),
            ("code", &mut self.code),
            ("rule", &mut self.rule),
            ("fingerprint", &mut self.fingerprint),
            ("country", &mut self.country),
            ("kind", &mut self.kind),
            ("subject", &mut self.subject),
            ("action", &mut self.action),
            ("result", &mut self.result),
            ("resource", &mut self.resource),
            ("endpoint", &mut self.endpoint),
            ("method", &mut self.method),
            ("status", &mut self.status),
            ("address", &mut self.address),
            ("user_agent", &mut self.user_agent),
            ("project", &mut self.project),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.take()?))).collect()
    }
}

/// What a caller accepts.
fn wanted(headers: &HeaderMap) -> Format {
    let accepts = headers.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_csv = accepts.to_ascii_lowercase().starts_with(b"text/csv");
    if is_csv { Format::Csv } else { Format::Json }
}

/// Where the entries of a journal are kept, for who may see all of them.
pub(super) fn project(journal: Journal, allowed: &Allowed) -> Result<Arc<str>, Problem> {
    allowed.of_the_daemon()?;
    Ok(journal.project().into())
}

/// Names with commas between them.
pub(super) fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
