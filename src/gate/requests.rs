//! Requests over HTTP, counted within the hour of their key.

use std::time::Duration;

use super::quota::{Counted, Moment, Outcome, Quota};
use super::tier::RequestKind;
use super::{Gate, GateError, Key, Over, Policy, Subject};

/// How a request was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested {
    /// What the key has of its hour.
    pub quota: Quota,
    /// The limit that it is over, if it is over one.
    pub rule: Option<&'static str>,
    /// Whether it may not pass.
    pub is_over: bool,
    /// Whether the limit only says what it would do.
    pub is_shadow: bool,
    /// Whether the count must be durable before the request is answered.
    pub must_sync: bool,
}

impl Gate {
    /// Counts a request of a key over HTTP within its hour. Where [`Requested::must_sync`] says so,
    /// [`keep_requests`](Self::keep_requests) comes before the answer. `at` is as for
    /// [`grant`](Self::grant).
    pub fn request(&self, key: &Key, kind: RequestKind, now: Moment, at: Duration) -> Requested {
        let live = self.live.load();
        let limit = live.requests.of(key.info().tier, kind);
        let may_queue = kind == RequestKind::Ingest && key.policy() == Policy::Queue;
        let queue = if may_queue { live.requests.queued } else { 0 };
        let Counted { mut quota, outcome, must_sync } = {
            let mut hour = key.hour().lock();
            let counted = hour.count(kind, limit, queue, now);
            if counted.outcome != Outcome::Over {
                self.records.ride_hour(key.id(), *hour);
            }
            counted
        };
        let is_shadow = live.requests.shadow;
        let over = match outcome {
            Outcome::Within => None,
            Outcome::Queued => Some(Over { queued: 1, ..Over::default() }),
            Outcome::Over => Some(Over { shed: 1, ..Over::default() }),
        };
        if let Some(over) = over {
            let subject = Subject::Key(key.id().into());
            self.limited.note(&subject, kind.rule(), key.policy(), is_shadow, over, at);
        }
        quota.is_queued &= !is_shadow;
        let rule = over.map(|_| kind.rule());
        let is_over = outcome == Outcome::Over && !is_shadow;
        Requested { quota, rule, is_over, is_shadow, must_sync }
    }

    /// Makes the counts of requests durable, as they are now.
    ///
    /// # Errors
    ///
    /// The store failed; they are then kept with what is written next.
    pub fn keep_requests(&self) -> Result<(), GateError> {
        self.records.carry()
    }

    /// The same, when no more will come: nothing is left reserved.
    ///
    /// # Errors
    ///
    /// As [`keep_requests`](Self::keep_requests).
    pub fn close_requests(&self) -> Result<(), GateError> {
        for key in self.keys.load().iter() {
            let settled = key.hour().lock().settled();
            if let Some(hour) = settled {
                self.records.ride_hour(key.id(), hour);
            }
        }
        self.records.carry()
    }
}
