//! What is said of events that did not parse as they should.

use std::sync::Arc;

use super::intake::Intake;
use super::sender::Sender;
use super::session::Session;
use super::skew;
use crate::event::{Event, Tag};
use crate::journal::{Call, Failed, shown};

impl Intake<'_> {
    /// Counts and notes what the parser found wrong. The event is stored all the same.
    pub(super) fn note_tags(&mut self, session: &Session, event: &Event<'_>, raw: &[u8]) {
        for tag in &event.tags {
            let labels = [&*session.listener.name, tag.as_str()];
            self.ingest.gauges.parse_failures.with_label_values(&labels).inc();
        }
        if event.tags.contains(&Tag::ClockSkew) && !std::mem::replace(&mut self.has_told, true) {
            let sender = self.run.as_ref().map(|run| &run.sender);
            skew::tell(self.ingest, session, sender);
        }
        let Some(tag) = event.tags.iter().find(|tag| is_failure(**tag)) else { return };
        let sender = self.run.as_ref().map(|run| &run.sender);
        let key = sender.and_then(Sender::masked).map(str::to_owned);
        let project = sender.map(|sender| Arc::clone(&sender.origin.project));
        let failed = Failed {
            call: Call { project, ..session.call(key) },
            code: tag.as_str(),
            message: format!("stored with {}", tag.as_str()),
            request_bytes: raw.len() as u64,
            events_accepted: 1,
            sample: Some(shown(raw, SAMPLE)),
            ..Failed::default()
        };
        self.ingest.note_failure(1, failed);
    }
}

/// Whether a tag says that a call failed, and not only that something is odd.
fn is_failure(tag: Tag) -> bool {
    !matches!(tag, Tag::ReservedField | Tag::ClockSkew)
}

/// Bytes of a message that did not parse which its note in the journal shows.
const SAMPLE: usize = 256;
