//! Takes secrets out of events before they are stored.

use std::borrow::Cow;

use crate::event::{Event, Field, Name, Value};
use crate::ids;

/// Where in a read secrets seem to begin: one search for all of its messages.
#[derive(Debug)]
pub(super) struct Suspects {
    places: Vec<usize>,
    /// How many of them were passed.
    passed: usize,
}

impl Suspects {
    /// Those in `read`.
    pub(super) fn of(read: &[u8]) -> Self {
        Self { places: ids::suspects_at(read).collect(), passed: 0 }
    }

    /// How many there are from where the last call ended to the byte `end`.
    #[inline]
    pub(super) fn up_to(&mut self, end: usize) -> usize {
        let before = self.passed;
        while self.places.get(self.passed).is_some_and(|place| *place < end) {
            self.passed += 1;
        }
        self.passed - before
    }
}

/// Masks every secret in `event`. `suspected` says whether the message that it was parsed from
/// holds one besides its credential; where it does not, only what a parser rewrote is searched.
pub(super) fn scrub(event: &mut Event<'_>, suspected: bool) {
    for field in event.fields.iter_mut().filter(|field| suspected || is_rewritten(field)) {
        if let Name::Other(name) = &mut field.name {
            text(name, suspected);
        }
        match &mut field.value {
            Value::Text(value) => text(value, suspected),
            Value::Json(value) => json(value, suspected),
            Value::Bytes(value) if suspected => {
                if let Cow::Owned(clean) = ids::scrub(value) {
                    *value = Cow::Owned(clean);
                }
            }
            _ => {}
        }
    }
    event.labels.iter_mut().for_each(|label| text(label, suspected));
}

/// How many secrets of a message its parser took out of it: the credential, where that stands in
/// the message as it is counted there.
pub(super) fn taken(event: &Event<'_>) -> usize {
    let credential = event.credential.as_ref();
    let borrowed = credential.filter(|found| matches!(found.secret, Cow::Borrowed(_)));
    borrowed.map_or(0, |found| usize::from(ids::has_suspects(&found.secret)))
}

/// Whether a field may hold what the message that it was parsed from did not show.
#[inline]
fn is_rewritten(field: &Field<'_>) -> bool {
    matches!(field.name, Name::Other(Cow::Owned(_)))
        || matches!(field.value, Value::Text(Cow::Owned(_)) | Value::Json(_))
}

/// What a parser had to rewrite may hold what the message did not show.
fn text(value: &mut Cow<'_, str>, suspected: bool) {
    if (suspected || matches!(value, Cow::Owned(_)))
        && let Cow::Owned(clean) = ids::scrub(value.as_bytes())
    {
        *value = Cow::Owned(String::from_utf8_lossy(&clean).into_owned());
    }
}

/// A JSON text can spell a secret with escapes, which letters and digits never need: it is then
/// written anew without them.
fn json(value: &mut Cow<'_, str>, suspected: bool) {
    if value.contains("\\u00")
        && let Ok(read) = serde_json::from_str::<serde_json::Value>(value)
    {
        let plain = read.to_string();
        if ids::suspects(plain.as_bytes()) > 0 {
            *value = Cow::Owned(plain);
        }
    }
    text(value, suspected);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Known;

    const SECRET: &str = "lt_live_0123456789abcdef0123456789abcdef";

    #[test]
    fn each_suspect_of_a_read_is_counted_once() {
        let read = format!("{SECRET} x\ny\n{SECRET} {SECRET}\nz");
        let mut suspects = Suspects::of(read.as_bytes());
        let ends = [43, 45, 128].map(|end| suspects.up_to(end));
        assert_eq!((ends, suspects.up_to(read.len())), ([1, 0, 2], 0));
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let raw = format!("text {SECRET}");
        let mut event = Event::default();
        event.text(Known::Message, &raw);
        event.put(format!("x.{SECRET}").into(), Value::Json(format!("[\"{SECRET}\"]").into()));
        event.set(Known::Original, Value::Bytes(raw.as_bytes().into()));
        event.labels.push(Cow::Owned(SECRET.to_owned()));
        let escaped = SECRET.replacen('l', "\\u006c", 1);
        event.put("y".into(), Value::Json(format!(r#"[{{"n":"{escaped}"}}]"#).into()));
        scrub(&mut event, true);
        assert!(!format!("{event:?}").contains("0123456789abcdef"), "{event:?}");
    }
}
