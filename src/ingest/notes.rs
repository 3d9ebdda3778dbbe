//! Stores the journals' notes as events.

use std::sync::Arc;

use super::{Ingest, now};
use crate::journal::{Note, Which};
use crate::store::{Origin, Rows};

impl Ingest {
    /// Stores what was noted since the last call. Called once a second, and at the end.
    pub async fn flush_journal(&self) {
        let notes = self.journal.drain();
        if notes.is_empty() {
            return;
        }
        let origins = Which::ALL.map(|which| {
            let origin = Origin {
                project: which.project().into(),
                listener: "journal".into(),
                peer: None,
                key: None,
                auth: None,
            };
            (which, Arc::new(origin))
        });
        let at = now().as_micros();
        let fill = |rows: &mut Rows| {
            for Note { journal, event, .. } in &notes {
                if let Some((_, origin)) = origins.iter().find(|(which, _)| which == journal) {
                    rows.begin(origin, at);
                    rows.push(event);
                }
            }
        };
        // Nobody waits for a journal: it is durable when the next commit is.
        let ((), _ticket) = self.batcher.append(fill).await;
    }
}
