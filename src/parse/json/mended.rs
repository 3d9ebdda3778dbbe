//! JSON in which octets stand that are no text, as senders with an old code page write it.
//!
//! Its structure is ASCII, so that all of it is read but the letters that nobody can: those become
//! U+FFFD, and the event is tagged and keeps the octets.

use std::borrow::Cow;

use memchr::memmem;

use super::mapping::Schema;
use super::read_text;
use crate::event::{Credential, Event, Field, Known, Name, Tag, Value};
use crate::ids;
use crate::parse::Context;

/// Reads `raw`, which is not UTF-8; nothing is handed out where it is no JSON either.
#[cold]
pub(super) fn read<'a>(
    raw: &'a [u8],
    schema: Schema,
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Option<()> {
    let text = String::from_utf8_lossy(raw);
    let mut read = Vec::new();
    let mut borrowed = Event::default();
    read_text(&text, schema, cx, &mut borrowed, &mut |event| read.push(owned(event))).ok()?;
    for mut mended in read {
        mended.tag(Tag::EncodingError);
        let original = ids::scrub(raw);
        // A key that has not the form of one is not masked.
        let secret = mended.credential.as_ref().map(|credential| credential.secret.as_ref());
        if secret.is_none_or(|secret| memmem::find(&original, secret).is_none()) {
            mended.set(Known::Original, Value::Bytes(original));
        }
        *event = mended;
        each(event);
    }
    event.clear();
    Some(())
}

/// The event by itself. Lines of JSON have no identities.
fn owned(event: &mut Event<'_>) -> Event<'static> {
    let fields = event.fields.drain(..).map(|field| Field {
        name: match field.name {
            Name::Known(name) => Name::Known(name),
            Name::Other(name) => Name::Other(own(name)),
        },
        value: match field.value {
            Value::Text(text) => Value::Text(own(text)),
            Value::Number(text) => Value::Number(own(text)),
            Value::Json(text) => Value::Json(own(text)),
            Value::Bytes(octets) => Value::Bytes(Cow::Owned(octets.into_owned())),
            Value::Bool(value) => Value::Bool(value),
            Value::Null => Value::Null,
        },
    });
    Event {
        timestamp: event.timestamp,
        fields: fields.collect(),
        tags: event.tags.clone(),
        labels: event.labels.drain(..).map(own).collect(),
        credential: event.credential.take().map(|credential| Credential {
            secret: Cow::Owned(credential.secret.into_owned()),
            method: credential.method,
        }),
        identity: None,
    }
}

fn own(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
