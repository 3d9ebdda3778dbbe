//! Octets that a sender says are text.

use std::borrow::Cow;

use crate::event::{Event, Known, Tag, Value};
use crate::ids;

/// Octets as text. Those that are none become U+FFFD, and the event is tagged.
pub(super) fn text<'a>(event: &mut Event<'_>, octets: &'a [u8]) -> Cow<'a, str> {
    match simdutf8::basic::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            event.tag(Tag::EncodingError);
            Cow::Owned(String::from_utf8_lossy(octets).into_owned())
        }
    }
}

/// Octets as the message of an event, which keeps them as they are too where they are no text.
pub(super) fn message<'a>(event: &mut Event<'a>, octets: &'a [u8]) {
    let text = text(event, octets);
    if matches!(text, Cow::Owned(_)) {
        event.set(Known::Original, Value::Bytes(ids::scrub(octets)));
    }
    event.set(Known::Message, Value::Text(text));
}
