//! JSON into events: Logstash's `json_lines`, and the body of `POST /v1/logs/ingest`.
//!
//! ```text
//!  {"a":{"b":1},"c":[2]}  ──▶ [scan] ──▶ tokens ──▶ [fields] ──▶ a.b = 1, c = [2]
//! ```
//!
//! One pass over the text fills the event; there is no tree between. Names and strings are slices
//! of the text unless there is an escape in them, numbers are the digits they were written in, and
//! objects become dotted names. An array, whatever it holds, and an empty object have no flat form
//! and stay the JSON text they are; [`scalars`] looks into them later.
//!
//! # What is read
//!
//! RFC 8259, strictly: no NaN, no comments, no comma too many, no control character in a string.
//! A byte order mark in front is stepped over (§8.1 allows it). An escape for half a surrogate
//! pair is grammatical but names no character (§8.2): it becomes U+FFFD, and the event is tagged;
//! so does an octet that is no UTF-8.
//! Of members with the same name all are kept, and the last one counts.
//!
//! # What it means
//!
//! | member                                | becomes                                               |
//! |---------------------------------------|-------------------------------------------------------|
//! | `@timestamp`                          | the event's time, if it is ISO 8601 text; else kept as `_@timestamp` |
//! | `@version`, `@metadata`               | nothing                                               |
//! | `tags`                                | labels, if text or a list of text; else kept as `_tags` |
//! | `host`, if text                       | `host.name`                                           |
//! | `level`; without one, `log.level`     | one of five names, where it is known                  |
//! | `service`; without one, `service.name`| the service                                           |
//! | the daemon's own names                | `sender.<name>`                                       |
//! | `api_key`, `token` and the like       | the credential, if it looks like one of our keys      |
//! | `logtrace_key`                        | the credential                                        |
//!
//! Why is an array one value and not many fields? Its elements have no names of their own, and to
//! invent some (`a.0`, `a.1`) would make a field of every position.
//!
//! # Invariants
//!
//! * *Time is linear and the stack is bounded*, whatever is read: [`MAX_DEPTH`], [`MAX_FIELDS`],
//!   [`MAX_PATH`].
//! * *Nothing vanishes*: a text that is no event is one, with itself as the message and a tag.
//! * *Nothing is handed out by halves*: an array of objects, or a body, is read to its end first.
//! * *No key is kept*: neither as a field nor in what is kept of the raw text.

mod body;
mod bulk;
#[cfg(test)]
mod corpus;
mod epoch;
mod error;
#[cfg(test)]
mod faults;
mod fields;
mod gelf;
mod input;
mod level;
mod mapping;
mod mended;
mod pairs;
mod path;
mod role;
mod scan;
mod secrets;
mod text;
mod timestamp;

pub use self::body::IngestBody;
pub use self::bulk::{BulkAction, BulkBody, DocumentBody};
pub(in crate::parse) use self::error::Expected;
pub use self::error::JsonError;
pub(in crate::parse) use self::fields::Walker;
pub use self::gelf::gelf;
pub use self::input::{InputBody, InputContent};
pub(in crate::parse) use self::level::canonical as canonical_level;
pub(in crate::parse) use self::mapping::{Mapping, Member, Schema};
pub use self::pairs::beats;
pub use self::path::scalars;
pub(in crate::parse) use self::role::Role;
pub(in crate::parse) use self::scan::{Scanner, Token};
pub use self::text::unescaped;

use std::borrow::Cow;

use self::secrets::Secrets;
use crate::event::{Credential, Event, Known, Tag, Value};
use crate::ids;
use crate::parse::Context;

/// The most containers within each other, the event itself among them.
///
/// What is deeper is no event. Readers of what we answer commonly stop at 128 levels, and our
/// answer adds a few of its own.
pub const MAX_DEPTH: u32 = 120;

/// The most fields that an event takes from JSON, not counting the few that it must have.
pub const MAX_FIELDS: usize = 1_000;

/// The longest dotted name, in bytes, under which an object is still flattened; below a longer one
/// it stays JSON text.
pub const MAX_PATH: usize = 512;

/// Reads a line with the meaning of Logstash's `json_lines` codec.
///
/// An object is an event, an array of objects as many as it holds, a blank line none; anything else
/// is one event with the text as its message and [`Tag::JsonParseFailure`]. `each` gets every event
/// in order; `event` comes clear and is clear again afterwards.
///
/// # Errors
///
/// Why the text is no JSON event. That event has been handed to `each` all the same.
pub fn json<'a>(
    raw: &'a [u8],
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    read(raw, Schema::Logstash, cx, event, each)
}

fn read<'a>(
    raw: &'a [u8],
    schema: Schema,
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    if let Ok(text) = simdutf8::basic::from_utf8(raw) {
        return read_text(text, schema, cx, event, each)
            .inspect_err(|_| not_an_event(text, cx, event, each));
    }
    mended::read(raw, schema, cx, event, each).ok_or_else(|| not_utf8(raw, cx, event, each))
}

fn read_text<'a>(
    text: &'a str,
    schema: Schema,
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    let mut walker = Walker::new(text, schema, cx, event);
    match walker.scan.peek() {
        None => Ok(()),
        Some(b'{') => object(&mut walker, each),
        Some(b'[') => array(&mut walker, each),
        Some(_) => Err(walker.scan.error(Expected::Event)),
    }
}

/// Reads an object that is the whole text.
fn object<'a>(
    walker: &mut Walker<'_, 'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    walker.object()?;
    walker.scan.end()?;
    each(walker.mapping.event);
    walker.mapping.event.clear();
    Ok(())
}

/// Reads an array of objects that is the whole text; fails before the first is handed out.
fn array<'a>(
    walker: &mut Walker<'_, 'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> Result<(), JsonError> {
    only_objects(&mut walker.scan.clone())?;
    walker.scan.take(b'[', Expected::Event)?;
    let mut more = !walker.scan.eat(b']');
    while more {
        walker.object()?;
        each(walker.mapping.event);
        walker.mapping.event.clear();
        more = walker.scan.more(b']')?;
    }
    Ok(())
}

/// Makes sure that a text is one array and nothing in it anything but an object.
fn only_objects(scan: &mut Scanner<'_>) -> Result<(), JsonError> {
    scan.take(b'[', Expected::Event)?;
    let mut more = !scan.eat(b']');
    while more {
        scan.take(b'{', Expected::Object)?;
        scan.skip(b'}', 0)?;
        more = scan.more(b']')?;
    }
    scan.end()
}

/// Hands out a text that is no JSON event as what it says.
#[cold]
fn not_an_event<'a>(
    text: &'a str,
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) {
    event.clear();
    let (credential, secrets) = credential_in(text, cx);
    event.credential = credential;
    event.tag(Tag::JsonParseFailure);
    event.set(Known::Message, Value::Text(secrets.cut(text, 0..len_without_line_end(text))));
    if cx.keep_original {
        event.set(Known::Original, Value::Text(secrets.cut(text, 0..text.len())));
    }
    each(event);
    event.clear();
}

/// Hands out octets that are no text: what can be read of them, and they themselves.
#[cold]
fn not_utf8<'a>(
    raw: &'a [u8],
    cx: &Context,
    event: &mut Event<'a>,
    each: &mut dyn FnMut(&mut Event<'a>),
) -> JsonError {
    let text = String::from_utf8_lossy(raw);
    let (credential, secrets) = credential_in(&text, cx);
    event.credential = credential.map(|Credential { secret, method }| Credential {
        secret: Cow::Owned(secret.into_owned()),
        method,
    });
    let message = secrets.cut(&text, 0..len_without_line_end(&text)).into_owned();
    event.tag(Tag::JsonParseFailure);
    event.tag(Tag::EncodingError);
    event.set(Known::Message, Value::Text(Cow::Owned(message)));
    event.set(Known::Original, Value::Bytes(ids::scrub(raw)));
    each(event);
    event.clear();
    let at = std::str::from_utf8(raw).map_or_else(|error| error.valid_up_to(), str::len);
    JsonError::new(Expected::Utf8, raw, at)
}

/// The API key that the first object of a text carries in front of its fault, and where.
///
/// A line that was cut at the limit has its sender told by it still.
fn credential_in<'a>(text: &'a str, cx: &Context) -> (Option<Credential<'a>>, Secrets) {
    let mut event = Event::default();
    let mut walker = Walker::new(text, Schema::Logstash, cx, &mut event);
    walker.scan.eat(b'[');
    // It is known already that this fails, or that what follows does.
    walker.object().ok();
    let secrets = walker.mapping.secrets;
    (event.credential, secrets)
}

/// The length of `text` without the end of its line, which is transport.
fn len_without_line_end(text: &str) -> usize {
    text.trim_end_matches(['\r', '\n']).len()
}
