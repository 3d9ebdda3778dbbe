//! A query made ready to be asked of many events.

use std::sync::OnceLock;

use super::json;
use super::matcher::{Class, Matcher};
use super::query::{Field, Query};
use super::row;
use super::time::{TimeError, span};
use crate::time::Timestamp;

/// A query with a [`Matcher`] for each of its conditions.
#[derive(Debug)]
pub struct Prepared {
    root: Node,
}

/// A part of a prepared query.
#[derive(Debug)]
pub enum Node {
    /// Every event.
    All,
    /// No event.
    None,
    /// Those that all of these match.
    And(Vec<Self>),
    /// Those that some of these match.
    Or(Vec<Self>),
    /// Those that this does not match.
    Not(Box<Self>),
    /// Those with a value that matches.
    Leaf(Leaf),
    /// Those with a value that is not `null`.
    Exists(Field),
    /// Those with an object that matches.
    Nested(Nested),
}

/// A condition on values.
#[derive(Debug)]
pub struct Leaf {
    field: Option<Field>,
    matchers: Matchers,
}

/// A condition on the members of objects.
#[derive(Debug)]
pub struct Nested {
    field: Field,
    flat: Box<Node>,
    query: Query,
    now: Timestamp,
    /// `query`, by the names of the members; made when the first array of objects is met.
    inner: OnceLock<Box<Node>>,
}

/// What a condition means is the same for all fields of a class.
#[derive(Debug)]
enum Matchers {
    One(Matcher),
    PerClass(Box<[Matcher; 4]>),
}

impl Prepared {
    /// Prepares a query; `now` is the present of its times.
    ///
    /// # Errors
    ///
    /// A field that is a time is compared with a text that is none.
    pub fn new(query: &Query, now: Timestamp) -> Result<Self, TimeError> {
        Ok(Self { root: prepare(query, None, now)? })
    }

    /// The whole of it.
    pub const fn root(&self) -> &Node {
        &self.root
    }
}

impl Leaf {
    /// The fields that are asked; `None` is all of them.
    pub const fn field(&self) -> Option<&Field> {
        self.field.as_ref()
    }

    /// Whether the field called `name` is asked.
    pub fn accepts(&self, name: &str) -> bool {
        self.field.as_ref().is_none_or(|field| field.accepts(name))
    }

    /// What is asked of the field called `name`, if it is asked.
    pub fn matcher_for(&self, name: &str) -> &Matcher {
        match &self.matchers {
            Matchers::One(matcher) => matcher,
            Matchers::PerClass(all) => {
                let [analysed, level, time, exact] = all.as_ref();
                match Class::of(name) {
                    Class::Analysed => analysed,
                    Class::Level => level,
                    Class::Time => time,
                    Class::Exact => exact,
                }
            }
        }
    }

    fn new(query: &Query, field: Option<Field>, now: Timestamp) -> Self {
        let matchers = match &field {
            Some(Field::Name(name)) => Matchers::One(Matcher::new(query, name, now)),
            Some(Field::Wild(_)) | None => Matchers::PerClass(Box::new(
                Class::ALL.map(|class| Matcher::of_class(query, class, now)),
            )),
        };
        Self { field, matchers }
    }
}

impl Nested {
    /// Where the objects are.
    pub const fn field(&self) -> &Field {
        &self.field
    }

    /// The same condition over dotted fields: right for an object that was flattened.
    pub const fn flat(&self) -> &Node {
        &self.flat
    }

    /// Whether an object in `json`, an array of them or one, matches by itself.
    pub fn matches_json(&self, json: &[u8]) -> bool {
        let none = |_: TimeError| Box::new(Node::None);
        let inner = self
            .inner
            .get_or_init(|| prepare(&self.query, None, self.now).map_or_else(none, Box::new));
        json::any_object(json, &mut |object| row::holds(inner, object))
    }
}

/// Prepares `query`, whose fields are members of `prefix`.
fn prepare(query: &Query, prefix: Option<&Field>, now: Timestamp) -> Result<Node, TimeError> {
    let all = |parts: &[Query]| {
        parts.iter().map(|part| prepare(part, prefix, now)).collect::<Result<Vec<_>, _>>()
    };
    let named = |field: &Field| prefix.map_or_else(|| field.clone(), |prefix| field.below(prefix));
    Ok(match query {
        Query::All => prefix.map_or(Node::All, |prefix| Node::Exists(Field::star().below(prefix))),
        Query::And(parts) => and(all(parts)?),
        Query::Or(parts) => or(all(parts)?),
        Query::Not(part) => match prepare(part, prefix, now)? {
            Node::All => Node::None,
            Node::None => Node::All,
            node => Node::Not(Box::new(node)),
        },
        Query::Is { field: None, value } if value.is_star() => prepare(&Query::All, prefix, now)?,
        Query::Is { field, .. } | Query::Regex { field, .. } => {
            let field = field.as_ref().map(named).or_else(|| prefix.map(members));
            or_alias(field, |field| leaf(query, field, now))?
        }
        Query::Range { field, .. } => {
            or_alias(Some(named(field)), |field| leaf(query, field, now))?
        }
        Query::Exists(field) => exists(named(field)),
        Query::Nested { field, query } => {
            let field = named(field);
            let flat = prepare(query, Some(&field), now)?;
            // What an object lacks counts only where there is one.
            let flat = Box::new(and(vec![Node::Exists(members(&field)), flat]));
            Node::Nested(Nested {
                field,
                flat,
                query: (**query).clone(),
                now,
                inner: OnceLock::new(),
            })
        }
    })
}

/// What is asked of a field, asked of the one too in which its value was put when it was text.
fn or_alias(
    field: Option<Field>,
    node: impl Fn(Option<Field>) -> Result<Node, TimeError>,
) -> Result<Node, TimeError> {
    let alias = field.as_ref().filter(|field| matches!(field, Field::Name(name) if name == HOST));
    let Some(alias) = alias.map(|_| Field::Name(HOST_NAME.to_owned())) else { return node(field) };
    Ok(or(vec![node(field)?, node(Some(alias))?]))
}

/// A value, or an object: of one that was flattened there are its members.
fn exists(field: Field) -> Node {
    match &field {
        Field::Name(name) if Class::of(name) == Class::Exact => {
            let members = Node::Exists(members(&field));
            Node::Or(vec![Node::Exists(field), members])
        }
        Field::Name(_) | Field::Wild(_) => Node::Exists(field),
    }
}

fn leaf(query: &Query, field: Option<Field>, now: Timestamp) -> Result<Node, TimeError> {
    if let Some(Field::Name(name)) = &field
        && Class::of(name) == Class::Time
        && let Query::Is { value, .. } | Query::Range { value, .. } = query
        && let Some(text) = value.as_text()
    {
        span(text, now)?;
    }
    let leaf = Leaf::new(query, field, now);
    let is_never = matches!(&leaf.matchers, Matchers::One(matcher) if matcher.is_never());
    Ok(if is_never { Node::None } else { Node::Leaf(leaf) })
}

fn and(parts: Vec<Node>) -> Node {
    if parts.iter().any(|part| matches!(part, Node::None)) {
        return Node::None;
    }
    let mut parts: Vec<Node> = parts.into_iter().filter(|p| !matches!(p, Node::All)).collect();
    match parts.pop() {
        None => Node::All,
        Some(part) if parts.is_empty() => part,
        last => Node::And(parts.into_iter().chain(last).collect()),
    }
}

fn or(parts: Vec<Node>) -> Node {
    if parts.iter().any(|part| matches!(part, Node::All)) {
        return Node::All;
    }
    let mut parts: Vec<Node> = parts.into_iter().filter(|p| !matches!(p, Node::None)).collect();
    match parts.pop() {
        None => Node::None,
        Some(part) if parts.is_empty() => part,
        last => Node::Or(parts.into_iter().chain(last).collect()),
    }
}

/// The members of the objects at `field`.
fn members(field: &Field) -> Field {
    Field::star().below(field)
}

/// What most senders call the host, as text.
const HOST: &str = "host";

/// Where it is kept, so that it can be a text here and an object there.
const HOST_NAME: &str = "host.name";
