//! Counts requests over HTTP within the hour of their key.

use std::sync::Arc;

use tracing::debug;

use super::{Ingest, moment};
use crate::gate::{Key, Quota, Reason, Refusal, RequestKind, Requested};
use crate::journal::Call;

impl Ingest {
    /// Counts a request of `key`. What is counted survives a crash by the time that this returns,
    /// or with the events that the request brings.
    ///
    /// # Errors
    ///
    /// The key has had all that it may in this hour. This is counted, and for the caller to note.
    pub async fn request(
        &self,
        key: &Key,
        kind: RequestKind,
        call: impl FnOnce() -> Call,
    ) -> Result<Quota, (Refusal, Quota)> {
        let requested = self.gate.request(key, kind, moment(), self.elapsed());
        let Requested { quota, rule, is_over, is_shadow, must_sync } = requested;
        if let Some(rule) = rule {
            if is_shadow {
                self.note_shadow(rule, 1, call());
            } else {
                let action = if is_over { "drop" } else { "queue" };
                self.gauges.limited.with_label_values(&[rule, action]).inc();
            }
            if is_over {
                return Err((Refusal::fixed(Reason::RateLimitExceeded, rule), quota));
            }
        }
        // On a disk without room queries go on.
        if must_sync && !self.is_held() {
            let gate = Arc::clone(&self.gate);
            let kept = tokio::task::spawn_blocking(move || gate.keep_requests()).await;
            if let Ok(Err(error)) = kept {
                debug!(%error, "cannot keep what a key spent of its hour");
            }
        }
        Ok(quota)
    }
}
