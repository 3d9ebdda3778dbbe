//! A sender who may pass.

use std::sync::Arc;

use super::session::Session;
use crate::gate::{Key, Project, Who};
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

/// Who sends, as the limits see it.
pub(super) fn who<'a>(session: &Session, sender: &'a Sender) -> Who<'a> {
    Who {
        key: sender.key.as_ref(),
        project: &sender.project,
        peer: session.peer,
        datagrams: session.listener.datagrams,
    }
}
