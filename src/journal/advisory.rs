//! What someone should look at.

use std::sync::Arc;

use super::entry::put;
use crate::event::Event;
use crate::time::Timestamp;

/// An entry of `advisory`.
///
/// What lasts is told when it begins and when it ends, never in between: whoever tells keeps to
/// that, or calls [`Journal::advise_once`](super::Journal::advise_once).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisory {
    /// What it is about, stable, for programs: `limit_entered`, `key_expires`, `disk_filling`.
    pub kind: &'static str,
    /// Whom or what it is about: a key (masked), an address, a listener, a disk.
    pub subject: String,
    /// What is the matter and what can be done, in a sentence.
    pub advice: String,
    /// Until when it holds, or there is time to do something; where that is known.
    pub until: Option<Timestamp>,
    /// The project that it concerns; `None` is the whole daemon.
    pub project: Option<Arc<str>>,
    /// Whether it tells that something is over.
    pub is_over: bool,
}

impl Advisory {
    pub(super) fn into_event(self) -> Event<'static> {
        let Self { kind, subject, advice, until, project, is_over } = self;
        let mut event = Event::default();
        put(&mut event, "message", Some(format!("{kind}: {subject}: {advice}")));
        put(&mut event, "kind", Some(kind.to_owned()));
        put(&mut event, "subject", Some(subject));
        put(&mut event, "advice", Some(advice));
        put(&mut event, "until", until.map(|until| until.to_string()));
        put(&mut event, "project", project.map(|project| project.to_string()));
        let level = if is_over { "INFO" } else { "WARN" };
        put(&mut event, "level", Some(level.to_owned()));
        event
    }
}
