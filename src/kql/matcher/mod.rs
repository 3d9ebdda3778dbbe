//! A condition made ready to be asked of many values.

mod exact;
mod moment;
mod regex;
mod search;
mod text;

pub(super) use self::regex::compile;

use self::exact::{Exact, Like, Order};
use self::moment::Moment;
use self::text::Text;
use super::query::{Literal, Query};
use super::wildcard::Wildcard;
use super::words;
use crate::event::{Kind, ValueRef};
use crate::time::Timestamp;

/// What a leaf of a query means for one field. Cheap to ask, and free of allocation per value.
#[derive(Clone, Debug)]
pub struct Matcher {
    test: Test,
    required: Vec<Vec<String>>,
}

/// How values of a field are compared, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// By words.
    Analysed,
    /// In any case.
    Level,
    /// As a time.
    Time,
    /// As it is.
    Exact,
}

#[derive(Clone, Debug)]
enum Test {
    /// Nothing can match.
    Never,
    /// Anything but `null`.
    Present,
    Analysed(Box<Text>),
    Exact(Box<Exact>),
    Like(Box<Like>),
    Order(Box<Order>),
    Moment(Moment),
    Regex(Box<::regex::bytes::Regex>),
}

impl Matcher {
    /// What `leaf` asks of the field called `field`; a query that is no leaf matches nothing.
    ///
    /// `now` is the present of a time such as `now-15m`. A text that is no time never matches a
    /// field that is one; [`super::Prepared::new`] says so instead.
    pub fn new(leaf: &Query, field: &str, now: Timestamp) -> Self {
        Self::of_class(leaf, Class::of(field), now)
    }

    /// Whether a value, which is no array or object, matches.
    pub fn matches(&self, value: ValueRef<'_>) -> bool {
        match &self.test {
            Test::Never => false,
            Test::Present => value.kind != Kind::Null,
            Test::Analysed(text) => value.kind != Kind::Null && text.matches(value.bytes),
            Test::Exact(exact) => exact.matches(value),
            Test::Like(like) => value.kind != Kind::Null && like.matches(value.bytes),
            Test::Order(order) => order.matches(value),
            Test::Moment(moment) => moment.matches(value),
            Test::Regex(regex) => value.kind != Kind::Null && regex.is_match(value.bytes),
        }
    }

    /// Whether a value that is stored as a time matches: the same as its text.
    pub fn matches_time(&self, at: Timestamp) -> bool {
        match &self.test {
            Test::Never => false,
            Test::Present => true,
            Test::Moment(moment) => moment.contains(at),
            _ => self.matches(ValueRef::text(&at.to_string())),
        }
    }

    /// The first and the last time that can match, where this is a condition on a time.
    pub fn time_bounds(&self) -> Option<(Timestamp, Timestamp)> {
        match &self.test {
            Test::Moment(moment) => Some(moment.bounds()),
            _ => None,
        }
    }

    /// Whether no value can match.
    pub const fn is_never(&self) -> bool {
        matches!(self.test, Test::Never)
    }

    /// Lists of words ([`words`]): every value that matches has all the words of one of them, for
    /// looking them up in an index. Empty where there are none to tell.
    ///
    /// A number may be written in many ways: what is required is its [`super::whole_number`].
    pub fn required_words(&self) -> &[Vec<String>] {
        &self.required
    }

    /// Lists of texts in lower case: every value that matches has all of one of them in it, in any
    /// case, for passing over values that cannot match. Empty where there are none to tell.
    pub fn required_texts(&self) -> Vec<Vec<String>> {
        let texts = match &self.test {
            Test::Analysed(text) => text.required_texts(),
            _ => vec![],
        };
        if texts.iter().all(|texts| !texts.is_empty()) { texts } else { vec![] }
    }

    /// Whether a text matches once a part of it does that begins and ends where no word is cut.
    pub const fn is_local(&self) -> bool {
        // Words, phrases and patterns of them are looked for wherever they may be.
        matches!(self.test, Test::Analysed(_))
    }

    pub(super) fn of_class(leaf: &Query, class: Class, now: Timestamp) -> Self {
        let test = match leaf {
            Query::Is { value, .. } => is(value, class, now),
            Query::Range { op, value, .. } => match value.as_text() {
                Some(text) if class == Class::Time => {
                    Moment::range(text, *op, now).map_or(Test::Never, Test::Moment)
                }
                Some(text) => Test::Order(Box::new(Order::new(text, *op, class == Class::Level))),
                None => Test::Never,
            },
            Query::Regex { pattern, .. } => {
                compile(pattern).map_or(Test::Never, |regex| Test::Regex(Box::new(regex)))
            }
            Query::Exists(_) => Test::Present,
            Query::All | Query::And(_) | Query::Or(_) | Query::Not(_) | Query::Nested { .. } => {
                Test::Never
            }
        };
        let required = match &test {
            Test::Analysed(text) => text.required_words(),
            Test::Exact(exact) => exact.required_words(),
            Test::Like(like) => like.required_words(),
            _ => vec![],
        };
        let is_told = required.iter().all(|words| !words.is_empty());
        Self { test, required: if is_told { required } else { vec![] } }
    }
}

impl Class {
    /// All of them; as a number, each is its own place here.
    pub(super) const ALL: [Self; 4] = [Self::Analysed, Self::Level, Self::Time, Self::Exact];

    /// The class of the field called `name`.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "message" | "event.original" => Self::Analysed,
            "level" => Self::Level,
            "@timestamp" | "received_at" => Self::Time,
            _ => Self::Exact,
        }
    }
}

fn is(value: &Literal, class: Class, now: Timestamp) -> Test {
    if value.is_star() {
        return Test::Present;
    }
    match (class, value) {
        // No star: the parser makes no such literal.
        (_, Literal::Wild(pieces)) if pieces.len() < 2 => Test::Never,
        (Class::Analysed, Literal::Null) => Test::Exact(Box::new(Exact::new(value, false))),
        (Class::Analysed, _) => Test::Analysed(Box::new(Text::new(value))),
        (_, Literal::Wild(pieces)) => {
            Test::Like(Box::new(Like::new(pieces, class == Class::Level)))
        }
        (Class::Time, _) => {
            let text = value.as_text().unwrap_or_default();
            Moment::during(text, now).map_or(Test::Never, Test::Moment)
        }
        (Class::Level | Class::Exact, _) => {
            Test::Exact(Box::new(Exact::new(value, class == Class::Level)))
        }
    }
}

/// `text`, folded, and its words.
fn folded(text: &str) -> String {
    let mut out = String::new();
    words::fold(text.as_bytes(), &mut out);
    out
}

/// A wildcard over folded text.
fn folded_wildcard(pieces: &[String]) -> Wildcard {
    Wildcard::new(&pieces.iter().map(|piece| folded(piece)).collect::<Vec<_>>())
}

/// The words of a pattern that nothing its wildcards stand for can add to.
fn words_of_pattern(pieces: &[String]) -> Vec<String> {
    let last = pieces.len().saturating_sub(1);
    let mut all = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let piece = folded(piece);
        let starts_open = at > 0 && piece.starts_with(words::is_word);
        let ends_open = at < last && piece.ends_with(words::is_word);
        let words: Vec<&str> = words::split(&piece).collect();
        let whole = usize::from(starts_open)..words.len().saturating_sub(usize::from(ends_open));
        all.extend(words.get(whole).unwrap_or_default().iter().map(|word| (*word).to_owned()));
    }
    all
}

#[cfg(test)]
mod tests;
