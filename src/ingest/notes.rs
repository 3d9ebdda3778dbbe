//! Takes the journals' notes, and stores them as events.

use std::sync::Arc;

use super::{Ingest, now};
use crate::gate::{
    Histories, History, Reason, Refusal, Refused, Traits, fingerprint, threat_score,
};
use crate::journal::{Blocked, Call, Failed, Note, Which};
use crate::store::{Origin, Rows};
use crate::time::Timestamp;

impl Ingest {
    /// Notes a refusal in the journal.
    pub fn note_refusal(&self, refusal: &Refusal, count: u64, call: Call) {
        let traits = Traits {
            reason: refusal.reason,
            method: &call.method,
            target: &call.target,
            // Who guesses keys is the same whatever they guess.
            key: call.key.as_deref().filter(|_| refusal.reason != Reason::InvalidApiKey),
            user_agent: call.user_agent.as_deref(),
        };
        let entry = Blocked {
            fingerprint: fingerprint(traits),
            threat_score: threat_score(refusal.reason, History::default()),
            reason: refusal.reason.as_str(),
            rule: refusal.rule.as_str().to_owned(),
            call,
        };
        self.gauges.journal_noted.with_label_values(&["blocked"]).inc_by(count);
        self.journal.blocked(count, now(), entry);
    }

    /// Notes a failure in the journal.
    pub fn note_failure(&self, count: u64, entry: Failed) {
        self.gauges.journal_noted.with_label_values(&["failed"]).inc_by(count);
        self.journal.failed(count, now(), entry);
    }

    /// Stores what was noted since the last call. Called once a second, and at the end.
    pub async fn flush_journal(&self) {
        let at = now();
        let notes = {
            let mut histories = self.histories.lock();
            self.journal.drain(|blocked, count| score(&mut histories, blocked, count, at))
        };
        if notes.is_empty() {
            return;
        }
        let origins = Which::ALL.map(|which| {
            let origin = Origin {
                project: which.project().into(),
                listener: "journal".into(),
                peer: None,
                key: None,
                auth: None,
            };
            (which, Arc::new(origin))
        });
        let fill = |rows: &mut Rows| {
            for Note { journal, event, .. } in &notes {
                if let Some((_, origin)) = origins.iter().find(|(which, _)| which == journal) {
                    rows.begin(origin, at.as_micros());
                    rows.push(event);
                }
            }
        };
        // Nobody waits for a journal: it is durable when the next commit is.
        let ((), _ticket) = self.batcher.append(fill).await;
    }
}

/// The threat score of what was refused `count` times since the last look.
fn score(histories: &mut Histories, blocked: &Blocked, count: u64, at: Timestamp) -> u8 {
    let Some(reason) = Reason::ALL.into_iter().find(|known| known.as_str() == blocked.reason)
    else {
        return blocked.threat_score;
    };
    let Blocked { call: Call { peer, key, .. }, fingerprint, .. } = blocked;
    let refused = Refused { reason, source: *peer, key: key.as_deref(), fingerprint };
    threat_score(reason, histories.observe(refused, count, at))
}
