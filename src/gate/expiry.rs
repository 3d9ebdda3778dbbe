//! Keys that are about to end, and those that have.
//!
//! What was seen to be over is written down: neither a restart nor a clock that is set back brings
//! it to life again.

use super::Gate;
use super::error::GateError;
use super::key::Key;
use super::key_info::KeyInfo;
use super::records::KeyRecord;
use super::rotation::PreviousSecret;
use crate::time::{DAY, Timestamp};

impl Gate {
    /// Keys that end soon and of which nobody was told so: within 7 days, or within half of their
    /// lifetime where that is less. Those who tell of one call [`noticed`](Self::noticed).
    pub fn expiring(&self, now: Timestamp) -> Vec<KeyInfo> {
        let soon = |info: &KeyInfo| {
            let notice = NOTICE.min(info.lifetime() / 2);
            let is_good = info.revoked_at.is_none() && now < info.expires_at;
            is_good && info.noticed_at.is_none() && now.plus(notice) >= info.expires_at
        };
        self.some_keys(soon)
    }

    /// Notes that people were told of the end of a key: once, whatever is restarted.
    ///
    /// # Errors
    ///
    /// There is no such key, or the store failed.
    pub fn noticed(&self, id: &str, now: Timestamp) -> Result<(), GateError> {
        self.amend(id, |info| info.noticed_at = Some(now))
    }

    /// Keys whose new secret was not handed over yet, because its receiver was away or the daemon
    /// ended: they are to be rotated again.
    pub fn handing_over(&self, now: Timestamp) -> Vec<KeyInfo> {
        let waits = |info: &KeyInfo| {
            info.handing_over && info.revoked_at.is_none() && now < info.expires_at
        };
        self.some_keys(waits)
    }

    /// Notes that the secret of a key was handed over.
    ///
    /// # Errors
    ///
    /// There is no such key, or the store failed.
    pub fn handed_over(&self, id: &str) -> Result<(), GateError> {
        self.amend(id, |info| info.handing_over = false)
    }

    /// Notes which keys and which secrets from before a rotation have ended by now, and returns the
    /// keys. Called now and then; what has ended is refused without.
    ///
    /// # Errors
    ///
    /// The store failed; what was noted until then is.
    pub fn lapse(&self, now: Timestamp) -> Result<Vec<KeyInfo>, GateError> {
        let over = |info: &KeyInfo| now >= info.expires_at && info.lapsed_at.is_none();
        let rotated = |previous: &PreviousSecret| now >= previous.until && !previous.has_ended;
        let due = |info: &KeyInfo| over(info) || info.previous.as_ref().is_some_and(rotated);
        let mut lapsed = Vec::new();
        for info in self.some_keys(due) {
            self.amend(&info.id, |info| {
                if over(info) {
                    info.lapsed_at = Some(now);
                }
                for previous in info.previous.iter_mut().filter(|previous| rotated(previous)) {
                    previous.has_ended = true;
                }
            })?;
            if over(&info) && info.revoked_at.is_none() {
                lapsed.push(info);
            }
        }
        Ok(lapsed)
    }

    fn some_keys(&self, wanted: impl Fn(&KeyInfo) -> bool) -> Vec<KeyInfo> {
        let keys = self.keys.load();
        keys.iter().map(|key| key.info()).filter(|info| wanted(info)).cloned().collect()
    }

    /// Changes what is known of a key, which lets nobody in who was not let in before.
    fn amend(&self, id: &str, change: impl FnOnce(&mut KeyInfo)) -> Result<(), GateError> {
        let _change = self.change.lock();
        let keys = self.keys.load();
        let key = keys.by_id(id).ok_or_else(|| GateError::UnknownKey(id.to_owned()))?;
        let mut info = key.info().clone();
        change(&mut info);
        let (hash, previous) = (key.hash(), key.previous());
        self.records.put_key(&KeyRecord { hash, previous, key: info.clone() })?;
        let amended: Key = key.with(info);
        self.put_key(&keys, amended);
        Ok(())
    }
}

/// How long before its end people are told of a key, in microseconds (SPEC §3).
const NOTICE: i64 = 7 * DAY;
