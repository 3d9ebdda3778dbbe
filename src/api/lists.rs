//! `/v1/allowlist` and `/v1/blocklist`: list, add, remove.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::caller::Caller;
use super::input::{Input, Params};
use super::problem::Problem;
use super::route::{Needs, Route};
use crate::audit::Act;
use crate::gate::{ListEntry, ListKind, Scope, parse_net};
use crate::ingest::now;
use crate::time::Timestamp;

/// What is put on a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NewEntry {
    /// An address or a network.
    net: String,
    /// When it ends, in RFC 3339; or
    expires_at: Option<String>,
    /// how long it lasts, such as `12h`.
    #[serde(with = "humantime_serde")]
    expires_in: Option<Duration>,
    note: String,
}

/// What is taken off one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    net: String,
}

/// The calls of a list.
pub(super) fn routes(path: &'static str, list: ListKind) -> [Route; 3] {
    let needs = Needs::Scope(Scope::AdminProjects);
    let show = async move |State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>| {
        show(&api, &caller, list)
    };
    let add = async move |State(api): State<Arc<Api>>,
                          Extension(caller): Extension<Caller>,
                          input: Input| { add(&api, &caller, list, input).await };
    let remove = async move |State(api): State<Arc<Api>>,
                             Extension(caller): Extension<Caller>,
                             Params(Entry { net }): Params<Entry>| {
        remove(&api, &caller, list, &net).await
    };
    [
        Route::get(path, needs, show).of_the_daemon(),
        Route::post(path, needs, add).of_the_daemon(),
        Route::delete(path, needs, remove).of_the_daemon(),
    ]
}

fn show(api: &Api, caller: &Caller, list: ListKind) -> Result<Json<Value>, Problem> {
    api.allow(caller, Scope::AdminProjects)?.of_the_daemon()?;
    let now = now();
    let mut entries = api.gate.lists(list);
    entries.retain(|entry| entry.is_live(now));
    Ok(Json(json!({"entries": entries})))
}

async fn add(
    api: &Arc<Api>,
    caller: &Caller,
    list: ListKind,
    input: Input,
) -> Result<(StatusCode, Json<ListEntry>), Problem> {
    let allowed = api.allow(caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let NewEntry { net, expires_at, expires_in, note } = input.json(api).await?;
    let net = network(&net)?;
    let at = now();
    let until = match (expires_at, expires_in) {
        (Some(_), Some(_)) => {
            let what = "expected one of expires_at and expires_in, but found both";
            return Err(Problem::invalid("invalid_parameter", what).at("expires_at"));
        }
        (Some(text), None) => Some(Timestamp::parse_rfc3339(text.as_bytes()).ok_or_else(|| {
            let what = format!("expected an RFC 3339 time, but found {text:?}");
            Problem::invalid("invalid_time", what).at("expires_at")
        })?),
        (None, Some(time)) => Some(at.plus(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))),
        (None, None) => None,
    };
    let add = move |api: &Api| api.gate.add_entry(list, net, until, &note, at);
    let act = Act::new(format!("{}.added", list.as_str()), "");
    Ok((StatusCode::CREATED, Json(api.change(&allowed, act, add).await?)))
}

async fn remove(
    api: &Arc<Api>,
    caller: &Caller,
    list: ListKind,
    net: &str,
) -> Result<Json<ListEntry>, Problem> {
    let allowed = api.allow(caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let net = network(net)?;
    let act = Act::new(format!("{}.removed", list.as_str()), "");
    Ok(Json(api.change(&allowed, act, move |api| api.gate.remove_entry(list, net)).await?))
}

fn network(text: &str) -> Result<IpNet, Problem> {
    parse_net(text).ok_or_else(|| {
        let found: String = text.chars().take(MAX_SHOWN).collect();
        let what = format!("expected an address or a network, but found {found:?}");
        Problem::invalid("invalid_parameter", what).with("field", "net").at("net")
    })
}

/// Characters of a network that a problem repeats.
const MAX_SHOWN: usize = 64;
