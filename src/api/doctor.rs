//! `GET /v1/doctor`: why an address or a key is turned away, and until when; what its senders
//! speak, what is odd about them, and the configuration that mends it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::caller::Caller;
use super::input::Params;
use super::prescription;
use super::problem::Problem;
use super::query::run;
use super::request::Ask;
use super::senders;
use crate::advice::Shipper;
use crate::gate::{Key, ListKind, Scope};
use crate::ingest::{now, steady};
use crate::journal::Which;
use crate::query;

/// Of whom it is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Patient {
    address: Option<String>,
    /// The public id of a key, or the key as it is shown, masked.
    key: Option<String>,
    /// The name of a host.
    host: Option<String>,
    /// The program that sends, by its name; where it is not told, the one that it seems to be, or
    /// else all.
    shipper: Option<String>,
    /// Where that is to send to: a host, or a host and a port.
    target: Option<String>,
    /// The name of a client software.
    user_agent: Option<String>,
    /// Since when refusals are looked for. Default: a day ago.
    from: Option<String>,
}

/// Explains.
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(patient): Params<Patient>,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let advised = advised(&api, &allowed, &patient)?;
    let Patient { address, key, user_agent, from, host, .. } = patient;
    let address = address.map(|text| {
        let wrong = || {
            let what = "expected an address, but found something else";
            Problem::invalid("invalid_parameter", what).at("address")
        };
        text.parse::<IpAddr>().map_err(|_| wrong())
    });
    let (address, found) = (address.transpose()?, key.as_deref().map(|key| find(&api, key)));
    if address.is_none() && key.is_none() && user_agent.is_none() && host.is_none() {
        let what = "expected an address, a key, a host or a user agent, but found none";
        return Err(Problem::invalid("invalid_parameter", what).at("address"));
    }
    let mut answer = Map::new();
    let mut refusals = Vec::new();
    if let Some(address) = address {
        answer.insert("address".to_owned(), of_address(&api, address, &mut refusals));
    }
    if let Some(found) = &found {
        let shown = of_key(&api, found.as_deref(), address, &mut refusals);
        answer.insert("key".to_owned(), shown);
    }
    if let Some(agent) = &user_agent {
        let verdicts = api.gate.agent_verdicts(Some(agent), "http", now());
        refusals.extend(verdicts.refusal.map(|refusal| told(&refusal)));
        answer.insert("user_agent".to_owned(), json!(agent));
    }
    let masked = found.flatten().map(|key| key.info().masked.clone()).or(key);
    let recent = recent(&api, &allowed, address, masked, from).await?;
    answer.insert("refused".to_owned(), (!refusals.is_empty()).into());
    answer.insert("by".to_owned(), refusals.into());
    answer.insert("recent".to_owned(), recent.into());
    answer.extend(advised);
    Ok(Json(Value::Object(answer)))
}

/// The senders of whom it is asked, and how they are to be configured.
fn advised(
    api: &Api,
    allowed: &super::allowed::Allowed,
    patient: &Patient,
) -> Result<Map<String, Value>, Problem> {
    let Patient { address, key, host, shipper, target, .. } = patient;
    let address = address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
    let address = address.map(|address| address.to_canonical().to_string());
    let key = key.as_deref().map(|text| find(api, text).map(|key| key.id().to_owned()));
    let mut senders = senders::of(api, allowed, |shown| {
        let of = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let is_asked = address.is_some() || key.is_some() || host.is_some();
        is_asked
            && of(&address, shown.address.as_deref())
            && of(host, Some(&shown.host))
            && key.as_ref().is_none_or(|key| key.as_deref() == shown.key.as_deref())
    });
    senders.truncate(MAX_SENDERS);
    let shippers = match shipper.as_deref() {
        Some(name) => vec![Shipper::named(name).ok_or_else(|| {
            let known = Shipper::ALL.map(Shipper::as_str).join(", ");
            let what = format!("expected one of {known}, but found {name:?}");
            Problem::invalid("invalid_parameter", what).at("shipper")
        })?],
        None => match senders.iter().find_map(prescription::seems) {
            Some(shipper) => vec![shipper],
            None => Shipper::ALL.to_vec(),
        },
    };
    let prescription = prescription::of(&senders, &shippers, target.as_deref())
        .map_err(|what| Problem::invalid("invalid_parameter", what).at("target"))?;
    let mut advised = Map::new();
    advised.insert("senders".to_owned(), json!(senders));
    advised.extend(prescription);
    Ok(advised)
}

/// The key of that id, or that is shown like this.
fn find(api: &Api, text: &str) -> Option<Arc<Key>> {
    let by_mask = || {
        let info = api.gate.keys().into_iter().find(|key| key.masked == text)?;
        api.gate.key_by_id(&info.id)
    };
    api.gate.key_by_id(text).or_else(by_mask)
}

/// What lists, countries and automatic rules say of an address.
fn of_address(api: &Api, address: IpAddr, refusals: &mut Vec<Value>) -> Value {
    let (gate, at) = (&api.gate, steady());
    let of = |list| gate.list_matches(list, address, at);
    let counted = gate.counted(address).into_iter();
    let counted: Vec<_> = counted
        .map(|(rule, count, threshold)| json!({"rule": rule, "count": count, "threshold": threshold}))
        .collect();
    let dry: Vec<_> = gate.country_verdicts(address, at).dry.iter().map(told).collect();
    refusals.extend(gate.admit_peer(address, at).err().map(|refusal| told(&refusal)));
    json!({
        "address": address.to_canonical(),
        "country": gate.country_of(address).as_str(),
        "allowlist": of(ListKind::Allow),
        "blocklist": of(ListKind::Block),
        "automatic": counted,
        "dry_run": dry,
    })
}

/// What there is to say of a key, and whether it may be used from there.
fn of_key(
    api: &Api,
    key: Option<&Key>,
    address: Option<IpAddr>,
    refusals: &mut Vec<Value>,
) -> Value {
    let Some(key) = key else {
        refusals.push(told(&crate::gate::Refusal::key_unknown()));
        return Value::Null;
    };
    // Without an address the list of the key itself is not asked, and any will do.
    let from = address.or_else(|| key.info().allow.first().map(|net| net.addr()));
    let from = from.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let checked = api.gate.check(key, Scope::WriteLogs, from, now());
    refusals.extend(checked.err().map(|refusal| told(&refusal)));
    json!(key.info())
}

fn told(refusal: &crate::gate::Refusal) -> Value {
    json!({"reason": refusal.reason.as_str(), "rule": refusal.rule.as_str()})
}

/// The last entries of the journal about someone.
async fn recent(
    api: &Arc<Api>,
    allowed: &super::allowed::Allowed,
    address: Option<IpAddr>,
    masked: Option<String>,
    from: Option<String>,
) -> Result<Vec<Map<String, Value>>, Problem> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let by_address =
        address.map(|at| format!("source.ip:{}", quoted(&at.to_canonical().to_string())));
    let by_key = masked.map(|key| format!("api_key:{}", quoted(&key)));
    let filter = by_address.into_iter().chain(by_key).collect::<Vec<_>>().join(" or ");
    if filter.is_empty() {
        return Ok(Vec::new());
    }
    let from = from.unwrap_or_else(|| "-24h".to_owned());
    let ask = Ask { filter, from: from.into(), limit: Some(MAX_RECENT), ..Ask::default() };
    let mut request = ask.request(api, allowed, Which::Blocked.project().into())?;
    let page = run(api, move |store, budget| {
        request.budget = budget;
        query::run(store, &request)
    });
    Ok(page.await?.logs)
}

/// Senders that are shown.
const MAX_SENDERS: usize = 100;

/// Entries of the journal that are shown.
const MAX_RECENT: usize = 20;
