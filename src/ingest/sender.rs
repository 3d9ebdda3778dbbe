//! A sender who may pass.

use std::sync::Arc;

use crate::gate::{Key, Project};
use crate::metrics::Account;
use crate::store::Origin;

/// A sender, known by its key or let in without one.
#[derive(Clone, Debug)]
pub struct Sender {
    /// What is stored of it with each event.
    pub origin: Arc<Origin>,
    /// Its key.
    pub key: Option<Arc<Key>>,
    /// The limits of the project that it sends into.
    pub project: Arc<Project>,
    /// What becomes of the messages of that key.
    pub account: Option<Arc<Account>>,
}

impl Sender {
    /// The key as journals show it.
    pub fn masked(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.info().masked.as_str())
    }
}
