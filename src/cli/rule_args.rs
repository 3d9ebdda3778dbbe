//! What may be typed behind `logtrace rules` and `logtrace doctor`.

use clap::{Args, Subcommand};

use super::args::ServerArgs;

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub(super) action: RulesAction,
    /// Write JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesAction {
    /// Show all rules
    List,
    /// Put a rule in force
    Add(NewRuleArgs),
    /// Show what a rule would have found in the last logs, or in samples
    Try {
        #[command(flatten)]
        rule: NewRuleArgs,
        /// Since when, such as -1h. Default: a day ago
        #[arg(long, allow_hyphen_values = true)]
        from: Option<String>,
        /// A text to try it on; may be repeated
        #[arg(long)]
        sample: Vec<String>,
    },
    /// Take a rule away
    Remove {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewRuleArgs {
    /// What it looks for: `literal`, `regex`, `user_agent`, `country`, `address`, `network`,
    /// `key_prefix`, `guessing`, `many_keys` or `many_addresses`
    pub(super) kind: String,
    /// The text or regular expression
    #[arg(default_value = "")]
    pub(super) pattern: String,
    /// What journals call it. Default: a name is made
    #[arg(long)]
    pub(super) id: Option<String>,
    /// Only record what it would have turned away
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Upper and lower case are two things
    #[arg(long)]
    pub(super) case_sensitive: bool,
    /// It is SQL that was put where text belongs, and not another abuse
    #[arg(long)]
    pub(super) sql_injection: bool,
    /// Countries, by two letters, or unknown; with commas between them
    #[arg(long, value_delimiter = ',')]
    pub(super) country: Vec<String>,
    /// All countries but those
    #[arg(long)]
    pub(super) except: bool,
    /// How many failures make an automatic block
    #[arg(long)]
    pub(super) threshold: Option<u32>,
    /// Within which time, such as 10m
    #[arg(long)]
    pub(super) window: Option<String>,
    /// How long the block lasts, such as 1h
    #[arg(long)]
    pub(super) duration: Option<String>,
    /// The listener that it is about. Default: all
    #[arg(long)]
    pub(super) listener: Option<String>,
    /// The project that it is about. Default: all
    #[arg(long)]
    pub(super) project: Option<String>,
    /// When it ends, in RFC 3339. Default: never
    #[arg(long)]
    pub(super) expires_at: Option<String>,
    /// Why it is there
    #[arg(long, default_value = "")]
    pub(super) note: String,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The address that it sends from
    #[arg(long)]
    pub(super) address: Option<String>,
    /// The id of its key, or the key as it is shown
    #[arg(long)]
    pub(super) key_id: Option<String>,
    /// The name of its host, as its messages have it
    #[arg(long)]
    pub(super) host: Option<String>,
    /// The program that sends: rsyslog, syslog-ng, filebeat, logstash or fluent-bit. Default: what
    /// it seems to be, or all
    #[arg(long)]
    pub(super) shipper: Option<String>,
    /// Where it is to send to, such as logs.example:6514, for its configuration
    #[arg(long)]
    pub(super) target: Option<String>,
    /// The name of its client software
    #[arg(long)]
    pub(super) user_agent: Option<String>,
    /// Since when refusals are looked for. Default: a day ago
    #[arg(long, allow_hyphen_values = true)]
    pub(super) from: Option<String>,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}
