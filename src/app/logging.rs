//! What the daemon says of itself goes to standard error.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::{Log, LogFormat};

/// The level, which can be another while the daemon runs.
#[derive(Clone, Debug)]
pub(super) struct Level(reload::Handle<EnvFilter, Registry>);

/// Begins logging as `log` says.
///
/// # Errors
///
/// The level cannot be read; the text says why.
pub(super) fn begin(log: &Log) -> Result<Level, String> {
    let (filter, level) = reload::Layer::new(read(&log.level)?);
    let lines =
        fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second call, as in tests, changes nothing.
    let _already = match log.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init().is_err(),
        LogFormat::Json => registry.with(lines.json()).try_init().is_err(),
    };
    Ok(Level(level))
}

impl Level {
    /// Says as much as `level` from now on.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn set(&self, level: &str) -> Result<(), String> {
        self.0.reload(read(level)?).map_err(|error| error.to_string())
    }
}

fn read(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| {
        format!("log.level: expected a level or levels by module, but found {error}")
    })
}
