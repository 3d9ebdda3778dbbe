//! `logtrace senders`: who sends, when they were heard last, and who is overdue.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::args::ServerArgs;
use super::client::Client;
use super::failure::Failure;
use super::table::{cell, table};

#[derive(Debug, Args)]
pub(super) struct SendersArgs {
    /// Only those that are overdue
    #[arg(long)]
    pub(super) overdue: bool,
    /// Only those of the key with this id
    #[arg(long)]
    pub(super) key_id: Option<String>,
    /// Only hosts of this name, or whose names begin like that: `web*`
    #[arg(long)]
    pub(super) host: Option<String>,
    /// Only those that came in here last
    #[arg(long)]
    pub(super) listener: Option<String>,
    /// Only those that come from this address
    #[arg(long)]
    pub(super) address: Option<String>,
    /// Wait for this one no longer: its id, as --json shows it
    #[arg(long, value_name = "ID", conflicts_with_all = ["overdue", "key_id", "host", "listener", "address"])]
    pub(super) forget: Option<String>,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Lists senders, or forgets one.
pub(super) fn run(args: &SendersArgs) -> Result<(), Failure> {
    let (daemon, output) = (Client::new(&args.server), &mut io::stdout().lock());
    if let Some(id) = &args.forget {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let text = format!("expected the id of a sender, but found {id:?}");
            return Err(Failure::Usage(text));
        }
        let gone = daemon.delete(&format!("/v1/senders/{id}"), &[])?;
        let host = gone.get("host").map(cell).unwrap_or_default();
        match args.json {
            true => writeln!(output, "{gone}")?,
            false => writeln!(output, "{host} is waited for no longer")?,
        }
        return Ok(());
    }
    let SendersArgs { key_id, host, listener, address, .. } = args;
    let asked = [("key", key_id), ("host", host), ("listener", listener), ("address", address)];
    let asked = asked.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
    let overdue = args.overdue.then_some(("state", "overdue"));
    let asked: Vec<_> = asked.chain(overdue).chain([("limit", "10000")]).collect();
    let found = daemon.get_with("/v1/senders", &asked)?;
    match args.json {
        true => Ok(writeln!(output, "{found}")?),
        false => show(&found, output),
    }
}

fn show(found: &Value, output: &mut impl Write) -> Result<(), Failure> {
    let rows = found.get("senders").and_then(Value::as_array);
    let rows: Vec<_> = rows.into_iter().flatten().filter_map(Value::as_object).map(row).collect();
    writeln!(output, "{}", table(&COLUMNS, &rows))?;
    let count = found.get("count").and_then(Value::as_u64).unwrap_or_default();
    if count > rows.len() as u64 {
        writeln!(output, "… and {} more", count - rows.len() as u64)?;
    }
    Ok(())
}

/// A sender with times as people read them.
fn row(sender: &Map<String, Value>) -> Map<String, Value> {
    let mut row = sender.clone();
    for name in ["quiet_seconds", "usual_seconds", "overdue_after_seconds"] {
        let time = sender.get(name).and_then(Value::as_f64);
        let time = time.and_then(|time| Duration::try_from_secs_f64(time.floor()).ok());
        let time = time.map(|time| humantime::format_duration(time).to_string());
        row.insert(name.to_owned(), time.into());
    }
    row
}

const COLUMNS: [(&str, &str); 9] = [
    ("host", "host"),
    ("key", "key"),
    ("project", "project"),
    ("state", "state"),
    ("last seen", "last_seen"),
    ("quiet for", "quiet_seconds"),
    ("usually", "usual_seconds"),
    ("overdue after", "overdue_after_seconds"),
    ("at", "listener"),
];
