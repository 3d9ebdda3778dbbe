//! `logtrace audit`: who changed what, and what proves it.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::audit_args::{AuditAction, AuditArgs, AuditFilter, BundleArgs};
use super::client::Client;
use super::failure::Failure;
use super::folder;
use super::table::table;
use super::visible::visible;
use crate::audit::{Extent, SignedNote};
use crate::ingest::now;
use crate::kql::parse_time;

/// Does what is to be done with the log.
pub(super) fn run(args: &AuditArgs) -> Result<(), Failure> {
    let daemon = || Client::new(&args.server);
    match (&args.action, &args.data) {
        (None, None) => list(&args.filter, args.json, &daemon()),
        (None, Some(_)) => {
            let what = "expected a daemon to list entries of, or `bundle`, `checkpoint` or `key`";
            Err(Failure::Usage(format!("{what} with `--data`, but found `--data` alone")))
        }
        (Some(AuditAction::Key), None) => {
            let shown = daemon().get("/v1/audit/key")?;
            let key = shown.get("key").and_then(Value::as_str).unwrap_or_default();
            print(args.json.then_some(&shown), key)
        }
        (Some(AuditAction::Key), Some(data)) => {
            print(None, &of_folder(data)?.public_key().to_string())
        }
        (Some(AuditAction::Checkpoint), None) => {
            let mut note = daemon().stream("/v1/audit/checkpoint", &[])?;
            io::copy(&mut note, &mut io::stdout().lock())?;
            Ok(())
        }
        (Some(AuditAction::Checkpoint), Some(data)) => {
            let note = of_folder(data)?.checkpoint().map_err(Failure::new)?;
            Ok(io::stdout().lock().write_all(note.as_bytes())?)
        }
        (Some(AuditAction::Bundle(asked)), data) => bundle(asked, data.as_deref(), &daemon()),
    }
}

fn print(json: Option<&Value>, text: &str) -> Result<(), Failure> {
    let output = &mut io::stdout().lock();
    match json {
        Some(json) => Ok(writeln!(output, "{json}")?),
        None => Ok(writeln!(output, "{}", visible(text))?),
    }
}

fn list(filter: &AuditFilter, json: bool, daemon: &Client) -> Result<(), Failure> {
    let AuditFilter { actor, event, resource, address, from, to, limit, cursor, csv } = filter;
    let limit = limit.to_string();
    let named = [
        ("actor", actor),
        ("event", event),
        ("resource", resource),
        ("address", address),
        ("from", from),
        ("to", to),
        ("cursor", cursor),
    ];
    let mut asked: Vec<_> =
        named.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect();
    let output = &mut io::stdout().lock();
    if *csv {
        asked.push(("format", "csv"));
        io::copy(&mut daemon.stream("/v1/audit", &asked)?, output)?;
        return Ok(());
    }
    asked.push(("limit", &limit));
    let answer = daemon.get_with("/v1/audit", &asked)?;
    let no_entries = || Failure::new("expected an answer with entries, but found another");
    let entries = answer.get("entries").and_then(Value::as_array).ok_or_else(no_entries)?;
    if json {
        for entry in entries {
            writeln!(output, "{entry}")?;
        }
    } else {
        let rows: Vec<Map<_, _>> = entries.iter().filter_map(Value::as_object).cloned().collect();
        writeln!(output, "{}", table(&COLUMNS, &rows))?;
    }
    if let Some(next) = answer.pointer("/meta/next_cursor").and_then(Value::as_str) {
        writeln!(io::stderr(), "logtrace: there may be more: --cursor {}", visible(next))?;
    }
    Ok(())
}

/// Writes a bundle, of a daemon's log or of that in a data folder.
fn bundle(asked: &BundleArgs, data: Option<&Path>, daemon: &Client) -> Result<(), Failure> {
    let anchor = asked.anchor.as_deref().map(super::verify::anchor).transpose()?;
    let anchor = anchor.map(|anchor: SignedNote| anchor.checkpoint.size);
    let to = asked.file.as_deref().filter(|file| *file != Path::new("-"));
    if to.is_none() && io::stdout().is_terminal() {
        let what = "expected a file to write the bundle to, but found a terminal";
        return Err(Failure::Usage(what.to_owned()));
    }
    // What is not whole does not bear its name.
    let draft = to.map(|file| file.with_added_extension("part"));
    let failed =
        |path: &Path, error: io::Error| Failure::new(format_args!("{}: {error}", path.display()));
    let mut output: Box<dyn Write> = match &draft {
        Some(draft) => {
            Box::new(BufWriter::new(File::create(draft).map_err(|error| failed(draft, error))?))
        }
        None => Box::new(io::stdout().lock()),
    };
    let written = match data {
        Some(data) => of_extent(asked, anchor).and_then(|extent| {
            of_folder(data)?.bundle(&extent, &mut output, now()).map_err(Failure::new)
        }),
        None => of_daemon(asked, anchor, daemon, &mut output),
    };
    let written = written.and_then(|()| Ok(output.flush()?));
    drop(output);
    if let (Some(draft), Some(file)) = (&draft, to) {
        if written.is_ok() {
            std::fs::rename(draft, file).map_err(|error| failed(file, error))?;
            writeln!(
                io::stderr(),
                "logtrace: {}: to be read by `logtrace verify`",
                file.display()
            )?;
        } else {
            std::fs::remove_file(draft).ok();
        }
    }
    written
}

fn of_daemon(
    asked: &BundleArgs,
    anchor: Option<u64>,
    daemon: &Client,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let anchor = anchor.map(|anchor| anchor.to_string());
    let named = [("from", &asked.from), ("to", &asked.to), ("anchor", &anchor)];
    let asked: Vec<_> =
        named.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect();
    io::copy(&mut daemon.stream("/v1/audit/bundle", &asked)?, output)?;
    Ok(())
}

fn of_extent(asked: &BundleArgs, anchor: Option<u64>) -> Result<Extent, Failure> {
    let time = |text: &Option<String>| {
        let read = text.as_deref().map(|text| parse_time(text, now())).transpose();
        read.map_err(|error| Failure::Usage(error.to_string()))
    };
    Ok(Extent { from: time(&asked.from)?, to: time(&asked.to)?, anchor })
}

fn of_folder(data: &Path) -> Result<Arc<crate::audit::Audit>, Failure> {
    folder::audit(&Arc::new(folder::open(data)?))
}

const COLUMNS: [(&str, &str); 6] = [
    ("entry", "index"),
    ("time", "time"),
    ("actor", "actor"),
    ("address", "address"),
    ("event", "event"),
    ("resource", "resource"),
];
