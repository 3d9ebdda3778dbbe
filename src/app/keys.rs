//! What is done with keys while the daemon runs: their usage is written, and people are told of
//! those that end.
//!
//! A key with a webhook for it gets a new secret by itself. The receiver gets it in the body of a
//! signed call over TLS; it is kept nowhere. Until the receiver took one the old secret works, up to
//! the time at which it would have ended, and each attempt draws another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::build::Parts;
use crate::audit::{Act, Audit, Who};
use crate::gate::{Gate, GateError, KeyInfo, Rotation, Secret};
use crate::ingest::{Ingest, now};
use crate::journal::Advisory;
use crate::ship::Webhooks;
use crate::time::Timestamp;

/// Looks after keys.
pub(super) struct Keeper {
    ingest: Arc<Ingest>,
    audit: Arc<Audit>,
    webhooks: Arc<Webhooks>,
    /// Keys whose receiver was away, and when it is called again.
    later: HashMap<String, Instant>,
}

impl Keeper {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            ingest: Arc::clone(&parts.ingest),
            audit: Arc::clone(&parts.audit),
            webhooks: Arc::clone(&parts.webhooks),
            later: HashMap::new(),
        }
    }

    /// Does so every [`TURN`].
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut turn = interval(TURN);
        let mut has_failed = false;
        loop {
            tokio::select! {
                _ = turn.tick() => {}
                () = stop.cancelled() => return,
            }
            if self.ingest.is_held() {
                continue; // it waits in memory for room on the disk
            }
            let failed = !flush(Arc::clone(self.ingest.gate()), has_failed).await;
            if has_failed && !failed {
                info!("the usage of keys is written again");
            }
            has_failed = failed;
            tokio::select! {
                ended = self.look_for_ends() => if let Err(error) = ended {
                    warn!(%error, "cannot note which keys end; it is tried again");
                },
                () = stop.cancelled() => return,
            }
        }
    }

    /// Tells of keys that end soon, once of each, and of those that have ended; rotates those that
    /// are to be rotated.
    async fn look_for_ends(&mut self) -> Result<(), GateError> {
        let (gate, at) = (Arc::clone(self.ingest.gate()), now());
        let looked = spawn_blocking(move || {
            let lapsed = gate.lapse(at)?;
            Ok::<_, GateError>((lapsed, gate.expiring(at), gate.handing_over(at)))
        });
        let Ok(looked) = looked.await else { return Ok(()) };
        let (lapsed, expiring, waiting) = looked?;
        for key in lapsed {
            self.tell(EXPIRED, &key);
        }
        for key in waiting {
            if let Some(webhook) = key.auto_rotate.clone() {
                self.rotate(&key, &webhook, at).await?;
            }
        }
        for key in expiring {
            self.tell("api_key.expiring", &key);
            self.ingest.gate().noticed(&key.id, at)?;
            if let Some(webhook) = key.auto_rotate.clone() {
                self.rotate(&key, &webhook, at).await?;
            }
        }
        Ok(())
    }

    /// Tells people of a key: in a journal and by webhooks.
    fn tell(&self, event: &str, key: &KeyInfo) {
        let KeyInfo { id, name, project, masked, expires_at, .. } = key;
        let (kind, advice) = if event == EXPIRED {
            ("key_expired", "its senders are refused: give them another key")
        } else if key.auto_rotate.is_some() {
            ("key_expires", "it is rotated now, and its webhook gets the new secret")
        } else {
            ("key_expires", "rotate it, or its senders are refused from then on")
        };
        self.ingest.advise(Advisory {
            kind,
            subject: masked.clone(),
            advice: format!("{advice} ({id}, {name:?})"),
            until: Some(*expires_at),
            project: Some(project.as_str().into()),
            ..Advisory::default()
        });
        let data = json!({
            "id": id,
            "name": name,
            "project": project,
            "environment": key.environment.as_str(),
            "masked": masked,
            "expires_at": expires_at.to_string(),
            "auto_rotate": key.auto_rotate,
        });
        self.webhooks.notify(event, project, &data);
    }

    /// Gives a key a new secret and hands it over.
    async fn rotate(
        &mut self,
        key: &KeyInfo,
        webhook: &str,
        at: Timestamp,
    ) -> Result<(), GateError> {
        let id = key.id.clone();
        if self.later.get(&id).is_some_and(|later| Instant::now() < *later) {
            return Ok(());
        }
        let (info, secret) = self.draw(key, at).await?;
        let previous = info.previous.as_ref();
        let data = json!({
            "id": id,
            "name": info.name,
            "project": info.project,
            "secret": secret.reveal(),
            "expires_at": info.expires_at.to_string(),
            "previous_until": previous.map(|previous| previous.until.to_string()),
        });
        match self.webhooks.hand_over(webhook, &key.project, "api_key.secret", &data).await {
            Ok(()) => {
                self.later.remove(&id);
                info!(%id, %webhook, "a key was rotated, and its new secret handed over");
                self.ingest.gate().handed_over(&id)
            }
            Err(error) => {
                warn!(%id, %webhook, %error, "cannot hand over the new secret; the old one works");
                self.later.insert(id, Instant::now() + AGAIN);
                Ok(())
            }
        }
    }

    /// Rotates a key; the old secret works for as long as it would have.
    async fn draw(&self, key: &KeyInfo, at: Timestamp) -> Result<(KeyInfo, Secret), GateError> {
        let left = key.expires_at.as_micros().saturating_sub(at.as_micros());
        let grace = Duration::from_micros(u64::try_from(left).unwrap_or_default());
        let grace = Some(grace.min(LONGEST_GRACE));
        let rotation = Rotation { grace, force: true, hand_over: true, ..Rotation::default() };
        let (gate, audit, id) =
            (Arc::clone(self.ingest.gate()), Arc::clone(&self.audit), key.id.clone());
        let act = Act::new("api_key.rotated", format!("key/{id}"));
        let rotate =
            move || audit.change(Who::daemon(), act, || gate.rotate_key(&id, &rotation, at));
        let lost = GateError::Rotation("a thread to rotate it on, but found none");
        spawn_blocking(rotate).await.unwrap_or(Err(lost))
    }
}

/// Writes the usage that is not written yet; says whether it could.
pub(super) async fn flush(gate: Arc<Gate>, has_told: bool) -> bool {
    let why = match spawn_blocking(move || gate.flush_usage(now())).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    if !has_told {
        warn!(error = why, "cannot write the usage of keys; it is tried again");
    }
    false
}

/// The event of a key that has ended.
const EXPIRED: &str = "api_key.expired";

/// How often. A crash loses as much of what was used without an event: of calls, and of refusals.
const TURN: Duration = Duration::from_secs(5);

/// When a receiver that was away is called again.
const AGAIN: Duration = Duration::from_secs(300);

/// The longest that an old secret works beside a new one.
const LONGEST_GRACE: Duration = Duration::from_secs(30 * 86_400);
