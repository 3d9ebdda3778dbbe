//! Whom a list of addresses, or a rule about countries, would have turned away: by the addresses of
//! the events that are stored.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::failure::Failure;
use super::Answer;
use super::args::ReplayArgs;
use super::events::{is_partial, others};
use super::networks::Networks;

/// What was stored of an address, under a key.
struct Source {
    address: Option<IpAddr>,
    group: Value,
}

/// Whom a blocklist, or the allowlist of a key, would have turned away.
pub(super) fn list(args: &ReplayArgs, daemon: &Client) -> Result<Answer, Failure> {
    let proposal = &args.proposal;
    let is_only = !proposal.only_from.is_empty();
    let texts = if is_only { &proposal.only_from } else { &proposal.block };
    let networks = Networks::read(texts, proposal.block_file.as_deref())?;
    let rule = |source: &Source| match (source.address?, is_only) {
        (address, false) => networks.of(address).map(|net| net.to_string()),
        (address, true) => networks.of(address).is_none().then(|| "none".to_owned()),
    };
    let (sources, answer) = sources(args, daemon)?;
    let rows = sources.iter().filter_map(|source| Some(row(source, &rule(source)?))).collect();
    let mut notes = vec![NOT_AMONG.to_owned()];
    if is_only {
        notes.push("without a key it would not have mattered where it came from".to_owned());
    }
    Ok(Answer { rows, columns: &COLUMNS, notes, ..of(&answer) })
}

/// Whom a rule about countries would have turned away. The daemon knows the countries.
pub(super) fn countries(args: &ReplayArgs, daemon: &Client) -> Result<Answer, Failure> {
    let rule = json!({
        "kind": "country", "countries": args.proposal.country, "except": args.except,
    });
    let (sources, answer) = sources(args, daemon)?;
    let of_address = |source: &Source| Some((source.address?.to_string(), ()));
    let addresses: BTreeMap<_, _> = sources.iter().filter_map(of_address).collect();
    let addresses: Vec<_> = addresses.into_keys().collect();
    let mut found = BTreeMap::new();
    for some in addresses.chunks(A_CALL) {
        let tried = daemon.post("/v1/rules/dry-run", &json!({"rule": rule, "samples": some}))?;
        let matched = tried.get("samples").and_then(Value::as_array).into_iter().flatten();
        let matched = matched.filter_map(|at| some.get(usize::try_from(at.as_u64()?).ok()?));
        found.extend(matched.map(|address| (address.clone(), ())));
    }
    let name = if args.except { "not " } else { "" }.to_owned() + &args.proposal.country.join(",");
    let is_found = |source: &&Source| {
        source.address.is_some_and(|address| found.contains_key(&address.to_string()))
    };
    let rows = sources.iter().filter(is_found).map(|source| row(source, &name)).collect();
    let notes = vec![NOT_AMONG.to_owned()];
    Ok(Answer { rows, columns: &COLUMNS, notes, ..of(&answer) })
}

/// Addresses and keys, those with most events first, and the answer that they are from.
fn sources(args: &ReplayArgs, daemon: &Client) -> Result<(Vec<Source>, Value), Failure> {
    let asked = json!({
        "filter": args.filter, "from": args.from, "to": args.to, "by": ["peer.ip", "key"],
        "aggregates": ["count", "min(@timestamp)"],
    });
    let answer = daemon.post("/v1/logs/stats", &asked)?;
    let groups = answer.get("groups").and_then(Value::as_array).into_iter().flatten();
    let source = |group: &Value| {
        let address = group.get("by").and_then(|by| by.get("peer.ip")?.as_str()?.parse().ok());
        Source { address, group: group.clone() }
    };
    Ok((groups.map(source).collect(), answer))
}

fn row(source: &Source, rule: &str) -> Value {
    let group = &source.group;
    let by = |name: &str| group.get("by").and_then(|by| by.get(name).cloned());
    let count = group.get("count");
    json!({
        "sender": by("peer.ip"), "key": by("key"), "rule": rule, "events": count,
        "cut_at_least": count, "cut_at_most": count, "first": group.get("min(@timestamp)"),
    })
}

fn of(answer: &Value) -> Answer {
    Answer {
        nobody: "nobody would have been cut",
        not_looked_at: others(answer),
        is_partial: is_partial(answer),
        ..Answer::default()
    }
}

const COLUMNS: [(&str, &str); 5] = [
    ("address", "sender"),
    ("key", "key"),
    ("rule", "rule"),
    ("events", "events"),
    ("first", "first"),
];

const NOT_AMONG: &str = "events that are stored; what was turned away is not among them";

/// Addresses that are asked about in a call.
const A_CALL: usize = 10_000;
