//! Takes the journals' notes, and stores them as events.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::{Ingest, now};
use crate::gate::{
    Charge, Histories, History, LimitNotice, Reason, Refusal, Refused, Tally, Traits, fingerprint,
    threat_score,
};
use crate::journal::{Advisory, Blocked, Call, Failed, Note, Which};
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

    /// Notes that a rule which is tried out would have refused so many.
    pub fn note_dry(&self, refusal: &Refusal, count: u64, call: Call) {
        self.note_blocked(refusal, count, call, true);
    }

    fn note_blocked(&self, refusal: &Refusal, count: u64, call: Call, dry_run: bool) {
        if let Some(peer) = call.peer.filter(|_| !dry_run && !call.is_forgeable) {
            self.gate.failed(refusal.reason, peer, call.key.as_deref(), count, now());
        }
        let country = call.peer.map(|peer| self.gate.country_of(peer)).unwrap_or_default();
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
            country: country.to_string(),
            call,
            dry_run,
        };
        if self.journal.keeps(Which::Blocked) {
            self.gauges.journal_noted.with_label_values(&["blocked"]).inc_by(count);
        }
        // Noted even where it is not kept: the history of refusals does not depend on a switch.
        self.journal.blocked(count, now(), entry);
    }

    /// Notes a failure in the journal.
    pub fn note_failure(&self, count: u64, entry: Failed) {
        if self.journal.keeps(Which::Failed) {
            self.gauges.journal_noted.with_label_values(&["failed"]).inc_by(count);
            self.journal.failed(count, now(), entry);
        }
    }

    /// Counts what was over a limit, by what became of it.
    pub(super) fn count_over(&self, rule: &str, tally: &Tally, charge: &Charge) {
        let paced = if charge.wait.is_zero() { 0 } else { tally.passed };
        let Tally { queued, sampled, shed, .. } = *tally;
        let shed_by = tally.shed_by().unwrap_or(rule);
        for (rule, action, count) in [
            (shed_by, "drop", shed),
            (rule, "queue", queued),
            (rule, "sample", sampled),
            (rule, "pace", paced),
        ] {
            if count > 0 {
                let counter = &self.gauges.limited;
                counter.with_label_values(&[rule, action]).inc_by(count);
            }
        }
    }

    /// Says who came over a limit, and who no longer is, since the last call.
    fn tell_limits(&self) {
        let (notices, unnoted) = self.gate.limit_notices(self.elapsed());
        for notice in notices {
            let mut told = self.limits_told.lock();
            if told.len() < MAX_TOLD {
                told.push(notice.clone());
            }
            drop(told);
            let LimitNotice { subject, rule, policy, is_shadow, has_begun, lasted, over } = notice;
            let (events, policy) = (over.sum(), policy.as_str());
            let what = if is_shadow { "would be" } else { "is" };
            self.advise(Advisory {
                kind: if has_begun { "limit_entered" } else { "limit_left" },
                subject: format!("{subject} {rule}"),
                advice: match has_begun {
                    true => format!("what is over it {what} treated by policy {policy}"),
                    false => {
                        format!("within it again after {lasted:.0?}; {events} events were over it")
                    }
                },
                is_over: !has_begun,
                ..Advisory::default()
            });
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

    /// Who came over a limit, or is no longer, since the last call: a bounded number of them.
    pub fn limits_told(&self) -> Vec<LimitNotice> {
        std::mem::take(&mut *self.limits_told.lock())
    }

    /// Notes what someone should look at.
    pub fn advise(&self, advisory: Advisory) {
        self.gauges.journal_noted.with_label_values(&["advisory"]).inc();
        self.journal.advise(now(), advisory);
    }

    /// As [`advise`](Self::advise), unless the same kind was told of the same subject within
    /// `every`.
    pub fn advise_once(&self, every: Duration, advisory: Advisory) {
        if self.journal.advise_once(now(), every, advisory) {
            self.gauges.journal_noted.with_label_values(&["advisory"]).inc();
        }
    }

    /// Stores what was noted since the last call. Called once a second, and at the end. Whoever does
    /// not wait for the end of it loses nothing: the rest is stored by the next call.
    pub async fn flush_journal(&self) {
        self.tell_limits();
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
        while self.has_notes() {
            let fill = |rows: &mut Rows, _: &_| {
                let at = now().as_micros();
                let mut notes = self.notes.lock();
                let count = notes.len().min(AT_ONCE);
                for Note { journal, event, .. } in notes.drain(..count) {
                    if let Some((_, origin)) = origins.iter().find(|(which, _)| *which == journal) {
                        rows.begin(origin, at);
                        rows.push(&event);
                    }
                }
            };
            // Nobody waits for a journal: it is durable when the next commit is.
            let ((), _ticket) = self.batcher.append_with(false, fill).await;
        }
    }

    /// Whether there are notes to store. Only where there are none left are the latest looked at, so
    /// that they stay few however long the disk has no room.
    fn has_notes(&self) -> bool {
        let mut notes = self.notes.lock();
        if notes.is_empty() {
            let (at, mut histories) = (now(), self.histories.lock());
            let score = |blocked: &Blocked, count| score(&mut histories, blocked, count, at);
            notes.extend(self.journal.drain(score));
        }
        !notes.is_empty()
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

/// Entries that are put into a batch in one go, which is to take not much more than it has room for.
const AT_ONCE: usize = 512;

/// Notices of limits that wait to be told to others.
const MAX_TOLD: usize = 1024;
