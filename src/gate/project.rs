//! What a project may send, over all of its keys and addresses.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;

use super::charge::{Levels, Named, Payer, Rates, Rules};
use super::connections::{Entered, enter};
use super::limits::Limits;

/// The limits of a project, and what it spent.
#[derive(Debug)]
pub struct Project {
    name: Arc<str>,
    rates: Rates,
    levels: Levels,
    max_connections: Option<u32>,
    connections: AtomicU32,
}

/// Every project that was asked for. There are as many as keys and listeners name.
#[derive(Debug)]
pub(super) struct Projects {
    limits: Limits,
    own: BTreeMap<String, Limits>,
    known: RwLock<HashMap<Arc<str>, Arc<Project>>>,
}

impl Project {
    /// What it is called.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Who pays for what is sent into it; `None` if it has no limit.
    pub(super) fn payer(&self) -> Option<Payer<'_>> {
        let Self { name, rates, levels, .. } = self;
        (!rates.is_unlimited()).then_some(Payer {
            rates: *rates,
            levels,
            rules: &Rules::PROJECT,
            subject: Named::Project(name),
        })
    }

    /// Counts a connection, unless it has as many as it may.
    pub(super) fn enter(&self) -> Entered {
        enter(&self.connections, self.max_connections, self.rates.is_shadow())
    }

    /// Counts down a connection that was counted.
    pub(super) fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Projects {
    /// Gives each project these limits, but for those that have their `own`.
    pub(super) fn new(limits: &Limits, own: &BTreeMap<String, Limits>) -> Self {
        Self { limits: limits.clone(), own: own.clone(), known: RwLock::default() }
    }

    /// The project of this name.
    pub(super) fn get(&self, name: &str) -> Arc<Project> {
        if let Some(known) = self.known.read().get(name) {
            return Arc::clone(known);
        }
        let limits = self.own.get(name).unwrap_or(&self.limits);
        let name: Arc<str> = name.into();
        let new = || {
            Arc::new(Project {
                name: Arc::clone(&name),
                rates: Rates::new(limits),
                levels: Levels::default(),
                max_connections: limits.connections,
                connections: AtomicU32::new(0),
            })
        };
        Arc::clone(self.known.write().entry(Arc::clone(&name)).or_insert_with(new))
    }
}
