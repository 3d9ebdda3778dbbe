//! Content rules, asked of messages.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memchr;

use super::listener::Format;
use crate::event::{Event, Field, Known, Name, Value};
use crate::gate::{Content, Found, Gate, Verdicts};
use crate::parse::{json, unescape};
use crate::time::Timestamp;

/// Looks at the messages of a read. Without content rules it looks at none.
#[derive(Debug)]
pub(super) struct Inspector {
    content: Option<Arc<Content>>,
    /// The rules that match in the message that was looked at last.
    found: Vec<Found>,
    /// Where its events may say something that it does not, by their escapes.
    inside: Inside,
    /// In the buffer of the read, no message that ends before this place has the text of a rule.
    clean_to: usize,
    /// Whether the message that comes is such a one.
    is_clean: bool,
    /// The place of the first backslash in the buffer that is not behind it, or its end.
    backslash: Option<usize>,
    /// Whether the message that comes has a backslash in it, where that is known.
    has_escapes: Option<bool>,
}

/// What of an event is to be looked at beside the message that it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    /// Nothing: all that it says is said there.
    #[default]
    Nothing,
    /// What was changed on the way, by escapes for one.
    Changed,
    /// All fields.
    All,
}

impl Inspector {
    pub(super) fn new(gate: &Gate) -> Self {
        Self {
            content: gate.content(),
            found: Vec::new(),
            inside: Inside::Nothing,
            clean_to: 0,
            is_clean: false,
            backslash: None,
            has_escapes: None,
        }
    }

    /// Looks ahead in the buffer of a read, of which `message` is the next: all that come before a
    /// rule's text are clean, and found to be so together.
    pub(super) fn look_ahead(&mut self, buffer: &[u8], message: &[u8]) {
        let Some(content) = &self.content else { return };
        let begins = message.as_ptr().addr().wrapping_sub(buffer.as_ptr().addr());
        let ends = begins.saturating_add(message.len());
        self.is_clean = ends <= buffer.len(); // else it is none of the buffer, as what was inflated
        self.has_escapes = None;
        if self.is_clean {
            let known = self.backslash.filter(|place| *place >= begins);
            let place = known.unwrap_or_else(|| {
                let rest = buffer.get(begins..).unwrap_or_default();
                memchr(b'\\', rest).map_or(buffer.len(), |place| begins + place)
            });
            self.backslash = Some(place);
            self.has_escapes = Some(place < ends);
        }
        if !self.is_clean || ends <= self.clean_to {
            return;
        }
        if begins >= self.clean_to {
            let rest = buffer.get(begins..).unwrap_or_default();
            self.clean_to = content.find_text(rest).map_or(buffer.len(), |place| begins + place);
        }
        self.is_clean = ends <= self.clean_to;
    }

    /// Looks at a message as it came.
    pub(super) fn look(&mut self, raw: &[u8], format: Format) {
        if let Some(content) = &self.content {
            let is_clean = std::mem::take(&mut self.is_clean);
            self.found = if is_clean { content.find_textless(raw) } else { content.find(raw) };
            let has_escapes = self.has_escapes.take();
            self.inside = match has_escapes.unwrap_or_else(|| memchr(b'\\', raw).is_some()) {
                false => Inside::Nothing,
                true if matches!(format, Format::Json | Format::Beats | Format::Gelf) => {
                    Inside::All
                }
                true => Inside::Changed,
            };
        }
    }

    /// Looks at a body of many logs, whose fields are then looked at one by one if need be: always
    /// if it `shows_more` there.
    pub(super) fn look_over(&mut self, body: &[u8], shows_more: bool) {
        if let Some(content) = &self.content {
            let is_all = shows_more || content.may_be_in(body) || memchr(b'\\', body).is_some();
            self.inside = if is_all { Inside::All } else { Inside::Nothing };
        }
    }

    /// Whether [`verdicts`](Self::verdicts) may have something to say.
    pub(super) fn suspects(&self) -> bool {
        self.inside != Inside::Nothing || !self.found.is_empty()
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
        if let Some(content) = self.content.as_ref().filter(|_| self.inside != Inside::Nothing) {
            for text in said(event, self.inside) {
                found.extend(content.find(&text));
            }
            found.sort_by(|a, b| by_age(a).cmp(&by_age(b)));
            found.dedup_by(|a, b| a.rule.id == b.rule.id);
        }
        let is_about = |found: &&Found| {
            let rule = &found.rule;
            let of_project = rule.project.is_none() || rule.project.as_deref() == project;
            of_project && rule.is_about(listener)
        };
        Verdicts::of_found(found.iter().filter(is_about), now)
    }
}

/// What an event says, with what its escapes stand for.
fn said<'e>(event: &'e Event<'_>, inside: Inside) -> impl Iterator<Item = Cow<'e, [u8]>> {
    let is_all = inside == Inside::All;
    let fields = event.fields.iter().flat_map(move |field| {
        let name = match &field.name {
            Name::Other(name) => of_text(name, is_all),
            Name::Known(_) => None,
        };
        [name, decoded(field), plain(field, is_all)]
    });
    fields.chain(event.labels.iter().map(move |label| of_text(label, is_all))).flatten()
}

/// A text, unless it is as it stood in the message and such are not wanted.
#[expect(clippy::ptr_arg, reason = "whether it is owned is what is asked")]
fn of_text<'e>(text: &'e Cow<'_, str>, is_all: bool) -> Option<Cow<'e, [u8]>> {
    let is_changed = matches!(text, Cow::Owned(_));
    (is_all || is_changed).then(|| Cow::Borrowed(text.as_bytes()))
}

/// The value of a field as it is kept.
fn plain<'e>(field: &'e Field<'_>, is_all: bool) -> Option<Cow<'e, [u8]>> {
    match &field.value {
        Value::Text(text) | Value::Json(text) => of_text(text, is_all),
        Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
        Value::Number(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// What a value means that is kept with its escapes: an object or an array, or structured data.
fn decoded<'e>(field: &'e Field<'_>) -> Option<Cow<'e, [u8]>> {
    let (kept, text) = match &field.value {
        Value::Json(text) => (text, json::unescaped(text)),
        Value::Text(text) if field.name == Name::Known(Known::StructuredData) => {
            (text, unescape(text).into_owned())
        }
        _ => return None,
    };
    (text != **kept).then(|| Cow::Owned(text.into_bytes()))
}

/// The order of rules, and of one rule a sure find before a guess.
fn by_age(found: &Found) -> (Timestamp, &str, bool) {
    (found.rule.created_at, &found.rule.id, !found.is_sure)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::ingest::testing::Yard;

    /// Looking at all messages of a read at once finds in each what looking at it alone does.
    #[test]
    fn a_read_is_looked_at_as_its_messages_are() {
        let rules = r#"{"rules": [
            {"id": "1", "kind": "literal", "pattern": "evil"},
            {"id": "2", "kind": "literal", "pattern": "a very long text"},
            {"id": "3", "kind": "regex", "pattern": "x[0-9]{3}"}
        ]}"#;
        let yard = Yard::new(rules, false);
        let piece = prop::sample::select(vec![
            "evil",
            "EVI",
            "l",
            "ev",
            "a very long ",
            "text",
            " ",
            "x12",
            "3",
            "plain",
        ]);
        let message = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
        let messages = prop::collection::vec(message, 0..8);
        let test = |messages: Vec<String>| {
            let buffer = messages.join("\n").into_bytes();
            let (mut together, mut alone) =
                (Inspector::new(&yard.gate), Inspector::new(&yard.gate));
            for message in buffer.split(|byte| *byte == b'\n') {
                together.look_ahead(&buffer, message);
                together.look(message, Format::Syslog);
                alone.look(message, Format::Syslog);
                let ids = |inspector: &Inspector| {
                    inspector.found.iter().map(|found| found.rule.id.clone()).collect::<Vec<_>>()
                };
                prop_assert_eq!(ids(&together), ids(&alone));
            }
            // What is none of the buffer is looked at by itself.
            let inflated = b"it is evil".to_vec();
            together.look_ahead(&buffer, &inflated);
            together.look(&inflated, Format::Syslog);
            prop_assert_eq!(together.found.len(), 1);
            Ok(())
        };
        TestRunner::default().run(&messages, test).unwrap();
    }
}
