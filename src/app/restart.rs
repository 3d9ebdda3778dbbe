//! A restart that keeps its sockets: the process becomes the program that is on disk by then.
//!
//! ```text
//!  SIGUSR2 ─▶ doors end ─▶ acknowledgements sent ─▶ store synced and closed ─▶ exec ─▶ doors again
//!             └───── sockets of listeners stay open: the system keeps what arrives ─────┘
//! ```
//!
//! They are handed over as a service manager would (`sd_listen_fds(3)`), so that every version
//! understands it. The process keeps its number, and what has been acknowledged is stored. Streams
//! that are open end, as at a stop; whoever connects meanwhile waits to be accepted.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};

use crate::net::{FIRST, Held};

/// How the daemon ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was told to stop.
    Stopped,
    /// It was told to start again, with these sockets.
    HandingOver(Vec<OwnedFd>),
}

/// What is to be started in place of this process.
#[derive(Debug)]
pub(super) struct Restart {
    program: PathBuf,
    arguments: Vec<OsString>,
    held: Held,
}

impl Restart {
    /// The program that runs now, asked for at the start: later the file may be another.
    pub(super) fn prepare() -> io::Result<Self> {
        let arguments = env::args_os().skip(1).collect();
        Ok(Self { program: env::current_exe()?, arguments, held: Held::of_environment() })
    }

    /// Becomes the program; returns only if that fails.
    pub(super) fn exec(self, sockets: Vec<OwnedFd>) -> io::Error {
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        command.env("LISTEN_PID", std::process::id().to_string());
        command.env("LISTEN_FDS", sockets.len().to_string());
        let names: Vec<_> = sockets.iter().map(|socket| self.held.name(socket)).collect();
        command.env("LISTEN_FDNAMES", names.join(":"));
        let places = FIRST.cast_signed()..;
        let mappings = sockets.into_iter().zip(places);
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        match command.fd_mappings(mappings.collect()) {
            Ok(command) => command.exec(),
            Err(error) => io::Error::other(error.to_string()),
        }
    }
}
