//! `logtrace quarantine`: what a daemon found damaged.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::args::ServerArgs;
use super::client::Client;
use super::failure::Failure;
use super::table::table;

#[derive(Debug, Args)]
pub(super) struct QuarantineArgs {
    #[command(subcommand)]
    pub(super) action: QuarantineAction,
    /// Write JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum QuarantineAction {
    /// Show what is set aside, and why
    List,
    /// Read a segment again, and take it back if nothing is wrong with it any longer
    Lift {
        /// Its id, as the list shows it
        segment: String,
    },
}

/// Lists what is in quarantine, or takes a segment back.
pub(super) fn run(args: &QuarantineArgs) -> Result<(), Failure> {
    let daemon = Client::new(&args.server);
    let output = &mut io::stdout().lock();
    match &args.action {
        QuarantineAction::List => {
            let done = daemon.get("/v1/quarantine")?;
            if args.json {
                return Ok(writeln!(output, "{done}")?);
            }
            let marks = done.get("quarantine").and_then(Value::as_array);
            let marks = marks.into_iter().flatten().filter_map(Value::as_object);
            let rows: Vec<Map<_, _>> = marks.cloned().collect();
            Ok(writeln!(output, "{}", table(&COLUMNS, &rows))?)
        }
        QuarantineAction::Lift { segment } => {
            if segment.is_empty() || !segment.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let text = format!("expected the id of a segment, but found {segment:?}");
                return Err(Failure::Usage(text));
            }
            let done = daemon.delete(&format!("/v1/quarantine/{segment}"), &[])?;
            match args.json {
                true => writeln!(output, "{done}")?,
                false => writeln!(output, "{segment} is whole and is read again")?,
            }
            Ok(())
        }
    }
}

const COLUMNS: [(&str, &str); 4] =
    [("segment", "segment"), ("block", "block"), ("project", "project"), ("found", "reason")];
