//! `logtrace blocklist` and `logtrace allowlist`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::args::{ListAction, ListArgs};
use super::client::Client;
use super::failure::Failure;
use super::table::{cell, table};

/// Does what is to be done with the list of that name.
pub(super) fn run(list: &str, args: &ListArgs) -> Result<(), Failure> {
    let (daemon, path) = (Client::new(&args.server), format!("/v1/{list}"));
    let done = match &args.action {
        ListAction::List => daemon.get(&path)?,
        ListAction::Add { net, expires_in, note, confirm } => {
            let note = json!({
                "net": net, "expires_in": expires_in, "note": note, "confirm": confirm,
            });
            daemon.post(&path, &note)?
        }
        ListAction::Remove { net } => daemon.delete(&path, &[("net", net)])?,
    };
    show(list, args, &done, &mut io::stdout().lock())
}

fn show(list: &str, args: &ListArgs, done: &Value, output: &mut impl Write) -> Result<(), Failure> {
    if args.json {
        return Ok(writeln!(output, "{done}")?);
    }
    let text = |name: &str| done.get(name).map(cell).unwrap_or_default();
    match &args.action {
        ListAction::List => {
            let entries = done.get("entries").and_then(Value::as_array);
            let entries = entries.into_iter().flatten().filter_map(Value::as_object);
            let rows: Vec<Map<_, _>> = entries.cloned().collect();
            writeln!(output, "{}", table(&COLUMNS, &rows))?;
            let sources = done.get("sources").and_then(Value::as_array);
            let sources = sources.into_iter().flatten().filter_map(Value::as_object);
            let rows: Vec<Map<_, _>> = sources.cloned().collect();
            if !rows.is_empty() {
                writeln!(output, "\n{}", table(&SOURCES, &rows))?;
            }
        }
        ListAction::Add { .. } => {
            let until = match &*text("expires_at") {
                "" => "for good".to_owned(),
                until => format!("until {until}"),
            };
            writeln!(output, "{} is on the {list} {until}", text("net"))?;
        }
        ListAction::Remove { .. } => {
            writeln!(output, "{} is no longer on the {list}", text("net"))?;
        }
    }
    Ok(())
}

const SOURCES: [(&str, &str); 5] = [
    ("source", "name"),
    ("from", "from"),
    ("ranges", "ranges"),
    ("read", "loaded_at"),
    ("error", "error"),
];

const COLUMNS: [(&str, &str); 5] = [
    ("network", "net"),
    ("until", "expires_at"),
    ("since", "created_at"),
    ("from", "origin"),
    ("note", "note"),
];
