//! What the system tells the daemon.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal tells the daemon to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// SIGTERM and SIGINT: end, with all that has arrived stored.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR2: become what the program on disk is by now, with the same sockets.
    Restart,
}

/// Signals that are waited for.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl Signals {
    /// Begins to catch them; must be called inside a tokio runtime.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for what the daemon is told to do.
    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hangup.recv() => Order::Reload,
            _ = self.user.recv() => Order::Restart,
        }
    }

    /// Waits for the order to stop; all others wait for [`next`](Self::next).
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// What comes of `work`, or nothing where the order to stop comes before its end.
    pub(super) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.stop() => None,
        }
    }
}
