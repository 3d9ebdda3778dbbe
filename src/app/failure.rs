//! Why the daemon can end other than by being told to.

use std::io;

use crate::config::ConfigErrors;

/// Why the daemon ended other than by being told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// A part could not be made.
    #[error("{0}")]
    Build(Box<dyn std::error::Error + Send + Sync>),
    /// The system gave no threads or signals.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The store took no more: everything acknowledged is safe, and nothing more can be promised
    /// before a restart.
    #[error("the store failed and the daemon must be started again: {0}")]
    Store(crate::store::Error),
    /// A thread of the store ended in a panic.
    #[error("the {0} ended in a panic and the daemon must be started again")]
    Thread(&'static str),
    /// Work that goes on all the time ended in a panic: the store is well, but the daemon would live
    /// on without it.
    #[error("the task {0:?} ended in a panic and the daemon must be started again")]
    Task(&'static str),
    /// Nobody reads a listener's socket any longer.
    #[error("the listener {0:?} ended in a panic and the daemon must be started again")]
    Listener(String),
}

impl Failure {
    /// Whether what has arrived can still be stored.
    pub(super) fn leaves_the_store(&self) -> bool {
        matches!(self, Self::Task(_) | Self::Listener(_))
    }
}
