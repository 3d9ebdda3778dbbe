//! What a condition asks of the values of one field, and of what is inside them.
//!
//! A value may hold others: an array is kept as its JSON text, structured data as the text it came
//! in. What is asked of `a.b.c` is asked of the column `a.b.c`, and of what columns `a.b` and `a`
//! hold under `c` and `b.c`.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::place::Place;
use crate::event::{Kind, Known, ValueRef};
use crate::kql::{Field, Leaf, Lookup, Matcher, Nested, Object};
use crate::parse::{json, parameter, structured_data};
use crate::time::Timestamp;

/// A condition on values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'q> {
    /// One that matches.
    Leaf(&'q Leaf),
    /// One that is not `null`.
    Exists(&'q Field),
    /// An object in an array.
    Nested(&'q Nested),
}

/// A condition, asked of one field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    ask: Ask<'a>,
    name: &'a str,
    test: Test<'a>,
}

/// What is asked of one value that holds no others.
#[derive(Clone, Copy, Debug)]
enum Test<'q> {
    Matcher(&'q Matcher),
    Present,
    /// Only what is inside is asked for.
    Never,
}

impl<'q> Ask<'q> {
    /// The fields that are asked; `None` is all of them.
    pub(super) fn field(self) -> Option<&'q Field> {
        match self {
            Self::Leaf(leaf) => leaf.field(),
            Self::Exists(field) => Some(field),
            Self::Nested(nested) => Some(nested.field()),
        }
    }

    /// The questions to the fields of a source that has columns called `names`, and where to ask.
    pub(super) fn questions<'a>(self, names: &[&'a str]) -> Vec<(Question<'a>, Place<'a>)>
    where
        'q: 'a,
    {
        let mut questions = Vec::new();
        let mut add = |name: &'a str, place: Place<'a>| {
            questions.extend(self.of(name).map(|question| (question, place)));
        };
        if let Some(Field::Name(name)) = self.field() {
            let dots = name.match_indices('.').map(|(dot, _)| dot);
            let prefixes = dots.filter_map(|dot| name.get(..dot));
            for name in prefixes.chain([name.as_str()]) {
                add(name, Place::of(name));
            }
        } else {
            Place::own().for_each(|(name, place)| add(name, place));
            for name in names {
                let place = Place::of(name);
                if matches!(place, Place::Column(_)) {
                    add(name, place);
                }
            }
        }
        questions
    }

    /// What is asked of the field called `name`, if it or anything in it is.
    fn of<'a>(self, name: &'a str) -> Option<Question<'a>>
    where
        'q: 'a,
    {
        let place = Place::of(name);
        let (is_asked, is_inside_asked) = match self.field() {
            // It is the same in all events: a bare `1` must not find them all by it.
            None if place == Place::Version => (false, false),
            None => (true, true),
            Some(Field::Name(asked)) => {
                let rest = asked.strip_prefix(name);
                (rest == Some(""), rest.is_some_and(|rest| rest.starts_with('.')))
            }
            Some(Field::Wild(_)) if place == Place::Version => (false, false),
            Some(field @ Field::Wild(pieces)) => {
                let first = pieces.first().map_or("", String::as_str);
                (field.accepts(name), may_begin(first, name))
            }
        };
        let holds_others = matches!(place, Place::Column(_) | Place::Computed(_));
        let test = if is_asked { self.test(name) } else { Test::Never };
        (is_asked || is_inside_asked && holds_others).then_some(Question { ask: self, name, test })
    }

    fn test(self, name: &str) -> Test<'q> {
        match self {
            Self::Leaf(leaf) => match leaf.matcher_for(name) {
                matcher if matcher.is_never() => Test::Never,
                matcher => Test::Matcher(matcher),
            },
            Self::Exists(_) => Test::Present,
            Self::Nested(_) => Test::Never,
        }
    }

    /// Whether what `json` holds under the name `name` matches.
    fn is_in(self, name: &str, json: Value) -> bool {
        let object = Object::new(Map::from_iter([(name.to_owned(), json)]));
        let found = |is_found| {
            if is_found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut value =
            |name: &str, value: ValueRef<'_>| found(self.test(name).is_passed_by(value));
        match self {
            Self::Leaf(_) | Self::Exists(_) => object.values(self.field(), &mut value).is_break(),
            Self::Nested(nested) => {
                let mut inner = |json: &[u8]| found(nested.matches_json(json));
                object.objects(nested.field(), &mut inner).is_break()
            }
        }
    }
}

impl Question<'_> {
    /// Whether a value in a column, or something in it, matches.
    pub(super) fn matches(&self, value: ValueRef<'_>) -> bool {
        match value.kind {
            Kind::Json => self.matches_json(value.bytes),
            Kind::Text if self.name == STRUCTURED_DATA && value.bytes.first() == Some(&b'[') => {
                self.matches_structured(value)
            }
            _ => self.test.is_passed_by(value),
        }
    }

    /// Whether a text matches.
    pub(super) fn matches_text(&self, text: &str) -> bool {
        self.test.is_passed_by(ValueRef::text(text))
    }

    /// Whether a time matches.
    pub(super) fn matches_time(&self, at: Timestamp) -> bool {
        match self.test {
            Test::Matcher(matcher) => matcher.matches_time(at),
            Test::Present => true,
            Test::Never => false,
        }
    }

    /// Whether no value that holds no others matches.
    pub(super) const fn is_never(&self) -> bool {
        matches!(self.test, Test::Never)
    }

    /// Whether every value that is not `null` matches.
    pub(super) const fn is_presence(&self) -> bool {
        matches!(self.test, Test::Present)
    }

    /// Lists of texts: every value of a column, that holds no others, matches only with all of one
    /// of them in it ([`Matcher::required_texts`]).
    pub(super) fn required_texts(&self) -> Vec<Vec<String>> {
        match self.test {
            Test::Matcher(matcher) if self.name != STRUCTURED_DATA => matcher.required_texts(),
            _ => vec![],
        }
    }

    /// Whether a value matches once a part of it does ([`Matcher::is_local`]).
    pub(super) fn is_local(&self) -> bool {
        matches!(self.test, Test::Matcher(matcher) if matcher.is_local())
            && self.name != STRUCTURED_DATA
    }

    /// The first and the last time that can match, where that is what is asked.
    pub(super) fn time_bounds(&self) -> Option<(i64, i64)> {
        let Test::Matcher(matcher) = self.test else { return None };
        let (first, last) = matcher.time_bounds()?;
        Some((first.as_micros(), last.as_micros()))
    }

    fn matches_json(&self, json: &[u8]) -> bool {
        let Some(Field::Name(asked)) = self.ask.field() else { return self.walk_json(json) };
        if matches!(self.ask, Ask::Nested(_)) {
            return self.walk_json(json);
        }
        let (test, mut is_found) = (self.ask.test(asked), false);
        json::scalars(json, self.path(asked), &mut |value| {
            is_found = is_found || test.is_passed_by(value);
        });
        is_found
    }

    fn walk_json(&self, json: &[u8]) -> bool {
        serde_json::from_slice(json).is_ok_and(|json| self.ask.is_in(self.name, json))
    }

    fn matches_structured(&self, value: ValueRef<'_>) -> bool {
        let Ok(raw) = std::str::from_utf8(value.bytes) else {
            return self.test.is_passed_by(value);
        };
        if let Some(Field::Name(asked)) = self.ask.field()
            && asked != self.name
        {
            let path = self.path(asked);
            let Some(found) = parameter(raw, path) else { return false };
            // With one dot a path means one thing, if it is not the id of an element.
            if path.bytes().filter(|byte| *byte == b'.').count() == 1 && !found.starts_with('[') {
                return self.ask.test(asked).is_passed_by(ValueRef::text(&found));
            }
        }
        let object = structured_data(raw);
        if object.is_empty() {
            return self.test.is_passed_by(value);
        }
        self.ask.is_in(self.name, Value::Object(object))
    }

    /// What is left of the name that is asked below the name of this field.
    fn path<'n>(&self, asked: &'n str) -> &'n str {
        let rest = asked.strip_prefix(self.name).unwrap_or_default();
        rest.strip_prefix('.').unwrap_or_default()
    }
}

impl Test<'_> {
    fn is_passed_by(self, value: ValueRef<'_>) -> bool {
        match self {
            Self::Matcher(matcher) => matcher.matches(value),
            Self::Present => value.kind != Kind::Null,
            Self::Never => false,
        }
    }
}

/// Whether a name that begins with `first` may be one below `name`.
fn may_begin(first: &str, name: &str) -> bool {
    match first.strip_prefix(name) {
        Some(rest) => rest.is_empty() || rest.starts_with('.'),
        None => name.starts_with(first),
    }
}

const STRUCTURED_DATA: &str = Known::StructuredData.as_str();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::{Node, Prepared, Syntax, parse};

    fn asked(query: &str, name: &str, value: ValueRef<'_>) -> Option<bool> {
        let parsed = parse(query, Syntax::Lenient).unwrap();
        let prepared = Prepared::new(&parsed.query, Timestamp::default()).unwrap();
        let root = match prepared.root() {
            // The field itself, and then its members.
            Node::Or(parts) => &parts[0],
            node => node,
        };
        let ask = match root {
            Node::Leaf(leaf) => Ask::Leaf(leaf),
            Node::Exists(field) => Ask::Exists(field),
            Node::Nested(nested) => Ask::Nested(nested),
            node => panic!("expected one condition, but found {node:?}"),
        };
        let questions = ask.questions(&[name]);
        let question = questions.into_iter().find(|(question, _)| question.name == name);
        question.map(|(question, _)| question.matches(value))
    }

    #[test]
    fn values_are_looked_into() {
        let json = |text: &'static str| ValueRef::new(Kind::Json, text.as_bytes());
        let sd = r#"[x@1 a="1" b="two"][y.z c="\]"][e]"#;
        let (text, data) = (ValueRef::text, "log.syslog.structured_data");
        let table = [
            ("a:x", "a", text("x"), Some(true)),
            ("a:x", "b", text("x"), None),
            ("a.b:x", "a", text("x"), Some(false)),
            ("a.b:x", "a", json(r#"[{"b":"x"}]"#), Some(true)),
            ("a.b:x", "a", json(r#"[{"c":"x"}]"#), Some(false)),
            ("a.b:x", "ab", json(r#"[{"b":"x"}]"#), None),
            ("a:x", "a", json(r#"["y",["x"]]"#), Some(true)),
            ("a:*", "a", json("[null]"), Some(false)),
            ("a:*", "a", json("[]"), Some(false)),
            ("a.*:x", "a", json(r#"[{"b":"x"}]"#), Some(true)),
            ("a*:x", "ab", json(r#"[{"b":"x"}]"#), Some(true)),
            ("*b:x", "a", json(r#"[{"b":"x"}]"#), Some(true)),
            ("a.b.*:x", "ax", json(r#"[{"b":"x"}]"#), None),
            ("x", "a", json(r#"[{"b":"x"}]"#), Some(true)),
            ("a:{ b:1 and c:2 }", "a", json(r#"[{"b":1,"c":2}]"#), Some(true)),
            ("a:{ b:1 and c:2 }", "a", json(r#"[{"b":1},{"c":2}]"#), Some(false)),
            ("log.syslog.structured_data.x@1.a:1", data, text(sd), Some(true)),
            ("log.syslog.structured_data.x@1.b:1", data, text(sd), Some(false)),
            ("log.syslog.structured_data.y.z.c:\"]\"", data, text(sd), Some(true)),
            ("log.syslog.structured_data.y.z:*", data, text(sd), Some(false)),
            ("log.syslog.structured_data.x@1:*", data, text(sd), Some(false)),
            ("log.syslog.structured_data:*", data, text(sd), Some(false)),
            ("log.syslog.structured_data:plain", data, text("plain"), Some(true)),
            ("log.syslog.structured_data.*:two", data, text(sd), Some(true)),
            ("two", data, text(sd), Some(true)),
            ("[e]", data, text(sd), Some(false)),
            ("log.syslog.structured_data:\"[\"", data, text("["), Some(true)),
        ];
        for (query, name, value, want) in table {
            assert_eq!(asked(query, name, value), want, "{query} {name} {value:?}");
        }
    }
}
