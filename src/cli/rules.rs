//! `logtrace rules`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::client::Client;
use super::failure::Failure;
use super::rule_args::{NewRuleArgs, RulesAction, RulesArgs};
use super::table::{cell, table};

/// Does what is to be done with rules.
pub(super) fn run(args: &RulesArgs) -> Result<(), Failure> {
    let daemon = Client::new(&args.server);
    let done = match &args.action {
        RulesAction::List => daemon.get("/v1/rules")?,
        RulesAction::Add(new) => daemon.post("/v1/rules", &wanted(new))?,
        RulesAction::Try { rule, from, sample } => {
            let mut body = json!({"rule": wanted(rule)});
            if let Some(body) = body.as_object_mut() {
                body.extend(from.as_ref().map(|from| ("from".to_owned(), json!(from))));
                if !sample.is_empty() {
                    body.insert("samples".to_owned(), json!(sample));
                }
            }
            daemon.post("/v1/rules/dry-run", &body)?
        }
        RulesAction::Remove { id } => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            if id.is_empty() || !id.bytes().all(plain) {
                return Err(Failure::Usage(format!("expected the id of a rule, but found {id:?}")));
            }
            daemon.delete(&format!("/v1/rules/{id}"), &[])?
        }
    };
    show(args, &done, &mut io::stdout().lock())
}

fn wanted(new: &NewRuleArgs) -> Value {
    let NewRuleArgs { kind, pattern, id, country, except, sql_injection, case_sensitive, .. } = new;
    let mut rule = json!({
        "kind": kind, "pattern": pattern, "countries": country, "except": except,
        "case_sensitive": case_sensitive,
        "abuse": if *sql_injection { "sql_injection" } else { "abuse" },
        "action": if new.dry_run { "dry_run" } else { "block" },
        "note": new.note,
    });
    let optional = [
        ("id", id),
        ("listener", &new.listener),
        ("project", &new.project),
        ("window", &new.window),
        ("duration", &new.duration),
        ("expires_at", &new.expires_at),
    ];
    if let Some(rule) = rule.as_object_mut() {
        let given = optional.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        rule.extend(given.map(|(name, text)| (name.to_owned(), json!(text))));
        rule.extend(new.threshold.map(|threshold| ("threshold".to_owned(), json!(threshold))));
    }
    rule
}

fn show(args: &RulesArgs, done: &Value, output: &mut impl Write) -> Result<(), Failure> {
    if args.json {
        return Ok(writeln!(output, "{done}")?);
    }
    let text = |name: &str| done.get(name).map(cell).unwrap_or_default();
    match &args.action {
        RulesAction::List => {
            let rules = done.get("rules").and_then(Value::as_array);
            let rules = rules.into_iter().flatten().filter_map(Value::as_object);
            let rows: Vec<Map<_, _>> = rules.cloned().collect();
            writeln!(output, "{}", table(&COLUMNS, &rows))?;
        }
        RulesAction::Add(_) => {
            writeln!(output, "{} is in force: {}", text("id"), text("action"))?;
        }
        RulesAction::Try { .. } => {
            writeln!(output, "{} of {} would match", text("matched"), text("scanned"))?;
            let examples = done.get("examples").and_then(Value::as_array);
            for example in examples.into_iter().flatten() {
                let message = example.get("message").map(cell).unwrap_or_default();
                writeln!(output, "  {message}")?;
            }
        }
        RulesAction::Remove { .. } => writeln!(output, "{} is no longer in force", text("id"))?,
    }
    Ok(())
}

const COLUMNS: [(&str, &str); 9] = [
    ("id", "id"),
    ("kind", "kind"),
    ("pattern", "pattern"),
    ("countries", "countries"),
    ("threshold", "threshold"),
    ("action", "action"),
    ("until", "expires_at"),
    ("from", "origin"),
    ("note", "note"),
];
