//! What may be typed behind `logtrace limits`.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Args, Subcommand, ValueEnum};

use super::super::args::ServerArgs;

#[derive(Debug, Args)]
pub(in super::super) struct LimitsArgs {
    #[command(subcommand)]
    pub(super) action: LimitsAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum LimitsAction {
    /// Say who would have been cut by a limit, a list or a rule that is proposed: how much, and when
    /// first
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    pub(super) proposal: ProposalArgs,
    /// How much may come at once, as time at the rate that is proposed
    #[arg(long, default_value = "1s")]
    pub(super) burst: String,
    /// What a sender is
    #[arg(long, value_enum, default_value_t)]
    pub(super) by: ReplayBy,
    /// With --requests-per-hour: what they are for
    #[arg(long, value_enum, default_value_t)]
    pub(super) requests: ReplayRequests,
    /// With --requests-per-hour: only keys of this tier
    #[arg(long, value_enum)]
    pub(super) tier: Option<ReplayTier>,
    /// With --country: all countries but those
    #[arg(long)]
    pub(super) except: bool,
    /// With --literal: upper and lower case are two things
    #[arg(long)]
    pub(super) case_sensitive: bool,
    /// With --literal and --regex: how many of the latest events are looked at
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    pub(super) most: u64,
    /// The first time, such as -24h or 2026-06-15
    #[arg(long, default_value = "-24h", allow_hyphen_values = true)]
    pub(super) from: String,
    /// The last time
    #[arg(long, default_value = "now", allow_hyphen_values = true)]
    pub(super) to: String,
    /// Only events, or entries of a journal, that this query finds, in KQL
    #[arg(long, default_value = "")]
    pub(super) filter: String,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// What is proposed: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ProposalArgs {
    /// Propose a limit of so many events a second, for each sender
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) events_per_second: Option<f64>,
    /// Propose a limit of so much a second, such as 1MiB, for each sender
    #[arg(long, value_name = "SIZE")]
    pub(super) bytes_per_second: Option<ByteSize>,
    /// Propose so many requests in an hour, for each key
    #[arg(long, value_name = "NUMBER")]
    pub(super) requests_per_hour: Option<u64>,
    /// Propose so many open connections, for each sender
    #[arg(long, value_name = "NUMBER")]
    pub(super) connections: Option<u32>,
    /// Propose to block these networks, with commas between them
    #[arg(long, value_name = "NET", value_delimiter = ',')]
    pub(super) block: Vec<String>,
    /// Propose to block those of a file, one a line
    #[arg(long, value_name = "FILE")]
    pub(super) block_file: Option<PathBuf>,
    /// Propose to allow these networks: who of them was turned away and would not have been
    #[arg(long, value_name = "NET", value_delimiter = ',')]
    pub(super) allow: Vec<String>,
    /// Propose to allow those of a file, one a line
    #[arg(long, value_name = "FILE")]
    pub(super) allow_file: Option<PathBuf>,
    /// Propose that keys are good in these networks alone, as a key's own allowlist says
    #[arg(long, value_name = "NET", value_delimiter = ',')]
    pub(super) only_from: Vec<String>,
    /// Propose to block countries, by two letters, or unknown; with commas between them
    #[arg(long, value_name = "COUNTRY", value_delimiter = ',')]
    pub(super) country: Vec<String>,
    /// Propose to block client software in whose name this is
    #[arg(long, value_name = "TEXT")]
    pub(super) user_agent: Option<String>,
    /// Propose to block events with this text
    #[arg(long, value_name = "TEXT")]
    pub(super) literal: Option<String>,
    /// Propose to block events with what this regular expression finds
    #[arg(long, value_name = "PATTERN")]
    pub(super) regex: Option<String>,
}

/// What a sender is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayBy {
    /// Each key
    #[default]
    Key,
    /// Each source address
    Address,
    /// All of the project together
    Project,
}

/// What requests are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayRequests {
    /// They bring logs
    #[default]
    Ingest,
    /// They read logs or journals
    Query,
}

/// What a key was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayTier {
    /// What most have
    Standard,
    /// More
    Enterprise,
}
