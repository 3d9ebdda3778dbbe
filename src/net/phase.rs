//! What is done with a connection, one thing after the other.
//!
//! Why not one future for all of it? It would be as large as the largest part of the rarest
//! connection, and all connections would have it to their end: a handshake takes kilobytes, and so
//! does HTTP, of which a line of syslog knows nothing.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// What is to be done next with a connection, until that ends; nothing where it is over. Its memory
/// is given back before the next begins.
pub(super) struct Phase<'a>(Option<BoxFuture<'a, Self>>);

impl<'a> Phase<'a> {
    /// Nothing more.
    pub(super) const END: Self = Self(None);

    /// This, and then what it says.
    pub(super) fn new(phase: impl Future<Output = Self> + Send + 'a) -> Self {
        Self(Some(Box::pin(phase)))
    }

    /// This, and nothing more.
    pub(super) fn last(phase: impl Future<Output = ()> + Send + 'a) -> Self {
        Self::new(phase.map(|()| Self::END))
    }

    /// The memory that it has until the next, in bytes, but for what lies elsewhere.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.as_deref().map_or(0, size_of_val)
    }

    /// Does it, and what follows.
    pub(super) async fn run(mut self) {
        while let Some(phase) = self.0.take() {
            self = phase.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_a_phase_needed_is_given_back_before_the_next() {
        let held = Arc::new(());
        let first = Arc::clone(&held);
        let phases = Phase::new(async move {
            let next = Arc::clone(&first);
            assert_eq!(Arc::strong_count(&first), 3, "the test's, its own, and that of the next");
            Phase::last(async move { assert_eq!(Arc::strong_count(&next), 2) })
        });
        phases.run().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
