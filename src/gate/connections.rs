//! Open connections of each key and of each source address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;

use super::key::Key;
use super::reason::Reason;
use super::refusal::Refusal;

/// One open connection, counted until it is dropped.
#[derive(Debug)]
pub struct Connection {
    /// Where it is counted, where addresses have a limit.
    address: Option<(Arc<Sources>, u128)>,
    key: Option<Arc<Key>>,
}

/// How many connections each source has open. It holds no source that has none, so it is bounded
/// by the connections that there may be.
#[derive(Debug)]
pub(super) struct Sources {
    max: u32,
    open: Mutex<HashMap<u128, u32>>,
}

impl Sources {
    /// Lets each source have `max` connections.
    pub(super) fn new(max: u32) -> Self {
        Self { max, open: Mutex::default() }
    }
}

impl Connection {
    /// Counts a connection from `source` with no key as yet.
    pub(super) fn open(sources: Option<&Arc<Sources>>, source: u128) -> Result<Self, Refusal> {
        let Some(sources) = sources else { return Ok(Self { address: None, key: None }) };
        let mut open = sources.open.lock();
        let count = open.get(&source).copied().unwrap_or(0);
        if count >= sources.max {
            return Err(Refusal::fixed(Reason::RateLimitExceeded, "limit:address:connections"));
        }
        open.insert(source, count + 1);
        Ok(Self { address: Some((Arc::clone(sources), source)), key: None })
    }

    /// Counts the connection as one of `key`, and no longer of the key it had before. A connection
    /// calls this when it learns its key after it was opened, or the key changes.
    ///
    /// # Errors
    ///
    /// The key has as many open as it may. The connection then stays with the key it had.
    pub fn claim(&mut self, key: &Arc<Key>) -> Result<(), Refusal> {
        if self.key.as_ref().is_some_and(|old| old.id() == key.id()) {
            return Ok(());
        }
        if !key.enter() {
            return Err(Refusal::fixed(Reason::RateLimitExceeded, "limit:key:connections"));
        }
        if let Some(old) = self.key.replace(Arc::clone(key)) {
            old.leave();
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            key.leave();
        }
        let Some((sources, source)) = &self.address else { return };
        if let Entry::Occupied(mut open) = sources.open.lock().entry(*source) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_up_and_down_and_forgotten() {
        let sources = Arc::new(Sources::new(2));
        let open = |source| Connection::open(Some(&sources), source);
        let (first, second) = (open(1).unwrap(), open(1).unwrap());
        assert_eq!(open(1).unwrap_err().rule.as_str(), "limit:address:connections");
        drop(open(2).unwrap());
        drop(first);
        let third = open(1).unwrap();
        assert!(open(1).is_err());
        drop((second, third));
        assert!(sources.open.lock().is_empty());
    }

    #[test]
    fn rl_05_no_limit_and_none_at_all() {
        assert!(Connection::open(None, 1).is_ok());
        assert!(Connection::open(Some(&Arc::new(Sources::new(0))), 1).is_err());
    }
}
