//! The gate's face of the usage of keys.

use std::sync::Arc;

use super::Gate;
use super::error::GateError;
use super::key::Key;
use super::reason::Reason;
use super::usage::{Account, HourOfUse, Used};
use crate::time::Timestamp;

impl Gate {
    /// Notes that events of a key were accepted.
    pub fn note_events(&self, key: &Key, events: u64, bytes: u64, at: Timestamp) {
        self.usage.add(self.account(key), events, bytes, 0, at);
    }

    /// Notes that a call with a key was let in.
    pub fn note_request(&self, key: &Key, at: Timestamp) {
        self.usage.add(self.account(key), 0, 0, 1, at);
    }

    /// Notes that something was refused to a key.
    pub fn note_refused(&self, key: &Key, reason: Reason, count: u64, at: Timestamp) {
        self.usage.refuse(self.account(key), reason, count, at);
    }

    /// What a key was used for since it was made.
    pub fn used(&self, id: &str) -> Used {
        self.usage.used(id)
    }

    /// What a key was used for in each hour that holds a moment of this time, the earliest first.
    /// Hours without any use are not among them; 90 days are kept.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn hours_of_use(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HourOfUse>, GateError> {
        self.usage.hours(self.records.db(), id, from, to)
    }

    /// Puts the usage that is not written yet beside the next commit, whatever that is. Called before
    /// each commit of events.
    ///
    /// # Errors
    ///
    /// The store failed; it is put beside a later one.
    pub fn ride_usage(&self) -> Result<(), GateError> {
        self.usage.ride(self.records.db())
    }

    /// Writes the usage that is not written yet, and forgets what is too old. Called every few
    /// seconds, and at the end.
    ///
    /// # Errors
    ///
    /// The store failed; what is not written then is written by the next call.
    pub fn flush_usage(&self, now: Timestamp) -> Result<(), GateError> {
        self.ride_usage()?;
        self.records.carry()?;
        self.usage.forget(self.records.db(), now)
    }

    fn account<'k>(&self, key: &'k Key) -> &'k Arc<Account> {
        key.account().get_or_init(|| self.usage.account(key.id()))
    }
}
