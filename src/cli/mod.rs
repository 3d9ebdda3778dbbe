//! The command line (SPEC §13).
//!
//! | command                           | works on                                              |
//! |-----------------------------------|-------------------------------------------------------|
//! | `serve`, `check`                  | a configuration                                       |
//! | `parse`, `kql`                    | standard input, line in and line out, in order        |
//! | `reload`, `query`, `tail`, `delete`, `quarantine`, `limits`, `blocklist`, `allowlist`, `rules`, `senders`, `doctor`, `webhooks` | a running daemon, over its API |
//! | `keys`, `users`, `backup`, `audit` | the same, or a data folder that no daemon holds       |
//! | `verify`                          | a bundle of the audit log, or such a data folder      |
//! | `restore`                         | a folder of backups                                   |
//! | `completions`                     | nothing                                               |
//!
//! What people see has no control character in it, whatever senders wrote: `visible` makes them
//! plain. `--json` is for programs and exact.

mod args;
mod audit;
mod audit_args;
mod backup;
mod client;
mod daemon;
mod delete;
mod doctor;
mod failure;
mod folder;
mod keys;
mod kql;
mod limits;
mod lists;
mod messages;
mod parse;
mod pointing;
mod progress;
mod quarantine;
mod query;
mod restore;
mod rule_args;
mod rules;
mod senders;
mod table;
mod tail;
#[cfg(test)]
mod tests;
mod user_args;
mod users;
mod verify;
mod visible;
mod webhooks;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command};
use self::failure::Failure;
use self::visible::visible_lines;

/// Does what the arguments of the process say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap knows which stream each belongs on.
            let code = u8::try_from(error.exit_code()).unwrap_or(Failure::USAGE);
            return if error.print().is_ok() { code.into() } else { ExitCode::FAILURE };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                complain(format!("logtrace: {}\n", visible_lines(&text)));
            }
            failure.code().into()
        }
    }
}

/// Says it on standard error. Where nobody reads that, the exit code says it alone, and soon.
fn complain(text: String) {
    let (said, waiting) = mpsc::sync_channel::<()>(1);
    let saying = thread::Builder::new().spawn(move || {
        let _gone = io::stderr().write_all(text.as_bytes()).is_err();
        drop(said);
    });
    if saying.is_ok() {
        let _not_in_time = waiting.recv_timeout(PATIENCE).is_err();
    }
}

/// How long a reader of the last words is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        None => daemon::serve(&cli.daemon),
        Some(Command::Serve(args)) => daemon::serve(&args),
        Some(Command::Check(args)) => daemon::check(&args),
        Some(Command::Reload(args)) => daemon::reload(&args),
        Some(Command::Parse(args)) => parse::run(&args),
        Some(Command::Kql { strict }) => kql::run(strict),
        Some(Command::Query(args)) => query::run(&args),
        Some(Command::Tail(args)) => tail::run(&args),
        Some(Command::Delete(args)) => delete::run(&args),
        Some(Command::Quarantine(args)) => quarantine::run(&args),
        Some(Command::Keys(args)) => keys::run(&args),
        Some(Command::Users(args)) => users::run(&args),
        Some(Command::Limits(args)) => limits::run(&args),
        Some(Command::Blocklist(args)) => lists::run("blocklist", &args),
        Some(Command::Allowlist(args)) => lists::run("allowlist", &args),
        Some(Command::Webhooks(args)) => webhooks::run(&args),
        Some(Command::Rules(args)) => rules::run(&args),
        Some(Command::Senders(args)) => senders::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Backup(args)) => backup::run(&args),
        Some(Command::Restore(args)) => restore::run(&args),
        Some(Command::Audit(args)) => audit::run(&args),
        Some(Command::Verify(args)) => verify::run(&args),
        Some(Command::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "logtrace", &mut text);
            Ok(io::stdout().write_all(&text)?)
        }
    }
}
