//! What the daemon says of itself goes to standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::log_lines::Lines;
use crate::config::{Log, LogFormat};

/// The level, which can be another while the daemon runs.
#[derive(Clone, Debug)]
pub(super) struct Level {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

/// Begins logging as `log` says.
///
/// # Errors
///
/// The level cannot be read; the text says why.
pub(super) fn begin(log: &Log) -> Result<Level, String> {
    let (filter, level) = reload::Layer::new(read(&log.level)?);
    let to = Lines::begin(std::io::stderr()).map_err(|error| error.to_string())?;
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(to.clone())
        .log_internal_errors(false); // they would go where lines cannot go
    let registry = tracing_subscriber::registry().with(filter);
    // A second call, as in tests, changes nothing.
    let _already = match log.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init().is_err(),
        LogFormat::Json => registry.with(lines.json()).try_init().is_err(),
    };
    panic::set_hook(Box::new(tell));
    Ok(Level { filter: level, lines: to })
}

/// How often something has panicked.
pub(super) fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Says where something panicked, and with what words of ours: what is quoted in them came from
/// outside, and may be a secret.
fn tell(panic: &PanicHookInfo<'_>) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = ours(panic.payload_as_str().unwrap_or_default());
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    error!(thread = name, place, words, trace, "a panic");
}

/// A text up to the first thing that it quotes.
fn ours(text: &str) -> &str {
    text.split(['`', '"', '\'', '(', '\n']).next().unwrap_or_default()
}

/// Counted since the process began.
static PANICS: AtomicU64 = AtomicU64::new(0);

impl Level {
    /// Says as much as `level` from now on.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn set(&self, level: &str) -> Result<(), String> {
        self.filter.reload(read(level)?).map_err(|error| error.to_string())
    }

    /// How many lines could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lines.lost()
    }

    /// Waits until what was said is written, but not for ever.
    pub(super) fn flush(&self) {
        self.lines.flush();
    }
}

fn read(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| {
        format!("log.level: expected a level or levels by module, but found {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_quotes_is_not_repeated() {
        assert_eq!(
            ours("byte index 3 is no boundary in `lt_live_x`"),
            "byte index 3 is no boundary in "
        );
        assert_eq!(ours("the len is 3 but the index is 5"), "the len is 3 but the index is 5");
        assert_eq!(ours("it is there: Error(\"lt_live_x\")"), "it is there: Error");
    }
}
