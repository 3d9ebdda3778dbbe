//! Counts requests over HTTP within the hour of their key.
//!
//! A call counts for the key in its head, and for each that only its logs name: once, at the first
//! of them.

use std::sync::Arc;

use tracing::debug;

use super::session::Session;
use super::{Ingest, moment};
use crate::gate::{Key, Quota, Reason, Refusal, RequestKind, Requested};
use crate::journal::Call;

/// What a call left a key of its hour; a refusal, where it had nothing left.
type Left = Result<Quota, (Refusal, Quota)>;

/// The keys that a call was counted for, and what that left them.
#[derive(Debug, Default)]
pub(super) struct Counted(Vec<(Arc<Key>, Left)>);

impl Counted {
    /// What is left to the key that has least left, of those that only the logs name.
    pub(super) fn least(&self) -> Option<Quota> {
        let quota = |(_, left): &(_, Left)| match left {
            Ok(quota) | Err((_, quota)) => *quota,
        };
        self.0.iter().map(quota).min_by_key(|quota| quota.remaining)
    }
}

impl Session {
    /// Says that all it brings is one call over HTTP, which was counted for this key.
    pub fn call_of(&mut self, key: Option<(Arc<Key>, Quota)>) {
        let counted = key.map(|(key, quota)| (key, Ok(quota))).into_iter().collect();
        self.counted = Some(Counted(counted));
    }
}

impl Ingest {
    /// Counts the call that a session is for a key that a log of it names, if it is one and was not
    /// counted for that key; says whether what comes is over its limit, and to be marked so.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request); the same for all logs of the call with this key.
    pub(super) fn request_within(
        &self,
        session: &mut Session,
        key: Option<&Arc<Key>>,
    ) -> Result<bool, Refusal> {
        let Some((key, Counted(known))) = key.zip(session.counted.as_mut()) else {
            return Ok(false);
        };
        let place = match known.iter().position(|(known, _)| known.id() == key.id()) {
            Some(place) => place,
            // A call with thousands of keys is none that counts for the last of them.
            None if known.len() >= MAX_KEYS => MAX_KEYS - 1,
            None => {
                let call = session.described.clone().unwrap_or_default();
                let call = || Call { key: Some(key.info().masked.clone()), ..call };
                let (counted, _) = self.count(key, RequestKind::Ingest, call);
                known.push((Arc::clone(key), counted));
                known.len() - 1
            }
        };
        match known.get(place) {
            Some((_, Ok(quota))) => Ok(quota.is_queued),
            Some((_, Err((refusal, _)))) => Err(refusal.clone()),
            None => Ok(false),
        }
    }

    /// Counts a request of `key`. What is counted survives a crash by the time that this returns,
    /// or with the events that the request brings.
    ///
    /// # Errors
    ///
    /// The key has had all that it may in this hour. This is counted, and for the caller to note.
    pub async fn request(&self, key: &Key, kind: RequestKind, call: impl FnOnce() -> Call) -> Left {
        let (counted, must_sync) = self.count(key, kind, call);
        let quota = counted?;
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

    /// Counts a request; says too whether that must be synced before it is answered.
    fn count(&self, key: &Key, kind: RequestKind, call: impl FnOnce() -> Call) -> (Left, bool) {
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
                let refusal = Refusal::fixed(Reason::RateLimitExceeded, rule);
                return (Err((refusal, quota)), must_sync);
            }
        }
        (Ok(quota), must_sync)
    }
}

/// Keys that a call is counted for.
const MAX_KEYS: usize = 64;
