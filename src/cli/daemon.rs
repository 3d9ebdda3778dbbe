//! `logtrace serve` and `logtrace check`.

use std::io::{self, Write};

use super::args::DaemonArgs;
use super::failure::Failure;
use crate::app;
use crate::config::{self, Config};

/// Runs the daemon until it is told to stop.
pub(super) fn serve(args: &DaemonArgs) -> Result<(), Failure> {
    app::run(&load(args)?).map_err(Failure::new)
}

/// Says whether the daemon would take this configuration.
pub(super) fn check(args: &DaemonArgs) -> Result<(), Failure> {
    load(args)?;
    let place = args.config.as_ref().map(|file| format!("{}: ", file.display()));
    Ok(writeln!(io::stdout(), "{}nothing is wrong", place.unwrap_or_default())?)
}

fn load(args: &DaemonArgs) -> Result<Config, Failure> {
    let loaded = config::load(args.config.as_deref(), args.data.as_deref(), &args.set);
    loaded.map_err(|errors| Failure::Config(errors.to_string()))
}
