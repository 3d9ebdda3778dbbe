//! Takes the journals' notes, and stores them as events.

use std::sync::Arc;

use tracing::{info, warn};

use super::{Ingest, now};
use crate::gate::{
    Histories, History, LimitNotice, Reason, Refusal, Refused, Traits, fingerprint, threat_score,
};
use crate::journal::{Blocked, Call, Failed, Note, Which};
use crate::store::{Origin, Rows};
use crate::time::Timestamp;

impl Ingest {
    /// Notes a refusal in the journal.
    pub fn note_refusal(&self, refusal: &Refusal, count: u64, call: Call) {
        self.note_blocked(refusal, count, call, false);
    }

    /// Notes that a limit in shadow mode would have refused so many, and counts them.
    pub fn note_shadow(&self, rule: &'static str, count: u64, call: Call) {
        self.gauges.limited.with_label_values(&[rule, "would"]).inc_by(count);
        let refusal = Refusal::fixed(Reason::RateLimitExceeded, rule);
        self.note_blocked(&refusal, count, call, true);
    }

    fn note_blocked(&self, refusal: &Refusal, count: u64, call: Call, dry_run: bool) {
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
            dry_run,
        };
        self.gauges.journal_noted.with_label_values(&["blocked"]).inc_by(count);
        self.journal.blocked(count, now(), entry);
    }

    /// Notes a failure in the journal.
    pub fn note_failure(&self, count: u64, entry: Failed) {
        self.gauges.journal_noted.with_label_values(&["failed"]).inc_by(count);
        self.journal.failed(count, now(), entry);
    }

    /// Says who came over a limit, and who no longer is, since the last call.
    fn tell_limits(&self) {
        let (notices, unnoted) = self.gate.limit_notices(self.elapsed());
        for notice in notices {
            let LimitNotice { subject, rule, policy, is_shadow, has_begun, lasted, over } = notice;
            let (events, policy) = (over.sum(), policy.as_str());
            match has_begun {
                true => info!(%subject, rule, policy, dry_run = is_shadow, "over a limit"),
                false => {
                    info!(%subject, rule, policy, dry_run = is_shadow, events, ?lasted, "within it again");
                }
            }
        }
        if unnoted > 0 {
            warn!(unnoted, "more senders are over a limit than are told apart");
        }
    }

    /// Stores what was noted since the last call. Called once a second, and at the end.
    pub async fn flush_journal(&self) {
        self.tell_limits();
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
    if blocked.dry_run {
        return blocked.threat_score; // what was not refused is no history
    }
    let Blocked { call: Call { peer, key, .. }, fingerprint, .. } = blocked;
    let refused = Refused { reason, source: *peer, key: key.as_deref(), fingerprint };
    threat_score(reason, histories.observe(refused, count, at))
}
