//! Whom an allowlist would have let in, by the journal `blocked`.

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::failure::Failure;
use super::Answer;
use super::args::ReplayArgs;
use super::events::is_partial;
use super::networks::Networks;

/// Who was turned away by address or country, and would not have been.
pub(super) fn list(args: &ReplayArgs, daemon: &Client) -> Result<Answer, Failure> {
    let proposal = &args.proposal;
    let networks = Networks::read(&proposal.allow, proposal.allow_file.as_deref())?;
    let filter = match args.filter.trim() {
        "" => WAIVED.to_owned(),
        filter => format!("({filter}) and ({WAIVED})"),
    };
    let asked = json!({
        "journal": "blocked", "filter": filter, "from": args.from, "to": args.to,
        "by": ["source.ip", "reason", "rule"], "aggregates": ["sum(count)", "min(@timestamp)"],
    });
    let answer = daemon.post("/v1/logs/stats", &asked)?;
    let groups = answer.get("groups").and_then(Value::as_array).into_iter().flatten();
    let row = |group: &Value| {
        let by = group.get("by")?;
        let address = by.get("source.ip")?.as_str()?;
        let network = networks.of(address.parse().ok()?)?;
        Some(json!({
            "sender": address, "reason": by.get("reason"), "rule": by.get("rule"),
            "network": network.to_string(), "let_in": group.get("sum(count)"),
            "first": group.get("min(@timestamp)"),
        }))
    };
    let notes = "refusals by address or country that are noted: of an address that was cut it is not \
                 known how much it would have sent";
    Ok(Answer {
        rows: groups.filter_map(row).collect(),
        columns: &COLUMNS,
        nobody: "nobody would have been let in",
        notes: vec![notes.to_owned()],
        not_looked_at: answer.pointer("/other/sum(count)").and_then(Value::as_u64).unwrap_or(0),
        is_partial: is_partial(&answer),
        ..Answer::default()
    })
}

const COLUMNS: [(&str, &str); 6] = [
    ("address", "sender"),
    ("allowed by", "network"),
    ("turned away by", "rule"),
    ("reason", "reason"),
    ("refusals", "let_in"),
    ("first", "first"),
];

/// What who is on the allowlist is not turned away for.
const WAIVED: &str = "reason:(IP_BLOCKLISTED or GEO_BLOCKED) and not dry_run:true";
