//! New secrets for keys that there are.
//!
//! A key that is rotated has two secrets for a while: the new one, and until the grace ends the one
//! before it. Both are the same key: they spend the same limits and are revoked together. The old
//! one never outlives the time at which it would have ended anyway.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Gate;
use super::error::GateError;
use super::key_info::{KeyInfo, LONGEST, SHORTEST};
use super::limits::duration_text;
use super::records::KeyRecord;
use super::rfc3339;
use super::secret::{self, Secret};
use crate::time::Timestamp;

/// The secret that a key had before its last rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousSecret {
    /// As it is shown: `lt_live_8f3a…5b2c`.
    pub masked: String,
    /// The first moment at which it is good no more.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// Whether it was seen to be good no more: it then stays so, whatever the clock says.
    #[serde(default)]
    pub has_ended: bool,
}

/// How a key is to be rotated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The secret, masked, that is to be replaced: that which the caller saw last. Of two who
    /// replace the same one, the second is refused.
    pub replaces: Option<String>,
    /// How long the old secret works too. Default: 24h. Range: 0s to 30d.
    pub grace: Option<Duration>,
    /// How long the new one is good for. Default: as long as the old one was.
    pub lifetime: Option<Duration>,
    /// Also while the grace of another rotation runs, which then ends.
    pub force: bool,
    /// Whether the new secret is to be handed over before anybody has it: see
    /// [`Gate::handed_over`].
    pub hand_over: bool,
}

impl Gate {
    /// Gives a key a new secret, which is returned and kept nowhere.
    ///
    /// # Errors
    ///
    /// There is no such key; it was revoked, or has expired; it was rotated by someone else, or is
    /// being rotated; a time makes no sense; or the store or the system failed.
    pub fn rotate_key(
        &self,
        id: &str,
        rotation: &Rotation,
        now: Timestamp,
    ) -> Result<(KeyInfo, Secret), GateError> {
        let grace = rotation.grace.unwrap_or(GRACE);
        if grace > MAX_GRACE {
            return Err(GateError::invalid("grace", "0s to 30d", duration_text(grace)));
        }
        let bad = |life: &Duration| !(SHORTEST..=LONGEST).contains(life);
        if let Some(life) = rotation.lifetime.filter(bad) {
            return Err(GateError::invalid("lifetime", "1s to 365d", duration_text(life)));
        }
        let _change = self.change.lock();
        let keys = self.keys.load();
        let key = keys.by_id(id).ok_or_else(|| GateError::UnknownKey(id.to_owned()))?;
        let old = key.info();
        if old.revoked_at.is_some() {
            return Err(GateError::Rotation("a key that was not revoked, but found one that was"));
        }
        if key.has_expired(now) {
            return Err(GateError::Rotation("a key that is good, but found one that has expired"));
        }
        if rotation.replaces.as_ref().is_some_and(|seen| *seen != old.masked) {
            return Err(GateError::Rotation(
                "the secret that was to be replaced, but found another",
            ));
        }
        let running = old.previous.as_ref().is_some_and(|previous| now < previous.until);
        if running && !rotation.force {
            return Err(GateError::Rotation("no rotation in its grace, but found one"));
        }
        let secret = Secret::draw(old.environment)?;
        let hash = secret::hash(&self.pepper, secret.reveal().as_bytes());
        let hash = hash.expect("a secret that was drawn has the length of one");
        // A secret that was never handed over is nobody's: the one before it stays the old one.
        let kept = old.previous.clone().filter(|_| old.handing_over).zip(key.previous());
        let (before, before_hash) = kept.unwrap_or_else(|| {
            let until = now.plus(micros(grace)).min(old.expires_at);
            let masked = old.masked.clone();
            (PreviousSecret { masked, until, has_ended: false }, key.hash())
        });
        let lifetime = rotation.lifetime.map_or_else(|| old.lifetime(), micros);
        let info = KeyInfo {
            masked: secret.masked(),
            rotated_at: Some(now),
            expires_at: now.plus(lifetime),
            previous: Some(before),
            handing_over: rotation.hand_over,
            noticed_at: None,
            ..old.clone()
        };
        let record = KeyRecord { hash, previous: Some(before_hash), key: info.clone() };
        self.records.put_key(&record)?;
        self.put_key(&keys, key.rotated(info.clone(), hash, before_hash));
        Ok((info, secret))
    }
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// How long an old secret works beside the new one (SPEC §3).
const GRACE: Duration = Duration::from_secs(86_400);

const MAX_GRACE: Duration = Duration::from_secs(30 * 86_400);
