//! Why a command did not do what it was told, and the exit code of that.

use std::io;

/// Why a command did not do what it was told.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not.
    Failed(String),
    /// What it was told makes no sense.
    Usage(String),
    /// The configuration makes no sense.
    Config(String),
    /// It could, and found what it looked for wrong: that is said already.
    Found,
    /// Nobody reads what it writes: nothing to complain of (`logtrace query … | head`).
    Unread,
}

impl Failure {
    /// The exit code of wrong usage, as clap has it too.
    pub(super) const USAGE: u8 = 2;

    /// It could not, for this reason.
    pub(super) fn new(why: impl ToString) -> Self {
        Self::Failed(why.to_string())
    }

    /// What to tell people.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Failed(text) | Self::Usage(text) | Self::Config(text) => Some(text.clone()),
            Self::Found | Self::Unread => None,
        }
    }

    /// The exit code: 1 failed, 2 usage, 3 something is wrong with what it looked at, 78 configuration (`EX_CONFIG` of sysexits.h).
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Unread => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => Self::USAGE,
            Self::Found => 3,
            Self::Config(_) => 78,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::new(error),
        }
    }
}
