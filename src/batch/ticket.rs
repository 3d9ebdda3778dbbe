//! What a reader holds for events that are on their way to the disk.

use tokio::sync::watch;

/// Tells when the events of one append are durable.
#[derive(Clone, Debug)]
pub struct Ticket(watch::Receiver<Fate>);

/// The other end of the tickets of one batch.
#[derive(Debug)]
pub(super) struct Answer(watch::Sender<Fate>);

/// The batch could not be written: its events may not be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the store to take the batch, but it did not")]
pub struct NotStored;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Stored,
}

impl Ticket {
    /// Whether it is one of the same batch.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }

    /// Whether the events are in the synced log.
    pub fn is_durable(&self) -> bool {
        *self.0.borrow() == Fate::Stored
    }

    /// Waits until the events are in the synced log.
    ///
    /// # Errors
    ///
    /// The store did not take them.
    pub async fn durable(mut self) -> Result<(), NotStored> {
        // An answer that is dropped without a word is a batch that was not written.
        self.0.wait_for(|fate| *fate == Fate::Stored).await.map(drop).map_err(|_| NotStored)
    }
}

impl Answer {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Fate::Open))
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.0.subscribe())
    }

    pub(super) fn stored(self) {
        self.0.send_replace(Fate::Stored);
    }
}
