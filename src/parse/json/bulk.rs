//! The bodies of Elasticsearch's document APIs: `_bulk`, and one document.
//!
//! ```text
//!  {"create":{"_index":"logs","_id":"1"}}     an action
//!  {"message":"a"}                            its document, on one line
//!  {"delete":{"_id":"2"}}                     an action that has none
//! ```
//!
//! An action that cannot be read makes the whole body one that cannot be: nobody knows whether a
//! document follows it. A document that cannot be is refused by itself, and so is an action that
//! changes what is there: events do not change.
//!
//! `timestamp` does for `@timestamp`. The index is kept as `elasticsearch.index`, an id of the
//! sender's as `event.id`, where the document itself says no other.

use std::borrow::Cow;
use std::fmt;

use super::JsonError;
use super::error::Expected;
use super::fields::Walker;
use super::mapping::Schema;
use super::scan::{Scanner, Token};
use crate::event::{Event, Identity, Name, Value};
use crate::parse::{BodyError, BodyFormat, Context, Each};

/// The body of `_bulk`.
#[derive(Clone, Debug)]
pub struct BulkBody {
    /// The index of actions that name none.
    pub index: Option<String>,
    /// The most actions that it may hold.
    pub max_events: usize,
    /// What each of the actions was to do, once the body was read.
    pub actions: Vec<BulkAction>,
}

/// A body that is one document.
#[derive(Clone, Debug)]
pub struct DocumentBody {
    /// The index that the path names.
    pub index: String,
    /// The id that the path names.
    pub id: Option<String>,
    /// What is to be done with it.
    pub action: BulkAction,
}

/// What an action is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAction {
    /// Store a document, in place of one with its id.
    Index,
    /// Store a document, unless there is one with its id.
    Create,
    /// Change one, which is refused.
    Update,
    /// Delete one, which is refused.
    Delete,
}

/// An action, and the document that it is about.
struct Item<'a> {
    action: BulkAction,
    index: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    document: &'a [u8],
}

impl BulkAction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Create, Self::Update, Self::Delete];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn stores(self) -> bool {
        matches!(self, Self::Index | Self::Create)
    }
}

impl BodyFormat for BulkBody {
    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        let Self { index, max_events, actions } = self;
        let items = items(body, *max_events)?;
        actions.extend(items.iter().map(|item| item.action));
        let index = index.as_deref().map(Cow::Borrowed);
        let mut walker = Walker::new("", Schema::Ingest, cx, event);
        for (number, item) in items.into_iter().enumerate() {
            if !item.action.stores() {
                each(number, Err(&Unchanging(item.action)));
                continue;
            }
            let item = Item { index: item.index.or_else(|| index.clone()), ..item };
            match document(&mut walker, item) {
                Ok(()) => each(number, Ok(walker.mapping.event)),
                Err(error) => each(number, Err(&error)),
            }
            walker.mapping.event.clear();
        }
        Ok(())
    }
}

impl BodyFormat for DocumentBody {
    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        let mut walker = Walker::new("", Schema::Ingest, cx, event);
        let (index, id) = (Some(Cow::Borrowed(&*self.index)), self.id.as_deref());
        let item = Item { action: self.action, index, id: id.map(Cow::Borrowed), document: body };
        document(&mut walker, item)?;
        each(0, Ok(walker.mapping.event));
        walker.mapping.event.clear();
        Ok(())
    }
}

/// Reads a document into the event, which is clear before. After an error it holds rubbish.
fn document<'a>(walker: &mut Walker<'_, 'a>, item: Item<'a>) -> Result<(), JsonError> {
    let Item { action, index, id, document } = item;
    walker.scan = Scanner::new(utf8(document)?);
    if walker.scan.peek() != Some(b'{') {
        return Err(walker.scan.error(Expected::Object));
    }
    walker.object()?;
    walker.scan.end()?;
    let event = &mut *walker.mapping.event;
    if event.fields.is_empty() && event.labels.is_empty() {
        return Err(JsonError::new(Expected::Content, document, 0));
    }
    event.identity = id.clone().map(|id| Identity {
        space: index.clone().unwrap_or_default(),
        id,
        content: document.trim_ascii(),
        may_replace: action == BulkAction::Index,
    });
    for (name, value) in [(INDEX, index), (ID, id)] {
        let is = |other: &Name<'_>| matches!(other, Name::Other(other) if other == name);
        if let Some(value) = value.filter(|_| !event.fields.iter().any(|field| is(&field.name))) {
            event.put(Cow::Borrowed(name), Value::Text(value));
        }
    }
    Ok(())
}

/// Reads all actions of a body, and finds their documents.
fn items(body: &[u8], max: usize) -> Result<Vec<Item<'_>>, BodyError> {
    let mut items = Vec::new();
    let mut lines = (1..).zip(body.split(|byte| *byte == b'\n'));
    while let Some((number, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if items.len() >= max {
            return Err(BodyError::TooMany { max, found: items.len() + 1 });
        }
        let read = utf8(line).and_then(|line| action(&mut Scanner::new(line)));
        let at_line = |error| BodyError::Malformed(format!("line {number}: {error}"));
        let mut item: Item<'_> = read.map_err(at_line)?;
        if item.action != BulkAction::Delete {
            let next = lines.next().map(|(_, document)| document);
            item.document = next.filter(|next| !next.trim_ascii().is_empty()).ok_or_else(|| {
                let what = "expected the document of an action, but found none";
                BodyError::Malformed(format!("line {}: {what}", number + 1))
            })?;
        }
        items.push(item);
    }
    if items.is_empty() {
        let what = "expected an action on each line, but found no line";
        return Err(BodyError::Malformed(what.to_owned()));
    }
    Ok(items)
}

/// Reads an action that is the whole text.
fn action<'a>(scan: &mut Scanner<'a>) -> Result<Item<'a>, JsonError> {
    scan.take(b'{', Expected::Object)?;
    let at = scan.at();
    let name = scan.name()?.decode();
    let action = BulkAction::ALL.into_iter().find(|action| action.as_str() == name);
    let action =
        action.ok_or_else(|| JsonError::new(Expected::Action, scan.text().as_bytes(), at))?;
    let mut item = Item { action, index: None, id: None, document: b"" };
    scan.take(b'{', Expected::Object)?;
    let mut more = !scan.eat(b'}');
    while more {
        let name = scan.name()?.decode();
        let value = match scan.value()? {
            Token::Text(text) => Some(text.decode()),
            Token::Number(digits) => Some(Cow::Borrowed(digits)),
            Token::Object => scan.skip(b'}', 2).map(|()| None)?,
            Token::Array => scan.skip(b']', 2).map(|()| None)?,
            Token::Bool(_) | Token::Null => None,
        };
        match &*name {
            "_index" => item.index = value,
            "_id" => item.id = value,
            _ => {}
        }
        more = scan.more(b'}')?;
    }
    scan.take(b'}', Expected::MoreMembers)?;
    scan.end()?;
    Ok(item)
}

fn utf8(text: &[u8]) -> Result<&str, JsonError> {
    simdutf8::compat::from_utf8(text)
        .map_err(|error| JsonError::new(Expected::Utf8, text, error.valid_up_to()))
}

/// Says why an action is refused that would change what is there.
struct Unchanging(BulkAction);

impl fmt::Display for Unchanging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0.as_str();
        write!(f, "expected index or create, as events do not change, but found {found}")
    }
}

const INDEX: &str = "elasticsearch.index";

/// By the name that ECS has for it.
const ID: &str = "event.id";

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use super::*;
    use crate::parse::json::corpus::{CX, Shown};

    type Items = Vec<Result<Shown, String>>;

    fn read(body: &str) -> (BulkBody, Result<Items, BodyError>) {
        let mut format = BulkBody { index: Some("path".into()), max_events: 3, actions: vec![] };
        let (mut event, mut items) = (Event::default(), Vec::new());
        let mut each = |index, event: Result<&mut Event<'_>, &dyn Display>| {
            assert_eq!(index, items.len());
            items.push(event.map(|event| Shown::of(event)).map_err(ToString::to_string));
        };
        let result = format.read(body.as_bytes(), &CX, &mut event, &mut each);
        let result = result.map(|()| items);
        (format, result)
    }

    #[test]
    fn actions_and_documents_take_turns() {
        let body = "{\"index\":{\"_index\":\"a\",\"_id\":7}}\r\n{\"message\":\"x\"}\r\n\n\
                    {\"create\":{\"_type\":\"_doc\",\"routing\":null,\"x\":[{}]}}\n{\"n\":1}\n\
                    {\"delete\":{\"_id\":\"b\\u0063\"}}";
        let (format, items) = read(body);
        let items = items.unwrap();
        assert_eq!(format.actions, [BulkAction::Index, BulkAction::Create, BulkAction::Delete]);
        let first = items[0].as_ref().unwrap();
        assert_eq!(first.get("message"), "\"x\"");
        assert_eq!((first.get(INDEX), first.get(ID)), ("\"a\"".to_owned(), "\"7\"".to_owned()));
        let second = items[1].as_ref().unwrap();
        assert_eq!((second.get("n"), second.get(INDEX)), ("1".to_owned(), "\"path\"".to_owned()));
        assert_eq!(second.get(ID), "");
        let want = "expected index or create, as events do not change, but found delete";
        assert_eq!(items[2].as_ref().unwrap_err(), want);
    }

    #[test]
    fn ht_14_broken_documents_are_refused_one_by_one() {
        let table = [
            ("{", "expected a name in double quotes at byte 1, but found the end"),
            ("7", "expected an object at byte 0, but found `7`"),
            ("{}", "expected an object with a field to keep at byte 0, but found `{`"),
            ("{\"a\":1}}", "expected the end of the text at byte 7, but found `}`"),
            ("{\"a\":[", "expected a value at byte 6, but found the end"),
        ];
        for (document, want) in table {
            let body = format!("{{\"index\":{{}}}}\n{document}\n{{\"index\":{{}}}}\n{{\"a\":1}}\n");
            let (_, items) = read(&body);
            let items = items.unwrap();
            assert_eq!(items[0].as_ref().unwrap_err(), want, "{document}");
            assert_eq!(items[1].as_ref().unwrap().get("a"), "1", "{document}");
        }
    }

    #[test]
    fn a_body_of_which_an_action_is_broken_is_refused() {
        let action = "{\"index\":{}}\n{\"a\":1}\n";
        let table = [
            (String::new(), "expected an action on each line, but found no line"),
            ("\n\n".to_owned(), "expected an action on each line, but found no line"),
            (
                action.replace('\n', ""),
                "line 1: expected the end of the text at byte 12, but found `{`",
            ),
            (
                "{\"upsert\":{}}\n{}\n".to_owned(),
                "line 1: expected index, create, update or delete at byte 1, but found `\"`",
            ),
            (
                "{\"index\":{}}\n".to_owned(),
                "line 2: expected the document of an action, but found none",
            ),
            (
                "{\"index\":{}}\n\n{\"a\":1}\n".to_owned(),
                "line 2: expected the document of an action, but found none",
            ),
            (
                format!("{action}{{\"index\":[]}}\n{{}}\n"),
                "line 3: expected an object at byte 9, but found `[`",
            ),
            (action.repeat(4), "expected at most 3 logs, but found 4"),
        ];
        for (body, want) in table {
            assert_eq!(read(&body).1.unwrap_err().to_string(), want, "{body}");
        }
    }

    #[test]
    fn what_the_document_says_itself_counts() {
        let body = "{\"create\":{\"_id\":\"a\"}}\n{\"event\":{\"id\":\"own\"},\
                    \"timestamp\":\"2026-06-15T11:59:58.000Z\"}\n";
        let items = read(body).1.unwrap();
        let event = items[0].as_ref().unwrap();
        assert_eq!(event.get(ID), "\"own\"");
        assert!(event.timestamp.is_some());
    }
}
