//! Tells people of senders that are overdue, and keeps what is known of senders on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::build::Parts;
use crate::gate::Gate;
use crate::ingest::{Ingest, now};
use crate::journal::Advisory;
use crate::senders::{Notice, What};
use crate::ship::Webhooks;

/// Looks after senders.
pub(super) struct Keeper {
    ingest: Arc<Ingest>,
    webhooks: Arc<Webhooks>,
    telling: Telling,
}

/// Who is told one by one, and who together: where a network fails, all behind it are overdue.
#[derive(Debug, Default)]
struct Telling {
    /// When the first of these was told, since the start.
    since: Duration,
    /// How many were told apart since then, by project.
    apart: BTreeMap<Arc<str>, usize>,
    /// Those that are told together, by project and what is said of them.
    together: BTreeMap<(Arc<str>, &'static str), Vec<Notice>>,
}

impl Keeper {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            ingest: Arc::clone(&parts.ingest),
            webhooks: Arc::clone(&parts.webhooks),
            telling: Telling::default(),
        }
    }

    /// Does so every second.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (mut second, mut has_failed) = (interval(Duration::from_secs(1)), false);
        loop {
            tokio::select! {
                _ = second.tick() => {}
                () = stop.cancelled() => return,
            }
            let (is_held, elapsed) = (self.ingest.is_held(), self.ingest.elapsed());
            let ingest = Arc::clone(&self.ingest);
            let looked = spawn_blocking(move || {
                let notices = ingest.senders().look(now(), elapsed, is_held);
                let kept = if is_held { Ok(0) } else { ingest.senders().keep(elapsed, false) };
                (notices, kept)
            });
            let Ok((notices, kept)) = looked.await else { return };
            for notice in notices {
                if let Some(notice) = self.telling.add(notice, elapsed) {
                    self.tell(&notice);
                }
            }
            for notices in self.telling.due(elapsed) {
                self.tell_together(&notices);
            }
            if let Err(error) = &kept
                && !has_failed
            {
                warn!(%error, "cannot write what is known of senders; it is tried again");
            }
            has_failed = kept.is_err();
        }
    }

    fn tell(&self, notice: &Notice) {
        let Notice { what, id, project, key, host, listener, last_seen, quiet, usual } = notice;
        let gate = self.ingest.gate();
        let (kind, event) = names(*what);
        let quiet_for = humantime::format_duration(Duration::from_secs(quiet.as_secs()));
        let usually = humantime::format_duration(Duration::from_secs(usual.as_secs().max(1)));
        let advice = match what {
            What::Overdue => match refused(gate, key.as_deref()) {
                Some(why) => format!("quiet for {quiet_for}, since {last_seen}: {why}"),
                None => format!(
                    "quiet for {quiet_for}, since {last_seen}, and usually no longer than \
                     {usually}: see whether it runs and reaches {listener}, or forget it \
                     (logtrace senders --forget {id})"
                ),
            },
            What::Heard => format!("heard again after {quiet_for}"),
            What::Forgotten => format!("quiet for {quiet_for}: it is no longer waited for"),
        };
        self.ingest.advise(Advisory {
            kind,
            subject: subject(gate, notice),
            advice,
            project: Some(Arc::clone(project)),
            is_over: *what != What::Overdue,
            ..Advisory::default()
        });
        let data = json!({
            "id": id,
            "host": host,
            "key": key,
            "project": project,
            "listener": listener,
            "last_seen": last_seen.to_string(),
            "quiet_seconds": quiet.as_secs_f64(),
            "usual_seconds": usual.as_secs_f64(),
        });
        self.webhooks.notify(event, project, &data);
    }

    /// Tells of many in one entry.
    fn tell_together(&self, notices: &[Notice]) {
        let Some(Notice { what, project, .. }) = notices.first() else { return };
        let (kind, event) = names(*what);
        let count = notices.len();
        let first: Vec<_> = notices.iter().take(NAMED).map(|notice| &*notice.host).collect();
        let more = if count > NAMED { ", …" } else { "" };
        let what_is = match what {
            What::Overdue => "are overdue: see to what they have in common, as a network",
            What::Heard => "are heard again",
            What::Forgotten => "are no longer waited for",
        };
        self.ingest.advise(Advisory {
            kind,
            subject: format!("{count} senders"),
            advice: format!("these {what_is}: {}{more} (logtrace senders)", first.join(", ")),
            project: Some(Arc::clone(project)),
            is_over: *what != What::Overdue,
            ..Advisory::default()
        });
        let data = json!({"count": count, "hosts": first, "project": project});
        self.webhooks.notify(event, project, &data);
    }
}

/// Writes what is new of senders, at the end.
pub(super) async fn keep(ingest: Arc<Ingest>) {
    if ingest.is_held() {
        return; // there is no room for it
    }
    let kept = spawn_blocking(move || ingest.senders().keep(ingest.elapsed(), true)).await;
    if let Ok(Err(error)) = kept {
        warn!(%error, "what was new of senders is lost");
    }
}

impl Telling {
    /// Takes a notice; gives it back if it is to be told by itself.
    fn add(&mut self, notice: Notice, elapsed: Duration) -> Option<Notice> {
        if self.apart.is_empty() {
            self.since = elapsed;
        }
        let apart = self.apart.entry(Arc::clone(&notice.project)).or_default();
        if *apart < APART {
            *apart += 1;
            return Some(notice);
        }
        let of = (Arc::clone(&notice.project), names(notice.what).0);
        self.together.entry(of).or_default().push(notice);
        None
    }

    /// Those that are told together now.
    fn due(&mut self, elapsed: Duration) -> Vec<Vec<Notice>> {
        if self.apart.is_empty() || elapsed.saturating_sub(self.since) < PERIOD {
            return Vec::new();
        }
        self.apart.clear();
        std::mem::take(&mut self.together).into_values().collect()
    }
}

/// What an advisory and a webhook call it.
fn names(what: What) -> (&'static str, &'static str) {
    match what {
        What::Overdue => ("sender_overdue", "sender.overdue"),
        What::Heard => ("sender_heard", "sender.heard"),
        What::Forgotten => ("sender_forgotten", "sender.forgotten"),
    }
}

/// Whom a notice is of, for people.
fn subject(gate: &Gate, notice: &Notice) -> String {
    let key = notice.key.as_deref().and_then(|id| gate.key_by_id(id));
    match key {
        Some(key) => format!("{} with key {}", notice.host, key.info().masked),
        None => notice.host.to_string(),
    }
}

/// Why nothing of a key is taken, where that is what keeps its senders quiet.
fn refused(gate: &Gate, key: Option<&str>) -> Option<&'static str> {
    let key = gate.key_by_id(key?)?;
    let info = key.info();
    if info.revoked_at.is_some() {
        Some("its key was revoked, and what comes with it is refused")
    } else if info.expires_at <= now() {
        Some("its key has expired, and what comes with it is refused: give it another")
    } else {
        None
    }
}

/// How long those of a project are told together who come after the first few.
const PERIOD: Duration = Duration::from_secs(60);

/// How many of a project are told one by one in that time.
const APART: usize = 10;

/// How many are named of those that are told together.
const NAMED: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn notice(project: &str, number: usize) -> Notice {
        Notice {
            what: What::Overdue,
            id: String::new(),
            project: project.into(),
            key: None,
            host: format!("h{number}").into(),
            listener: "l".into(),
            last_seen: Timestamp::default(),
            quiet: Duration::ZERO,
            usual: Duration::ZERO,
        }
    }

    #[test]
    fn many_at_once_are_told_together() {
        let (mut telling, at) = (Telling::default(), Duration::from_secs);
        let told = |telling: &mut Telling, project, from: usize, to: usize| {
            (from..to).filter_map(|n| telling.add(notice(project, n), at(5))).count()
        };
        assert_eq!(told(&mut telling, "a", 0, 100), APART);
        assert_eq!(told(&mut telling, "b", 0, 3), 3);
        assert_eq!(telling.due(at(64)), Vec::<Vec<Notice>>::new());
        let together: Vec<_> = telling.due(at(65)).iter().map(Vec::len).collect();
        assert_eq!(together, [90]);
        assert_eq!(told(&mut telling, "a", 0, 3), 3, "of the next minute");
        assert_eq!(telling.due(at(100)), Vec::<Vec<Notice>>::new());
    }
}
