//! Whom a rule about client software or content would have turned away. The daemon tries the rule,
//! as it does those that are in force.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::failure::Failure;
use super::Answer;
use super::args::{ReplayArgs, ReplayBy};
use super::events::is_partial;

/// Whose software would have been turned away, by the journal `access`.
pub(super) fn agents(args: &ReplayArgs, agent: &str, daemon: &Client) -> Result<Answer, Failure> {
    let by = match args.by {
        ReplayBy::Key => "api_key",
        ReplayBy::Address => "source.ip",
        ReplayBy::Project => "project",
    };
    let named = "user_agent.original:*";
    let filter = match args.filter.trim() {
        "" => named.to_owned(),
        filter => format!("({filter}) and {named}"),
    };
    let asked = json!({
        "journal": "access", "filter": filter, "from": args.from, "to": args.to,
        "by": ["user_agent.original", by],
        "aggregates": ["sum(count)", "sum(events_accepted)", "min(@timestamp)"],
    });
    let answer = daemon.post("/v1/logs/stats", &asked)?;
    let groups = answer.get("groups").and_then(Value::as_array).into_iter().flatten();
    let groups: Vec<_> = groups.collect();
    let name = |group: &Value| {
        let by = group.get("by")?;
        by.get("user_agent.original")?.as_str().map(str::to_owned)
    };
    let names: BTreeSet<_> = groups.iter().filter_map(|group| name(group)).collect();
    let names: Vec<_> = names.into_iter().collect();
    let rule = json!({"kind": "user_agent", "pattern": agent});
    let tried = daemon.post("/v1/rules/dry-run", &json!({"rule": rule, "samples": names}))?;
    let matched = tried.get("samples").and_then(Value::as_array).into_iter().flatten();
    let matched: BTreeSet<_> =
        matched.filter_map(|at| names.get(usize::try_from(at.as_u64()?).ok()?)).collect();
    let row = |group: &&Value| {
        let name = name(group).filter(|name| matched.contains(name))?;
        Some(json!({
            "sender": group.get("by").and_then(|of| of.get(by)), "user_agent": name,
            "calls": group.get("sum(count)"), "events": group.get("sum(events_accepted)"),
            "cut_at_least": group.get("sum(count)"), "cut_at_most": group.get("sum(count)"),
            "first": group.get("min(@timestamp)"),
        }))
    };
    Ok(Answer {
        rows: groups.iter().filter_map(row).collect(),
        columns: &AGENTS,
        nobody: "nobody would have been cut",
        notes: vec!["calls that were done; those that failed are not among them".to_owned()],
        not_looked_at: answer.pointer("/other/sum(count)").and_then(Value::as_u64).unwrap_or(0),
        is_partial: is_partial(&answer),
        ..Answer::default()
    })
}

/// Whose events would have been turned away for what is in them.
pub(super) fn events(args: &ReplayArgs, daemon: &Client) -> Result<Answer, Failure> {
    let proposal = &args.proposal;
    let rule = match (&proposal.literal, &proposal.regex) {
        (Some(text), _) => {
            json!({"kind": "literal", "pattern": text, "case_sensitive": args.case_sensitive})
        }
        (None, regex) => json!({"kind": "regex", "pattern": regex}),
    };
    let (mut cursor, mut scanned, mut is_partial) = (Value::Null, 0, false);
    let mut senders: BTreeMap<String, (u64, String)> = BTreeMap::new();
    while scanned < args.most {
        let asked = json!({
            "rule": rule, "filter": args.filter, "from": args.from, "to": args.to,
            "limit": (args.most - scanned).min(A_CALL), "cursor": cursor,
        });
        let answer = daemon.post("/v1/rules/dry-run", &asked)?;
        scanned += answer.get("scanned").and_then(Value::as_u64).unwrap_or(0);
        is_partial |= answer.get("partial") == Some(&Value::Bool(true));
        let found = answer.get("senders").and_then(Value::as_object).into_iter().flatten();
        for (sender, count) in found {
            let (all, first) = senders.entry(sender.clone()).or_default();
            *all += count.as_u64().unwrap_or(0);
            // The latest come first, so the last answer has the earliest.
            if let Some(earliest) = answer.pointer("/first").and_then(|of| of.get(sender)?.as_str())
            {
                earliest.clone_into(first);
            }
        }
        cursor = answer.get("next_cursor").cloned().unwrap_or_default();
        if cursor.is_null() {
            break;
        }
    }
    let row = |(sender, (count, first))| {
        json!({
            "sender": sender, "events": count, "cut_at_least": count, "cut_at_most": count,
            "first": first,
        })
    };
    let mut rows: Vec<_> = senders.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.get("events").and_then(Value::as_u64)));
    let mut notes = vec![format!(
        "{scanned} events, by the texts of their fields as they are stored: what a message held of \
         secrets, or between its fields, is not there any more"
    )];
    if !cursor.is_null() {
        notes.push("there are more, which were not looked at: --most".to_owned());
    }
    let nobody = "nobody would have been cut";
    Ok(Answer { rows, columns: &EVENTS, nobody, notes, is_partial, ..Answer::default() })
}

const AGENTS: [(&str, &str); 5] = [
    ("sender", "sender"),
    ("software", "user_agent"),
    ("calls cut", "calls"),
    ("events in them", "events"),
    ("first", "first"),
];

const EVENTS: [(&str, &str); 3] =
    [("sender", "sender"), ("events cut", "events"), ("first", "first")];

/// Events that are looked at in a call.
const A_CALL: u64 = 10_000;
