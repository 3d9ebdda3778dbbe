//! Content rules, asked of messages.

use std::sync::Arc;

use memchr::memchr;

use super::listener::Format;
use crate::event::{Event, Value};
use crate::gate::{Content, Gate, Rule, Verdicts};
use crate::time::Timestamp;

/// Looks at the messages of a read. Without content rules it looks at none.
#[derive(Debug)]
pub(super) struct Inspector {
    content: Option<Arc<Content>>,
    /// The rules that match in the message that was looked at last.
    found: Vec<Arc<Rule>>,
    /// Whether the fields of its events may say something that it does not, by their escapes.
    look_inside: bool,
}

impl Inspector {
    pub(super) fn new(gate: &Gate) -> Self {
        Self { content: gate.content(), found: Vec::new(), look_inside: false }
    }

    /// Looks at a message as it came.
    pub(super) fn look(&mut self, raw: &[u8], format: Format) {
        if let Some(content) = &self.content {
            self.found = content.find(raw).into_iter().cloned().collect();
            let has_escapes = matches!(format, Format::Json | Format::Beats);
            self.look_inside = has_escapes && memchr(b'\\', raw).is_some();
        }
    }

    /// Looks at a body of many logs, whose fields are then looked at one by one if need be: always
    /// if it `shows_more` there.
    pub(super) fn look_over(&mut self, body: &[u8], shows_more: bool) {
        if let Some(content) = &self.content {
            self.look_inside =
                shows_more || content.may_be_in(body) || memchr(b'\\', body).is_some();
        }
    }

    /// Whether [`verdicts`](Self::verdicts) may have something to say.
    pub(super) fn suspects(&self) -> bool {
        self.look_inside || !self.found.is_empty()
    }

    /// What the rules say of an event of that message, whose project is known if its sender is.
    pub(super) fn verdicts(
        &self,
        event: &Event<'_>,
        listener: &str,
        project: Option<&str>,
        now: Timestamp,
    ) -> Verdicts {
        let mut found = self.found.clone();
        if let Some(content) = self.content.as_ref().filter(|_| self.look_inside) {
            for field in &event.fields {
                let text = match &field.value {
                    Value::Text(text) | Value::Json(text) => text.as_bytes(),
                    Value::Bytes(bytes) => bytes,
                    Value::Number(_) | Value::Bool(_) | Value::Null => continue,
                };
                found.extend(content.find(text).into_iter().cloned());
            }
            found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            found.dedup_by(|a, b| a.id == b.id);
        }
        let is_about = |rule: &&Arc<Rule>| {
            let of_project = rule.project.is_none() || rule.project.as_deref() == project;
            of_project && rule.is_about(listener)
        };
        Verdicts::of(found.iter().filter(is_about), now)
    }
}
