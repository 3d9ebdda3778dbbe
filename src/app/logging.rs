//! What the daemon says of itself goes to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Begins logging as `log` says.
///
/// # Errors
///
/// The level cannot be read; the text says why.
pub(super) fn begin(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| {
        format!("log.level: expected a level or levels by module, but found {error}")
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second call, as in tests, changes nothing.
    let _already = match log.format {
        LogFormat::Text => lines.with_target(false).try_init().is_err(),
        LogFormat::Json => lines.json().try_init().is_err(),
    };
    Ok(())
}
