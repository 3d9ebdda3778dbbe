//! What may be typed behind `logtrace audit` and `logtrace verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::ServerArgs;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    pub(super) action: Option<AuditAction>,
    #[command(flatten)]
    pub(super) filter: AuditFilter,
    /// Work on this data folder, which no daemon may hold, and not on a daemon
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data: Option<PathBuf>,
    /// Write JSON, an entry a line
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct AuditFilter {
    /// Who: a key or a user as shown, or its id; `*` is any text
    #[arg(long)]
    pub(super) actor: Option<String>,
    /// What was done, such as `api_key.*`, with commas between them; `*` is all, those of segments
    /// too
    #[arg(long)]
    pub(super) event: Option<String>,
    /// To what; `*` is any text
    #[arg(long)]
    pub(super) resource: Option<String>,
    /// Where it was done from: an address or a network
    #[arg(long)]
    pub(super) address: Option<String>,
    /// The first time, such as -24h, 2026-06-15 or 2026-06-15T12:00:00Z
    #[arg(long, allow_hyphen_values = true)]
    pub(super) from: Option<String>,
    /// The last time
    #[arg(long, allow_hyphen_values = true)]
    pub(super) to: Option<String>,
    /// The most entries
    #[arg(long, default_value_t = 100)]
    pub(super) limit: usize,
    /// Go on where an earlier answer ended
    #[arg(long)]
    pub(super) cursor: Option<String>,
    /// Write all of them as CSV
    #[arg(long)]
    pub(super) csv: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditAction {
    /// Write entries and what proves them into one file, for `logtrace verify`
    Bundle(BundleArgs),
    /// Print a signed checkpoint, to be kept elsewhere: it shows later what was cut off
    Checkpoint,
    /// Print the public key that checkpoints are signed with
    Key,
}

#[derive(Debug, Args)]
pub(super) struct BundleArgs {
    /// The file to write; standard output without one
    pub(super) file: Option<PathBuf>,
    /// The time of the first entry. Default: from the beginning
    #[arg(long, allow_hyphen_values = true)]
    pub(super) from: Option<String>,
    /// The time of the last entry; the bundle goes on to the next checkpoint. Default: to the end
    #[arg(long, allow_hyphen_values = true)]
    pub(super) to: Option<String>,
    /// A checkpoint that was kept: the bundle proves that the log goes on from there
    #[arg(long, value_name = "FILE")]
    pub(super) anchor: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The bundle
    #[arg(value_name = "FILE", required_unless_present = "data", conflicts_with = "data")]
    pub(super) bundle: Option<PathBuf>,
    /// Verify the log and the segments of this data folder, which no daemon may hold
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// The public key, or a file with it; may be repeated. Default: the keys that the log names
    #[arg(long, value_name = "PUB")]
    pub(super) key: Vec<String>,
    /// A checkpoint that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub(super) anchor: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
}
