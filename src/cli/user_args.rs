//! What may be typed behind `logtrace users`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::ServerArgs;

#[derive(Debug, Args)]
pub(super) struct UsersArgs {
    #[command(subcommand)]
    pub(super) action: UsersAction,
    /// Work on this data folder, which no daemon may hold, and not on a daemon: so the first owner is
    /// made, or one who lost their password let in again
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data: Option<PathBuf>,
    /// Write JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum UsersAction {
    /// Make a user; prints their password where it is made, this once
    Create {
        /// The e-mail address that they sign in with
        email: String,
        /// What they are: viewer, admin or owner of project `default`, or of another as PROJECT=ROLE.
        /// May be repeated
        #[arg(long = "role", value_name = "[PROJECT=]ROLE", required = true)]
        roles: Vec<String>,
        /// What people call them
        #[arg(long, default_value = "")]
        name: String,
        /// Read their password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show them, and what they are
    List,
    /// Change what somebody is, or whether they may sign in; they are signed out
    Change {
        /// Their e-mail address or id
        user: String,
        /// What they are from now on, as for create; PROJECT=none takes a role away
        #[arg(long = "role", value_name = "[PROJECT=]ROLE")]
        roles: Vec<String>,
        /// What people call them
        #[arg(long)]
        name: Option<String>,
        /// Let them sign in no longer
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Let them sign in again
        #[arg(long)]
        enable: bool,
    },
    /// Give somebody another password; prints it where it is made, this once. They are signed out
    Password {
        /// Their e-mail address or id
        user: String,
        /// Read it from standard input, from the first line
        #[arg(long)]
        password_stdin: bool,
        /// With --password-stdin, your own: the first line is the old one, the next the new one
        #[arg(long, requires = "password_stdin")]
        own: bool,
    },
    /// Remove somebody
    Remove {
        /// Their e-mail address or id
        user: String,
    },
    /// Sign in: the password is the first line of standard input. Prints the access token, which goes
    /// into `LOGTRACE_KEY`; with --json the refresh token too
    SignIn {
        /// The e-mail address
        email: String,
    },
    /// Show who is signed in
    Sessions {
        /// Only this one: an e-mail address or an id. Default: yourself, or all where a key asks
        user: Option<String>,
    },
    /// End a session
    SignOut {
        /// Its id, or `current`
        #[arg(default_value = "current")]
        session: String,
    },
}
