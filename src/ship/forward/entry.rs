//! An entry of a journal, on its way out.

use serde_json::{Map, Value};

use crate::time::Timestamp;

/// An entry of a journal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The journal's name.
    pub(super) journal: &'static str,
    /// Its place in the journal.
    pub(super) position: i64,
    /// Its fields, as a query shows them.
    pub(super) fields: Map<String, Value>,
}

impl Entry {
    /// A field as text, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.fields.get(name).and_then(text)
    }

    /// When it was.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let time = self.fields.get("@timestamp").and_then(Value::as_str);
        Timestamp::parse_rfc3339(time?.as_bytes())
    }

    /// What it says in a line: the message, or the event of a change.
    pub(super) fn message(&self) -> String {
        let said = self.text("message").or_else(|| self.text("event"));
        said.unwrap_or_else(|| self.journal.to_owned())
    }

    /// The code of its severity in syslog.
    pub(super) fn severity(&self) -> u8 {
        match self.fields.get("level").and_then(Value::as_str) {
            Some("FATAL") => 2,
            Some("ERROR") => 3,
            Some("WARN") => 4,
            Some("DEBUG") => 7,
            _ => 6,
        }
    }
}

/// A value as text; `null` is none.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A text without control characters, so that a line stays a line whatever someone wrote into it:
/// line feeds and the like are written as `\n`, others as U+FFFD.
pub(super) fn on_a_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
    line
}
