//! What may be typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::audit_args::{AuditArgs, VerifyArgs};
use super::rule_args::{DoctorArgs, RulesArgs};

/// A Logstash-compatible syslog collector that knows its senders by key and accounts for every
/// message.
#[derive(Debug, Parser)]
#[command(name = "logtrace", version, args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon; this is what happens without a command
    Serve(DaemonArgs),
    /// Say what is wrong with a configuration: file, line, key, what was expected
    Check(DaemonArgs),
    /// Let a running daemon read its configuration again, and say what that changed
    Reload(ReloadArgs),
    /// Show what would become of messages: from standard input, as JSON, an event a line
    Parse(ParseArgs),
    /// Show the trees of queries: from standard input, one a line
    Kql {
        /// Read Kibana's language alone
        #[arg(long)]
        strict: bool,
    },
    /// Search the logs of a running daemon
    Query(QueryArgs),
    /// Follow the logs of a running daemon
    Tail(TailArgs),
    /// Delete the logs of a running daemon that a query finds
    Delete(DeleteArgs),
    /// List what a running daemon found damaged, and take back what was mended
    Quarantine(super::quarantine::QuarantineArgs),
    /// Make, list and revoke API keys
    Keys(KeysArgs),
    /// Make, list and change people, and sign in
    Users(super::user_args::UsersArgs),
    /// Try limits and lists on what is stored
    Limits(super::limits::LimitsArgs),
    /// List, add and remove networks that are turned away
    Blocklist(ListArgs),
    /// List, add and remove networks that no block touches
    Allowlist(ListArgs),
    /// List, try, add and remove rules about content, client software, countries and failures
    Rules(RulesArgs),
    /// List who sends, when they were heard last, and who is overdue
    Senders(super::senders::SendersArgs),
    /// Say why someone is turned away, what is odd of what they send, and what mends it
    ///
    /// Without --address, --key-id, --host or --user-agent all senders are listed that something is
    /// odd of, or that are overdue, a line each; the exit code is 0 where there are none, else 3.
    Doctor(DoctorArgs),
    /// Make, list, try out and remove receivers that are told of events
    Webhooks(WebhooksArgs),
    /// Copy all that a daemon holds into a folder of backups
    Backup(BackupArgs),
    /// Make a data folder of a backup
    Restore(RestoreArgs),
    /// List who changed what, and take away what proves it
    Audit(AuditArgs),
    /// Prove that an audit log was not changed: of a bundle, or of a data folder
    Verify(VerifyArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Default, Args)]
pub(super) struct DaemonArgs {
    /// Read the configuration from this file
    #[arg(long, short, value_name = "FILE", env = "LOGTRACE_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Keep everything in this folder; short for `--set data_dir=DIR`
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Set a value over the file and the environment; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReloadArgs {
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// What senders speak
    #[arg(long, value_enum, default_value_t)]
    pub(super) protocol: Protocol,
    /// How messages are told apart; `none` takes each line as one. Default: auto for syslog, lf for
    /// logstash
    #[arg(long, value_enum)]
    pub(super) framing: Option<Framing>,
    /// When they arrived. Default: now
    #[arg(long, value_name = "RFC3339")]
    pub(super) received_at: Option<String>,
    /// Where they came from
    #[arg(long, value_name = "IP")]
    pub(super) peer: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    /// RFC 5424, RFC 3164 and its real-life forms
    #[default]
    Syslog,
    /// Logstash's JSON
    Logstash,
    /// Graylog's JSON
    Gelf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Framing {
    /// Each message by itself; JSON values one after the other
    Auto,
    /// By octet counts
    Octet,
    /// By LF
    Lf,
    /// By NUL
    Nul,
    /// Each line just as it is
    None,
}

/// Which daemon to talk to, and as whom.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// The daemon's API
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LOGTRACE_SERVER",
        default_value = "http://127.0.0.1:8514"
    )]
    pub(super) server: String,
    /// The API key; better in `LOGTRACE_KEY`, where `ps` does not show it
    #[arg(long, global = true, env = "LOGTRACE_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// The query, in KQL; all events without one
    #[arg(default_value = "")]
    pub(super) filter: String,
    /// The first time, such as -24h, 2026-06-15 or 2026-06-15T12:00:00Z
    #[arg(long, allow_hyphen_values = true)]
    pub(super) from: Option<String>,
    /// The last time
    #[arg(long, allow_hyphen_values = true)]
    pub(super) to: Option<String>,
    /// The most events
    #[arg(long, default_value_t = 100)]
    pub(super) limit: usize,
    /// The fields to show, with commas between them
    #[arg(long, value_delimiter = ',')]
    pub(super) fields: Option<Vec<String>>,
    /// Go on where an earlier answer ended
    #[arg(long)]
    pub(super) cursor: Option<String>,
    /// Read a journal instead of logs
    #[arg(long, value_enum)]
    pub(super) journal: Option<Journal>,
    /// The earliest first
    #[arg(long)]
    pub(super) oldest_first: bool,
    /// Read Kibana's language alone
    #[arg(long)]
    pub(super) strict: bool,
    /// Write JSON, an event a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct TailArgs {
    /// The query, in KQL; all events without one
    #[arg(default_value = "")]
    pub(super) filter: String,
    /// The fields to show, with commas between them
    #[arg(long)]
    pub(super) fields: Option<String>,
    /// Follow a journal instead of logs
    #[arg(long, value_enum)]
    pub(super) journal: Option<Journal>,
    /// Read Kibana's language alone
    #[arg(long)]
    pub(super) strict: bool,
    /// Write JSON, an event a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Journal {
    /// Calls that were done, and what connections brought
    Access,
    /// What someone should look at
    Advisory,
    /// Who was turned away
    Blocked,
    /// What people did
    Dashboard,
    /// What failed
    Failed,
    /// How people came and went
    Session,
}

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    pub(super) action: KeysAction,
    /// Work on this data folder, which no daemon may hold, and not on a daemon
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data: Option<PathBuf>,
    /// Write JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysAction {
    /// Make a key; its secret is shown only now
    Create(Box<NewKeyArgs>),
    /// List keys
    List,
    /// Give a key a new secret, shown only now; the old one works too for a while
    Rotate {
        /// The key's public id, such as `key_0123456789ab`
        id: String,
        /// How long the old secret works too; 30d at most. Default: 24h
        #[arg(long)]
        grace: Option<String>,
        /// How long the new one is good for. Default: as long as the old one was
        #[arg(long)]
        lifetime: Option<String>,
        /// Also while the grace of another rotation runs, which then ends
        #[arg(long)]
        force: bool,
    },
    /// Show what a key was used for, by hour
    Usage {
        /// The key's public id, such as `key_0123456789ab`
        id: String,
        /// The first time, such as -7d or 2026-06-15. Default: -24h
        #[arg(long, allow_hyphen_values = true)]
        from: Option<String>,
        /// The last time. Default: now
        #[arg(long, allow_hyphen_values = true)]
        to: Option<String>,
    },
    /// Take a key back, at once
    Revoke {
        /// The key's public id, such as `key_0123456789ab`
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewKeyArgs {
    /// What people call it
    #[arg(long)]
    pub(super) name: String,
    /// The project
    #[arg(long, default_value = "default")]
    pub(super) project: String,
    /// production, staging or development
    #[arg(long, default_value = "production")]
    pub(super) environment: String,
    /// What it may do, with commas between them: write:logs, read:logs, write:alerts, read:audit,
    /// admin:projects
    #[arg(long = "scope", alias = "scopes", value_delimiter = ',', default_value = "write:logs")]
    pub(super) scopes: Vec<String>,
    /// Where it may be used from: networks, with commas between them. Default: anywhere
    #[arg(long, value_delimiter = ',')]
    pub(super) allow: Vec<String>,
    /// How long it is good for, such as 30d; 365d at most. Default: 90d
    #[arg(long)]
    pub(super) lifetime: Option<String>,
    /// How many requests it may make in an hour: standard or enterprise. Default: standard
    #[arg(long)]
    pub(super) tier: Option<String>,
    /// What happens to what is over its limits: drop, pace, queue or sample. Default: that of the
    /// tier, or of the daemon
    #[arg(long)]
    pub(super) policy: Option<String>,
    /// A limit of its own, such as `events_per_second=1000`, `bytes_per_second=1MiB`, `burst=10s`,
    /// `connections=20` or `shadow=true`. May be repeated
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    pub(super) limits: Vec<String>,
    /// A client certificate that stands for it: `sha256:` and its fingerprint, or `san:` and a name
    /// that it is for. May be repeated
    #[arg(long = "certificate")]
    pub(super) certificates: Vec<String>,
    /// The label in the server name of a TLS handshake that stands for it. Anyone can read it
    #[arg(long)]
    pub(super) label: Option<String>,
    /// Rotate it 7 days before it expires, and hand the new secret to the webhook of this id
    #[arg(long, value_name = "WEBHOOK")]
    pub(super) auto_rotate: Option<String>,
}

/// The daemon is on this machine, and its data folder can be read. It goes on meanwhile.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The folder of backups; made where there is none. What it has already is not copied again
    pub(super) folder: PathBuf,
    /// Work on this data folder, which no daemon may hold, and not on a daemon
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Forget all but so many backups once there is a new one. Default: keep all
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) keep: Option<u16>,
    /// Read every file, even one that the folder has by name, size and time
    #[arg(long)]
    pub(super) full: bool,
    /// List the backups of the folder and make none
    #[arg(long, conflicts_with_all = ["data", "keep", "full"])]
    pub(super) list: bool,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The query, in KQL; `*` is all events
    pub(super) filter: String,
    /// The first time, such as -24h, 2026-06-15 or 2026-06-15T12:00:00Z
    #[arg(long, allow_hyphen_values = true)]
    pub(super) from: Option<String>,
    /// The last time
    #[arg(long, allow_hyphen_values = true)]
    pub(super) to: Option<String>,
    /// Read Kibana's language alone
    #[arg(long)]
    pub(super) strict: bool,
    /// Only count what would be deleted
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The folder of backups
    pub(super) folder: PathBuf,
    /// The data folder to make: empty, or not there
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    pub(super) data: Option<PathBuf>,
    /// The backup, as `logtrace backup --list` names it. Default: the last
    #[arg(long, value_name = "NAME")]
    pub(super) backup: Option<String>,
    /// Compare the backup with its hashes and restore nothing
    #[arg(long, conflicts_with = "data")]
    pub(super) check: bool,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(subcommand)]
    pub(super) action: ListAction,
    /// Write JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ListAction {
    /// Show the list
    List,
    /// Put a network on the list
    Add {
        /// An address or a network, such as 192.0.2.0/24
        net: String,
        /// How long it stays, such as 12h. Default: as configured for blocks, for good otherwise
        #[arg(long)]
        expires_in: Option<String>,
        /// Why it is there
        #[arg(long, default_value = "")]
        note: String,
        /// Block it even if your own address is in it, or very many are
        #[arg(long)]
        confirm: bool,
    },
    /// Take a network off the list
    Remove {
        /// The address or network
        net: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct WebhooksArgs {
    #[command(subcommand)]
    pub(super) action: WebhooksAction,
    /// Write JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum WebhooksAction {
    /// Show them, and what is on its way to them
    List,
    /// Make one; prints the secret that its calls are signed with, this once
    Create {
        /// Where its receiver is
        url: String,
        /// Which events, by name or by its beginning and a star; may be repeated
        #[arg(long = "event", value_name = "EVENT", default_value = "*")]
        events: Vec<String>,
        /// The project whose events it is told of. Default: that of the key
        #[arg(long)]
        project: Option<String>,
        /// What it is for
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Call its receiver now
    Test {
        /// Its id
        id: String,
    },
    /// Show what is on its way to it, or was given up
    Deliveries {
        /// Its id
        id: String,
    },
    /// Try again what was given up
    Retry {
        /// Its id
        id: String,
    },
    /// Remove it, with all that is on its way to it
    Remove {
        /// Its id
        id: String,
    },
}

impl Journal {
    /// Its name in the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Advisory => "advisory",
            Self::Blocked => "blocked",
            Self::Dashboard => "dashboard",
            Self::Failed => "failed",
            Self::Session => "session",
        }
    }
}
