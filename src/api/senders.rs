//! `/v1/senders`: who sends, when they were heard last, and who is overdue.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::allowed::Allowed;
use super::input::Params;
use super::problem::Problem;
use crate::audit::Act;
use crate::gate::Environment;
use crate::senders::{Shown, State as SenderState};

/// Which senders are asked for: those that all of these fit.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    /// `learning`, `fine` or `overdue`.
    state: Option<String>,
    /// The public id of a key; empty for those without.
    key: Option<String>,
    /// The name of a host, or its beginning and a `*`.
    host: Option<String>,
    listener: Option<String>,
    address: Option<String>,
    project: Option<String>,
    /// How many are shown. Default: 1000. Range: 1 to 10000.
    limit: Option<usize>,
}

/// Lists senders, by project, key and host.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, Problem> {
    let wrong = |what: String, at: &str| Problem::invalid("invalid_parameter", what).at(at);
    let limit = wanted.limit.unwrap_or(1000);
    if !(1..=MAX_SHOWN).contains(&limit) {
        return Err(wrong(format!("expected 1 to {MAX_SHOWN}, but found {limit}"), "limit"));
    }
    if let Some(state) = &wanted.state
        && SenderState::ALL.iter().all(|known| known.as_str() != state)
    {
        let what = format!("expected learning, fine or overdue, but found {state:?}");
        return Err(wrong(what, "state"));
    }
    let mut senders = of(&api, &allowed, |shown| wanted.fits(shown));
    let count = senders.len();
    senders.truncate(limit);
    Ok(Json(json!({"senders": senders, "count": count})))
}

/// Forgets a sender: it is waited for no longer. If it is heard again it is a new one.
pub(super) async fn forget(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let found = of(&api, &allowed, |shown| shown.id == id);
    let what = "expected the id of a sender, but found another";
    let found = found.into_iter().next().ok_or_else(|| Problem::not_found(what))?;
    let act = Act::new("sender.forgotten", format!("sender/{id}"));
    api.record(&allowed, act.new_value(json!({"host": found.host, "key": found.key}))).await?;
    api.ingest.senders().forget(&id);
    Ok(Json(json!(found)))
}

/// Senders that are the caller's affair, and that `is_wanted` lets pass.
pub(super) fn of(api: &Api, allowed: &Allowed, is_wanted: impl Fn(&Shown) -> bool) -> Vec<Shown> {
    let sees = |shown: &Shown| {
        let key = shown.key.as_deref().and_then(|id| api.gate.key_by_id(id));
        // What came without a key is of production.
        let environment = key.map_or(Environment::Production, |key| key.info().environment);
        allowed.sees(&shown.project, environment)
    };
    api.ingest.senders().list(api.ingest.elapsed(), |shown| is_wanted(shown) && sees(shown))
}

impl Wanted {
    fn fits(&self, shown: &Shown) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let host = self.host.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(begin) => shown.host.starts_with(begin),
            None => shown.host == wanted,
        });
        host && is(&self.state, shown.state.as_str())
            && is(&self.key, shown.key.as_deref().unwrap_or_default())
            && is(&self.listener, &shown.listener)
            && is(&self.address, shown.address.as_deref().unwrap_or_default())
            && is(&self.project, &shown.project)
    }
}

/// Senders in an answer.
const MAX_SHOWN: usize = 10_000;
