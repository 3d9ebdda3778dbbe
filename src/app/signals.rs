//! What the system tells the daemon.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that are waited for.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to catch them; must be called inside a tokio runtime.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the order to stop.
    pub(super) async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                // Ends no daemon that was started at a terminal.
                _ = self.hangup.recv() => tracing::info!("SIGHUP: the configuration is read at start only"),
            }
        }
    }
}
