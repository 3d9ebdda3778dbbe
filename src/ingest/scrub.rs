//! Takes secrets out of events before they are stored.

use std::borrow::Cow;

use crate::event::{Event, Name, Value};
use crate::ids;

/// Masks every secret in `event`. `suspected` says whether the message that it was parsed from
/// holds one besides its credential; where it does not, only what a parser rewrote is searched.
pub(super) fn scrub(event: &mut Event<'_>, suspected: bool) {
    for field in &mut event.fields {
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
    borrowed.map_or(0, |found| ids::suspects(&found.secret).min(1))
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
