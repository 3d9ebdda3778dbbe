//! `logtrace serve`, `logtrace check` and `logtrace reload`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::args::{DaemonArgs, ReloadArgs};
use super::client::Client;
use super::failure::Failure;
use crate::app;
use crate::config::Reader;

/// Runs the daemon until it is told to stop.
pub(super) fn serve(args: &DaemonArgs) -> Result<(), Failure> {
    app::run(reader(args)).map_err(|failure| match failure {
        app::Failure::Config(errors) => Failure::Config(errors.to_string()),
        other => Failure::new(other),
    })
}

/// Says whether the daemon would take this configuration.
pub(super) fn check(args: &DaemonArgs) -> Result<(), Failure> {
    let read = reader(args).read();
    let config = read.map_err(|errors| Failure::Config(errors.to_string()))?;
    let place = args.config.as_ref().map(|file| format!("{}: ", file.display()));
    let place = place.unwrap_or_default();
    let wrong = config.listener.iter().zip(0..).filter_map(|(listener, number)| {
        let error = listener.check_files().err()?;
        Some(format!("{place}listener.{number}.tls: {error}"))
    });
    let wrong = wrong.collect::<Vec<String>>();
    if !wrong.is_empty() {
        return Err(Failure::Config(wrong.join("\n")));
    }
    Ok(writeln!(io::stdout(), "{place}nothing is wrong")?)
}

/// Tells a running daemon to read its configuration again.
pub(super) fn reload(args: &ReloadArgs) -> Result<(), Failure> {
    let changes = Client::new(&args.server).post("/v1/reload", &json!({}))?;
    let output = &mut io::stdout().lock();
    if args.json {
        return Ok(writeln!(output, "{changes}")?);
    }
    let names = |of: Option<&Value>| -> Vec<String> {
        let names = of.and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let of = |kind: &str| changes.get("listeners").and_then(|listeners| listeners.get(kind));
    let mut has_told = false;
    let mut tell = |what: &str, names: Vec<String>| {
        if names.is_empty() {
            return Ok(());
        }
        has_told = true;
        writeln!(output, "{what}: {}", names.join(", "))
    };
    tell("listeners added", names(of("added")))?;
    tell("listeners removed", names(of("removed")))?;
    for (name, settings) in of("changed").and_then(Value::as_object).into_iter().flatten() {
        tell(&format!("listener {name:?} changed"), names(Some(settings)))?;
    }
    tell("settings changed", names(changes.get("settings")))?;
    tell("these count after a restart", names(changes.get("needs_restart")))?;
    if !has_told {
        writeln!(output, "nothing has changed")?;
    }
    Ok(())
}

fn reader(args: &DaemonArgs) -> Reader {
    let DaemonArgs { config, data, set } = args;
    Reader { path: config.clone(), data: data.clone(), sets: set.clone() }
}
