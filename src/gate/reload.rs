//! A configuration that is another while the gate is open.

use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::error::GateError;
use super::lists::Lists;
use super::range::Range;
use super::range_table::RangeTable;
use super::rules::Rules;
use super::tier::Requests;
use super::{Gate, ListKind};
use crate::time::Timestamp;

/// What of the configuration can be another from one moment to the next.
#[derive(Debug)]
pub(super) struct Live {
    /// The key ids of source networks.
    pub(super) networks: RangeTable<String>,
    pub(super) block_expiry: Duration,
    pub(super) requests: Requests,
}

impl Live {
    pub(super) fn new(config: &Config) -> Self {
        let networks = config.networks.iter().map(|net| (Range::of(net.source), net.key.clone()));
        let (block_expiry, requests) = (config.block_expiry, config.requests.clone());
        Self { networks: RangeTable::new(networks), block_expiry, requests }
    }
}

impl Gate {
    /// Whether this configuration could be taken now.
    ///
    /// # Errors
    ///
    /// It names a key that there is not, its rules cannot be compiled together with those that were
    /// added, or the store failed.
    pub fn try_config(&self, config: &Config) -> Result<(), GateError> {
        if let Some(net) = config.networks.iter().find(|net| self.key_by_id(&net.key).is_none()) {
            return Err(GateError::NetworkKey(net.key.clone()));
        }
        Rules::open(config, self.records.rules()?).map(drop)
    }

    /// Takes the lists, rules, networks, hours and the length of blocks of a configuration in place
    /// of those that the one before had. What was added at run time, and what was read from files,
    /// stays. What keys and addresses have spent is not touched.
    ///
    /// # Errors
    ///
    /// As [`try_config`](Self::try_config); nothing is changed then.
    pub fn take_config(&self, config: &Config, now: Timestamp) -> Result<(), GateError> {
        let _change = self.change.lock();
        let rules = Rules::open(config, self.records.rules()?)?;
        let lists = Lists::new(self.records.entries()?.into_iter().chain(config.entries(now)));
        let before = self.lists.load();
        let lists = ListKind::ALL.into_iter().fold(lists, |lists, kind| {
            let read = before.sources(kind).iter();
            read.fold(lists, |lists, source| lists.with_source(kind, Arc::clone(source)))
        });
        self.live.store(Arc::new(Live::new(config)));
        self.lists.store(Arc::new(lists));
        self.put_rules(rules); // and says that things have changed
        Ok(())
    }
}
