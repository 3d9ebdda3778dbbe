//! The body of a call to Logstash's `http` input, or with GELF.

use std::borrow::Cow;

use super::error::Expected;
use super::scan::Scanner;
use super::{JsonError, gelf, json};
use crate::event::{Event, Known, Name, Tag, Value};
use crate::parse::{BodyError, BodyFormat, Context, Each, line};

/// The body of a call to Logstash's `http` input.
///
/// An empty one holds no event: it is how load balancers ask whether somebody listens.
#[derive(Clone, Debug)]
pub struct InputBody {
    /// How it is read.
    pub content: InputContent,
    /// The path of the call: kept as `url.path` where it says something.
    pub path: String,
    /// The longest message that is not cut, in bytes.
    pub max_message: usize,
    /// The most events that it may hold.
    pub max_events: usize,
}

/// What is in a body.
///
/// Values of JSON may follow each other, with a line end between them or not, whatever they are
/// called: some shippers send lines of JSON as `application/json`. What is no JSON is one event with
/// the text as its message and a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputContent {
    /// One message, whatever it says.
    Text,
    /// Events as Logstash's codecs read them.
    Json,
    /// GELF 1.1.
    Gelf,
}

impl BodyFormat for InputBody {
    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        let Self { path, max_message, max_events, .. } = &*self;
        let path = Some(path.as_str()).filter(|path| !matches!(*path, "" | "/"));
        let mut index = 0;
        let mut take = |event: &mut Event<'a>| {
            if let Some(path) = path.filter(|_| !has_path(event)) {
                event.put(Cow::Borrowed(PATH), Value::Text(Cow::Borrowed(path)));
            }
            each(index, Ok(event));
            index += 1;
        };
        if body.trim_ascii().is_empty() {
            return Ok(());
        }
        if self.content == InputContent::Text {
            plain(body, *max_message, cx, event, &mut take);
            return Ok(());
        }
        let values = values(body).unwrap_or_default();
        let found = values.iter().map(|(_, count)| count).sum();
        if found > *max_events {
            return Err(BodyError::TooMany { max: *max_events, found });
        }
        // What is no JSON is an event with a tag, which says so.
        let values = match values.is_empty() {
            true => vec![(body, 1)],
            false => values,
        };
        for (value, _) in values {
            let _tagged = match self.content {
                InputContent::Gelf => gelf(value, cx, event, &mut take).is_err(),
                InputContent::Json | InputContent::Text => {
                    json(value, cx, event, &mut take).is_err()
                }
            };
        }
        Ok(())
    }
}

/// Hands out a body that is one message.
fn plain<'a>(
    body: &'a [u8],
    max_message: usize,
    cx: &Context,
    event: &mut Event<'a>,
    take: &mut dyn FnMut(&mut Event<'a>),
) {
    let cut = body.get(..max_message).map(ends_whole);
    line(cut.unwrap_or(body), cx, event);
    if cut.is_some_and(|cut| cut.len() < body.len()) {
        event.tag(Tag::Truncated);
        event.set(Known::OriginalLength, Value::Number(body.len().to_string().into()));
    }
    take(event);
    event.clear();
}

/// `text` without the beginning of a character at its end (RFC 3629 §3).
fn ends_whole(text: &[u8]) -> &[u8] {
    let trailing = text.iter().rev().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let (rest, last) = text.split_at(text.len().saturating_sub(trailing + 1));
    let wanted = match last.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 0,
    };
    if last.len() < wanted { rest } else { text }
}

/// The values in a text, one after the other, and how many events each holds.
fn values(body: &[u8]) -> Result<Vec<(&[u8], usize)>, JsonError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| JsonError::new(Expected::Utf8, body, error.valid_up_to()))?;
    let mut scan = Scanner::new(text);
    let mut values = Vec::new();
    while let Some(first) = scan.peek() {
        let start = scan.at();
        let count = if first == b'[' { elements(&mut scan)? } else { 1 };
        if first != b'[' {
            scan.skip_value(0)?;
        }
        values.push((scan.since(start).as_bytes(), count));
    }
    Ok(values)
}

/// Reads an array to its end and counts what is in it.
fn elements(scan: &mut Scanner<'_>) -> Result<usize, JsonError> {
    scan.take(b'[', Expected::Event)?;
    let (mut count, mut more) = (0, !scan.eat(b']'));
    while more {
        scan.skip_value(1)?;
        count += 1;
        more = scan.more(b']')?;
    }
    Ok(count)
}

/// Whether an event says the path itself.
fn has_path(event: &Event<'_>) -> bool {
    event.fields.iter().any(|field| matches!(&field.name, Name::Other(name) if name == PATH))
}

/// Where the path of a call is kept, by the name that ECS has for it.
const PATH: &str = "url.path";

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use super::*;
    use crate::parse::json::corpus::{CX, Shown};

    fn read(is_json: bool, body: &[u8]) -> Result<Vec<Shown>, BodyError> {
        let (mut event, mut events) = (Event::default(), Vec::new());
        let content = if is_json { InputContent::Json } else { InputContent::Text };
        let mut format = InputBody { content, path: "/shop".into(), max_message: 8, max_events: 3 };
        let mut each = |index, event: Result<&mut Event<'_>, &dyn Display>| {
            assert_eq!(index, events.len());
            events.push(Shown::of(event.map_err(ToString::to_string).unwrap()));
        };
        format.read(body, &CX, &mut event, &mut each)?;
        Ok(events)
    }

    #[test]
    fn a_body_is_what_its_type_says() {
        let table = [
            (true, r#"{"message":"a"}"#, vec!["a"]),
            (true, r#"[{"message":"a"},{"message":"b"}]"#, vec!["a", "b"]),
            (true, "{\"message\":\"a\"}\n{\"message\":\"b\"}\n", vec!["a", "b"]),
            (true, "{\"message\":\"a\"}[{\"message\":\"b\"}]", vec!["a", "b"]),
            (true, "[]", vec![]),
            (true, " \n", vec![]),
            (false, "", vec![]),
            (true, "{\"message\":", vec!["{\\\"message\\\":"]),
            (false, "{\"a\":1}", vec!["{\\\"a\\\":1}"]),
            (false, "a\nb\n", vec!["a\\nb"]),
            (false, "123456789", vec!["12345678"]),
            (false, "1234567\u{e9}", vec!["1234567"]),
        ];
        for (is_json, body, want) in table {
            let events = read(is_json, body.as_bytes()).unwrap();
            let messages: Vec<_> = events.iter().map(|event| event.get("message")).collect();
            let want: Vec<_> = want.iter().map(|want| format!("\"{want}\"")).collect();
            assert_eq!(messages, want, "{body}");
            assert!(events.iter().all(|event| event.get("url.path") == "\"/shop\""), "{body}");
        }
    }

    #[test]
    fn what_is_cut_or_no_json_says_so() {
        let tags = |is_json, body: &[u8]| read(is_json, body).unwrap()[0].tags.clone();
        assert_eq!(tags(false, b"123456789"), ["truncated"]);
        assert_eq!(tags(false, b"12345678"), [""; 0]);
        assert_eq!(tags(true, b"{\"a\":1} x"), ["_jsonparsefailure"]);
        assert_eq!(tags(true, b"7"), ["_jsonparsefailure"]);
        assert_eq!(tags(true, b"{\"a\":\"\xff\"}"), ["encoding_error"]);
        assert_eq!(tags(true, b"{\"a\":\"\xff"), ["_jsonparsefailure", "encoding_error"]);
    }

    #[test]
    fn a_path_of_its_own_is_kept_and_too_many_are_refused() {
        let events = read(true, br#"{"url":{"path":"/own"}}"#).unwrap();
        assert_eq!(events[0].get("url.path"), "\"/own\"");
        for body in ["{}{}{}{}", "[{},{},{},{}]"] {
            let error = read(true, body.as_bytes()).err();
            assert_eq!(error, Some(BodyError::TooMany { max: 3, found: 4 }), "{body}");
        }
    }
}
