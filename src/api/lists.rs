//! `/v1/allowlist` and `/v1/blocklist`: list, add, remove.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::caller::Caller;
use super::input::{Input, Params};
use super::problem::Problem;
use super::route::{Needs, Route};
use crate::audit::Act;
use crate::gate::{ListEntry, ListKind, NewListEntry, Scope, holds_loopback, parse_net};
use crate::ingest::{lasting, steady};
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
    /// Whether a block is wanted that asks to be confirmed.
    confirm: bool,
}

/// What is taken off one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    net: String,
}

/// Which entries are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Page {
    limit: Option<usize>,
    /// Those behind this network, as the `next` of the page before says.
    after: Option<String>,
}

/// The calls of a list.
pub(super) fn routes(path: &'static str, list: ListKind) -> [Route; 4] {
    let needs = Needs::Scope(Scope::AdminProjects);
    let show =
        async move |State(api): State<Arc<Api>>,
                    Extension(caller): Extension<Caller>,
                    Params(page): Params<Page>| { show(&api, &caller, list, page).await };
    let add = async move |State(api): State<Arc<Api>>,
                          Extension(caller): Extension<Caller>,
                          input: Input| { add(&api, &caller, list, input).await };
    let remove = async move |State(api): State<Arc<Api>>,
                             Extension(caller): Extension<Caller>,
                             Params(Entry { net }): Params<Entry>| {
        remove(&api, &caller, list, &net).await
    };
    let dry_run = async move |State(api): State<Arc<Api>>,
                              Extension(caller): Extension<Caller>,
                              input: Input| {
        super::rules::dry_run_net(&api, &caller, list, input).await
    };
    let dry_path = match list {
        ListKind::Allow => "/v1/allowlist/dry-run",
        ListKind::Block => "/v1/blocklist/dry-run",
    };
    [
        Route::get(path, needs, show).of_the_daemon(),
        Route::post(path, needs, add).of_the_daemon(),
        Route::delete(path, needs, remove).of_the_daemon(),
        Route::ask(dry_path, needs, dry_run).of_the_daemon(),
    ]
}

async fn show(
    api: &Arc<Api>,
    caller: &Caller,
    list: ListKind,
    page: Page,
) -> Result<Json<Value>, Problem> {
    api.allow(caller, Scope::AdminProjects)?.of_the_daemon()?;
    let after = page.after.as_deref().map(network).transpose()?;
    let limit = page.limit.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let what = format!("expected 1 to {MAX_PAGE}, but found {limit}");
        return Err(Problem::invalid("invalid_parameter", what).at("limit"));
    }
    // There may be a million of them.
    let gate = Arc::clone(&api.gate);
    let shown = move || gate.list_page(list, after, limit, steady());
    let shown = tokio::task::spawn_blocking(shown).await;
    let (entries, next) = shown.map_err(|error| Problem::internal(&error))?;
    let sources = api.gate.list_sources();
    let sources: Vec<_> = sources.into_iter().filter(|source| source.list == list).collect();
    let mut answer = Map::from_iter([("entries".to_owned(), json!(entries))]);
    answer.extend(next.map(|next| ("next".to_owned(), json!(next))));
    if !sources.is_empty() {
        answer.insert("sources".to_owned(), json!(sources));
    }
    Ok(Json(Value::Object(answer)))
}

async fn add(
    api: &Arc<Api>,
    caller: &Caller,
    list: ListKind,
    input: Input,
) -> Result<(StatusCode, Json<ListEntry>), Problem> {
    let allowed = api.allow(caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let NewEntry { net, expires_at, expires_in, note, confirm } = input.json(api).await?;
    let net = network(&net)?;
    if list == ListKind::Block && !confirm {
        confirmed(api, caller, net)?;
    }
    let at = lasting();
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
    let new = NewListEntry { expires_at: until, note, rule: None };
    let add = move |api: &Api| api.gate.add_entry(list, net, new, at);
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

/// Refuses a block that is rarely meant.
fn confirmed(api: &Api, caller: &Caller, net: IpNet) -> Result<(), Problem> {
    let what = match net {
        _ if holds_loopback(net) => return Ok(()), // is refused, whoever confirms it
        _ if holds(net, caller.peer) => "the address that this call comes from",
        _ if api.gate.trusts_in(net) => "the address of a trusted proxy",
        IpNet::V4(net) if net.prefix_len() < 8 => "more than 16 million addresses",
        IpNet::V6(net) if net.prefix_len() < 16 => "a large part of the internet",
        _ => return Ok(()),
    };
    let detail = format!("expected \"confirm\": true with a block of {what}, but found none");
    Err(Problem::conflict("confirm_required", detail).at("confirm"))
}

/// Whether an address is in a network, whichever way they are written.
fn holds(net: IpNet, address: IpAddr) -> bool {
    let mapped = match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
        v6 @ IpAddr::V6(_) => v6,
    };
    net.contains(&address.to_canonical()) || net.contains(&mapped)
}

pub(super) fn network(text: &str) -> Result<IpNet, Problem> {
    parse_net(text).ok_or_else(|| {
        let found: String = text.chars().take(MAX_SHOWN).collect();
        let what = format!("expected an address or a network, but found {found:?}");
        Problem::invalid("invalid_parameter", what).with("field", "net").at("net")
    })
}

/// The most entries in an answer.
const MAX_PAGE: usize = 100_000;

/// Characters of a network that a problem repeats.
const MAX_SHOWN: usize = 64;
