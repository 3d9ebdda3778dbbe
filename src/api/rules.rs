//! `/v1/rules`: list, show, add, remove, and try before they are in force.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::caller::Caller;
use super::input::Input;
use super::problem::Problem;
use super::query::run;
use super::request::Ask;
use crate::audit::Act;
use crate::gate::{GateError, ListKind, Rule, RuleKind, Scope, parse_net};
use crate::ingest::now;
use crate::query;

/// A rule that is tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Try {
    rule: Rule,
    /// Texts to try it on; else it is the last logs.
    #[serde(default)]
    samples: Option<Vec<String>>,
    /// Which of the last logs. Default: all.
    #[serde(default)]
    filter: String,
    /// Since when. Default: a day ago.
    #[serde(default)]
    from: Option<String>,
    /// Until when. Default: now.
    #[serde(default)]
    to: Option<String>,
    /// How many of them at most. Default: 10000.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the last try ended, to go on there.
    #[serde(default)]
    cursor: Option<String>,
}

/// A network that is tried on a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TryNet {
    net: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// Lists all rules.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::AdminProjects)?.of_the_daemon()?;
    Ok(Json(json!({"rules": api.gate.rules()})))
}

/// Shows a rule.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Rule>, Problem> {
    api.allow(&caller, Scope::AdminProjects)?.of_the_daemon()?;
    let id = id.map(|Path(id)| id).unwrap_or_default();
    Ok(Json(api.gate.rule(&id).ok_or_else(|| unknown(&id))?))
}

/// Adds a rule, or as `{"rules":[…]}` many, all or none of them.
pub(super) async fn add(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let mut body: Map<String, Value> = input.json(&api).await?;
    let many = body.remove("rules");
    let is_one = many.is_none();
    let new = many.unwrap_or_else(|| json!([Value::Object(std::mem::take(&mut body))]));
    if let Some(field) = body.keys().next() {
        let what = format!("expected rules alone, but found {field:?} too");
        return Err(Problem::invalid("invalid_body", what).at(field));
    }
    let new: Vec<Rule> = serde_json::from_value(new)
        .map_err(|error| Problem::invalid("invalid_body", error).at("rules"))?;
    let at = now();
    let act = Act::new("rule.added", "");
    let added = api.change(&allowed, act, move |api| api.gate.add_rules(new, at)).await?;
    let answer = match added.first().filter(|_| is_one) {
        Some(rule) => json!(rule),
        None => json!({"rules": added}),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Takes a rule away.
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Rule>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let act = Act::new("rule.removed", "");
    Ok(Json(api.change(&allowed, act, move |api| api.gate.remove_rule(&id)).await?))
}

/// Says what a rule would have found, in sample lines or in the last logs. It changes nothing.
pub(super) async fn dry_run(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    input: Input,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::AdminProjects)?.of_the_daemon()?;
    let Try { rule, samples, filter, from, to, limit, cursor } = input.json(&api).await?;
    let kind = rule.kind;
    let trial = api.gate.trial(rule, now())?;
    if let Some(samples) = samples {
        let finds = |text: &str| match kind {
            RuleKind::Country => parse_net(text).is_some_and(|net| trial.finds_address(net.addr())),
            _ => trial.finds(text),
        };
        let matched = (0_usize..).zip(&samples).filter(|(_, text)| finds(text));
        let matched: Vec<_> = matched.map(|(at, _)| at).collect();
        let (scanned, count) = (samples.len(), matched.len());
        return Ok(Json(json!({"scanned": scanned, "matched": count, "samples": matched})));
    }
    let matches = move |log: &Map<String, Value>| match kind {
        RuleKind::Country => address(log).is_some_and(|peer| trial.finds_address(peer)),
        _ => log.values().filter_map(Value::as_str).any(|text| trial.finds(text)),
    };
    let ask = Ask { filter, from: from.into(), to: to.into(), limit, cursor, ..Ask::default() };
    last_logs(&api, &caller, ask, matches).await
}

/// Says whom a network on a list would have been about, in the last logs.
pub(super) async fn dry_run_net(
    api: &Arc<Api>,
    caller: &Caller,
    list: ListKind,
    input: Input,
) -> Result<Json<Value>, Problem> {
    api.allow(caller, Scope::AdminProjects)?.of_the_daemon()?;
    let TryNet { net, from, limit } = input.json(api).await?;
    let net = super::lists::network(&net)?;
    let (gate, at) = (Arc::clone(&api.gate), now());
    let matches = move |log: &Map<String, Value>| {
        let peer = address(log).filter(|peer| net.contains(peer));
        // Who is allowed is not blocked by it.
        peer.is_some_and(|peer| {
            list == ListKind::Allow || gate.list_matches(ListKind::Allow, peer, at).is_empty()
        })
    };
    let ask = Ask { from: from.into(), limit, ..Ask::default() };
    last_logs(api, caller, ask, matches).await
}

/// What of the last logs matches: how many, the first of them, and of whom they are.
async fn last_logs(
    api: &Arc<Api>,
    caller: &Caller,
    mut ask: Ask,
    matches: impl Fn(&Map<String, Value>) -> bool + Send + 'static,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(caller, Scope::AdminProjects)?;
    if ask.from.is_null() {
        ask.from = "-24h".into();
    }
    ask.limit.get_or_insert(MAX_LOGS);
    let mut request = ask.request(api, &allowed, Arc::clone(&allowed.project))?;
    let tried = run(api, move |store, budget| {
        request.budget = budget;
        let page = query::run(store, &request)?;
        let scanned = page.logs.len();
        let matched: Vec<_> = page.logs.into_iter().filter(matches).collect();
        Ok((scanned, matched, page.meta))
    });
    let (scanned, matched, meta) = tried.await?;
    let mut senders: Map<String, Value> = Map::new();
    let mut first: Map<String, Value> = Map::new();
    for log in &matched {
        let sender = ["key", "peer.ip"].into_iter().find_map(|name| log.get(name)?.as_str());
        if let Some(sender) = sender
            && (senders.len() < MAX_SENDERS || senders.contains_key(sender))
        {
            let count = senders.entry(sender).or_insert(json!(0));
            *count = json!(count.as_u64().unwrap_or_default() + 1);
            // The latest are first, so it is the earliest that stays.
            first.extend(log.get("@timestamp").map(|at| (sender.to_owned(), at.clone())));
        }
    }
    let examples: Vec<_> = matched.iter().take(MAX_EXAMPLES).collect();
    Ok(Json(json!({
        "scanned": scanned, "matched": matched.len(), "partial": meta.partial,
        "senders": senders, "first": first, "examples": examples,
        "next_cursor": meta.next_cursor,
    })))
}

fn address(log: &Map<String, Value>) -> Option<IpAddr> {
    log.get("peer.ip")?.as_str().and_then(parse_net).map(|net| net.addr())
}

fn unknown(id: &str) -> Problem {
    GateError::UnknownRule(id.chars().take(MAX_SHOWN).collect()).into()
}

/// The most logs that a rule is tried on.
const MAX_LOGS: usize = 10_000;

/// Logs that are shown of those that match.
const MAX_EXAMPLES: usize = 10;

/// Senders that are told apart.
const MAX_SENDERS: usize = 100;

/// Characters of an id that a problem repeats.
const MAX_SHOWN: usize = 64;
