//! Takes secrets out of events before they are stored.

use std::borrow::Cow;

use crate::event::{Event, Name, Value};
use crate::ids;

/// Masks every secret in `event`. `raw` is the message that it was parsed from: where that holds
/// no other than the one the parser took out already, nothing is searched.
pub(super) fn scrub(event: &mut Event<'_>, raw: &[u8]) {
    let taken = usize::from(event.credential.is_some());
    let suspected = ids::suspects(raw) > taken;
    for field in &mut event.fields {
        if let Name::Other(name) = &mut field.name
            && (suspected || matches!(name, Cow::Owned(_)))
        {
            text(name);
        }
        match &mut field.value {
            // What a parser had to rewrite may hold what `raw` did not show.
            Value::Text(value) if suspected || matches!(value, Cow::Owned(_)) => text(value),
            Value::Json(value) if suspected || has_escapes(value) => text(value),
            Value::Bytes(value) if suspected => {
                if let Cow::Owned(clean) = ids::scrub(value) {
                    *value = Cow::Owned(clean);
                }
            }
            _ => {}
        }
    }
    if suspected {
        event.labels.iter_mut().for_each(text);
    }
}

fn text(value: &mut Cow<'_, str>) {
    if let Cow::Owned(clean) = ids::scrub(value.as_bytes()) {
        *value = Cow::Owned(String::from_utf8_lossy(&clean).into_owned());
    }
}

/// A JSON text can spell a secret with escapes; those of letters and digits are never needed.
fn has_escapes(json: &str) -> bool {
    json.contains("\\u00")
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
        scrub(&mut event, raw.as_bytes());
        assert!(!format!("{event:?}").contains("0123456789abcdef"), "{event:?}");
    }
}
