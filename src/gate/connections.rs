//! Open connections of each key, project and source address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::charge::Rules;
use super::key::Key;
use super::project::Project;
use super::reason::Reason;
use super::refusal::Refusal;

/// One open connection, counted until it is dropped.
#[derive(Debug)]
pub struct Connection {
    /// Connections are numbered in the order in which they were let in.
    number: u64,
    /// Where it is counted, where addresses have a limit.
    address: Option<(Arc<Sources>, u128)>,
    key: Option<Arc<Key>>,
    project: Option<Arc<Project>>,
    /// The limit in shadow mode that would have refused it, until it is asked for.
    would: Option<&'static str>,
}

/// Whether there was room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    Within,
    /// There was none, by a limit in shadow mode.
    Would,
    Refused,
}

/// How many connections each source has open. It holds no source that has none, so it is bounded
/// by the connections that there may be.
#[derive(Debug)]
pub(super) struct Sources {
    max: u32,
    is_shadow: bool,
    open: Mutex<HashMap<u128, u32>>,
}

impl Sources {
    /// Lets each source have `max` connections, or as many as it likes where that is only noted.
    pub(super) fn new(max: u32, is_shadow: bool) -> Self {
        Self { max, is_shadow, open: Mutex::default() }
    }
}

impl Connection {
    /// Counts a connection from `source` with no key as yet.
    pub(super) fn open(sources: Option<&Arc<Sources>>, source: u128) -> Result<Self, Refusal> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(sources) = sources else {
            return Ok(Self { number, address: None, key: None, project: None, would: None });
        };
        let mut open = sources.open.lock();
        let count = open.get(&source).copied().unwrap_or(0);
        let is_over = count >= sources.max;
        let rule = Rules::ADDRESS.connections;
        if is_over && !sources.is_shadow {
            return Err(Refusal::fixed(Reason::RateLimitExceeded, rule));
        }
        open.insert(source, count.saturating_add(1));
        let address = Some((Arc::clone(sources), source));
        Ok(Self { number, address, key: None, project: None, would: is_over.then_some(rule) })
    }

    /// Its number: greater than those of connections that were let in before.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The limit in shadow mode that would have refused the connection; told once.
    pub fn would_refuse(&mut self) -> Option<&'static str> {
        self.would.take()
    }

    /// Counts the connection as one of `key` and its project, and no longer of those it had before. A
    /// connection calls this when it learns its key after it was opened, or the key changes.
    ///
    /// # Errors
    ///
    /// The key or its project has as many open as it may. The connection then stays with what it had.
    pub fn claim(&mut self, key: &Arc<Key>) -> Result<(), Refusal> {
        let before = self.project.clone();
        self.claim_project(key.budget())?;
        let claimed = self.claim_key(key);
        if claimed.is_err() {
            self.go_back(before);
        }
        claimed
    }

    /// Counts the connection as one of a project, and no longer of the one it had before.
    ///
    /// # Errors
    ///
    /// The project has as many open as it may.
    pub fn claim_project(&mut self, project: &Arc<Project>) -> Result<(), Refusal> {
        if self.project.as_ref().is_some_and(|old| Arc::ptr_eq(old, project)) {
            return Ok(());
        }
        let rule = Rules::PROJECT.connections;
        match project.enter() {
            Entered::Within => {}
            Entered::Would => self.would = Some(rule),
            Entered::Refused => return Err(Refusal::fixed(Reason::RateLimitExceeded, rule)),
        }
        if let Some(old) = self.project.replace(Arc::clone(project)) {
            old.leave();
        }
        Ok(())
    }

    /// Counts the connection as one of the project it had, which has one less for it meanwhile.
    fn go_back(&mut self, before: Option<Arc<Project>>) {
        let is_same = |before: &Arc<Project>| {
            self.project.as_ref().is_some_and(|project| Arc::ptr_eq(project, before))
        };
        if before.as_ref().is_some_and(is_same) {
            return;
        }
        if let Some(project) = self.project.take() {
            project.leave();
        }
        self.project = before.filter(|before| before.enter() != Entered::Refused);
    }

    fn claim_key(&mut self, key: &Arc<Key>) -> Result<(), Refusal> {
        if self.key.as_ref().is_some_and(|old| old.id() == key.id()) {
            return Ok(());
        }
        let rule = Rules::KEY.connections;
        match key.enter() {
            Entered::Within => {}
            Entered::Would => self.would = Some(rule),
            Entered::Refused => return Err(Refusal::fixed(Reason::RateLimitExceeded, rule)),
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
        if let Some(project) = &self.project {
            project.leave();
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

/// Counts one more open connection, unless there are as many as may be.
pub(super) fn enter(open: &AtomicU32, max: Option<u32>, is_shadow: bool) -> Entered {
    let within = |open: u32| max.is_none_or(|max| open < max);
    let more = |open: u32| open.checked_add(1).filter(|_| is_shadow || within(open));
    match open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
        Ok(before) if within(before) => Entered::Within,
        Ok(_) => Entered::Would,
        Err(_) => Entered::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_up_and_down_and_forgotten() {
        let sources = Arc::new(Sources::new(2, false));
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
        assert!(Connection::open(Some(&Arc::new(Sources::new(0, false))), 1).is_err());
    }

    #[test]
    fn in_shadow_mode_all_come_in_and_those_over_are_told() {
        let sources = Arc::new(Sources::new(1, true));
        let mut open = [1, 1].map(|source| Connection::open(Some(&sources), source).unwrap());
        let would = open.each_mut().map(|connection| connection.would_refuse());
        assert_eq!(would, [None, Some("limit:address:connections")]);
    }
}
